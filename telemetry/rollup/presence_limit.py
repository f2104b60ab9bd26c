"""How many births and deaths of one device are stored in an hour; it must not store anything.

A device that connects a thousand times a second would make every fold of its centre's hour read all of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR
from telemetry.store import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.store import StoredEvent

MAX_STATUSES_PER_HOUR = 600
"""A connection every twelve seconds, with its end."""


class PresenceLimit:
    """Counts each device's births and deaths since the hour began."""

    def __init__(self) -> None:
        self._hour = -1
        self._counts: Counter[str] = Counter()

    def apply(self, statuses: Iterable[StoredEvent], at: int) -> tuple[list[StoredEvent], list[DeadLetter]]:
        """Return the births and deaths to store, and dead letters of the others; `at` is now, Unix ms."""
        if at // HOUR != self._hour:
            self._hour = at // HOUR
            self._counts.clear()
        admitted: list[StoredEvent] = []
        refused: Counter[str] = Counter()
        for status in statuses:
            self._counts[status.device] += 1
            if self._counts[status.device] <= MAX_STATUSES_PER_HOUR:
                admitted.append(status)
            else:
                refused[status.device] += 1
        return admitted, [DeadLetter(at, device, "too_many_births", rows) for device, rows in sorted(refused.items())]
