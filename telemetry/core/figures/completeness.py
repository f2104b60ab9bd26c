"""Completeness: which rows of an outbox are accounted for, as sets of closed ranges. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]


def union(*parts: Iterable[tuple[int, int]]) -> Ranges:
    """Join closed integer ranges; idempotent, so repeats change nothing."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(r for part in parts for r in part):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def ranges_of(numbers: Iterable[int]) -> Ranges:
    """Return row numbers as closed ranges."""
    found = sorted(set(numbers))
    if found and found[-1] - found[0] == len(found) - 1:
        return ((found[0], found[-1]),)
    return union((n, n) for n in found)


def size(ranges: Iterable[tuple[int, int]]) -> int:
    """Return how many rows the ranges hold."""
    return sum(high - low + 1 for low, high in ranges)


def minus(ranges: Iterable[tuple[int, int]], taken: Ranges) -> Ranges:
    """Return the rows of `ranges` that are not in `taken`."""
    out: list[tuple[int, int]] = []
    for low, high in ranges:
        start = low
        for a, b in taken:
            if b < start or a > high:
                continue
            if a > start:
                out.append((start, a - 1))
            start = b + 1
        if start <= high:
            out.append((start, high))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class RowRanges:
    """What became of one outbox's rows, by row number."""

    device: str
    spool: str
    stored: Ranges
    refused: Ranges = ()
    dropped: Ranges = ()

    @property
    def highest(self) -> int:
        """Return the highest row number heard of, 0 when none."""
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


def completeness(rows: Iterable[RowRanges]) -> Completeness:
    """Add up outboxes; a row counts once: stored before refused before dropped."""
    stored = refused = dropped = highest = 0
    for row in rows:
        stored += size(row.stored)
        lost = minus(row.refused, row.stored)
        refused += size(lost)
        dropped += size(minus(row.dropped, union(row.stored, row.refused)))
        highest += row.highest
    return Completeness(stored, refused, dropped, highest)
