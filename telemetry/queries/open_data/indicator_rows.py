"""Datasets of indicators by month, of targets and of commitments; it must not read raw events nor divide."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.indicators import LEVELS
from telemetry.core.kpi.target_paths import target_owner, target_subject
from telemetry.core.open_data.catalogue import ALL_SERVICES, KPIS
from telemetry.core.open_data.indicator_counts import TICKET_COLUMNS, columns_of, discloses, people_counts
from telemetry.core.open_data.suppression import may_publish_total, stays_safe, suppress_parts
from telemetry.queries.buckets import BucketQuery, QueryCost
from telemetry.queries.indicators import PRESENT_ONLY
from telemetry.queries.open_data.administration_rows import DOSSIER_COUNTS, dossier_rows
from telemetry.queries.open_data.rows import DatasetPart, DatasetRow, chunks, period_cells, suppress_cells
from telemetry.queries.open_data.service_rows import TICKET_COUNTS, queue_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.target_paths import TargetSubject
    from telemetry.core.kpi.values import IndicatorValue
    from telemetry.queries.indicators import IndicatorFigures
    from telemetry.queries.open_data.rows import CellValue, OpenDataInputs

LeftOutCounts = dict[tuple[str, str], list[int]]
"""The counts that other datasets leave out of a month, by level and column."""
_GOAL_SOURCES = {"targets": "targets.toml of the inventory", "commitments": "commitments.csv of the inventory"}


def indicator_parts(inputs: OpenDataInputs, periods: Sequence[Window]) -> list[DatasetPart]:
    """Return the indicators of each month."""
    desks = sum(len(centre.services) + 1 for centre in inputs.centres)
    return [
        DatasetPart(
            QueryCost(inputs.indicators.cost(month).rows + 32 * desks, 1),
            lambda month=month: indicator_rows(inputs, month),  # type: ignore[misc]
        )
        for month in periods
    ]


def indicator_rows(inputs: OpenDataInputs, month: Window) -> Iterator[DatasetRow]:
    """Yield a month's indicators that are measured over a period and have a source, over all and by level."""
    figures = inputs.indicators.series(month).buckets[0]
    left_out = left_out_counts(inputs, month, figures.figures.by_level)
    for indicator in INDICATORS.values():
        is_measured = indicator.source in {"events", "catalogue", "totals"} and indicator.id not in PRESENT_ONLY
        if is_measured:
            yield from _rows_of_indicator(inputs, figures, indicator, left_out)


def left_out_counts(inputs: OpenDataInputs, month: Window, totals: Mapping[str, Mapping[str, int]]) -> LeftOutCounts:
    """Return the counts that queues and dossiers leave out of a month, each from the rows that are sums themselves.

    The days of a level are read until it is certain that its `totals` (figures by level) may be published.
    """
    counts: LeftOutCounts = defaultdict(list)
    days = BucketQuery(month, "1d", inputs.zone).buckets()
    for level in LEVELS:
        shown = {column for name, column in TICKET_COLUMNS.items() if totals.get(level, {}).get(name)}
        part = replace(inputs, centres=[centre for centre in inputs.centres if centre.level == level])
        for run in chunks(days, sum(len(centre.services) + 1 for centre in part.centres)):
            for row in queue_rows(part, run):
                if row.cells["service"] == ALL_SERVICES:
                    _add_left_out(counts, level, row, TICKET_COUNTS)
            if all(stays_safe(counts[level, column]) for column in shown):
                break
    for row in dossier_rows(inputs, month):
        _add_left_out(counts, str(row.cells["dossier_level"]), row, DOSSIER_COUNTS)
    return counts


def _add_left_out(counts: LeftOutCounts, level: str, row: DatasetRow, columns: Iterable[str]) -> None:
    for name in columns:
        value = row.suppressed.get(name)
        if isinstance(value, int):
            counts[level, name].append(value)


def _tells(indicator: Indicator, levels: Iterable[str], left_out: Mapping[tuple[str, str], Sequence[int]]) -> bool:
    """Return whether the value over these levels tells a count that another dataset leaves out."""
    chosen = list(levels)
    return not all(
        may_publish_total([(count,) for level in chosen for count in left_out.get((level, column), ())])
        for column in columns_of(indicator)
    )


