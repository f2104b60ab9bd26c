"""Signed commitments beside what the unit or agency itself measured month by month; it must not read raw events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.administrative_tree import is_within
from telemetry.core.inventory import local_date
from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.kpi.commitments import commitment_status
from telemetry.core.kpi.yearly_indices import index_figures, index_measurement
from telemetry.queries.buckets import QueryCost
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.indicator_figures import PartOfProvince
from telemetry.queries.indicators import KINDS_OF_TOTALS, groups_of

if TYPE_CHECKING:
    from datetime import date

    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Commitment, Inventory
    from telemetry.core.kpi.commitments import CommitmentStatus
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.values import IndicatorValue
    from telemetry.queries.indicators import IndicatorFigures, IndicatorQueries

DAYS_READ = 366


@dataclass(frozen=True, slots=True)
class CommitmentReading:
    """A commitment with where it stands; `value` and `window` are of the month that was measured last, if any."""

    status: CommitmentStatus
    indicator: Indicator
    committer: str
    value: IndicatorValue | None = None
    window: Window | None = None


def part_of(commitment: Commitment, inventory: Inventory) -> PartOfProvince:
    """Return whose figures a commitment is measured by.

    A unit has the centres of itself and of all units below it; an agency the centres that it owns, or else the desks of
    its services in every centre.
    """
    declared = declared_centres(inventory.centres.values())
    if commitment.unit:
        own = frozenset(c.id for c in declared if is_within(c.unit, commitment.unit, inventory))
        return PartOfProvince(f"unit:{commitment.unit}", own)
    name = f"agency:{commitment.agency}"
    owned = frozenset(c.id for c in declared if c.owner_agency == commitment.agency)
    if owned:
        return PartOfProvince(name, owned)
    services = frozenset(s.id for s in inventory.services.values() if s.owner_agency == commitment.agency)
    return PartOfProvince(name, frozenset(c.id for c in declared if services.intersection(c.services)), services)


def commitments_cost(inventory: Inventory) -> QueryCost:
    """Return what `read_commitments` costs at most."""
    centres = sum(len(part_of(one, inventory).centres) for one in inventory.commitments)
    return QueryCost(centres * KINDS_OF_TOTALS * DAYS_READ, len(inventory.commitments))


def read_commitments(indicators: IndicatorQueries, inventory: Inventory, now: int) -> list[CommitmentReading]:
    """Return every commitment in the inventory's order with the last twelve months of its committer."""
    known, today = all_indicators(inventory.own_indicators), local_date(now, inventory.zone)
    return [_read(indicators, inventory, one, known[one.indicator], today) for one in inventory.commitments]


def _read(
    indicators: IndicatorQueries, inventory: Inventory, commitment: Commitment, indicator: Indicator, today: date
) -> CommitmentReading:
    unit = inventory.units.get(commitment.unit)
    committer = commitment.agency if unit is None else unit.name
    if indicator.source == "import":
        is_province = unit is not None and unit.level == "province"
        years = index_figures(inventory.indices, indicator.id, today) if is_province else ()
        measured = [index_measurement(figure) for figure in years]
        return CommitmentReading(commitment_status(commitment, indicator, measured, today), indicator, committer)
    months = indicators.months_of(part_of(commitment, inventory), groups_of(indicator))
    measured = months.measurements(indicator, commitment.level)
    status = commitment_status(commitment, indicator, measured, today)
    last = None if status.measured is None else _month_of(months.buckets, status.measured.day)
    if last is None:
        return CommitmentReading(status, indicator, committer)
    value = last.reading(indicator).at_level(commitment.level)
    return CommitmentReading(status, indicator, committer, value, last.window)


def _month_of(months: tuple[IndicatorFigures, ...], day: date) -> IndicatorFigures | None:
    within = (m for m in months if local_date(m.window.start, m.inventory.zone) <= day <= m.last_day)
    return next(within, None)
