"""What was seen at one scope, cell by cell of a frame, with running sums: any window costs two look-ups. Pure.

A column holds one kind of sum (ms, or a count).  It must not weigh unknown time, nor know what a field is called.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import TimeByState
from telemetry.core.slo.sli import GoodBad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.slo.frames import BucketGrid

CoveredBucket = tuple[int, int, int]
"""A place, and the places in another frame from and up to which its cell is made of whole cells."""


class BucketColumns:
    """Columns over a frame; for time they are up, down, charged elsewhere, our own outages; for counts good and bad."""

    __slots__ = ("_running_sums", "_summed_count", "arrays", "frame")

    def __init__(self, grid: BucketGrid, width: int) -> None:
        self.frame = grid
        self.arrays = [grid.zeros] * width
        """All tracks of a frame share the column of what was never seen: of most sites that is half of them."""
        self._running_sums = [grid.zeros] * width
        self._summed_count = len(grid)
        """So many cells are added up: of most days only the last few change."""

    def set_bucket(self, index: int, values: Sequence[int]) -> None:
        """Set a cell."""
        for number, (column, value) in enumerate(zip(self.arrays, values, strict=True)):
            if column[index] != value:
                self._writable_array(number)[index] = value
                self._summed_count = min(self._summed_count, index)

    def _writable_array(self, number: int) -> array[int]:
        if self.arrays[number] is self.frame.zeros:
            self.arrays[number] = self.frame.zeros[:]
            self._running_sums[number] = self.frame.zeros[:]
        return self.arrays[number]

    def sum_range(self, first: int, last: int) -> tuple[int, ...]:
        """Add the cells from `first` up to, but without, `last`."""
        if self._summed_count < len(self.frame):
            self._update_running_sums()
        last = max(first, last)
        return tuple([column[last] - column[first] for column in self._running_sums])

    def time_by_state(self, first: int, last: int) -> TimeByState:
        """Return the time of some cells by state, ms: open = up + down + unknown, our own outages are excluded."""
        if self._summed_count < len(self.frame):
            self._update_running_sums()
        last = max(first, last)
        up, down, elsewhere, platform_outage = [column[last] - column[first] for column in self._running_sums]
        open_ms = self.frame.open_sums[last] - self.frame.open_sums[first]
        unknown = max(0, open_ms - platform_outage - up - down)
        excluded = self.frame.excluded_sums[last] - self.frame.excluded_sums[first] + platform_outage
        return TimeByState(up, down, unknown, excluded, min(unknown, elsewhere))

    def good_bad(self, first: int, last: int) -> GoodBad:
        """Return the good and bad of some cells."""
        good, bad = self.sum_range(first, last)
        return GoodBad(good, bad)

    def first_known_index(self) -> int | None:
        """Return the first cell in which anything was seen."""
        if self._summed_count < len(self.frame):
            self._update_running_sums()
        return min((bisect_right(sums, 0) - 1 for sums in self._running_sums[:2] if sums[-1]), default=None)

    def _update_running_sums(self) -> None:
        first, last = self._summed_count, len(self.frame)
        for column, sums in zip(self.arrays, self._running_sums, strict=True):
            if sums is not self.frame.zeros:
                sums[first:] = array("q", list(accumulate(column[first:last], initial=sums[first])))
        self._summed_count = last

    def rebucket(self, grid: BucketGrid, covered_buckets: Sequence[CoveredBucket]) -> BucketColumns:
        """Return the same over another frame; `taken` says of which cells (`covered`), the others are empty."""
        self.sum_range(0, 0)
        rebucketed = BucketColumns(grid, len(self.arrays))
        for number, sums in enumerate(self._running_sums):
            column = rebucketed._writable_array(number) if sums[-1] else grid.zeros
            for index, first, last in covered_buckets if sums[-1] else ():
                column[index] = sums[last] - sums[first]
        rebucketed._summed_count = 0
        return rebucketed


def map_buckets(source: BucketGrid, target: BucketGrid) -> list[CoveredBucket]:
    """Return which cells of the new frame are made of whole cells of the old one, and of which."""
    covered_buckets: list[CoveredBucket] = []
    for index, (_, window) in enumerate(target.spans):
        first, last = source.count_before(window.start), source.count_before(window.end)
        if last > first and source.spans[last - 1][1].end <= window.end:
            covered_buckets.append((index, first, last))
    return covered_buckets
