"""Counts the events that a source skipped, and logs why without their content; it must not decide what is skipped."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.sources.parsing import OtherUnit

if TYPE_CHECKING:
    from edge_agent.log import Logger


def current_time_ms() -> int:
    """Return this device's clock, Unix ms."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class SkippedEvents:
    """The events skipped in one step of a source; those with a time in another unit also by field and unit."""

    count: int = 0
    _units: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, error: Exception) -> None:
        """Count an event that was refused with this error."""
        self.count += 1
        if isinstance(error, OtherUnit):
            self._units[error.field, error.unit] += 1

    def log_units(self, log: Logger, source: str) -> None:
        """Log which time fields were in which other unit, and how often."""
        for (time_field, unit), events in self._units.items():
            remedy = "write times in Unix milliseconds"
            log.error("times_in_another_unit", source=source, field=time_field, unit=unit, events=events, remedy=remedy)
