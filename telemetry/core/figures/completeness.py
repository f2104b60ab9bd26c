"""Completeness: which rows of an outbox are accounted for, as sets of closed ranges. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ClosedRanges = tuple[tuple[int, int], ...]
_GET_HIGH = itemgetter(1)


def union_ranges(*parts: Iterable[tuple[int, int]]) -> ClosedRanges:
    """Join closed integer ranges; idempotent, so repeats change nothing."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(r for part in parts for r in part):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def ranges_of(numbers: Iterable[int]) -> ClosedRanges:
    """Return row numbers as closed ranges."""
    ordered = sorted(set(numbers))
    if ordered and ordered[-1] - ordered[0] == len(ordered) - 1:
        return ((ordered[0], ordered[-1]),)
    return union_ranges((n, n) for n in ordered)


def count_rows(ranges: Iterable[tuple[int, int]]) -> int:
    """Return how many rows the ranges contain."""
    return sum(high - low + 1 for low, high in ranges)


def intersect_ranges(first: ClosedRanges, second: ClosedRanges) -> ClosedRanges:
    """Return the rows that are in both; each is disjoint and in order, as `union_ranges` returns them."""
    out: list[tuple[int, int]] = []
    i = j = 0
    while i < len(first) and j < len(second):
        low, high = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if low <= high:
            out.append((low, high))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def subtract_ranges(ranges: Iterable[tuple[int, int]], removed: ClosedRanges) -> ClosedRanges:
    """Return the rows of `ranges` that are not in `removed`, whose ranges are in order and disjoint."""
    out: list[tuple[int, int]] = []
    for low, high in ranges:
        start = low
        for index in range(bisect_left(removed, low, key=_GET_HIGH), len(removed)):
            a, b = removed[index]
            if a > high:
                break
            if a > start:
                out.append((start, a - 1))
            start = b + 1
        if start <= high:
            out.append((start, high))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class OutboxRowRanges:
    """The outcome of one outbox's rows, by row number."""

    device: str
    outbox_id: str
    stored: ClosedRanges
    refused: ClosedRanges = ()
    dropped: ClosedRanges = ()

    @property
    def highest_row(self) -> int:
        """Return the highest row number received, 0 when none."""
        return max((high for _, high in (*self.stored, *self.refused, *self.dropped)), default=0)


@dataclass(frozen=True, slots=True)
class Completeness:
    """(stored + refused + dropped) ÷ highest, each part shown; `ratio` is None without rows."""

    stored: int
    refused: int
    dropped: int
    highest: int

    @property
    def ratio(self) -> float | None:
        """Return the accounted share of rows, 0 to 1."""
        if not self.highest:
            return None
        return (self.stored + self.refused + self.dropped) / self.highest

    @property
    def missing(self) -> int:
        """Return how many rows up to the highest number are not accounted for."""
        return max(0, self.highest - self.stored - self.refused - self.dropped)

    def __add__(self, other: Completeness) -> Completeness:
        return Completeness(
            self.stored + other.stored,
            self.refused + other.refused,
            self.dropped + other.dropped,
            self.highest + other.highest,
        )


def compute_completeness(rows: Iterable[OutboxRowRanges]) -> Completeness:
    """Add up outboxes; a row counts once: stored before refused before dropped."""
    stored = refused = dropped = highest = 0
    for row in rows:
        stored += count_rows(row.stored)
        refused_only = subtract_ranges(row.refused, row.stored)
        refused += count_rows(refused_only)
        dropped += count_rows(subtract_ranges(row.dropped, union_ranges(row.stored, row.refused)))
        highest += row.highest_row
    return Completeness(stored, refused, dropped, highest)
