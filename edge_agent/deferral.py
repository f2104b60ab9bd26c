"""Rows that the ingest put off, as ranges: a device nobody has declared yet may have a million of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from telemetry.core.figures import completeness

DEFER_MS = 900_000
"""A deferred row waits at least this long: a roll-out or an upgrade does not happen within minutes."""
TOGETHER_MS = 30_000
"""Rows put off within this time of each other come due together."""
ENOUGH = 1_000
"""So many rows put off for a reason that holds for all rows are enough to ask again with."""


@dataclass(slots=True)
class _Group:
    """Rows that come due together, tried equally often."""

    ranges: completeness.Ranges
    first: int
    due: int
    tries: int
    all_alike: bool


@dataclass(slots=True)
class Deferral:
    """All rows that wait for a roll-out, an upgrade or the passing of time. Times are ms of a monotonic clock."""

    _groups: list[_Group] = field(default_factory=list)

    def put_off(self, rows: list[int], due: int, tries: int, *, all_alike: bool) -> None:
        """Keep rows until `due`, or a little later together with others."""
        new = completeness.ranges_of(rows)
        for group in self._groups:
            alike = group.tries == tries and group.all_alike == all_alike
            if alike and group.first <= due <= group.first + TOGETHER_MS:
                group.ranges, group.due = completeness.union(group.ranges, new), max(group.due, due)
                return
        self._groups.append(_Group(new, due, due, tries, all_alike))

    def taken(self, rows: set[int]) -> int:
        """Let rows go; returns how often they were tried."""
        tries = 0
        for group in self._groups:
            low, high = group.ranges[0][0], group.ranges[-1][1]
            hit = [n for n in rows if low <= n <= high]
            left = completeness.minus(group.ranges, completeness.ranges_of(hit)) if hit else group.ranges
            if left != group.ranges:
                tries = max(tries, group.tries)
                group.ranges = left
        self._sweep()
        return tries

    def settled(self, ranges: list[tuple[int, int]]) -> None:
        """Forget rows, given as closed ranges."""
        if not self._groups:
            return
        gone = completeness.union(ranges)
        for group in self._groups:
            if any(low <= group.ranges[-1][1] and high >= group.ranges[0][0] for low, high in gone):
                group.ranges = completeness.minus(group.ranges, gone)
        self._sweep()

    def _sweep(self) -> None:
        self._groups = [group for group in self._groups if group.ranges]

    def ripe(self, now: int, limit: int) -> list[int]:
        """Return up to `limit` rows whose time has come, lowest first."""
        found: list[int] = []
        for low, high in completeness.union(*(group.ranges for group in self._groups if group.due <= now)):
            found += range(low, min(high + 1, low + limit - len(found)))
            if len(found) >= limit:
                return found
        return found

    def hurry(self, now: int, *, only_alike: bool = False) -> None:
        """Make everything due now, or only what waits for a reason that held for every row."""
        for group in self._groups:
            if group.all_alike or not only_alike:
                group.due = min(group.due, now)

    def held_until(self, now: int) -> int:
        """Return until when it is pointless to send more: enough rows wait for what holds for every row; else `now`."""
        alike = [group for group in self._groups if group.all_alike]
        if sum(completeness.size(group.ranges) for group in alike) < ENOUGH:
            return now
        return max(now, min(group.due for group in alike))

    def next_due(self) -> int | None:
        """Return when the first of them comes due, or None."""
        return min((group.due for group in self._groups), default=None)

    def __len__(self) -> int:
        """Return how many rows wait."""
        return sum(completeness.size(group.ranges) for group in self._groups)
