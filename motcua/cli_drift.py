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

INFLUX_TOKEN, BROKER_PASSWORD = "MOTCUA_INFLUX_TOKEN", "MOTCUA_BROKER_PASSWORD"
KEPT = {INFLUX_TOKEN: "influxToken", BROKER_PASSWORD: "brokerPassword"}
"""Under which name a stack keeps each of them."""
COLUMNS = ("Thing", "Kind", "State", "Field", "Wanted", "Found")
COLOURS = {"missing": "red", "changed": "yellow", "foreign": "magenta", "unplanned": "blue"}


def drift(
    stack_file: Annotated[
        Path | None, typer.Option(help="Pulumi.NAME.yaml (default: the shipped local stack).")
    ] = None,
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: the stack file's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a stack's plan with InfluxDB, the broker and the files; exit 1 when something differs.

    InfluxDB is asked with the operator token of MOTCUA_INFLUX_TOKEN, a broker with dynamic security with the password
    of MOTCUA_BROKER_PASSWORD. Nothing is changed, and no engine is needed.
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
    from infra.declared import declared
    from infra.drift import drifts, files
    from infra.providers.kind import ProviderError
    from infra.servers import servers, strangers

    token, password = secrets(dynsec=stack.options.broker.form == "dynsec")
    local = files(stack.plan, stack.options, str(stack.root), str(stack.folder.resolve()))
    things = (*declared(stack.plan, stack.options), *local)
    try:
        with servers(stack.options, token, password, stack.called) as opened:
            return [*drifts(things, opened.kind), *strangers(things, opened)]
    except ProviderError as error:
        raise MotcuaError(str(error)) from None


def secrets(*, dynsec: bool) -> tuple[str, str]:
    """Return InfluxDB's token and the broker's password. Raises ConfigError naming what is missing."""
    needed = [INFLUX_TOKEN, *([BROKER_PASSWORD] if dynsec else [])]
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        remedy = 'export {}="$(pulumi config get {})"'
        raise ConfigError(
            [Fault("environment", 0, one, "is missing", remedy.format(one, KEPT[one])) for one in missing]
        )
    return os.environ[INFLUX_TOKEN], os.environ.get(BROKER_PASSWORD, "")


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
