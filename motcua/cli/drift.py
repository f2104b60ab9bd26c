"""`motcua drift`: differences between a stack's plan and the servers and files. It must not change anything."""

from __future__ import annotations

import json as json_text
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from motcua.report_console import open_report_console, print_table
from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.drift import Drift
    from motcua.stacks import OpenedStack

INFLUX_TOKEN_ENV = "MOTCUA_INFLUX_TOKEN"  # noqa: S105 - a variable's name
COLUMNS = ("Resource", "Kind", "State", "Field", "Wanted", "Found")
COLOURS = {"missing": "red", "changed": "yellow", "foreign": "magenta", "unplanned": "blue"}


def drift(
    stack_file: Annotated[
        Path | None, typer.Option(help="Pulumi.NAME.yaml (default: the shipped local stack).")
    ] = None,
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: the stack file's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare a stack's plan with InfluxDB and the files; exit 1 when something differs.

    InfluxDB is read with the operator token in MOTCUA_INFLUX_TOKEN. Nothing is changed, and Pulumi is not needed.
    """
    from motcua import stacks

    files = [stack_file] if stack_file else [f for f in stacks.shipped_files() if f.name == "Pulumi.local.yaml"]
    differences = find_drift(stacks.open_stacks(files, inventory, datetime.now(UTC).date())[0])
    if json:
        print(json_text.dumps([item.to_json() for item in differences], indent=2, ensure_ascii=False))
    else:
        print_drift(differences)
    if differences:
        raise typer.Exit(1)


def find_drift(stack: OpenedStack) -> Sequence[Drift]:
    """Return all differences. Raises ConfigError for a missing token, MotcuaError when a server is unreachable."""
    from infra.drift import find_drifts, local_file_specs, open_servers, undeclared_resources
    from infra.providers.resource_kind import ProviderError
    from infra.resource_specs import resource_specs

    token = read_influx_token()
    local = local_file_specs(stack.plan, stack.options, str(stack.root), str(stack.folder.resolve()))
    specs = (*resource_specs(stack.plan, stack.options), *local)
    try:
        with open_servers(stack.options, token, stack.pulumi_name) as servers:
            return [*find_drifts(specs, servers.open_kind), *undeclared_resources(specs, servers)]
    except ProviderError as error:
        raise MotcuaError(str(error)) from None


def read_influx_token() -> str:
    """Return InfluxDB's token. Raises ConfigError when it is missing."""
    token = os.environ.get(INFLUX_TOKEN_ENV)
    if not token:
        remedy = f'export {INFLUX_TOKEN_ENV}="$(pulumi config get influxToken)"'
        raise ConfigError([Fault("environment", 0, INFLUX_TOKEN_ENV, "is missing", remedy)])
    return token


def print_drift(differences: Sequence[Drift]) -> None:
    """Print a table, or `no drift`."""
    if not differences:
        print("no drift")
        return
    table = Table(title=f"{len(differences)} differences", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for difference in differences:
        table.add_row(
            difference.name,
            difference.kind,
            f"[{COLOURS[difference.state]}]{difference.state}[/]",
            *_table_cells(difference),
        )
    print_table(open_report_console(), table)


def _table_cells(difference: Drift) -> tuple[str, str, str]:
    from rich.markup import escape

    return escape(difference.field), escape(difference.wanted), escape(difference.actual)
