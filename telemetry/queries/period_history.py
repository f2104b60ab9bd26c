"""Queue figures of whole local days for pages and downloads: by time, time of day, service and centre.

It must not read raw events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, day_window, days_in, floor, to_local, to_ms
from telemetry.core.figures.queue_periods import (
    figures_by_name,
    figures_by_time,
    figures_by_time_of_day,
    figures_of_all,
)
from telemetry.core.in_service import ALWAYS_IN_SERVICE
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.queries.buckets import BucketQuery
from telemetry.queries.queues import queue_history_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.figures.queue_periods import NamedFigures, QueueHistoryRow, TimeFigures, TimeOfDayFigures
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Centre
    from telemetry.queries.buckets import BucketSize
    from telemetry.queries.totals_cache import TotalsReader

HALF_HOUR_MS = 6 * SLOT
MAX_DAYS_BY_DAY = 92
"""Longer periods are shown by month."""
MAX_DAYS_BY_TIME_OF_DAY = 31
"""Longer periods have no figures by time of day: those are read from 5-minute totals."""
_SEARCH_DAYS = (8, 36, 400)
"""How far back the newest day with tickets is looked for at first, at second, …; at last everywhere."""


@dataclass(frozen=True, slots=True)
class DayRange:
    """Whole local days, both included, and the zone whose days they are."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def window(self) -> Window:
        """Return the days as one half-open window, Unix ms."""
        return Window(day_window(self.first, self.zone).start, day_window(self.last, self.zone).end)

    @property
    def days(self) -> int:
        """Return how many days they are."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class PeriodRows:
    """The rows of a period, by bucket, by service and by centre; `queue_history_rows` are all three at once."""

    by_time: Sequence[QueueHistoryRow]
    by_service: Sequence[QueueHistoryRow]
    by_centre: Sequence[QueueHistoryRow]


@dataclass(frozen=True, slots=True)
class PeriodHistory:
    """The figures of a range of days over some centres; it is empty when nothing happened.

    `by_time_of_day` is empty for one day, for more than MAX_DAYS_BY_TIME_OF_DAY and for several centres;
    `open_days` are those among which its mean is taken.
    """

    days: DayRange
    bucket: BucketSize
    is_empty: bool
    overall: QueueFigures
    by_time: tuple[TimeFigures, ...]
    by_time_of_day: tuple[TimeOfDayFigures, ...]
    by_service: tuple[NamedFigures, ...]
    by_centre: tuple[NamedFigures, ...]
    open_days: int


def period_rows(
    store: TotalsReader, centres: Sequence[Centre], days: DayRange, service: str | None, now: int
) -> tuple[QueueHistoryRow, ...]:
    """Return a period's rows by centre, service and bucket; a day by half hour (several centres: by hour)."""
    bucket = choose_bucket(days, by_half_hour=len(centres) == 1)
    return queue_history_rows(store, centres, BucketQuery(days.window, bucket, days.zone), service, now)


def read_centre_history(
    store: TotalsReader, centre: Centre, days: DayRange, service: str | None, now: int,
    in_service: Window = ALWAYS_IN_SERVICE,
) -> PeriodHistory:  # fmt: skip
    """Read a period of one centre; days before or after `in_service` are none over which a mean is taken."""
    rows = period_rows(store, [centre], days, service, now)
    open_days = _open_days(centre, days, rows, in_service.clip(Window(0, now + 1)))
    profile: tuple[TimeOfDayFigures, ...] = ()
    if 1 < days.days <= MAX_DAYS_BY_TIME_OF_DAY:
        query = BucketQuery(days.window, "30m", days.zone)
        half_hours = queue_history_rows(store, [centre], query, service, now)
        profile = figures_by_time_of_day(
            half_hours, days.zone, HALF_HOUR_MS,
            lambda minute: sum(_begins(day, minute, days.zone) <= now for day in open_days),
        )  # fmt: skip
    history = history_of_centres([centre], days, service, PeriodRows(rows, rows, rows), now)
    return replace(history, by_time_of_day=profile, open_days=len(open_days))


