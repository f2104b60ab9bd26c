"""`motcua cloud stacks`: which stack deploys which hosted system. It reads stack files, and no state of a stack."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from motcua.report_console import open_report_console, print_table
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config.hosted_stacks import HostedStack
    from infra.plan.cloud import CloudPlan

StacksArgument = Annotated[
    Path, typer.Argument(help="The folder of the stack files, in a checkout: infra/stacks.", show_default=True)
]


def stacks(folder: StacksArgument = Path("infra/stacks")) -> None:
    """Show which stack deploys each hosted system. Exit 2 when one is in two stack files, or in none."""
    from infra.config.hosted_stacks import read_hosted_stacks

    files = read_hosted_stacks(folder)
    faults = list(files.faults)
    groups: list[list[HostedStack]] = []
    for stack in files.stacks:
        group = next((one for one in groups if one[0].is_beside(stack)), None)
        if group is None:
            groups.append([stack])
        else:
            group.append(stack)
    if not files.stacks and not faults:
        remedy = "name the folder of the files Pulumi.NAME.yaml"
        faults.append(Fault(str(folder), 0, "FOLDER", "has no stack of hosted systems on Kubernetes", remedy))
    for group in groups:
        faults += _print_group(group, folder)
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))


def _print_group(group: Sequence[HostedStack], folder: Path) -> list[Fault]:
    """Print the stacks of one inventory, stage and cluster, and return their faults."""
    from infra.plan.cloud.stack_parts import OPTION, divided_faults, planned_part, undeployed_names

    plan, faults = _plan(group[0], folder), list[Fault]()
    table = Table("Stack", "Stage", "Systems", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for stack in group:
        try:
            shown = ", ".join(stack.listed_systems) or f"all {len(planned_part(plan, ()).systems)}"
            planned_part(plan, stack.listed_systems)
        except ConfigError as error:
            faults += [Fault(stack.file, one.line, one.field, one.problem, one.remedy) for one in error.faults]
        table.add_row(escape(stack.name), stack.options.stage, escape(shown))
    print_table(open_report_console(), table)
    if any(stack.listed_systems for stack in group):
        faults += divided_faults(group)
        for name in undeployed_names(group, plan):
            faults.append(Fault(group[-1].file, 0, OPTION, f"no stack deploys {name}", "list it in one of them"))
    return faults


def _plan(stack: HostedStack, folder: Path) -> CloudPlan:
    from infra.plan.cloud import build_cloud_plan
    from motcua.stacks import inventory_folder
    from telemetry import inventory

    options = stack.options
    declared = inventory.load(inventory_folder(folder / Path(stack.file).name))
    today = options.today or datetime.now(UTC).date()
    return build_cloud_plan(declared.cloud, province=declared.province, stage=options.stage, today=today)
