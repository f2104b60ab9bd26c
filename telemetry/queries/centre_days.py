"""One centre's days by half hour: today beside the usual day, the last weeks, counters; it must not read raw events.

Past half hours are read once, and again only when the centre's live row says that its past was written again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE, SLOT, Window, day_window, floor, to_local
from telemetry.core.figures.counter_figures import counter_figures
from telemetry.core.figures.histograms import DurationSum, queue_figures
from telemetry.core.figures.week_profile import DayHalfHours, HalfHourCount, WeekProfile, week_profile
from telemetry.core.inventory import ALWAYS_OPEN, local_date
from telemetry.core.queueing.anomalies import UsualWait, usual_wait
from telemetry.core.queueing.arrivals import SLOTS
from telemetry.core.queueing.day_so_far import DaySoFar, ExpectedCount, compare_day_so_far
from telemetry.core.queueing.half_hours import CentreHalfHours, add_half_hours, open_slots, slot_window
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query
from telemetry.queries.forecasts import (
    expected_half_hours,
    flagged_half_hours,
    flags_of_today,
    window_of_today,
)
from telemetry.queries.queue_groups import counters_by_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telemetry.core.figures.counter_figures import CounterFigures
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Centre
    from telemetry.core.queueing.forecast_rows import CentreForecast
    from telemetry.queries.buckets import BucketSize, OpenWindowsCache
    from telemetry.queries.forecasts import CentreFlag, ExpectedHalfHour, ForecastStatus
    from telemetry.queries.network import NetworkView
    from telemetry.queries.totals_cache import TotalsReader

PROFILE_DAYS = 28
"""The calendar days before today whose half hours a profile has: four of each weekday."""
SETTLING_MS = 2 * MINUTE
"""A half hour counts so long after its end, when the events of connected devices are folded."""
MIDNIGHT_SETTLING_MS = 4 * MINUTE
"""So long after midnight the past days may still be written without their row saying so."""
RECENT_TTL_MS = 1_000
MAX_CENTRES = 200
"""Past days of so many centres are remembered (about 50 kB each); then all are forgotten."""
_MAX_STRIP_DAYS = 120


@dataclass(frozen=True, slots=True)
class PastHalfHours:
    """The days before today of one centre, oldest first, and their profile; `window` is all of them."""

    centre: Centre
    window: Window
    days: tuple[DayHalfHours, ...]
    profile: WeekProfile

    def of_cell(self, weekday: int, slot: int) -> list[DayHalfHours]:
        """Return the days that a cell of the profile is made of, newest first."""
        cell = self.profile.cells.get((weekday, slot))
        return [day for day in reversed(self.days) if cell is not None and day.day in cell.days]

    @property
    def last_day(self) -> DayHalfHours | None:
        """Return the newest day on which tickets were issued."""
        return next((day for day in reversed(self.days) if day.tickets), None)


@dataclass(frozen=True, slots=True)
class HalfHourToday:
    """A half hour of today: what happened in it so far, and what is usual; `issued` is None before it begins."""

    window: Window
    is_open: bool
    issued: int | None
    wait: DurationSum
    expected: ExpectedHalfHour | None
    usual_wait: UsualWait | None


@dataclass(frozen=True, slots=True)
class DayAgainstUsual:
    """Today by half hour beside the forecast of it; `status` says why there is nothing to compare with."""

    centre: Centre
    day: date
    status: ForecastStatus
    rows: tuple[HalfHourToday, ...]
    so_far: DaySoFar | None


@dataclass(frozen=True, slots=True)
class CounterBucket:
    """The counters of one bucket until now: its figures, and for how long their states are known, ms."""

    window: Window
    figures: CounterFigures
    known_ms: int


@dataclass(frozen=True, slots=True)
class _CachedPast:
    """Past half hours with what they depend on; `expires_at`: what is not settled, Unix ms."""

    past: PastHalfHours
    centre: Centre
    in_service: Window
    reopened_at: int
    expires_at: int | None


class CentreDays:
    """Answers questions about single centres' days; safe to call from many threads."""

    def __init__(
        self, store: TotalsReader, network: Callable[[], NetworkView], periods: Callable[[], ServicePeriods],
        clock: Callable[[], int], open_windows: OpenWindowsCache,
    ) -> None:  # fmt: skip
        self._store, self._network, self._periods, self._clock = store, network, periods, clock
        self._open_windows = open_windows
        self._past: dict[str, _CachedPast] = {}
        self._today: dict[str, tuple[Window, int, CentreHalfHours]] = {}

    def past(self, centre: str) -> PastHalfHours:
        """Return the half hours of the PROFILE_DAYS days before today; raises NotFound."""
        network, now = self._network(), self._clock()
        declared, reopened_at = network.centre(centre), network.snapshot.reopened_at(centre)
        today = local_date(now, declared.zone)
        first = today - timedelta(days=PROFILE_DAYS)
        window = Window(day_window(first, declared.zone).start, day_window(today, declared.zone).start)
        in_service = self._periods().window_of(Scope.centre(centre))
        cached = self._past.get(centre)
        if (
            cached is None
            or cached.past.window != window
            or (cached.centre, cached.in_service, cached.reopened_at) != (declared, in_service, reopened_at)
            or (cached.expires_at is not None and not 0 <= cached.expires_at - now <= RECENT_TTL_MS)
        ):
            is_settled = reopened_at > 0 and now - window.end >= MIDNIGHT_SETTLING_MS
            past = _read_past(self._store, declared, window, in_service)
            if len(self._past) >= MAX_CENTRES:
                self._past.clear()
            expires_at = None if is_settled else now + RECENT_TTL_MS
            cached = self._past[centre] = _CachedPast(past, declared, in_service, reopened_at, expires_at)
        return cached.past

    def today(self, centre: str) -> DayAgainstUsual:
        """Return today by half hour beside the forecast; raises NotFound."""
        network, now = self._network(), self._clock()
        declared, forecast = network.centre(centre), network.snapshot.forecasts.get(centre)
        return day_against_usual(declared, forecast, self._half_hours_of_today(declared), now)

    def _half_hours_of_today(self, centre: Centre) -> CentreHalfHours:
        """Return the sums of today's half hours, at most a second old."""
        now = self._clock()
        window = day_window(local_date(now, centre.zone), centre.zone)
        cached = self._today.get(centre.id)
        if cached is None or cached[0] != window or not 0 <= cached[1] - now <= RECENT_TTL_MS:
            if len(self._today) >= MAX_CENTRES:
                self._today.clear()
            read = add_half_hours(centre, self._store.totals([centre.id], "5m", window, "desk"))
            cached = self._today[centre.id] = (window, now + RECENT_TTL_MS, read)
        return cached[2]

    def counters(self, centre: str, window: Window, bucket: BucketSize) -> list[CounterBucket]:
        """Return the time of a centre's counters in each bucket that has begun, in order; raises NotFound."""
        declared, now = self._network().centre(centre), self._clock()
        query = bucket_query(window, bucket, declared.zone)
        window_of = self._periods().window_of
        sums = counters_by_bucket(self._store, [declared], query, now, self._open_windows, window_of)
        passed = Window(0, floor(now, SLOT))
        return [
            CounterBucket(part, counter_figures(row), row.get("counter_known_ms", 0))
            for (_, bucket_window), row in sorted(sums.items(), key=lambda entry: entry[0][1])
            if (part := bucket_window.clip(passed))
        ]

    def strip_window(self, centre: str, open_days: int) -> Window:
        """Return the whole days from the `open_days`-th last day with opening hours until today, today included."""
        declared = self._network().centre(centre)
        today = local_date(self._clock(), declared.zone)
        days = [today - timedelta(days=n) for n in range(_MAX_STRIP_DAYS)]
        opened = [day for day in days if declared.calendar.day_plan(day).hours]
        first = opened[min(open_days, len(opened)) - 1] if opened else days[open_days - 1]
        return Window(day_window(first, declared.zone).start, day_window(today, declared.zone).end)

    def judged_flags(self, centre: str) -> list[CentreFlag]:
        """Return the flagged half hours of all days that the centre's forecast judged."""
        return self.flagged_half_hours(centre, Window(0, self._clock()))

    def flagged_half_hours(self, centre: str | None, window: Window) -> list[CentreFlag]:
        """Return the half hours in the window that were flagged at a centre, today's too, or at all, before today."""
        network, forecasts = self._network(), self._network().snapshot.forecasts
        if centre is None:
            return flagged_half_hours(network.centres(), forecasts, window)
        declared, forecast = network.centre(centre), forecasts.get(centre)
        flags = flagged_half_hours([declared], forecasts, window)
        today = window_of_today(declared, forecast, self._clock())
        if forecast is None or today is None or today.clip(window) is None:
            return flags
        todays = flags_of_today(declared, forecast, self._half_hours_of_today(declared), today)
        return [*flags, *(flag for flag in todays if window.start <= flag.window.start < window.end)]


