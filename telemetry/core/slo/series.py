"""Tallies along time with running sums, so that any window costs two look-ups; it must not weigh unknown time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

from telemetry.core.slo.sli import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.calendar.windows import Window

_FIELDS = ("up", "down", "unknown", "excluded", "elsewhere")


@dataclass(frozen=True, slots=True)
class Cell:
    """The tally (ms) of one bucket of time: five minutes, an hour or a day."""

    window: Window
    tally: Tally


@dataclass(frozen=True, slots=True)
class Series:
    """Sorted, disjoint cells; `sums` has one running sum per field of a tally, from zero."""

    cells: tuple[Cell, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    sums: tuple[tuple[int, ...], ...]

    def between(self, window: Window) -> Tally:
        """Add the cells that begin in the window: windows that tile time add up exactly."""
        return self._sum(bisect_left(self.starts, window.start), bisect_left(self.starts, window.end))

    def touching(self, window: Window) -> Tally:
        """Add the cells that touch the window, each whole: the window widened to the marks of its cells."""
        if not window.length:
            return Tally()
        return self._sum(bisect_right(self.ends, window.start), bisect_left(self.starts, window.end))

    def _sum(self, first: int, last: int) -> Tally:
        return Tally(*(column[max(first, last)] - column[first] for column in self.sums))


def series(cells: Iterable[Cell]) -> Series:
    """Sort cells; raise ValueError when two overlap, because their time would count twice."""
    kept = sorted(cells, key=lambda c: c.window)
    for one, other in pairwise(kept):
        if other.window.start < one.window.end:
            msg = f"two cells hold the time {other.window.start}: give each moment once"
            raise ValueError(msg)
    tallies = [c.tally for c in kept]
    sums = tuple(tuple(accumulate(map(attrgetter(name), tallies), initial=0)) for name in _FIELDS)
    return Series(tuple(kept), tuple(c.window.start for c in kept), tuple(c.window.end for c in kept), sums)