def _rows_of_indicator(
    inputs: OpenDataInputs, figures: IndicatorFigures, indicator: Indicator, left_out: LeftOutCounts
) -> Iterator[DatasetRow]:
    """Yield an indicator over all and at each level that has a source; the levels are the parts of the whole."""
    reading = figures.reading(indicator)
    levels = [level for level in LEVELS if level in reading.by_level]
    whole = people_counts(indicator, figures.figures.overall)
    parts = [people_counts(indicator, figures.figures.by_level[level]) for level in levels]
    forced = [place for place, level in enumerate(levels) if _tells(indicator, (level,), left_out)]
    would_tell = discloses(whole) or _tells(indicator, LEVELS, left_out)
    differences = ((1, 0),) if len(whole) > 1 else ()
    hidden = suppress_parts(parts, differences, forced, total_is=would_tell) if whole else None
    readings = [("", reading.value), *((level, reading.by_level[level]) for level in levels)]
    for place, (level, value) in enumerate(readings, -1):
        is_left_out = hidden is not None and (hidden.total if place < 0 else place in hidden.parts)
        if value.state != "no_source":
            subject = {"level": level or None, "declared": reading.is_declared and not level}
            yield _indicator_row(inputs, figures.window, indicator, value, subject, is_left_out=is_left_out)


def _indicator_row(
    inputs: OpenDataInputs, month: Window, indicator: Indicator, value: IndicatorValue,
    subject: Mapping[str, CellValue], *, is_left_out: bool,
) -> DatasetRow:  # fmt: skip
    interval = value.interval
    cells: dict[str, CellValue] = {
        **period_cells("month", month, inputs.zone), **_indicator_cells(indicator), **subject,
        "value": value.value, "value_unit": indicator.unit, "numerator": value.numerator,
        "denominator": value.denominator, "low": interval.low if interval else None,
        "high": interval.high if interval else None, "state": value.state, "formula": indicator.formula,
        "numerator_figures": " + ".join(indicator.numerator),
        "denominator_figures": " + ".join(indicator.denominator), "source": indicator.source,
        "direction": indicator.direction, "settled": month.end <= inputs.settled_until,
    }  # fmt: skip
    names = ("value", "numerator", "denominator", "low", "high") if is_left_out else ()
    return suppress_cells(cells, [name for name in names if cells[name] is not None], KPIS.names)


def _indicator_cells(indicator: Indicator) -> dict[str, CellValue]:
    return {"kpi": indicator.id, "kpi_name_vi": indicator.name_vi, "kpi_name_en": indicator.name_en}


def target_rows(inputs: OpenDataInputs) -> Iterator[DatasetRow]:
    """Yield the targets of the inventory; ids of no indicator have none."""
    targets = inputs.inventory.targets
    for target in sorted(targets, key=lambda t: (t.id, t.by)):
        subject = target_subject(target.id)
        if subject is None:
            continue
        start = target.start
        yield DatasetRow({
            **_subject_cells(subject), "title_vi": target.name_vi, "title_en": target.name_en,
            "value": target.value, "value_unit": target.unit, "by": target.by.isoformat(),
            "owner": target_owner(targets, subject.indicator, subject.level),
            "start_value": start.value if start else None, "start_day": start.day.isoformat() if start else None,
            "done": target.done.isoformat() if target.done else None, "source": _GOAL_SOURCES["targets"],
        })  # fmt: skip


def commitment_rows(inputs: OpenDataInputs) -> Iterator[DatasetRow]:
    """Yield the commitments of the inventory."""
    units = inputs.inventory.units
    for one in sorted(inputs.inventory.commitments, key=lambda c: (c.unit, c.agency, c.indicator, c.level, c.by)):
        indicator = INDICATORS[one.indicator]
        yield DatasetRow({
            **_indicator_cells(indicator), "level": one.level or None, "unit": one.unit or None,
            "unit_name": units[one.unit].name if one.unit in units else None, "agency": one.agency or None,
            "value": one.value, "value_unit": indicator.unit, "by": one.by.isoformat(),
            "signed": one.signed.isoformat() if one.signed else None, "document": one.document or None,
            "sample": one.sample, "source": _GOAL_SOURCES["commitments"],
        })  # fmt: skip


def _subject_cells(subject: TargetSubject) -> dict[str, CellValue]:
    return {**_indicator_cells(subject.indicator), "level": subject.level or None}
