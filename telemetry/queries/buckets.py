"""Opening hours over one window, prepared for many look-ups, and the buckets a window is cut into. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import FIVE, HOUR, Window, ceil, day_window, days_in, floor, pieces, widen
from telemetry.core.inventory import Centre
from telemetry.core.slo.periods import calendar
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Width

Bucket = Literal["total", "5m", "30m", "1h", "1d", "1mo"]
DAY = 24 * HOUR
MOST_KEPT = 2_000
_STEPS: dict[Bucket, int] = {"5m": FIVE, "30m": 6 * FIVE, "1h": HOUR}
_LONGEST: dict[Bucket, int] = {
    "5m": 31 * DAY,
    "30m": 31 * DAY,
    "1h": 366 * DAY,
    "1d": 3660 * DAY,
    "1mo": 3660 * DAY,
    "total": 36_600 * DAY,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A window on 5-minute marks, the buckets wanted and the zone whose days count."""

    window: Window
    bucket: Bucket
    zone: ZoneInfo

    def buckets(self) -> list[Window]:
        """Return the buckets, the first and last cut to the window."""
        if self.bucket == "total":
            return [self.window]
        if self.bucket == "1d":
            whole = [day_window(day, self.zone) for day in days_in(self.window, self.zone)]
        elif self.bucket == "1mo":
            whole = months(self.window, self.zone)
        else:
            step = _STEPS[self.bucket]
            marks = range(floor(self.window.start, step), self.window.end, step)
            whole = [Window(mark, mark + step) for mark in marks]
        return [part for w in whole if (part := w.clip(self.window))]

    def parts(self) -> list[tuple[Width, Window]]:
        """Return the runs of totals to read: the widest that never straddle a bucket's edge."""
        if self.bucket in ("total", "1d", "1mo"):
            return pieces(self.window, self.zone)
        if self.bucket != "1h":
            return [("5m", self.window)]
        first, last = ceil(self.window.start, HOUR), floor(self.window.end, HOUR)
        if first >= last:
            return [("5m", self.window)]
        cut: list[tuple[Width, Window]] = [
            ("5m", Window(self.window.start, first)),
            ("1h", Window(first, last)),
            ("5m", Window(last, self.window.end)),
        ]
        return [(width, w) for width, w in cut if w.length]


def months(window: Window, zone: ZoneInfo) -> list[Window]:
    """Return the whole local months that the window touches."""
    found: list[Window] = []
    start = window.start
    while start < window.end:
        found.append(calendar("month", start, zone))
        start = found[-1].end
    return found


def ask(window: Window, bucket: Bucket, zone: ZoneInfo) -> Ask:
    """Widen the window to 5-minute marks; refuse an empty one or one too long for its bucket."""
    if not window.length:
        msg = "the window is empty: `to` must be later than `from`"
        raise BadWindow(msg)
    if window.length > _LONGEST[bucket]:
        msg = f"at most {_LONGEST[bucket] // DAY} days at bucket={bucket}: ask for a shorter window or a wider bucket"
        raise BadWindow(msg)
    return Ask(widen(window), bucket, zone)


@dataclass(frozen=True, slots=True)
class Opening:
    """Sorted, disjoint open windows; `starts` makes the look-ups fast."""

    windows: tuple[Window, ...]
    starts: tuple[int, ...]

    def is_open(self, t: int) -> bool:
        """Tell whether `t` lies in an open window."""
        found = bisect_right(self.starts, t) - 1
        return found >= 0 and t < self.windows[found].end

    def open_ms(self, window: Window) -> int:
        """Return how much of `window` is open."""
        total = 0
        for w in self.windows[max(0, bisect_right(self.starts, window.start) - 1) :]:
            if w.start >= window.end:
                break
            part = w.clip(window)
            total += part.length if part else 0
        return total


def opening(windows: Iterable[Window]) -> Opening:
    """Prepare sorted, disjoint windows for look-ups."""
    kept = tuple(windows)
    return Opening(kept, tuple(w.start for w in kept))


Held = Centre | Calendar | None
"""Whose calendar: a centre's, one by itself, or None: round the clock."""


class Openings:
    """The openings of many calendars over windows; equal calendars share one, and the last few windows are kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[Window, str, bool], Opening] = {}

    def of(self, held: Held, window: Window) -> Opening:
        """Return the opening of a calendar, or round the clock for None."""
        if held is None:
            return self._once((window, "", False), lambda: [window])
        calendar = _calendar(held)
        return self._once((window, calendar.version, False), lambda: calendar.open_windows(window))

    def out(self, held: Held, window: Window) -> Opening:
        """Return the regular hours that the open clock leaves out; none for None."""
        if held is None:
            return self._once((window, "", True), list)
        calendar = _calendar(held)
        return self._once((window, calendar.version, True), lambda: calendar.excluded_windows(window))

    def _once(self, key: tuple[Window, str, bool], windows: Callable[[], Iterable[Window]]) -> Opening:
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_KEPT:
                self._known = {}
            found = self._known[key] = opening(windows())
        return found


def _calendar(held: Centre | Calendar) -> Calendar:
    return held if isinstance(held, Calendar) else held.calendar
