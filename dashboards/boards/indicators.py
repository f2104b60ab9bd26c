"""The dashboard of queues and indicators: a panel an indicator of the catalogue with the path of its targets.

Indicators that the inventory declares are among them. It must not divide: values are those that the API exports.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from dashboards.boards.fleet import CENTRES
from dashboards.panels import ORANGE, Dashboard, Panel, PanelQuery, Section, Threshold, graph, stat
from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.kpi.targets import target_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import Inventory
    from telemetry.core.kpi.indicators import Indicator, IndicatorUnit, Strand

UNITS: Mapping[IndicatorUnit, str] = MappingProxyType({
    "ratio": "percentunit", "s": "s", "count": "short", "rank": "none", "score": "none", "milestone": "none",
})  # fmt: skip
STRANDS: Mapping[Strand, str] = MappingProxyType({
    "institutions": "Institutions", "procedures": "Administrative procedures", "organisation": "Organisation",
    "civil_service": "Civil service", "public_finance": "Public finance", "modernisation": "Digital government",
})  # fmt: skip


def indicators_board(inventory: Inventory) -> Dashboard:
    """Return the dashboard: queues now, then the indicators by the strand of the reform programme."""
    indicators = all_indicators(inventory.own_indicators)
    with_target = {subject.indicator.id for subject in target_paths(inventory.targets, indicators)}
    ordered = sorted(indicators.values(), key=lambda row: list(STRANDS).index(row.strand))
    strands = (
        Section(STRANDS[strand], tuple(_indicator_panel(row, row.id in with_target) for row in rows), is_closed=True)
        for strand, rows in groupby(ordered, key=attrgetter("strand"))
    )
    return Dashboard(
        "motcua-indicators",
        "Motcua: queues and indicators",
        "Queues of today, and every indicator over the local year so far with the path of its targets.",
        (_queues(), _targets(), *strands),
        (CENTRES,),
        period="now-24h",
        time_zone=str(inventory.zone),
    )


def _queues() -> Section:
    mean = {"{{centre}}": 'centre:motcua_wait_today_seconds:mean{centre=~"$centre"}'}
    waits = {"{{bound}} s": "max by (bound) (motcua_queue_wait_seconds)"}
    tickets = 'sum by (event) (max by (centre, event) (motcua_tickets_today{centre=~"$centre"}))'
    return Section(
        "Queues today",
        (
            graph("Mean wait today", mean, "Sum of the waits that ended today by their number.", unit="s"),
            graph("Waits that ended today, at or under a bound", waits, "Of all centres, counted cumulatively."),
            graph("Tickets today", {"{{event}}": tickets}, "Late data may raise the figure of any hour."),
        ),
    )


def _targets() -> Section:
    behind = "max by (kpi, level) (motcua_kpi_on_track) == 0"
    missed = (PanelQuery(f"kpi:motcua_kpi_value:max and on (kpi, level) ({behind})"),)
    return Section(
        "Targets",
        (
            stat("With a source", "count(max by (kpi) (motcua_kpi_value))", "Indicators that have a value."),
            stat(
                "Behind their path",
                f"count({behind}) or vector(0)",
                "Indicators and levels whose value is not on the path of their targets.",
                alarm=Threshold(1, ORANGE),
            ),
            Panel("Values behind their path", missed, "", "table", "none", 18, 8, no_value="none"),
        ),
    )


def _indicator_panel(indicator: Indicator, has_target: bool) -> Panel:  # noqa: FBT001
    chosen = f'{{kpi="{indicator.id}"}}'
    queries: tuple[PanelQuery, ...] = (PanelQuery(f"max by (level) (motcua_kpi_value{chosen})", "{{level}}"),)
    if has_target:
        queries += (
            PanelQuery(f"max by (level) (motcua_kpi_path_value{chosen})", "path, {{level}}"),
            PanelQuery(f"max by (level) (motcua_kpi_target{chosen})", "target, {{level}}"),
        )
    better = "larger" if indicator.direction == "up" else "smaller"
    description = f"{indicator.name_vi}. {indicator.formula}. {indicator.owner}. A {better} value is better."
    return Panel(
        f"{indicator.id} {indicator.name_en}",
        queries,
        description,
        unit=UNITS[indicator.unit],
        dashed="^(path|target), " if has_target else "",
        no_value="no source",
    )
