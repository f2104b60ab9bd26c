"""When an alarm is reported: at once, then once an hour with its count while it lasts. Pure; it stores nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.protocol.events import AlarmCode

REPEAT_AFTER_MS = 3_600_000
"""A fault that lasts is reported again after this time."""


@dataclass(slots=True)
class _ActiveAlarm:
    reported_at: int
    unreported_count: int = 0


@dataclass(slots=True)
class AlarmRepeats:
    """The active alarms, by (alarm, subject). Times are ms of one clock; one that was set back reports at once."""

    _active: dict[tuple[AlarmCode, str], _ActiveAlarm] = field(default_factory=dict)

    def count_due(self, alarm: AlarmCode, subject: str, now: int) -> int:
        """Return the count to report of one more occurrence, 0 when no report is due. Nothing is recorded."""
        active = self._active.get((alarm, subject))
        if active is None:
            return 1
        return 0 if 0 <= now - active.reported_at < REPEAT_AFTER_MS else active.unreported_count + 1

    def record(self, alarm: AlarmCode, subject: str, now: int) -> int:
        """Record one occurrence and return `count_due`: it is reported now, or with a later one when that is 0."""
        count = self.count_due(alarm, subject, now)
        if count:
            self._active[alarm, subject] = _ActiveAlarm(now)
        else:
            self._active[alarm, subject].unreported_count += 1
        return count

    def clear(self, alarm: AlarmCode, subject: str) -> None:
        """End the alarm: the next occurrence is reported at once."""
        self._active.pop((alarm, subject), None)
