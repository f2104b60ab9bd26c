"""Builds the cells of `motcua inventory show kpis|targets|indices|commitments`; it must not print, load or measure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.kpi.target_paths import target_path, target_subject, targets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import Commitment, IndexFigure, Inventory, Target
    from telemetry.core.kpi.indicators import Indicator

INDICATOR_COLUMNS = ("name", "strand, unit, source", "owner, last target")


def indicator_cells(inventory: Inventory, indicator: Indicator) -> tuple[str, ...]:
    """Return an indicator's names; strand, unit and source; owner and the last target over all levels: a line each.

    Three columns of several lines fit a terminal of 80 characters; eight of one line do not.
    """
    targets = targets_of(inventory.targets, indicator)
    last = f"{format_value(targets[-1].value, indicator.unit)} by {targets[-1].by}" if targets else ""
    return (
        f"{indicator.name_vi}\n{indicator.name_en}",
        f"{indicator.strand}\n{indicator.unit}, {indicator.source}",
        "\n".join(part for part in (indicator.owner, last) if part),
    )


def targets_by_id(inventory: Inventory) -> dict[str, tuple[Target, ...]]:
    """Return the targets of each id in order of their dates, the ids in the order of the file."""
    out: dict[str, tuple[Target, ...]] = {}
    for target in inventory.targets:
        out[target.id] = tuple(sorted((*out.get(target.id, ()), target), key=lambda t: t.by))
    return out


def target_years(targets: Mapping[str, tuple[Target, ...]]) -> tuple[int, ...]:
    """Return the years at whose end a path is shown: from each path's start or first target to its last."""
    years: set[int] = set()
    for rows in targets.values():
        years.update(_path_years(rows))
    return tuple(sorted(years))


def target_cells(inventory: Inventory, rows: tuple[Target, ...], years: tuple[int, ...]) -> tuple[str, ...]:
    """Return a target's names and unit, and what its path asks for at the end of each year it covers."""
    shown = _path_years(rows)
    values = (_cell_at(inventory, rows, year) if year in shown else "" for year in years)
    return (rows[0].name_vi, rows[0].name_en, rows[0].unit, *values)


def _path_years(rows: tuple[Target, ...]) -> range:
    starts = [row.start.day.year for row in rows if row.start is not None]
    return range(min(*starts, rows[0].by.year) if starts else rows[0].by.year, rows[-1].by.year + 1)


def _cell_at(inventory: Inventory, rows: tuple[Target, ...], year: int) -> str:
    subject = target_subject(rows[0].id, all_indicators(inventory.own_indicators))
    if rows[0].unit == "milestone" or subject is None:
        return f"done {rows[-1].done}" if rows[-1].done else f"by {rows[-1].by}"
    value = target_path(inventory.targets, subject.indicator, subject.level).value_on(date(year, 12, 31))
    return "" if value is None else format_value(value, rows[0].unit)


def index_name(figure: IndexFigure) -> str:
    """Return the indicator and year of an index."""
    return f"{figure.indicator} {figure.year}"


def index_cells(figure: IndexFigure) -> tuple[str, ...]:
    """Return an index's value, its rank of how many, and its source."""
    rank = f"{figure.rank} of {figure.units_ranked}" if figure.rank else ""
    return f"{figure.value:g}", rank, figure.source


def commitment_name(commitment: Commitment) -> str:
    """Return who is committed to what by when."""
    level = f"-{commitment.level}" if commitment.level else ""
    return f"{commitment.unit or commitment.agency} {commitment.indicator}{level} {commitment.by}"


def commitment_cells(inventory: Inventory, commitment: Commitment) -> tuple[str, ...]:
    """Return who is committed, the indicator, the value, the signature, and whether it is a sample."""
    subject = target_subject(commitment.indicator, all_indicators(inventory.own_indicators))
    unit = inventory.units.get(commitment.unit)
    return (
        commitment.agency if unit is None else unit.name,
        commitment.indicator,
        format_value(commitment.value, "" if subject is None else subject.indicator.unit),
        "" if commitment.signed is None else str(commitment.signed),
        "sample" if commitment.sample else "",
    )


def format_value(value: float, unit: str) -> str:
    """Return a value with its unit, a ratio in percent."""
    if unit == "ratio":
        return f"{100 * value:.4g} %"
    if unit == "rank":
        return f"{round(value, 1):g}"
    return f"{value:.4g} s" if unit == "s" else f"{value:.4g}"
