"""Due dates in working days: weekends, holidays and pauses do not count, swapped days do; pure, it must read no clock.

A day counts when the calendar has regular hours on it.  The day of receipt is not counted; a dossier is due at the last
closing of its last working day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import day_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.calendar.opening_calendar import Calendar

MAX_WORKING_DAYS = 366
MAX_DAYS_AHEAD = 3 * 366
"""A calendar without so many working days in three years has no due date."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Days on which a dossier waits for supplements from the citizen, both in it; they do not count."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class DueDate:
    """The last working day, its last closing (Unix ms), and the working days that count."""

    day: date
    at: int
    counted: tuple[date, ...]


def due_date(calendar: Calendar, received: date, working_days: int, pauses: Sequence[Pause] = ()) -> DueDate | None:
    """Return when a dossier is due that was received on a day; None when the calendar has too few working days.

    With 0 working days it is due on the day itself, or on the next working day.
    """
    counted: list[date] = []
    for ahead in range(0 if working_days == 0 else 1, MAX_DAYS_AHEAD):
        day = received + timedelta(days=ahead)
        opening = calendar.day_plan(day).hours
        if not opening or any(pause.first <= day <= pause.last for pause in pauses):
            continue
        counted.append(day)
        if len(counted) >= working_days:
            window = day_window(day, calendar.zone)
            last = max((w.end for w in calendar.regular_windows(window)), default=window.end)
            return DueDate(day, last, tuple(counted))
    return None
