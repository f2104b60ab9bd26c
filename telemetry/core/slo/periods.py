"""The periods of budgets, rolling or of the calendar, as windows; it must not use opening hours or a clock. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, day_window, floor, to_local, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CalendarPeriod = Literal["day", "week", "month", "quarter", "year"]

SETTLE_MS = 7 * DAY
"""Time this old is settled: time still unknown then counts according to the objective's policy (slo.md 2.3)."""
_LONGEST_DAYS: dict[CalendarPeriod, int] = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""Adding this many days to a period's first day gives a day in the next period."""


def settled_until(now: int, zone: ZoneInfo) -> int:
    """Return the local midnight seven days ago, Unix ms: time before it is settled."""
    return day_window(to_local(now - SETTLE_MS, zone).date(), zone).start


def rolling_period(days: int, now: int, zone: ZoneInfo) -> Window:
    """Return the last `days` local days up to the last slot boundary, from the same wall time: whole weeks.

    It begins on the hour, because totals that old are hours, or at a midnight between two hours.
    """
    end = floor(now, SLOT)
    start = to_ms(to_local(end, zone).replace(fold=0) - timedelta(days=days))
    midnight = day_window(to_local(start, zone).date(), zone).start
    return Window(max(midnight, floor(start, HOUR)), end)


def calendar_period(aligned: CalendarPeriod, now: int, zone: ZoneInfo) -> Window:
    """Return the whole local day, week (from Monday), month, quarter or year that contains `now`, future included."""
    first = _first_day(aligned, to_local(now, zone).date())
    following = _first_day(aligned, first + timedelta(days=_LONGEST_DAYS[aligned]))
    return Window(day_window(first, zone).start, day_window(following, zone).start)


def _first_day(aligned: CalendarPeriod, day: date) -> date:
    if aligned == "day":
        return day
    if aligned == "week":
        return day - timedelta(days=day.weekday())
    months = {"month": 1, "quarter": 3, "year": 12}[aligned]
    return date(day.year, day.month - (day.month - 1) % months, 1)
