"""`motcua publish MONTH`: writes a month's figures as a file of the inventory. It must not commit or upload it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from motcua.cli import ConfigOption, StoreOption
from motcua.report_console import open_report_console, print_table
from motcua.startup import load_inventory, load_settings
from telemetry.core.scope import Scope
from telemetry.errors import MotcuaError
from telemetry.queries.publication import PUBLISHED_FIGURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motcua.month_report import MonthChanges, MonthReport
    from telemetry.config import ServerSettings
    from telemetry.core.inventory import Inventory, PublishedFigures
    from telemetry.core.report.values import MonthlyReport

MAX_SHOWN_CORRECTIONS = 20
err = Console(stderr=True)


def publish(
    month: Annotated[str, typer.Argument(help="Month in local time, e.g. 2026-10.")],
    store: StoreOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the file (default: published/ of the inventory).")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Publish a month again, and print what changes.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write the figures and the report of a finished month into the inventory, 7 days after its end, to be reviewed.

    One file has the seconds in opening hours of every scope, and good and bad of every objective, the other one the
    monthly report; later data are shown beside them as corrections.

    Example: motcua publish 2026-10 --store sqlite:////var/lib/motcua/store.db
    """
    from telemetry import inventory
    from telemetry.inventory.published import path_of

    settings = load_settings(config, MOTCUA_STORE=store)
    declared = load_inventory(settings)()
    target = (settings.inventory or inventory.default_path()) / path_of(month)
    file = target if out is None else out / target.name
    computed = _compute_month(settings, declared, month, (file, replace))
    if computed.changes is not None:
        _print_changes(month, computed)
    if file.exists():
        if computed.changes is not None and not computed.changes and not computed.report_changes:
            return
        print(f"{file} is overwritten")
    _write(file, computed)
    _print_published(file, computed.rows, declared)


@dataclass(frozen=True, slots=True)
class _ComputedMonth:
    """A month's rows and report, and what changes in them; `changes` is None when it was not published before.

    `report_changes` counts the figures of the report that change, 1 when there was no report.
    """

    rows: list[PublishedFigures]
    report: MonthlyReport
    changes: MonthChanges | None
    report_changes: int


def _write(file: Path, computed: _ComputedMonth) -> None:
    """Write the report, then the rows: a month counts as published with its rows."""
    from motcua import month_report
    from telemetry.core.report.values import encode_report
    from telemetry.inventory.published import to_csv

    month_report.write_published(file.with_suffix(".json"), encode_report(computed.report))
    month_report.write_published(file, to_csv(computed.rows))


def _compute_month(
    settings: ServerSettings, inventory: Inventory, month: str, target: tuple[Path, bool]
) -> _ComputedMonth:
    """Compute the rows and the report, and what changes in them."""
    from motcua import month_report
    from motcua.month_report import MonthReport, month_window
    from telemetry.core.report.changes import published_report, report_changes
    from telemetry.queries.monthly_reports import build_report, find_published_report
    from telemetry.queries.service import Queries
    from telemetry.wiring import open_store

    now = time.time_ns() // 1_000_000
    window = month_window(month, inventory.zone)
    month_report.check_settled(month, window, now, inventory.zone)
    before = _previous_rows(inventory, month, *target)
    former = month_report.read_existing_report(target[0].with_suffix(".json"), month)
    former = former or find_published_report(inventory, month)
    open_connection = open_store(settings.store, settings.store_token, create=False)
    try:
        month_report.check_folded(open_connection, month, window)
        queries = Queries(open_connection, lambda: inventory, lambda: now)
        rows = _compute_rows(MonthReport(month, inventory, open_connection, queries))
        report = build_report(queries, month, rows)
    finally:
        open_connection.close()
    changed = 1 if former is None else len(report_changes(former, report))
    changes = month_report.compare_rows(before, rows) if before else None
    return _ComputedMonth(rows, published_report(report, former, now), changes, changed)


def _previous_rows(
    inventory: Inventory, month: str, file: Path, replace: bool
) -> Mapping[tuple[str, str, str], PublishedFigures]:
    """Return the rows published before: from the file that is to be replaced, else from the inventory."""
    from motcua import month_report

    before = {key: row for key, row in inventory.published.items() if key[0] == month}
    if (before or file.exists()) and not replace:
        msg = f"{month} is already published: late data are shown as corrections; --replace publishes it again"
        raise MotcuaError(msg)
    return month_report.read_existing(file, month) if file.exists() else before


def _compute_rows(month: MonthReport) -> list[PublishedFigures]:
    from motcua import month_report

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        tasks = {stage: bar.add_task(stage, total=None) for stage in ("reading", "adding")}
        return month_report.compute_rows(
            month, lambda stage, done, total: bar.update(tasks[stage], completed=done, total=total)
        )


def _print_published(file: Path, rows: Sequence[PublishedFigures], inventory: Inventory) -> None:
    from motcua import month_report

    plain = sum(not row.objective for row in rows)
    print(f"{file}: {plain} scopes, {len(rows) - plain} rows of {len(inventory.objectives)} objectives")
    print(f"{file.with_suffix('.json')}: the monthly report")
    print("review it and commit it with the inventory")
    table = Table(title="Worst centres", box=box.SIMPLE_HEAD)
    for name in ("Centre", "Name", "Open h", "Availability", "Low", "Coverage"):
        table.add_column(name, justify="left" if name in {"Centre", "Name"} else "right")
    for row in month_report.worst_centres(rows):
        ident = Scope(row.scope).id
        table.add_row(ident, inventory.centres[ident].name_en, f"{row.open / 3600:.1f}", *_availability_ratios(row))
    print_table(open_report_console(), table)


def _availability_ratios(row: PublishedFigures) -> tuple[str, str, str]:
    known = row.up + row.down
    pairs = (row.up, known), (row.up, row.open), (known, row.open)
    first, low, coverage = (f"{part / total:.2%}" if total else "-" for part, total in pairs)
    return first, low, coverage


def _print_changes(month: str, computed: _ComputedMonth) -> None:
    """Print the changes of a month that is published again."""
    from motcua.month_report import MonthChanges

    changes = computed.changes or MonthChanges()
    if computed.report_changes:
        print(
            f"{month}: {computed.report_changes} figures of the report change; it becomes revision "
            f"{computed.report.revision}"
        )
    if not changes and computed.report_changes:
        return
    if not changes:
        print(f"{month}: nothing has changed since it was published")
        return
    print(f"{month}: {len(changes.corrections)} rows change, {changes.added} are added, {changes.removed} are removed")
    for correction in changes.corrections[:MAX_SHOWN_CORRECTIONS]:
        signed = (f"{name} {value:+d}" for name in PUBLISHED_FIGURES if (value := getattr(correction.difference, name)))
        print(f"  {correction.current.scope} {correction.current.objective or 'availability'}: {', '.join(signed)}")
    if len(changes.corrections) > MAX_SHOWN_CORRECTIONS:
        print(f"  and {len(changes.corrections) - MAX_SHOWN_CORRECTIONS} more")
