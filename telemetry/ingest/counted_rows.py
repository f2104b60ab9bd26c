"""Which rows of an outbox were counted already, so that a repeat counts once; it must not count or store anything.

A device repeats a row until it has its receipt, so repeats are no sign of too many events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.figures.completeness import ranges_of, union_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence, Set as AbstractSet

    from telemetry.core.protocol import events as ev

MAX_RANGES = 1_000
"""Most ranges of row numbers held of an outbox: an agent numbers without gaps, and sends nearly in order."""


class CountedRows:
    """Row numbers as closed ranges in order; `is_complete` until there are too many: then the lowest are dropped."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        self.is_complete = True

    @property
    def highest(self) -> int:
        """Return the highest row number, 0 without any."""
        return self._ranges[-1][1] if self._ranges else 0

    def append(self, events: Sequence[ev.Event]) -> None:
        """Add the rows of a frame that begins above the highest one; no more numbers than the frame has rows."""
        first, last = events[0].n, events[-1].n
        if last - first + 1 != len(events):
            self.add({event.n for event in events})
        elif self._ranges and self._ranges[-1][1] + 1 == first:
            self._ranges[-1] = (self._ranges[-1][0], last)
        else:
            self._ranges.append((first, last))
            self._drop_lowest()

    def add(self, numbers: AbstractSet[int]) -> None:
        """Add rows in any order."""
        self._ranges = list(union_ranges(self._ranges, ranges_of(numbers)))
        self._drop_lowest()

    def _drop_lowest(self) -> None:
        if len(self._ranges) > MAX_RANGES:
            del self._ranges[:-MAX_RANGES]
            self.is_complete = False

    def repeats_in(self, events: Sequence[ev.Event]) -> set[int]:
        """Return the numbers of the events that are counted already."""
        numbers = sorted({event.n for event in events if event.n <= self.highest})
        if not numbers:
            return set()
        low, high = numbers[0], numbers[-1]
        near = [(start, end) for start, end in self._ranges if end >= low and start <= high]
        return {n for n in numbers if any(start <= n <= end for start, end in near)}
