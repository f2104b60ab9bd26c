"""Tickets and waits of past days by weekday and half hour. Pure: it must not read totals nor know a calendar.

Sums of days are added and divided once: no mean of means.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from telemetry.core.figures.histograms import DurationSum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

CellKey = tuple[int, int]
"""A weekday (0 is Monday) and a half hour of it, 0–47."""


class HalfHourCount(Struct, frozen=True, gc=False):
    """One half hour of one day: tickets issued, and the waits of those called in it (ms)."""

    issued: int = 0
    wait_count: int = 0
    wait_sum_ms: int = 0


@dataclass(frozen=True, slots=True)
class DayHalfHours:
    """One local day: its open half hours, and the counts of those in which something happened."""

    day: date
    opened: frozenset[int]
    counts: Mapping[int, HalfHourCount]

    @property
    def tickets(self) -> int:
        """Return the day's tickets."""
        return sum(count.issued for count in self.counts.values())

    @property
    def wait(self) -> DurationSum:
        """Return the waits of the day's calls."""
        return add_waits(self.counts.values())


@dataclass(frozen=True, slots=True)
class ProfileCell:
    """One half hour of one weekday over the days on which it was open (or tickets came nevertheless)."""

    weekday: int
    slot: int
    days: tuple[date, ...]
    issued: int
    wait: DurationSum

    @property
    def issued_per_day(self) -> float:
        """Return the mean tickets of a day."""
        return self.issued / len(self.days)


@dataclass(frozen=True, slots=True)
class WeekProfile:
    """The cells of some past days by weekday and half hour; those without an open day are missing."""

    cells: Mapping[CellKey, ProfileCell]

    @property
    def weekdays(self) -> list[int]:
        """Return the weekdays with a cell, in order."""
        return sorted({weekday for weekday, _ in self.cells})

    @property
    def slots(self) -> range:
        """Return the half hours from the first to the last with a cell."""
        slots = [slot for _, slot in self.cells]
        return range(min(slots), max(slots) + 1) if slots else range(0)


def add_waits(counts: Iterable[HalfHourCount]) -> DurationSum:
    """Return the waits of several half hours as one."""
    rows = list(counts)
    return DurationSum(sum(row.wait_count for row in rows), sum(row.wait_sum_ms for row in rows))


def week_profile(days: Iterable[DayHalfHours]) -> WeekProfile:
    """Add days by weekday and half hour; a half hour in which nothing happened counts on the days it was open."""
    groups: dict[CellKey, list[tuple[date, HalfHourCount]]] = defaultdict(list)
    nothing = HalfHourCount()
    for day in days:
        for slot in sorted({*day.opened, *day.counts}):
            groups[day.day.weekday(), slot].append((day.day, day.counts.get(slot, nothing)))
    return WeekProfile({key: _cell(key, rows) for key, rows in sorted(groups.items())})


def _cell(key: CellKey, rows: list[tuple[date, HalfHourCount]]) -> ProfileCell:
    issued, waits = sum(count.issued for _, count in rows), add_waits(count for _, count in rows)
    return ProfileCell(key[0], key[1], tuple(day for day, _ in rows), issued, waits)
