"""`motcua inventory …`: check, show, graph and render what is declared."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from motcua.cli import openslo
from motcua.startup import inventory_of, settings_of
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from infra.policy.values import Finding
    from motcua.stacks import Stack

app = typer.Typer(no_args_is_help=True, help="Check, show and render the declared world.")
app.add_typer(openslo.app, name="openslo")
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (they win over MOTCUA_…).")]


StackFiles = Annotated[
    list[Path] | None,
    typer.Option("--stack-file", help="Pulumi.NAME.yaml; may be repeated (default: the shipped ones)."),
]


@app.command("check")
def check(
    folder: Annotated[Path | None, typer.Argument(help="The inventory's folder.")] = None,
    policy: Annotated[bool, typer.Option("--policy", help="Check the stacks' plans against the rules, too.")] = False,
    stack_file: StackFiles = None,
) -> None:
    """Name every fault with file and line; exit 2 when there are any, 1 when a plan breaks a mandatory rule."""
    from telemetry import inventory

    if stack_file and not policy:
        raise ConfigError([Fault("command line", 0, "--stack-file", "is for --policy only", "add --policy")])
    given = folder or settings_of(None).inventory
    if not policy or given is not None:
        found, warnings = inventory.checked(given or inventory.default_path())
        for warning in warnings:
            print(f"motcua: warning: {warning}", file=sys.stderr)
        agents = sum(device.kind != "replay" for device in found.devices.values())
        print(
            f"{found.name_en}: {len(found.centres)} centres, {agents} devices, {len(found.systems)} systems, no fault; "
            f"version {found.version}"
        )
    if policy:
        _check_policy(stack_file or [], given)


def _check_policy(files: list[Path], folder: Path | None) -> None:
    """Print the findings of every stack; exit 1 when one of them is mandatory."""
    from motcua import stacks

    broken = 0
    for stack in stacks.opened(files, folder, _today()):
        findings = _findings(stack)
        broken += sum(one.severity == "mandatory" for one in findings)
        print(f"{stack.name}: {len(findings)} findings" if findings else f"{stack.name}: no finding")
        for one in findings:
            print(f"  {one}")
    if broken:
        raise typer.Exit(1)


def _findings(stack: Stack) -> list[Finding]:
    """Return what a stack's plan breaks, and its manifests where the target has some."""
    import yaml

    from infra.policy.leaks import leaks
    from infra.policy.manifests import manifests
    from infra.policy.rules import findings
    from motcua.stacks import manifests as written

    files = written(stack)
    documents = [one for name, text in files.items() if name.endswith(".yaml") for one in yaml.safe_load_all(text)]
    objects = manifests([one for one in documents if isinstance(one, dict) and "kind" in one])
    told = findings(stack.plan, stack.options, _today())
    return sorted({*told, *leaks(files), *(one for one in objects if not one.rule.startswith("image-"))})


def _today() -> date:
    return datetime.now(UTC).date()


@app.command("show")
def show(
    ident: Annotated[str, typer.Argument(help="A centre, device, system or service id.")], config: Config = None
) -> None:
    """Show what is declared under an id."""
    found = inventory_of(settings_of(config))()
    for kind in (found.centres, found.devices, found.systems, found.services, found.units):
        if ident in kind:
            Console().print(kind[ident])
            return
    remedy = "see `motcua inventory graph`"
    raise ConfigError([Fault("command line", 0, "ID", f"nothing is declared as {ident!r}", remedy)])


@app.command("graph")
def graph_(
    plan: Annotated[bool, typer.Option("--plan", help="Draw what a stack is to be, as a Mermaid chart.")] = False,
    stack_file: Annotated[Path | None, typer.Option(help="With --plan: Pulumi.NAME.yaml (default: local).")] = None,
    config: Config = None,
) -> None:
    """Print the tree as Graphviz text (motcua inventory graph | dot -Tsvg)."""
    from telemetry.inventory.agent_config import graph

    if plan:
        _draw(stack_file, settings_of(config).inventory)
        return
    if stack_file is not None:
        raise ConfigError([Fault("command line", 0, "--stack-file", "is for --plan only", "add --plan")])
    print(graph(inventory_of(settings_of(config))()))


def _draw(file: Path | None, folder: Path | None) -> None:
    from motcua import stacks

    files = [file] if file else [one for one in stacks.shipped() if one.name == "Pulumi.local.yaml"]
    found = stacks.opened(files, folder, _today())[0]
    from infra.graph import mermaid

    print(mermaid(found.plan), end="")


@app.command("render")
def render(
    device: Annotated[str, typer.Option(help="The device's id.")],
    mqtt: Annotated[str, typer.Option(help="Broker URL for the agent.")] = "mqtt://127.0.0.1:1883",
    config: Config = None,
) -> None:
    """Print a device's agent.toml."""
    from telemetry.inventory.agent_config import render_agent

    print(render_agent(inventory_of(settings_of(config))(), device, mqtt=mqtt), end="")
