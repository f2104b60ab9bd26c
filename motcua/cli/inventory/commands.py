"""`motcua inventory …`: check, show, graph and render what is declared."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from motcua.cli import ConfigOption
from motcua.cli.inventory import openslo
from motcua.report_console import open_report_console, print_table
from motcua.startup import load_inventory, load_settings
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from infra.policy.catalogue import Finding
    from motcua.stacks import OpenedStack
    from telemetry.core.inventory import Inventory

app = typer.Typer(no_args_is_help=True, help="Check, show and render the inventory: what is declared.")
app.add_typer(openslo.app, name="openslo")


StackFilesOption = Annotated[
    list[Path] | None,
    typer.Option("--stack-file", help="Stack file Pulumi.NAME.yaml; may be repeated (default: the shipped ones)."),
]


@app.command("check")
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of the inventory (default: MOTCUA_INVENTORY, else the sample).")
    ] = None,
    policy: Annotated[bool, typer.Option("--policy", help="Also check the stacks' plans against the policy.")] = False,
    stack_file: StackFilesOption = None,
    today: Annotated[
        datetime | None,
        typer.Option("--today", formats=["%Y-%m-%d"], help="With --policy: day to judge on (default: today in UTC)."),
    ] = None,
) -> None:
    """Report all faults with file and line. Exit 2 on any fault, 1 when a plan violates a mandatory rule."""
    from telemetry import inventory

    if stack_file and not policy:
        raise ConfigError([Fault("command line", 0, "--stack-file", "is for --policy only", "add --policy")])
    if today and not policy:
        raise ConfigError([Fault("command line", 0, "--today", "is for --policy only", "add --policy")])
    path = folder or load_settings(None).inventory
    if not policy or path is not None:
        declared, warnings = inventory.load_with_warnings(path or inventory.default_path())
        for warning in warnings:
            print(f"motcua: warning: {warning}", file=sys.stderr)
        print(_summary_line(declared))
    if policy:
        _check_policy(stack_file or [], path, today.date() if today else _today())


def _summary_line(declared: Inventory) -> str:
    agents = sum(device.kind != "replay" for device in declared.devices.values())
    hosted = f" ({len(declared.cloud.systems)} hosted)" if declared.cloud.systems else ""
    return (
        f"{declared.name_en}: {len(declared.centres)} centres, {agents} devices, "
        f"{len(declared.whole_systems)} systems{hosted}, no fault; version {declared.version}"
    )


def _check_policy(files: list[Path], folder: Path | None, today: date) -> None:
    """Print the findings of every stack; exit 1 when one is mandatory."""
    from motcua import stacks

    violations = 0
    opened = stacks.open_stacks(files, folder, today)
    faults = [fault for stack in opened for fault in stacks.input_faults(stack)]
    faults += [fault for stack in opened for fault in stacks.own_system_faults(stack, today)]
    if faults:
        raise ConfigError(faults)
    for stack in opened:
        findings = _stack_findings(stack, today)
        violations += sum(finding.severity == "mandatory" for finding in findings)
        print(f"{stack.name}: {len(findings)} findings" if findings else f"{stack.name}: no finding")
        for finding in findings:
            print(f"  {finding}")
    if violations:
        raise typer.Exit(1)


def _stack_findings(stack: OpenedStack, today: date) -> list[Finding]:
    """Return the findings for a stack's plan, and for its manifests where the target has some."""
    import yaml

    from infra.policy.manifests import check_manifests
    from infra.policy.rules import check_plan
    from infra.policy.secret_scan import find_leaks
    from motcua.stacks import kubernetes_files as written

    files = written(stack)
    documents = [item for name, text in files.items() if name.endswith(".yaml") for item in yaml.safe_load_all(text)]
    objects = check_manifests([item for item in documents if isinstance(item, dict) and "kind" in item])
    plan_findings = check_plan(stack.plan, stack.options, today)
    object_findings = (item for item in objects if not item.rule.startswith("image-"))
    return sorted({*plan_findings, *find_leaks(files), *object_findings, *_hosted_findings(stack, today)})


def _hosted_findings(stack: OpenedStack, today: date) -> list[Finding]:
    """Return the findings for the systems that the stack's inventory hosts."""
    from infra.plan.cloud import build_cloud_plan
    from infra.policy.cloud.check import check_cloud_plan

    cloud, province = stack.inventory.cloud, stack.inventory.province
    return check_cloud_plan(build_cloud_plan(cloud, province=province, stage=stack.options.stage, today=today))


def _today() -> date:
    return datetime.now(UTC).date()


@app.command("show")
def show(
    ident: Annotated[
        str,
        typer.Argument(
            help="An id, or a kind: units, services, centres, devices, systems, agencies, components, flows, peers, "
            "objectives, kpis, targets, indices, commitments."
        ),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Show the declaration of an id, all of a kind, or without either what there is."""
    from motcua.cli.inventory import tables

    inventory, console, wide = load_inventory(load_settings(config))(), Console(), open_report_console()
    if not ident:
        print_table(wide, tables.summary_table(inventory))
        return
    for listing in tables.listings(inventory):
        if ident == listing.plural:
            print_table(wide, listing.table())
            return
        if ident in listing.values:
            console.print(listing.values[ident])
            if listing.plural == "systems" and ident in inventory.cloud.systems:
                console.print(inventory.cloud.systems[ident])
            if listing.plural == "devices":
                print_table(wide, tables.sources_table(inventory, inventory.devices[ident]))
            return
    if ident in inventory.centres:
        console.print(inventory.centres[ident])
        return
    similar = tables.similar_ids(ident, inventory)
    remedy = f"did you mean {' or '.join(similar)}?" if similar else "`motcua inventory show` lists what there is"
    raise ConfigError([Fault("command line", 0, "ID", f"nothing is declared as {ident!r}", remedy)])


@app.command("graph")
def graph_(
    plan: Annotated[bool, typer.Option("--plan", help="Print a stack's plan as a Mermaid chart instead.")] = False,
    stack_file: Annotated[
        Path | None, typer.Option(help="With --plan: stack file Pulumi.NAME.yaml (default: the shipped local stack).")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the tree of the inventory as Graphviz text (motcua inventory graph | dot -Tsvg)."""
    from telemetry.inventory.agent_config import render_graph

    if plan:
        _print_plan_chart(stack_file, load_settings(config).inventory)
        return
    if stack_file is not None:
        raise ConfigError([Fault("command line", 0, "--stack-file", "is for --plan only", "add --plan")])
    print(render_graph(load_inventory(load_settings(config))()))


def _print_plan_chart(file: Path | None, folder: Path | None) -> None:
    from motcua import stacks

    files = [file] if file else [path for path in stacks.shipped_files() if path.name == "Pulumi.local.yaml"]
    stack = stacks.open_stacks(files, folder, _today())[0]
    from infra.graph import render_mermaid

    print(render_mermaid(stack.plan), end="")


@app.command("render")
def render(
    device: Annotated[str, typer.Option(help="Id of the device.")],
    mqtt: Annotated[str, typer.Option(help="Broker URL that the agent connects to.")] = "mqtt://127.0.0.1:1883",
    config: ConfigOption = None,
) -> None:
    """Print the agent.toml of a device."""
    from telemetry.inventory.agent_config import render_agent
    from telemetry.mqtt.address import parse_broker_url

    try:
        parse_broker_url(mqtt)
    except ConfigError as error:
        faults = [Fault("command line", 0, "--mqtt", fault.problem, fault.remedy) for fault in error.faults]
        raise ConfigError(faults) from None
    print(render_agent(load_inventory(load_settings(config))(), device, mqtt=mqtt), end="")
