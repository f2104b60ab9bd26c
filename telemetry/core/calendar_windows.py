"""Sums of half-open windows and local wall times as moments, for the calendar; it must know no opening hours."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, merge, to_local, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, time
    from zoneinfo import ZoneInfo


@lru_cache(maxsize=1 << 14)  # centres of one zone ask for the same times again and again
def wall_time_ms(day: date, clock: time, zone: ZoneInfo) -> int:
    """Return Unix ms of a local wall time, later for a later wall time on every day.

    A time that happens twice is its first; one that is skipped is the moment at which clocks change.
    """
    wall = datetime.combine(day, clock, tzinfo=zone)
    first, second = to_ms(wall), to_ms(wall.replace(fold=1))
    return first if first <= second else _offset_change(second, first, zone)


def _offset_change(before: int, after: int, zone: ZoneInfo) -> int:
    offset = to_local(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if to_local(middle, zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def clip_windows(windows: Iterable[Window], outer: Window) -> list[Window]:
    """Return the parts of `windows` inside `outer`; sorted and disjoint."""
    return merge([part for w in windows if (part := w.clip(outer))])


def intersection(windows: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return what is in both; sorted and disjoint."""
    other_windows = list(others)
    return merge([part for w in windows for other in other_windows if (part := w.clip(other))])


def difference(windows: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return what is in `windows` and in none of `others`; sorted and disjoint."""
    remaining = merge(windows)
    for removed in others:
        remaining = [part for w in remaining for part in _subtract(w, removed)]
    return remaining


def _subtract(w: Window, removed: Window) -> list[Window]:
    if w.clip(removed) is None:
        return [w]
    sides = ((w.start, max(w.start, removed.start)), (min(w.end, removed.end), w.end))
    return [Window(start, end) for start, end in sides if start < end]
