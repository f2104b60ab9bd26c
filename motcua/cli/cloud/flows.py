"""`motcua cloud flows`: the allowed connections of hosted systems, and the matrix of zones. It must not judge rules."""

from __future__ import annotations

import json as json_text
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from motcua.cli.cloud.plan import NOTHING_HOSTED, FolderArgument, JsonOption, StageOption, open_cloud_plan
from motcua.report_console import open_report_console, print_table

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from infra.plan.cloud.values import AllowedConnection

SOURCES = ("internet", "office", "wireless", "wan", "partner", "edge", "dmz", "server", "database", "manage")
TARGETS = ("edge", "dmz", "server", "database", "manage", "internet", "wan", "partner")


def flows(
    folder: FolderArgument = None,
    stage: StageOption = "prod",
    platform: Annotated[bool, typer.Option("--platform", help="Also list what every system needs.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid chart instead of tables.")] = False,
    json: JsonOption = False,
) -> None:
    """List the connections that follow from flows.csv, and what the zones forbid. It opens nothing."""
    plan = open_cloud_plan(folder, stage)
    connections = (*plan.connections, *(plan.platform_connections if platform else ()))
    if mermaid:
        from infra.graph import render_cloud_mermaid

        print(render_cloud_mermaid(plan), end="")
        return
    if json:
        print(json_text.dumps([connection_row(plan, one) for one in connections], indent=2, ensure_ascii=False))
        return
    console = open_report_console()
    if not plan.systems:
        console.print(NOTHING_HOSTED, markup=False)
        return
    print_table(console, matrix_table(plan))
    console.print("a number: that many declared connections; ·: may be declared; –: closed", style="dim")
    print_table(console, connection_table(plan, connections))


def connection_row(plan: CloudPlan, connection: AllowedConnection) -> dict[str, Any]:
    """Return a connection for JSON, with what the matrix says of it."""
    from infra.plan.cloud.zones import network_of, zone_breach

    seen = zone_breach(plan, connection)
    breach = {"rule": seen.rule, "clause": seen.clause, "problem": seen.problem.en} if seen else None
    return {
        "from": str(connection.source),
        "from_zone": network_of(connection.source),
        "to": str(connection.target),
        "to_zone": network_of(connection.target),
        "port": connection.port,
        "protocol": connection.protocol,
        "tls": connection.tls,
        "origin": connection.origin,
        "why": connection.why,
        "declared_at": connection.declared_at,
        "breach": breach,
    }


def matrix_table(plan: CloudPlan) -> Table:
    """Return the matrix: what is closed, and how many declared connections each open cell has."""
    from infra.plan.cloud.zones import network_of
    from telemetry.core.cloud.zone_matrix import MATRIX

    counts = Counter((str(network_of(one.source)), str(network_of(one.target))) for one in plan.connections)
    open_cells = {(str(source), str(target)) for source, target in MATRIX}
    table = Table("from ↓", *TARGETS, box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for source in SOURCES:
        cells = [_cell(counts[source, target], (source, target) in open_cells) for target in TARGETS]
        table.add_row(source, *cells)
    return table


def _cell(count: int, is_open: bool) -> str:
    if count:
        return str(count) if is_open else f"[red]{count} ✗[/red]"
    return "·" if is_open else "–"


def connection_table(plan: CloudPlan, connections: tuple[AllowedConnection, ...]) -> Table:
    """Return the connections by source; one that the matrix forbids has its problem and clause."""
    table = Table(box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("From", no_wrap=True)
    table.add_column("To", no_wrap=True)
    table.add_column("Port", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for one in sorted(connections, key=lambda one: (str(one.source), str(one.target), one.port)):
        row = connection_row(plan, one)
        breach, port = row["breach"], f"{one.port}" if one.protocol == "TCP" else f"{one.port} {one.protocol}"
        why = escape(one.why if one.tls or one.protocol == "UDP" else f"{one.why} (no TLS)")
        if breach:
            forbidden = escape(f"forbidden by {breach['clause']}: {breach['problem']}")
            why = f"[red]{forbidden}[/red]"
        table.add_row(row["from"], row["to"], port, why)
    return table