def day_against_usual(
    centre: Centre, forecast: CentreForecast | None, half_hours: CentreHalfHours, now: int
) -> DayAgainstUsual:
    """Return the day of `now` by half hour, from its first open or busy one to the last, beside its forecast."""
    day = local_date(now, centre.zone)
    arrivals = expected_half_hours(centre, forecast, day_window(day, centre.zone))
    expected = {row.window.start: row for row in arrivals.rows}
    sums = {slot: row for (of, slot), row in half_hours.sums.items() if of == day}
    opened = _open_slots(centre, day)
    usual_waits = _usual_waits(forecast, day)
    windows = [slot_window(day, slot, centre.zone) for slot in range(SLOTS)]
    shown = [
        slot for slot in range(SLOTS)
        if slot in opened or sums.get(slot, {}).get("issued") or windows[slot].start in expected
    ]  # fmt: skip
    rows = tuple(
        _half_hour_today(windows[slot], sums.get(slot, {}), now, slot in opened, expected, usual_waits.get(slot))
        for slot in (range(shown[0], shown[-1] + 1) if shown else ())
    )
    status: ForecastStatus = "closed" if not opened and centre.hours != ALWAYS_OPEN else arrivals.status
    so_far = None
    if forecast is not None and arrivals.rows:
        counts = [ExpectedCount(r.window, r.issued or 0, r.expected.expected if r.expected else 0.0) for r in rows]
        so_far = compare_day_so_far(counts, forecast.dispersion, now - SETTLING_MS)
    return DayAgainstUsual(centre, day, status if arrivals.rows or status != "ok" else "not_made", rows, so_far)


