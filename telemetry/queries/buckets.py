"""The buckets that a window is divided into, and open windows prepared for many look-ups. Pure."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.open_time import OpenTimeline, build_open_timeline
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import (
    HOUR,
    SLOT,
    Window,
    align_to_slots,
    day_window,
    days_in,
    floor,
    split_by_width,
    split_into_hours,
)
from telemetry.core.inventory import Centre
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import BucketWidth

BucketSize = Literal["total", "5m", "30m", "1h", "1d", "1mo"]
DAY = 24 * HOUR
MAX_CACHED_WINDOWS = 100_000
"""Open windows cached in all (about 200 bytes each); the timelines that were used least recently are dropped first."""
_BUCKET_STEP_MS: dict[BucketSize, int] = {"5m": SLOT, "30m": 6 * SLOT, "1h": HOUR}
_WIDTH_MS: dict[BucketWidth, int] = {"5m": SLOT, "1h": HOUR, "1d": DAY}
_MAX_WINDOW_MS: dict[BucketSize, int] = {
    "5m": 31 * DAY,
    "30m": 31 * DAY,
    "1h": 366 * DAY,
    "1d": 3660 * DAY,
    "1mo": 3660 * DAY,
    "total": 3660 * DAY,
}


MAX_ROWS_PER_QUERY = 650_000
"""Totals that one query may read: about two seconds of a processor; days of ten years at 167 centres."""


@dataclass(frozen=True, slots=True)
class QueryCost:
    """What a query costs: the totals that it reads, at most, and the buckets of its answer."""

    rows: int
    buckets: int


@dataclass(frozen=True, slots=True)
class BucketQuery:
    """A window of whole slots, the size of its buckets and the zone whose days count."""

    window: Window
    bucket: BucketSize
    zone: ZoneInfo

    def buckets(self) -> list[Window]:
        """Return the buckets, the first and last clipped to the window."""
        if self.bucket == "total":
            return [self.window]
        if self.bucket == "1d":
            full_buckets = [day_window(day, self.zone) for day in days_in(self.window, self.zone)]
        elif self.bucket == "1mo":
            full_buckets = local_months(self.window, self.zone)
        else:
            step = _BUCKET_STEP_MS[self.bucket]
            bucket_starts = range(floor(self.window.start, step), self.window.end, step)
            full_buckets = [Window(bucket_start, bucket_start + step) for bucket_start in bucket_starts]
        return [part for w in full_buckets if (part := w.clip(self.window))]

    def cost(self, entities: int) -> QueryCost:
        """Return what the query costs over a number of entities; refuse one that reads too much."""
        cost = self.unlimited_cost(entities)
        if cost.rows > MAX_ROWS_PER_QUERY:
            days = self.window.length * MAX_ROWS_PER_QUERY // cost.rows // DAY
            remedy = "use a shorter window, a wider bucket or a smaller scope"
            msg = f"at most {days} days at bucket={self.bucket} over {entities} centres or systems: {remedy}"
            raise BadWindow(msg)
        return cost

    def unlimited_cost(self, entities: int) -> QueryCost:
        """Return what the query costs over a number of entities, however much that is."""
        per_entity = sum(run.length // _WIDTH_MS[width] + 1 for width, run in self.runs_to_read())
        return QueryCost(per_entity * entities, len(self.buckets()))

    def runs_to_read(self) -> list[tuple[BucketWidth, Window]]:
        """Return the runs of totals to read: the widest that no bucket's edge divides."""
        if self.bucket in ("total", "1d", "1mo"):
            return split_by_width(self.window, self.zone)
        return split_into_hours(self.window) if self.bucket == "1h" else [("5m", self.window)]


def local_months(window: Window, zone: ZoneInfo) -> list[Window]:
    """Return the whole local months that the window touches."""
    month_windows: list[Window] = []
    start = window.start
    while start < window.end:
        month_windows.append(calendar_period("month", start, zone))
        start = month_windows[-1].end
    return month_windows


def bucket_query(window: Window, bucket: BucketSize, zone: ZoneInfo) -> BucketQuery:
    """Widen the window to whole slots; refuse an empty one or one too long for its bucket."""
    if not window.length:
        msg = "the window is empty: `to` must be later than `from`"
        raise BadWindow(msg)
    if window.length > _MAX_WINDOW_MS[bucket]:
        msg = f"at most {_MAX_WINDOW_MS[bucket] // DAY} days at bucket={bucket}: use a shorter window or a wider bucket"
        raise BadWindow(msg)
    return BucketQuery(align_to_slots(window), bucket, zone)


CalendarSource = Centre | Calendar | None
"""Whose calendar: a centre's, a calendar by itself, or None for round the clock."""


class OpenWindowsCache:
    """Caches the open windows of calendars, bounded by what they hold; equal calendars share an entry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cached: OrderedDict[tuple[Window, str, bool], OpenTimeline] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Return how many open windows are cached; a timeline counts as one more."""
        return self._size

    def open_windows(self, source: CalendarSource, window: Window) -> OpenTimeline:
        """Return the open windows of a calendar; the whole window for None."""
        if source is None:
            return self._get_or_build((window, "", False), lambda: [window])
        calendar = _calendar_of(source)
        return self._get_or_build((window, calendar.version, False), lambda: calendar.open_windows(window))

    def excluded_windows(self, source: CalendarSource, window: Window) -> OpenTimeline:
        """Return the regular hours excluded from open time; none for None."""
        if source is None:
            return self._get_or_build((window, "", True), list)
        calendar = _calendar_of(source)
        return self._get_or_build((window, calendar.version, True), lambda: calendar.excluded_windows(window))

    def _get_or_build(self, key: tuple[Window, str, bool], windows: Callable[[], Iterable[Window]]) -> OpenTimeline:
        with self._lock:
            if key in self._cached:
                self._cached.move_to_end(key)
                return self._cached[key]
        timeline = build_open_timeline(windows())
        with self._lock:
            if key not in self._cached:
                self._cached[key] = timeline
                self._size += 1 + len(timeline.starts)
            while self._size > MAX_CACHED_WINDOWS:
                self._size -= 1 + len(self._cached.popitem(last=False)[1].starts)
        return timeline


def _calendar_of(source: Centre | Calendar) -> Calendar:
    return source if isinstance(source, Calendar) else source.calendar
