"""On which days a centre opens and when it must be ready, as hours and days were added; it must judge nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import SLOT, Window, day_window, to_local

if TYPE_CHECKING:
    from telemetry.core.calendar.opening_calendar import Calendar

ReadinessCheck = tuple[int, int]
"""The start of a local day, and five minutes after its first regular opening that counts, Unix ms."""


def readiness_checks(calendar: Calendar, window: Window) -> tuple[ReadinessCheck, ...]:
    """Return the days of a window that have an opening, in order.

    Where maintenance ends nobody opens, nor at midnight when the doors have been open since the day before.
    """
    extended, open_timeline = (
        Window(window.start - SLOT, window.end),
        build_open_timeline(calendar.open_windows(window)),
    )
    checks: dict[int, int] = {}
    for opens in (w.start for w in calendar.regular_windows(extended) if w.start > extended.start):
        day = day_window(to_local(opens, calendar.zone).date(), calendar.zone)
        counts = opens + 2 * SLOT <= day.end and open_timeline.open_within(Window(opens, opens + 2 * SLOT)) == 2 * SLOT
        if counts and day.start not in checks:
            checks[day.start] = opens + SLOT
    return tuple(sorted(checks.items()))
