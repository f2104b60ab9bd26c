"""`motcua publish MONTH`: freezes a month's figures as a file of the inventory. It must not commit or upload it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from motcua.startup import inventory_of, settings_of
from telemetry.core.slo.corrections import FIGURES
from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motcua.month_report import Month
    from motcua.publishing import Changes
    from telemetry.config import Settings
    from telemetry.core.inventory import Inventory, Published

SHOWN = 20
err = Console(stderr=True)


def publish(
    month: Annotated[str, typer.Argument(help="The local month, e.g. 2026-10.")],
    store: Annotated[str | None, typer.Option(help="Store URL.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the file (default: published/ in the inventory's folder).")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Publish a published month again, and say what changes.")
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
) -> None:
    """Write the figures of a month that is over and settled (7 days) into the inventory, to be reviewed in Git.

    Every scope's seconds in opening hours and every objective's good and bad; data that come later are shown beside
    them as corrections. Example: motcua publish 2026-10 --store sqlite:////var/lib/motcua/store.db
    """
    from telemetry import inventory
    from telemetry.inventory.published import name_of

    found = settings_of(config, MOTCUA_STORE=store)
    world = inventory_of(found)()
    target = (found.inventory or inventory.default_path()) / name_of(month)
    file = target if out is None else out / target.name
    rows, changed = _computed(found, world, month, (file, replace))
    if changed is not None:
        _tell_changes(month, changed)
    if file.exists():
        if changed is not None and not changed:
            return
        print(f"{file} is overwritten")
    from motcua import publishing

    publishing.write(file, rows)
    _tell(file, rows, world)


def _computed(
    found: Settings, world: Inventory, month: str, given: tuple[Path, bool]
) -> tuple[list[Published], Changes | None]:
    """Compute the rows, and what they change of those published before; None when nothing was."""
    from motcua import publishing
    from motcua.month_report import Month, window_of
    from telemetry.queries import Queries
    from telemetry.wiring import open_store

    now = time.time_ns() // 1_000_000
    window = window_of(month, world.zone)
    publishing.check_settled(month, window, now, world.zone)
    before = _before(world, month, *given)
    opened = open_store(found.store, found.store_token)
    try:
        publishing.check_folded(opened, month, window)
        rows = _figures(Month(month, world, opened, Queries(opened, lambda: world, lambda: now)))
    finally:
        opened.close()
    return rows, publishing.changes(before, rows) if before else None


def _before(world: Inventory, month: str, file: Path, replace: bool) -> Mapping[tuple[str, str, str], Published]:
    """Return what was published before: in the file that is to be replaced, or else in the inventory."""
    from motcua import publishing

    before = {key: row for key, row in world.published.items() if key[0] == month}
    if (before or file.exists()) and not replace:
        msg = (
            f"{month} is already published: late data are shown as corrections beside it; --replace publishes it again"
        )
        raise MotcuaError(msg)
    return publishing.standing(file, month) if file.exists() else before


def _figures(month: Month) -> list[Published]:
    from motcua import publishing

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        tasks = {word: bar.add_task(word, total=None) for word in ("reading", "adding")}
        return publishing.figures(month, lambda word, done, whole: bar.update(tasks[word], completed=done, total=whole))


def _tell(file: Path, rows: Sequence[Published], world: Inventory) -> None:
    from motcua import publishing

    plain = sum(not row.objective for row in rows)
    print(f"{file}: {plain} scopes, {len(rows) - plain} rows of {len(world.objectives)} objectives")
    print("review it and commit it with the inventory")
    table = Table(title="Worst centres", box=box.SIMPLE_HEAD)
    for name in ("Centre", "Name", "Open h", "Availability", "Low", "Coverage"):
        table.add_column(name, justify="left" if name in {"Centre", "Name"} else "right")
    for row in publishing.worst(rows):
        ident = row.scope.removeprefix("centre:")
        table.add_row(ident, world.centres[ident].name_en, f"{row.open / 3600:.1f}", *_ratios(row))
    Console().print(table)


def _ratios(row: Published) -> tuple[str, str, str]:
    known = row.up + row.down
    pairs = (row.up, known), (row.up, row.open), (known, row.open)
    first, low, coverage = (f"{part / whole:.2%}" if whole else "-" for part, whole in pairs)
    return first, low, coverage


def _tell_changes(month: str, changed: Changes) -> None:
    """Print what a month published again says otherwise."""
    if not changed:
        print(f"{month}: nothing has changed since it was published")
        return
    print(f"{month}: {len(changed.corrections)} rows change, {changed.added} are new, {changed.gone} go")
    for one in changed.corrections[:SHOWN]:
        signed = (f"{name} {value:+d}" for name in FIGURES if (value := getattr(one.difference, name)))
        print(f"  {one.now.scope} {one.now.objective or 'availability'}: {', '.join(signed)}")
    if len(changed.corrections) > SHOWN:
        print(f"  and {len(changed.corrections) - SHOWN} more")
