"""Rows that ingest deferred, as ranges: a device that is not declared yet may have a million of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from telemetry.core.figures import completeness

DEFER_MS = 900_000
"""A deferred row waits at least this long: a roll-out or an upgrade takes longer than minutes."""
GROUPING_MS = 30_000
"""Rows deferred within this time of each other become due together."""
HOLD_THRESHOLD_ROWS = 1_000
"""With this many rows deferred for a device-wide reason, sending more is pointless until they are due."""


@dataclass(slots=True)
class _DeferredGroup:
    """Rows that become due together after equally many attempts."""

    ranges: completeness.ClosedRanges
    first_due: int
    due: int
    attempts: int
    device_wide: bool


@dataclass(slots=True)
class Deferral:
    """All rows that wait for a roll-out, an upgrade or a later time. Times are ms of a monotonic clock."""

    _groups: list[_DeferredGroup] = field(default_factory=list)

    def defer(self, rows: list[int], due: int, attempts: int, *, device_wide: bool) -> None:
        """Hold rows until `due`, or a little later together with others."""
        new = completeness.ranges_of(rows)
        for group in self._groups:
            same_kind = group.attempts == attempts and group.device_wide == device_wide
            if same_kind and group.first_due <= due <= group.first_due + GROUPING_MS:
                group.ranges, group.due = completeness.union_ranges(group.ranges, new), max(group.due, due)
                return
        self._groups.append(_DeferredGroup(new, due, due, attempts, device_wide))

    def remove(self, rows: set[int]) -> int:
        """Remove rows; returns the number of attempts so far."""
        attempts = 0
        for group in self._groups:
            low, high = group.ranges[0][0], group.ranges[-1][1]
            if contained := [n for n in rows if low <= n <= high]:
                remaining = completeness.subtract_ranges(group.ranges, completeness.ranges_of(contained))
                if remaining != group.ranges:
                    attempts, group.ranges = max(attempts, group.attempts), remaining
        self._drop_empty_groups()
        return attempts

    def waiting_rows(self) -> completeness.ClosedRanges:
        """Return all rows that wait."""
        return completeness.union_ranges(*(group.ranges for group in self._groups))

    def discard(self, ranges: list[tuple[int, int]]) -> None:
        """Remove rows, given as closed ranges."""
        if not self._groups:
            return
        discarded = completeness.union_ranges(ranges)
        for group in self._groups:
            if any(low <= group.ranges[-1][1] and high >= group.ranges[0][0] for low, high in discarded):
                group.ranges = completeness.subtract_ranges(group.ranges, discarded)
        self._drop_empty_groups()

    def _drop_empty_groups(self) -> None:
        self._groups = [group for group in self._groups if group.ranges]

    def due_rows(self, now: int, limit: int) -> list[int]:
        """Return up to `limit` rows that are due, lowest first."""
        rows: list[int] = []
        for low, high in completeness.union_ranges(*(group.ranges for group in self._groups if group.due <= now)):
            rows += range(low, min(high + 1, low + limit - len(rows)))
            if len(rows) >= limit:
                return rows
        return rows

    def retry_now(self, now: int, *, only_device_wide: bool = False) -> None:
        """Make all rows due now, or only those deferred for a device-wide reason."""
        for group in self._groups:
            if group.device_wide or not only_device_wide:
                group.due = min(group.due, now)

    def hold_until(self, now: int) -> int:
        """Return until when sending more is pointless because enough rows wait for a device-wide reason; else `now`."""
        device_wide_groups = [group for group in self._groups if group.device_wide]
        if sum(completeness.count_rows(group.ranges) for group in device_wide_groups) < HOLD_THRESHOLD_ROWS:
            return now
        return max(now, min(group.due for group in device_wide_groups))

    def next_due(self) -> int | None:
        """Return when the first row becomes due, or None."""
        return min((group.due for group in self._groups), default=None)

    def __len__(self) -> int:
        """Return how many rows wait."""
        return sum(completeness.count_rows(group.ranges) for group in self._groups)
