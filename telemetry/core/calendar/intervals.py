"""Sets of half-open intervals of time: common part, difference, length; it must know no calendar.

Every list that is taken may be unsorted and overlap; every list that is returned is sorted and disjoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, merge

if TYPE_CHECKING:
    from collections.abc import Iterable


def length(windows: Iterable[Window]) -> int:
    """Return how much time the windows cover, ms; time covered twice counts once."""
    return sum(w.length for w in merge(windows))


def overlap(one: Iterable[Window], other: Iterable[Window]) -> list[Window]:
    """Return the time that lies in both."""
    left, right = merge(one), merge(other)
    out: list[Window] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if part := left[i].clip(right[j]):
            out.append(part)
        if left[i].end < right[j].end:
            i += 1
        else:
            j += 1
    return out


def minus(windows: Iterable[Window], taken: Iterable[Window]) -> list[Window]:
    """Return the time of `windows` that is not in `taken`."""
    kept = merge(windows)
    for hole in overlap(kept, taken):
        kept = [part for w in kept for part in _around(w, hole)]
    return kept


def _around(window: Window, hole: Window) -> list[Window]:
    if window.clip(hole) is None:
        return [window]
    parts = (Window(window.start, hole.start), Window(hole.end, window.end))
    return [part for part in parts if part.length]
