"""What was seen at one scope, cell by cell of a frame, with running sums: any window costs two look-ups. Pure.

A column holds one kind of sum (ms, or a count).  It must not weigh unknown time, nor know what a field is called.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from telemetry.core.slo.measures import Measure
from telemetry.core.slo.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.slo.frames import Frame


class Track:
    """Columns over a frame; for time they are up, down, charged elsewhere, our own outages; for counts good and bad."""

    __slots__ = ("_dirty", "_first", "_sums", "columns", "frame")

    def __init__(self, frame: Frame, width: int) -> None:
        self.frame = frame
        self.columns = tuple(array("q", bytes(8 * len(frame))) for _ in range(width))
        self._sums: tuple[array[int], ...] = ()
        self._first: int | None = None
        self._dirty = True

    def put(self, place: int, values: Sequence[int]) -> None:
        """Set a cell."""
        for column, value in zip(self.columns, values, strict=True):
            if column[place] != value:
                column[place] = value
                self._dirty = True

    def sums(self, first: int, last: int) -> tuple[int, ...]:
        """Add the cells from `first` up to, but without, `last`."""
        if self._dirty:
            self._add()
        last = max(first, last)
        return tuple(column[last] - column[first] for column in self._sums)

    def tally(self, first: int, last: int) -> Tally:
        """Return the time of some cells by state, ms: open = up + down + unknown, our own outages are excluded."""
        up, down, elsewhere, ours = self.sums(first, last)
        last = max(first, last)
        scope = self.frame.open[last] - self.frame.open[first]
        unknown = max(0, scope - ours - up - down)
        excluded = self.frame.excluded[last] - self.frame.excluded[first] + ours
        return Tally(up, down, unknown, excluded, min(unknown, elsewhere))

    def counted(self, first: int, last: int) -> Measure:
        """Return the good and bad of some cells."""
        good, bad = self.sums(first, last)
        return Measure(good, bad)

    def first_known(self) -> int | None:
        """Return the first cell in which anything was seen."""
        if self._dirty:
            self._add()
        return self._first

    def _add(self) -> None:
        self._sums = tuple(array("q", accumulate(column, initial=0)) for column in self.columns)
        begins = [bisect_right(sums, 0) - 1 for sums in self._sums[:2] if sums[-1]]
        self._first = min(begins, default=None)
        self._dirty = False

    def over(self, frame: Frame) -> Track:
        """Return the same over another frame, as far as its cells are made of whole cells of this one."""
        track = Track(frame, len(self.columns))
        for place, (_, window) in enumerate(frame.parts):
            first, last = self.frame.reaching(window.start), self.frame.reaching(window.end)
            if last > first and self.frame.parts[last - 1][1].end <= window.end:
                track.put(place, self.sums(first, last))
        return track
