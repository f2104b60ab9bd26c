"""The one place that rounds time: half-open windows and sets of them, slots, local hours and days.

All times are Unix milliseconds (UTC); the zone is an argument.  It must not read a clock nor depend on a calendar.
Lists of windows passed in may be unsorted and overlap; those returned are sorted and disjoint.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

MINUTE = 60_000
SLOT = 5 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BucketWidth = Literal["5m", "1h", "1d"]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The half-open interval [start, end), Unix ms."""

    start: int
    end: int

    def __post_init__(self) -> None:
        """Refuse an interval that ends before it starts."""
        if self.end < self.start:
            msg = f"window ends ({self.end}) before it starts ({self.start})"
            raise ValueError(msg)

    @property
    def length(self) -> int:
        """Length in ms."""
        return self.end - self.start

    def clip(self, other: Window) -> Window | None:
        """Return the common part, or None when there is none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None


def floor(t: int, step: int) -> int:
    """Round `t` down to a multiple of `step` ms since the epoch."""
    return t - t % step


def ceil(t: int, step: int) -> int:
    """Round `t` up to a multiple of `step` ms since the epoch."""
    return -floor(-t, step)


def align_to_slots(window: Window) -> Window:
    """Widen to whole slots."""
    return Window(floor(window.start, SLOT), ceil(window.end, SLOT))


def merge(windows: Iterable[Window]) -> list[Window]:
    """Join windows that touch or overlap; sorted."""
    out: list[Window] = []
    for w in sorted(windows):
        if out and w.start <= out[-1].end:
            out[-1] = Window(out[-1].start, max(out[-1].end, w.end))
        elif w.length:
            out.append(w)
    return out


def total_length(windows: Iterable[Window]) -> int:
    """Return how much time the windows cover, ms; time covered twice counts once."""
    return sum(w.length for w in merge(windows))


def intersection(first: Iterable[Window], second: Iterable[Window]) -> list[Window]:
    """Return the time that lies in both."""
    left, right = merge(first), merge(second)
    common: list[Window] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if part := left[i].clip(right[j]):
            common.append(part)
        if left[i].end < right[j].end:
            i += 1
        else:
            j += 1
    return common


def difference(windows: Iterable[Window], removed: Iterable[Window]) -> list[Window]:
    """Return the time of `windows` that is not in `removed`."""
    remaining = merge(windows)
    for hole in intersection(remaining, removed):
        index = bisect_right(remaining, hole.start, key=lambda part: part.start) - 1
        w = remaining[index]
        sides = (Window(w.start, hole.start), Window(hole.end, w.end))
        remaining[index : index + 1] = [part for part in sides if part.length]
    return remaining


def to_ms(dt: datetime) -> int:
    """Return an aware datetime as Unix ms."""
    if dt.tzinfo is None:
        msg = "naive datetime: give it a zone"
        raise ValueError(msg)
    return round((dt - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def to_local(t: int, zone: ZoneInfo) -> datetime:
    """Return Unix ms as an aware datetime in `zone`."""
    seconds, ms = divmod(t, 1000)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, milliseconds=ms)).astimezone(zone)


def local_ms(day: date, clock: time, zone: ZoneInfo) -> int:
    """Return Unix ms of a local wall time."""
    return to_ms(datetime.combine(day, clock, tzinfo=zone))


@lru_cache(maxsize=1 << 14)  # centres of one zone need the same times repeatedly
def wall_time_ms(day: date, clock: time, zone: ZoneInfo) -> int:
    """Return Unix ms of a local wall time, later for a later wall time on every day.

    Of a time that happens twice it is the first; of one that is skipped, the instant at which clocks change.
    """
    wall = datetime.combine(day, clock, tzinfo=zone)
    before, after = to_ms(wall), to_ms(wall.replace(fold=1))
    if before <= after:
        return before
    before, after = after, before
    offset = to_local(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if to_local(middle, zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def day_window(day: date, zone: ZoneInfo) -> Window:
    """Return the local day as a window; 23 or 25 h where clocks change."""
    return Window(local_ms(day, time(), zone), local_ms(day + timedelta(days=1), time(), zone))


def days_in(window: Window, zone: ZoneInfo) -> Iterator[date]:
    """Yield the local days the window touches."""
    if window.length == 0:
        return
    day, last = to_local(window.start, zone).date(), to_local(window.end - 1, zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


BucketSpan = tuple[BucketWidth, Window]
"""Buckets of one width, next to each other over a window."""


def split_by_width(window: Window, zone: ZoneInfo) -> list[BucketSpan]:
    """Split a window of whole slots into whole local days, whole hours and runs of slots.

    The parts are disjoint and cover it, so additive totals of the parts add up to the window's.
    """
    spans: list[BucketSpan] = []
    for day in days_in(window, zone):
        whole_day = day_window(day, zone)
        if (part := whole_day.clip(window)) == whole_day:
            spans.append(("1d", whole_day))
        elif part:
            spans.extend(split_into_hours(part))
    return merge_adjacent(spans)


def split_into_hours(window: Window) -> list[BucketSpan]:
    """Split a window of whole slots into whole UTC hours and the slots before and after them."""
    first, last = ceil(window.start, HOUR), floor(window.end, HOUR)
    if first >= last:
        return [("5m", window)]
    before, hours, after = Window(window.start, first), Window(first, last), Window(last, window.end)
    spans: list[BucketSpan] = [("5m", before), ("1h", hours), ("5m", after)]
    return [(width, w) for width, w in spans if w.length]


def merge_adjacent(spans: Iterable[BucketSpan]) -> list[BucketSpan]:
    """Join the buckets of one width that follow each other into one window."""
    out: list[BucketSpan] = []
    for width, w in spans:
        if out and out[-1][0] == width and out[-1][1].end == w.start:
            out[-1] = (width, Window(out[-1][1].start, w.end))
        else:
            out.append((width, w))
    return out