def _half_hour_today(
    window: Window, sums: Mapping[str, int], now: int, is_open: bool,  # noqa: FBT001
    expected: Mapping[int, ExpectedHalfHour], usual: UsualWait | None,
) -> HalfHourToday:  # fmt: skip
    wait = queue_figures(sums).wait
    issued = sums.get("issued", 0) if window.start <= now else None
    return HalfHourToday(
        window, is_open, issued, DurationSum(wait.count, wait.sum_ms), expected.get(window.start), usual
    )


def _usual_waits(forecast: CentreForecast | None, day: date) -> dict[int, UsualWait]:
    """Return the usual waits of a day by half hour: those that its half hours are judged by."""
    if forecast is None or forecast.origin != day:
        return {}
    known = ((slot, reference.wait) for slot, reference in enumerate(forecast.references))
    return {slot: usual_wait(wait) for slot, wait in known if wait is not None}


def _open_slots(centre: Centre, day: date) -> frozenset[int]:
    if centre.hours == ALWAYS_OPEN:
        return frozenset()
    return frozenset(slot for slot, window in enumerate(open_slots(centre, day)) if window)


def _read_past(store: TotalsReader, centre: Centre, window: Window, in_service: Window) -> PastHalfHours:
    """Read the half hours of whole past days; those outside `in_service` count only with tickets."""
    sums = add_half_hours(centre, store.totals([centre.id], "5m", window, "desk")).sums
    counts: dict[date, dict[int, HalfHourCount]] = {}
    for (day, slot), row in sums.items():
        wait = queue_figures(row).wait
        if row.get("issued") or wait.count:
            counts.setdefault(day, {})[slot] = HalfHourCount(row.get("issued", 0), wait.count, wait.sum_ms)
    first, end = to_local(window.start, centre.zone).date(), to_local(window.end, centre.zone).date()
    all_days = (first + timedelta(days=n) for n in range((end - first).days))
    days = tuple(
        DayHalfHours(day, opened, counts.get(day, {}))
        for day in all_days
        if (opened := _opened_in_service(centre, day, in_service)) or day in counts
    )
    return PastHalfHours(centre, window, days, week_profile(days))


def _opened_in_service(centre: Centre, day: date, in_service: Window) -> frozenset[int]:
    slots: Iterable[int] = _open_slots(centre, day)
    return frozenset(slot for slot in slots if slot_window(day, slot, centre.zone).clip(in_service))
