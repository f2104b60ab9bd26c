"""One indicator: definition, value with its parts, path and months of each target, levels, commitments to it.

It must not compute a figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from api.pages.charts.plots import ChartPoint
from api.pages.charts.trajectory import lay_out_trajectory
from api.pages.frame.freshness import Freshness
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.indicators.commitments import commitment_table
from api.pages.indicators.page import amount, gap_text, indicator_line, pace_text, side_texts, value_text
from api.pages.indicators.targets import VERDICT_ICONS, target_standings
from api.times import rfc3339
from telemetry.core.inventory import local_date
from telemetry.queries.commitments import read_commitments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from api.pages.charts.trajectory import TrajectoryChart
    from api.pages.frame.language import PageLocale
    from api.pages.frame.tables import ColumnKind
    from api.pages.indicators.targets import TargetStanding
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.values import IndicatorValue
    from telemetry.queries.indicators import IndicatorOverview, IndicatorReading
    from telemetry.queries.service import Queries

OPEN_DATASETS = ("kpis", "targets", "commitments")


@dataclass(frozen=True, slots=True)
class TargetPanel:
    """A target of the page in words, with its chart and the name of the table that has the same figures."""

    level: str
    icon: str
    verdict: str
    value: str
    target: str
    gap: str
    pace: str
    chart: TrajectoryChart | None
    table: str


@dataclass(frozen=True, slots=True)
class PathEntry:
    """A row of a path's table: a corner of the path or a measured value; `kind` is the key of its name."""

    day: date
    kind: str
    path: float | None
    measured: float | None = None
    gap: float | None = None


def build_context(queries: Queries, locale: PageLocale, overview: IndicatorOverview, ident: str) -> dict[str, Any]:
    """Gather what the template shows; raises NotFound for an unknown indicator."""
    indicator = queries.indicators.indicator(ident)
    reading = next(one for one in overview.readings if one.indicator.id == indicator.id)
    standings = [one for one in target_standings(overview) if one.trajectory.subject.indicator.id == indicator.id]
    standings.sort(key=lambda one: one.trajectory.subject.order)
    inventory, now, zone, window = queries.inventory(), queries.now(), queries.zone(), overview.figures.window
    own = tuple(one for one in inventory.commitments if one.indicator == indicator.id)
    commitments = read_commitments(queries.indicators, replace(inventory, commitments=own), now)
    tables = [path_table(one, locale) for one in standings]
    tables += [months_table(overview, indicator, locale), commitment_table(commitments, queries, locale)]
    if reading.by_level:
        tables.append(level_table(reading, locale))
    span = f"from={rfc3339(window.start, zone)}&to={rfc3339(window.end, zone)}".replace("+", "%2B")
    return {
        "title": locale.name(indicator),
        "amount": amount,
        "line": indicator_line(reading, overview, locale),
        "indicator": indicator,
        "panels": [target_panel(one, locale) for one in standings],
        "worst": next((one.verdict for one in sorted(standings, key=lambda one: one.sort_key)), "none"),
        "tables": tables,
        "has_commitments": bool(own),
        "period": locale.t(
            "kpi_period",
            first=locale.plain_date(local_date(window.start, zone)),
            last=locale.plain_date(local_date(window.end - 1, zone)),
        ),
        "revision": queries.snapshot().version,
        "api_href": f"/api/v1/kpis/{indicator.id}/values?bucket=1mo&{span}",
        "datasets": OPEN_DATASETS,
        "simulated": queries.network_status().has_simulated_data,
        "freshness": Freshness(reading.newest, now, follows=False),
        "now": now,
        "inventory": inventory,
        "health": queries.store_stats(),
    }


def target_panel(standing: TargetStanding, locale: PageLocale) -> TargetPanel:
    """Return one target in words, with its chart."""
    trajectory = standing.trajectory
    indicator, level = trajectory.subject.indicator, trajectory.subject.level
    point, verdict = trajectory.in_force, standing.verdict
    return TargetPanel(
        locale.t(f"level_{level}") if level else "",
        VERDICT_ICONS[verdict],
        verdict,
        value_text(indicator, standing.reading.at_level(level), locale).value,
        locale.t("kpi_target", value=amount(indicator, point.value, locale), by=locale.plain_date(point.by)),
        gap_text(indicator, trajectory.gap, locale),
        pace_text(indicator, trajectory, locale),
        None if indicator.unit == "milestone" else _chart(standing),
        table_name(standing),
    )


def _chart(standing: TargetStanding) -> TrajectoryChart:
    trajectory = standing.trajectory
    path = [ChartPoint(point.by, point.value) for point in trajectory.path.corners]
    measured = [ChartPoint(one.day, one.value) for one in trajectory.history]
    top = 1.0 if trajectory.subject.indicator.unit == "ratio" else None
    return lay_out_trajectory(path, measured, trajectory.day, top)


