"""`motcua cloud size`: how much the hosted systems may use, by system, agency and site. It must not compute."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

from motcua.cli.cloud.plan import NOTHING_HOSTED, FolderArgument, JsonOption, StageOption, open_cloud_plan
from motcua.report_console import open_report_console, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.cloud.sizes import DrillSize, HostLoss, SizeRow

TITLES = {"system": "By system", "agency": "By owner", "site": "By site", "all": "All"}


def size(folder: FolderArgument = None, stage: StageOption = "prod", json: JsonOption = False) -> None:
    """Show processor, memory, disk, copies and logs of the hosted systems; what the quotas leave; what a host takes."""
    from infra.plan.cloud.sizes import drill_sizes, host_losses, size_rows

    plan = open_cloud_plan(folder, stage)
    rows, losses, drills = size_rows(plan), host_losses(plan), drill_sizes(plan)
    if json:
        document = {
            "rows": [asdict(row) for row in rows],
            "host_losses": [asdict(loss) for loss in losses],
            "drills": [asdict(drill) for drill in drills],
        }
        print(json_text.dumps(document, indent=2, ensure_ascii=False))
        return
    console, prices, logs = open_report_console(), plan.declaration.prices, plan.declaration.logs
    if not plan.systems:
        console.print(NOTHING_HOSTED, markup=False)
        return
    for group, title in TITLES.items():
        grouped = [row for row in rows if row.group == group]
        print_table(console, size_table(title, grouped, prices.currency if prices else ""))
    if logs is not None:
        total = sum(row.log_gb for row in rows if row.group == "all")
        console.print(f"Logs of {logs.keep_days} days: {total:,.1f} GB of {logs.disk_gb:,} GB declared")
    print_table(console, loss_table(rows, losses))
    if drills:
        print_table(console, drill_table(drills))


def size_table(title: str, rows: Sequence[SizeRow], currency: str) -> Table:
    """Return a table of sizes; without prices it has no price column."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("Id", no_wrap=True)
    names = ("Runs", "Cores", "Memory\nGB", "Disk\nGB", "Copies\nGB", "Log\nGB")
    for name in (*names, *([f"{escape(currency)}\na month"] if currency else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        price = [f"{row.price:,}"] if row.price is not None else []
        table.add_row(
            row.id, f"{row.instances:,}", f"{row.cpu_millicores / 1000:,.1f}", f"{row.memory_mb / 1024:,.0f}",
            f"{row.disk_gb:,}", f"{row.copies_gb:,}", f"{row.log_gb:,.0f}", *price,
        )  # fmt: skip
    return table


def loss_table(rows: Sequence[SizeRow], losses: Sequence[HostLoss]) -> Table:
    """Return what must start elsewhere when a host is lost, what the quota leaves, and what stops until then."""
    left = {row.id: row for row in rows if row.group == "system"}
    title = "If one host is lost (lost, left in the quota)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("System", no_wrap=True)
    for name in ("Cores", "left", "Memory GB", "left"):
        table.add_column(name, justify="right")
    table.add_column("Stops until it starts elsewhere", overflow="fold")
    for loss in losses:
        row, stopped = left[loss.system], ", ".join(loss.stopped) or "nothing"
        table.add_row(
            loss.system, f"{loss.cpu_millicores / 1000:,.1f}", f"{row.left_cpu_millicores / 1000:,.1f}",
            f"{loss.memory_mb / 1024:,.0f}", f"{row.left_memory_mb / 1024:,.0f}", stopped,
        )  # fmt: skip
    return table


def drill_table(drills: Sequence[DrillSize]) -> Table:
    """Return what a restore drill of each system uses while it lasts, in a namespace or stage of its own."""
    title = "For a restore drill (beside the quota, one system at a time)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("System", no_wrap=True)
    for name in ("Cores", "Memory GB", "Disk GB"):
        table.add_column(name, justify="right")
    for one in drills:
        table.add_row(
            one.system, f"{one.cpu_millicores / 1000:,.1f}", f"{one.memory_mb / 1024:,.0f}", f"{one.disk_gb:,}"
        )
    return table
