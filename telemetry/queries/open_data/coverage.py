"""What each open dataset covers and when it last changed, from live rows; it must not read totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import day_window
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.declared_centres import declared_centres

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Inventory, OpenDataTerms
    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class DatasetCoverage:
    """The ended periods from the first contact of a centre on, and the last change of the past, Unix ms; and terms."""

    zone: ZoneInfo
    terms: OpenDataTerms
    start: int | None = None
    end: int | None = None
    changed_at: int | None = None


def dataset_coverage(
    dataset: Dataset, inventory: Inventory, periods: ServicePeriods, snapshot: Snapshot, now: int
) -> DatasetCoverage:
    """Return what a dataset covers; declarations have no window."""
    zone, terms = inventory.zone, inventory.open_data
    centres = [centre.id for centre in declared_centres(inventory.centres.values())]
    windows = [periods.window_of(Scope.centre(ident)) for ident in centres]
    begins = min((window.start for window in windows if window.length), default=now)
    if dataset.period == "declared":
        return DatasetCoverage(zone, terms)
    if dataset.period == "day":
        first, end = (day_window(local_date(t, zone), zone).start for t in (begins, now))
    else:
        first, end = (calendar_period("month", t, zone).start for t in (begins, now))
    if first >= end:
        return DatasetCoverage(zone, terms)
    changed_at = max(end, *(snapshot.reopened_at(ident) for ident in centres))
    return DatasetCoverage(zone, terms, first, end, min(now, changed_at))
