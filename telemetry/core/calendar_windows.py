"""Sums of half-open windows and local wall times as moments, for the calendar; it must know no opening hours."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, at, merge, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, time
    from zoneinfo import ZoneInfo


@lru_cache(maxsize=1 << 14)  # centres of one zone ask for the same times again and again
def moment(day: date, clock: time, zone: ZoneInfo) -> int:
    """Return Unix ms of a local wall time, later for a later wall time on every day.

    A time that happens twice is its first; one that is skipped is the moment at which clocks change.
    """
    wall = datetime.combine(day, clock, tzinfo=zone)
    first, second = to_ms(wall), to_ms(wall.replace(fold=1))
    return first if first <= second else _change(second, first, zone)


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    offset = at(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if at(middle, zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def clip(windows: Iterable[Window], outer: Window) -> list[Window]:
    """Return the parts of `windows` inside `outer`; sorted and disjoint."""
    return merge([part for w in windows if (part := w.clip(outer))])


def common(windows: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return what is in both; sorted and disjoint."""
    taken = list(others)
    return merge([part for w in windows for other in taken if (part := w.clip(other))])


def without(windows: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return what is in `windows` and in none of `others`; sorted and disjoint."""
    left = merge(windows)
    for gone in others:
        left = [part for w in left for part in _cut(w, gone)]
    return left


def _cut(w: Window, gone: Window) -> list[Window]:
    if w.clip(gone) is None:
        return [w]
    sides = ((w.start, max(w.start, gone.start)), (min(w.end, gone.end), w.end))
    return [Window(start, end) for start, end in sides if start < end]
