"""What was seen at one scope, cell by cell of a frame, with running sums: any window costs two look-ups. Pure.

A column holds one kind of sum (ms, or a count).  It must not weigh unknown time, nor know what a field is called.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from telemetry.core.slo.measures import Measure
from telemetry.core.slo.sli import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.slo.frames import Frame

Taken = tuple[int, int, int]
"""A place, and the places in another frame from and up to which its cell is made of whole cells."""


class Track:
    """Columns over a frame; for time they are up, down, charged elsewhere, our own outages; for counts good and bad."""

    __slots__ = ("_clean", "_sums", "columns", "frame")

    def __init__(self, frame: Frame, width: int) -> None:
        self.frame = frame
        self.columns = [frame.zeros] * width
        """All tracks of a frame share the column of what was never seen: of most sites that is half of them."""
        self._sums = [frame.zeros] * width
        self._clean = len(frame)
        """So many cells are added up: of most days only the last few change."""

    def put(self, place: int, values: Sequence[int]) -> None:
        """Set a cell."""
        for number, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            if column[place] != value:
                self._own(number)[place] = value
                self._clean = min(self._clean, place)

    def _own(self, number: int) -> array[int]:
        if self.columns[number] is self.frame.zeros:
            self.columns[number] = self.frame.zeros[:]
            self._sums[number] = self.frame.zeros[:]
        return self.columns[number]

    def sums(self, first: int, last: int) -> tuple[int, ...]:
        """Add the cells from `first` up to, but without, `last`."""
        if self._clean < len(self.frame):
            self._add()
        last = max(first, last)
        return tuple([column[last] - column[first] for column in self._sums])

    def tally(self, first: int, last: int) -> Tally:
        """Return the time of some cells by state, ms: open = up + down + unknown, our own outages are excluded."""
        if self._clean < len(self.frame):
            self._add()
        last = max(first, last)
        up, down, elsewhere, ours = [column[last] - column[first] for column in self._sums]
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
        if self._clean < len(self.frame):
            self._add()
        return min((bisect_right(sums, 0) - 1 for sums in self._sums[:2] if sums[-1]), default=None)

    def _add(self) -> None:
        since, cells = self._clean, len(self.frame)
        for column, sums in zip(self.columns, self._sums, strict=True):
            if sums is not self.frame.zeros:
                sums[since:] = array("q", list(accumulate(column[since:cells], initial=sums[since])))
        self._clean = cells

    def over(self, frame: Frame, taken: Sequence[Taken]) -> Track:
        """Return the same over another frame; `taken` says of which cells (`covered`), the others are empty."""
        self.sums(0, 0)
        track = Track(frame, len(self.columns))
        for number, sums in enumerate(self._sums):
            column = track._own(number) if sums[-1] else frame.zeros
            for place, first, last in taken if sums[-1] else ():
                column[place] = sums[last] - sums[first]
        track._clean = 0
        return track


def covered(old: Frame, new: Frame) -> list[Taken]:
    """Return which cells of the new frame are made of whole cells of the old one, and of which."""
    out: list[Taken] = []
    for place, (_, window) in enumerate(new.parts):
        first, last = old.reaching(window.start), old.reaching(window.end)
        if last > first and old.parts[last - 1][1].end <= window.end:
            out.append((place, first, last))
    return out
