"""What the rows of all datasets share: ended local periods, cells, and the parts in which they are read.

It must not read a store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from telemetry.core.calendar.windows import DAY, Window, day_window, days_in, to_local
from telemetry.core.inventory import local_date
from telemetry.core.slo.periods import settled_until
from telemetry.queries.buckets import local_months
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.buckets import BucketSize, QueryCost
    from telemetry.queries.indicators import IndicatorQueries
    from telemetry.queries.totals_cache import TotalsReader

CellValue = str | int | float | bool | None
MAX_PERIODS = {"day": 366, "month": 36}
ROWS_PER_PART = 2_000
"""About so many rows are read and written at once, so that memory does not grow with the window."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One row: its cells by column, None where one is left out; `suppressed` has what those would show.

    Only what decides on the totals of other datasets may read the values of `suppressed`; its names are published.
    """

    cells: Mapping[str, CellValue]
    suppressed: Mapping[str, CellValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """Rows that are read together, and what that costs."""

    cost: QueryCost
    read: Callable[[], Iterable[DatasetRow]]


@dataclass(frozen=True, slots=True)
class OpenDataInputs:
    """What datasets are made of, at the moment `now` (Unix ms); `centres` are those that were asked for, by id."""

    store: TotalsReader
    inventory: Inventory
    centres: Sequence[Centre]
    zone: ZoneInfo
    now: int
    availability: Callable[[str, Window, BucketSize], AvailabilityResult]
    indicators: IndicatorQueries

    @property
    def settled_until(self) -> int:
        """Return the time before which rows are settled."""
        return settled_until(self.now, self.zone)


def ended_periods(dataset: Dataset, window: Window, zone: ZoneInfo, now: int) -> list[Window]:
    """Return the local days or months that lie wholly in the window and have ended; raises BadWindow without one.

    Windows that overlap give the same rows, so that nothing can be subtracted.
    """
    unit, most = dataset.period, MAX_PERIODS[dataset.period]
    if window.length > (most + 1) * (DAY if unit == "day" else 31 * DAY):
        msg = f"at most {most} {unit}s of `{dataset.id}` at once: use a shorter window"
        raise BadWindow(msg)
    touched = [day_window(day, zone) for day in days_in(window, zone)] if unit == "day" else local_months(window, zone)
    periods = [p for p in touched if window.start <= p.start and p.end <= min(window.end, now)]
    if not periods:
        remedy = "`from` and `to` at local midnights" if unit == "day" else "`from` and `to` at first days of months"
        msg = f"no whole {unit} that has ended lies in the window: write {remedy}"
        raise BadWindow(msg)
    return periods


def newest_periods(dataset: Dataset, zone: ZoneInfo, now: int) -> Window:
    """Return the window that is published when none is requested: the last 28 ended days, or 12 ended months."""
    today = local_date(now, zone)
    if dataset.period == "day":
        return Window(day_window(today - timedelta(days=28), zone).start, day_window(today, zone).start)
    this_month = today.replace(day=1)
    a_year_ago = this_month.replace(year=this_month.year - 1)
    return Window(day_window(a_year_ago, zone).start, day_window(this_month, zone).start)


def chunks(periods: Sequence[Window], rows_per_period: int) -> list[list[Window]]:
    """Return the periods in runs of about ROWS_PER_PART rows."""
    size = max(1, ROWS_PER_PART // max(1, rows_per_period))
    return [list(periods[i : i + size]) for i in range(0, len(periods), size)]


def span_of(periods: Sequence[Window]) -> Window:
    """Return the window of adjacent periods."""
    return Window(periods[0].start, periods[-1].end)


def period_cells(kind: Literal["date", "month"], window: Window, zone: ZoneInfo) -> dict[str, CellValue]:
    """Return the cells that say which period a row is of."""
    start, end = to_local(window.start, zone), to_local(window.end, zone)
    name = start.date().isoformat() if kind == "date" else f"{start:%Y-%m}"
    return {kind: name, "from": start.isoformat(timespec="seconds"), "to": end.isoformat(timespec="seconds")}


def centre_cells(centre: Centre) -> dict[str, CellValue]:
    """Return the cells that say which centre a row is of."""
    return {
        "centre": centre.id, "centre_name_vi": centre.name_vi, "centre_name_en": centre.name_en,
        "level": centre.level, "unit": centre.unit,
    }  # fmt: skip


def complement_order(period: Window, names: Iterable[str]) -> list[str]:
    """Return names in the order in which they serve as complements: another one each period, whatever their counts."""
    return sorted(names, key=lambda name: (crc32(f"{period.start} {name}".encode()), name))


def suppress_cells(cells: Mapping[str, CellValue], left_out: Collection[str], columns: Iterable[str]) -> DatasetRow:
    """Return a row without what is left out; `columns` are the dataset's, in order."""
    suppressed = {name: cells[name] for name in columns if name in left_out}
    return DatasetRow({**cells, **dict.fromkeys(suppressed)}, suppressed)
