"""`motcua drift`: what the servers and files hold otherwise than the stack declares. It must not change anything."""

from __future__ import annotations

import json as json_text
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.drift import Drift
    from motcua.stacks import Stack

INFLUX_TOKEN = "MOTCUA_INFLUX_TOKEN"  # noqa: S105 - a variable's name
COLUMNS = ("Thing", "Kind", "State", "Field", "Wanted", "Found")
COLOURS = {"missing": "red", "changed": "yellow", "foreign": "magenta", "unplanned": "blue"}


def drift(
    stack_file: Annotated[
        Path | None, typer.Option(help="Pulumi.NAME.yaml (default: the shipped local stack).")
    ] = None,
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: the stack file's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a stack's plan with InfluxDB and the files; exit 1 when something differs.

    InfluxDB is asked with the operator token of MOTCUA_INFLUX_TOKEN. Nothing is changed, and no engine is needed.
    """
    from motcua import stacks

    files = [stack_file] if stack_file else [one for one in stacks.shipped() if one.name == "Pulumi.local.yaml"]
    found = compared(stacks.opened(files, inventory, datetime.now(UTC).date())[0])
    if json:
        print(json_text.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        show(found)
    if found:
        raise typer.Exit(1)


def compared(stack: Stack) -> Sequence[Drift]:
    """Return everything that differs. Raises ConfigError for a missing secret, MotcuaError when a server is away."""
    from infra.drift import drifts, files
    from infra.providers.resource_kind import ProviderError
    from infra.resource_specs import declared
    from infra.servers import servers, strangers

    token = secret()
    local = files(stack.plan, stack.options, str(stack.root), str(stack.folder.resolve()))
    things = (*declared(stack.plan, stack.options), *local)
    try:
        with servers(stack.options, token, stack.called) as opened:
            return [*drifts(things, opened.kind), *strangers(things, opened)]
    except ProviderError as error:
        raise MotcuaError(str(error)) from None


def secret() -> str:
    """Return InfluxDB's token. Raises ConfigError when it is missing."""
    token = os.environ.get(INFLUX_TOKEN)
    if not token:
        remedy = f'export {INFLUX_TOKEN}="$(pulumi config get influxToken)"'
        raise ConfigError([Fault("environment", 0, INFLUX_TOKEN, "is missing", remedy)])
    return token


def show(found: Sequence[Drift]) -> None:
    """Print a table, or that nothing differs."""
    if not found:
        print("no drift")
        return
    table = Table(title=f"{len(found)} differences", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(one.name, one.kind, f"[{COLOURS[one.state]}]{one.state}[/]", *_cells(one))
    Console().print(table)


def _cells(one: Drift) -> tuple[str, str, str]:
    from rich.markup import escape

    return escape(one.field), escape(one.wanted), escape(one.found)
