"""On which days a centre opens and when it must be ready, as hours and days were added; it must judge nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import axis
from telemetry.core.calendar.windows import FIVE, Window, at, day_window

if TYPE_CHECKING:
    from telemetry.core.calendar.opening_calendar import Calendar

Mark = tuple[int, int]
"""The start of a local day, and five minutes after its first regular opening that counts, Unix ms."""


def ready_marks(calendar: Calendar, window: Window) -> tuple[Mark, ...]:
    """Return the days of a window that have an opening, in order.

    Where maintenance ends nobody opens, nor at midnight when the doors have been open since the day before.
    """
    around, clock = Window(window.start - FIVE, window.end), axis(calendar.open_windows(window))
    out: dict[int, int] = {}
    for opens in (w.start for w in calendar.regular_windows(around) if w.start > around.start):
        day = day_window(at(opens, calendar.zone).date(), calendar.zone)
        counts = opens + 2 * FIVE <= day.end and clock.between(Window(opens, opens + 2 * FIVE)) == 2 * FIVE
        if counts and day.start not in out:
            out[day.start] = opens + FIVE
    return tuple(sorted(out.items()))
