"""Counts the events that a source skipped, and logs why without their content; it must not decide what is skipped."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.sources.parsing import OtherUnit, describe_without_content

if TYPE_CHECKING:
    from edge_agent.log import Logger


MAX_NAMED_EVENTS = 20
"""Events named one by one in the log of one step; the others are counted."""


def current_time_ms() -> int:
    """Return this device's clock, Unix ms."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class SkippedEvents:
    """The events skipped in one step of a source; those with a time in another unit also by field and unit."""

    count: int = 0
    _units: Counter[tuple[str, str]] = field(default_factory=Counter)
    _named: list[tuple[int, Exception]] = field(default_factory=list)

    def add(self, error: Exception, position: int = 0) -> None:
        """Count an event that was refused with this error; it is named when it has a `position` in a list, from 1."""
        self.count += 1
        if isinstance(error, OtherUnit):
            self._units[error.field, error.unit] += 1
        if position and len(self._named) < MAX_NAMED_EVENTS:
            self._named.append((position, error))

    def log_each(self, log: Logger, source: str) -> None:
        """Log the position, field and reason of each event that has a position."""
        for position, error in self._named:
            described = describe_without_content(error)
            field_name, reason = described.field or "event", described.reason
            log.warning("event_skipped", source=source, position=position, field=field_name, reason=reason)

    def log_units(self, log: Logger, source: str) -> None:
        """Log which time fields were in which other unit, and how often."""
        for (time_field, unit), events in self._units.items():
            remedy = "write times in Unix milliseconds"
            log.error("times_in_another_unit", source=source, field=time_field, unit=unit, events=events, remedy=remedy)
