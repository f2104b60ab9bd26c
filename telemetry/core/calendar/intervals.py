"""Sets of half-open intervals of time: common part, difference, length; it must know no calendar.

Every list that is taken may be unsorted and overlap; every list that is returned is sorted and disjoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, merge

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    """Return the time of `windows` that is not in `taken`."""
    remaining = merge(windows)
    for hole in intersection(remaining, removed):
        remaining = [part for w in remaining for part in _parts_around(w, hole)]
    return remaining


def _parts_around(window: Window, hole: Window) -> list[Window]:
    if window.clip(hole) is None:
        return [window]
    parts = (Window(window.start, hole.start), Window(hole.end, window.end))
    return [part for part in parts if part.length]