def history_of_centres(
    centres: Sequence[Centre], days: DayRange, service: str | None, rows: PeriodRows, now: int
) -> PeriodHistory:
    """Divide the rows of a period into its figures, those by time of day apart."""
    bucket = choose_bucket(days, by_half_hour=len(centres) == 1)
    services = [service] if service else list(dict.fromkeys(s for c in centres for s in c.services))
    return PeriodHistory(
        days=days,
        bucket=bucket,
        is_empty=not rows.by_time,
        overall=figures_of_all(rows.by_time),
        by_time=figures_by_time(rows.by_time, _expected_buckets(centres, days, bucket, rows.by_time, now)),
        by_time_of_day=(),
        by_service=figures_by_name(rows.by_service, lambda row: row.service, services),
        by_centre=figures_by_name(rows.by_centre, lambda row: row.centre, [c.id for c in centres]),
        open_days=0,
    )


def choose_bucket(days: DayRange, *, by_half_hour: bool) -> BucketSize:
    """Return the width of the buckets in which a period is shown."""
    if days.days == 1:
        return "30m" if by_half_hour else "1h"
    return "1d" if days.days <= MAX_DAYS_BY_DAY else "1mo"


def _expected_buckets(
    centres: Sequence[Centre], days: DayRange, bucket: BucketSize, rows: Sequence[QueueHistoryRow], now: int
) -> list[Window]:
    """Return the buckets that are shown even when empty: days up to today; of one day all from its opening to closing.

    Tickets outside the opening hours widen it; a gap at noon stays in it, so that the axis of time is even.
    """
    if bucket in ("1d", "1mo"):
        buckets = BucketQuery(days.window, bucket, days.zone).buckets()
        return [w for w in buckets if w.start <= now]
    openings = [w for c in centres if c.hours != ALWAYS_OPEN for w in c.open_windows(days.window)]
    shown = [*openings, *(row.window for row in rows)]
    if not shown:
        return []
    step = HALF_HOUR_MS if bucket == "30m" else HOUR
    first, end = min(w.start for w in shown), max(w.end for w in shown)
    return [Window(start, start + step) for start in range(floor(first, step), end, step)]


def _open_days(
    centre: Centre, days: DayRange, rows: Sequence[QueueHistoryRow], passed: Window | None
) -> list[date]:  # fmt: skip
    """Return the days on which the centre was open within `passed`; of one without hours those with tickets."""
    if centre.hours == ALWAYS_OPEN:
        return sorted({to_local(row.window.start, days.zone).date() for row in rows})
    shown = passed and days.window.clip(passed)
    opened = centre.open_windows(shown) if shown else []
    return sorted({day for w in opened for day in days_in(w, days.zone)})


def _begins(day: date, minute: int, zone: ZoneInfo) -> int:
    """Return when a time of day, in minutes since midnight, begins on a day."""
    return to_ms(datetime.combine(day, time(minute // 60, minute % 60), zone))


def days_with_tickets(store: TotalsReader, centre: Centre, most: int, now: int) -> DayRange | None:
    """Return the days from the first to the last with tickets, the newest `most` of them; None when there are none."""
    starts = [total.start for total in store.totals([centre.id], "1d", Window(0, now), "desk") if has_tickets(total)]
    if not starts:
        return None
    first, last = (to_local(start, centre.zone).date() for start in (min(starts), max(starts)))
    return DayRange(max(first, last - timedelta(days=most - 1)), last, centre.zone)


def has_tickets(total: Total) -> bool:
    """Return whether tickets were issued or called; those of the evening before may end after midnight."""
    return any(map(total.sums.get, ("issued", "called")))


def newest_day_with_tickets(store: TotalsReader, centres: Sequence[str], now: int) -> int | None:
    """Return the start of the newest day with tickets at any of the centres, Unix ms; None when there is none."""
    for window in _search_windows(now):
        totals = store.totals(centres, "1d", window, "desk")
        newest = max((total.start for total in totals if has_tickets(total)), default=None)
        if newest is not None:
            return newest
    return None


def _search_windows(now: int) -> Iterator[Window]:
    end = now
    for days in _SEARCH_DAYS:
        start = max(0, now - days * DAY)
        yield Window(start, end)
        end = start
    yield Window(0, end)