def table_name(standing: TargetStanding) -> str:
    """Return the name of a target's table."""
    level = standing.trajectory.subject.level
    return f"path-{level}" if level else "path"


_KIND_BY_UNIT: Mapping[str, ColumnKind] = {"ratio": "ratio", "s": "minutes", "count": "count", "rank": "count"}


def _value_kind(indicator: Indicator) -> ColumnKind:
    return _KIND_BY_UNIT.get(indicator.unit, "decimal")


def path_table(standing: TargetStanding, locale: PageLocale) -> PageTable:
    """Return the twin of a target's chart: its milestones and the measured months, by day."""
    trajectory, indicator = standing.trajectory, standing.trajectory.subject.indicator
    kind = _value_kind(indicator)
    columns = (
        TableColumn("day", locale.t("kpi_day"), "date"),
        TableColumn("what", locale.t("kpi_what")),
        TableColumn("path", locale.t("kpi_path_value"), kind),
        TableColumn("measured", locale.t("kpi_key_measured"), kind),
        TableColumn("gap", locale.t("kpi_gap"), "decimal"),
    )
    rows = tuple(_path_row(entry, indicator, locale) for entry in _path_entries(standing))
    level = trajectory.subject.level
    caption = locale.t("kpi_path_table", level=locale.t(f"level_{level}") if level else locale.t("kpi_all_levels"))
    return PageTable(table_name(standing), caption, columns, rows)


def _path_entries(standing: TargetStanding) -> list[PathEntry]:
    """Return the corners of the path and what was measured, by day."""
    trajectory = standing.trajectory
    path, targets = trajectory.path, {point.by for point in trajectory.path.points}
    corners = [
        PathEntry(corner.by, "kpi_row_target" if corner.by in targets else "kpi_row_start", corner.value)
        for corner in path.corners
    ]
    months = [
        PathEntry(one.day, "kpi_row_measured", path.value_on(one.day), one.value, path.gap(one))
        for one in trajectory.history
    ]
    return sorted([*corners, *months], key=lambda entry: (entry.day, entry.kind))


def _path_row(entry: PathEntry, indicator: Indicator, locale: PageLocale) -> PageTableRow:
    path, measured = (
        TableCell(value, "" if value is None else amount(indicator, value, locale))
        for value in (entry.path, entry.measured)
    )
    gap = TableCell(entry.gap, gap_text(indicator, entry.gap, locale))
    return PageTableRow((TableCell(entry.day.isoformat()), TableCell(locale.t(entry.kind)), path, measured, gap))


def months_table(overview: IndicatorOverview, indicator: Indicator, locale: PageLocale) -> PageTable:
    """Return the values of the last twelve months with numerator and denominator, newest first."""
    kind = _value_kind(indicator)
    columns = (
        TableColumn("month", locale.t("kpi_month"), "date"),
        TableColumn("value", locale.t("kpi_value"), kind),
        TableColumn("numerator", locale.t("kpi_numerator"), "count"),
        TableColumn("denominator", locale.t("kpi_denominator"), "count"),
    )
    zone = overview.inventory.zone
    rows = []
    for bucket in reversed(overview.months.buckets):
        value, month = bucket.reading(indicator).value, local_date(bucket.window.start, zone)
        shown = value_text(indicator, value, locale)
        rows.append(
            PageTableRow(
                (
                    TableCell(month.isoformat(), locale.month(month)),
                    TableCell(value.value, shown.value),
                    *_side_cells(indicator, value, locale),
                )
            )
        )
    return PageTable("months", locale.t("kpi_months_table"), columns, tuple(rows))


def _side_cells(indicator: Indicator, value: IndicatorValue, locale: PageLocale) -> tuple[TableCell, TableCell]:
    over, under = side_texts(indicator, value, locale)
    return TableCell(value.numerator, over), TableCell(value.denominator, under)


def level_table(reading: IndicatorReading, locale: PageLocale) -> PageTable:
    """Return the value of each administrative level with numerator and denominator."""
    indicator = reading.indicator
    columns = (
        TableColumn("level", locale.t("kpi_level")),
        TableColumn("value", locale.t("kpi_value"), _value_kind(indicator)),
        TableColumn("numerator", locale.t("kpi_numerator"), "count"),
        TableColumn("denominator", locale.t("kpi_denominator"), "count"),
    )
    rows = tuple(
        PageTableRow((
            TableCell(locale.t(f"level_{level}")),
            TableCell(value.value, value_text(indicator, value, locale).value),
            *_side_cells(indicator, value, locale),
        ))
        for level, value in reading.by_level.items()
    )  # fmt: skip
    return PageTable("levels", locale.t("kpi_levels_table"), columns, rows)
