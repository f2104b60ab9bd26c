"""`motcua inventory …`: check, show, graph and render what is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from motcua.startup import inventory_of, settings_of
from telemetry.errors import ConfigError, Fault

app = typer.Typer(no_args_is_help=True, help="Check, show and render the declared world.")
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (they win over MOTCUA_…).")]


@app.command("check")
def check(folder: Annotated[Path | None, typer.Argument(help="The inventory's folder.")] = None) -> None:
    """Name every fault with file and line; exit 2 when there are any."""
    from telemetry import inventory

    found = inventory.load(folder or settings_of(None).inventory or inventory.default_path())
    agents = sum(device.kind != "replay" for device in found.devices.values())
    print(f"{found.name_en}: {len(found.centres)} centres, {agents} devices, {len(found.systems)} systems, no fault")


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
def graph_(config: Config = None) -> None:
    """Print the tree as Graphviz text (motcua inventory graph | dot -Tsvg)."""
    from telemetry.inventory.render import graph

    print(graph(inventory_of(settings_of(config))()))


@app.command("render")
def render(
    device: Annotated[str, typer.Option(help="The device's id.")],
    mqtt: Annotated[str, typer.Option(help="Broker URL for the agent.")] = "mqtt://127.0.0.1:1883",
    config: Config = None,
) -> None:
    """Print a device's agent.toml."""
    from telemetry.inventory.render import render_agent

    print(render_agent(inventory_of(settings_of(config))(), device, mqtt=mqtt), end="")
