"""Adds 5-minute totals into hours and local days, by the wall clock and by the open clock. Pure.

The calendar comes in here and nowhere before: opening hours, exceptions and maintenance begin and end on 5-minute
marks, so a 5-minute total is open or closed as a whole.  A row says with which calendar it was added; when that
changes, the same 5-minute totals are added again and no raw event is read.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import FIVE, HOUR, Window, floor
from telemetry.core.fold.totals import CALENDAR_FIELD, CAPACITY_FIELDS, MARK_FIELDS, STATE_FIELDS, Total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.calendar.windows import Width

_TIMED = frozenset((*STATE_FIELDS, *CAPACITY_FIELDS))
_UNADDED = frozenset(MARK_FIELDS)


def hourly(five: Iterable[Total], calendar: Calendar) -> list[Total]:
    """Add 5-minute totals into UTC hours."""
    groups: dict[tuple[int, str], list[Total]] = defaultdict(list)
    for total in five:
        groups[floor(total.start, HOUR), total.scope].append(total)
    clocks = {start: _Clock(calendar, Window(start, start + HOUR)) for start in {start for start, _ in groups}}
    return [_row(rows, "1h", clocks[start]) for (start, _), rows in sorted(groups.items())]


def daily(five: Iterable[Total], day: Window, calendar: Calendar) -> list[Total]:
    """Add a local day's 5-minute totals; a centre's row also says whether it was ready after opening."""
    groups: dict[str, list[Total]] = defaultdict(list)
    for total in five:
        groups[total.scope].append(total)
    clock = _Clock(calendar, day)
    mark = clock.ready_mark(calendar)
    return [_with_readiness(_row(rows, "1d", clock), rows, mark) for _, rows in sorted(groups.items())]


class _Clock:
    """The open clock over one row's window; `stamp` tells what of it is open and excluded."""

    def __init__(self, calendar: Calendar, window: Window) -> None:
        self.window = window
        self.stamp = calendar.stamp(window)
        opening = calendar.open_windows(window)
        self.marks = {mark for w in opening for mark in range(floor(w.start, FIVE), w.end, FIVE)}

    def ready_mark(self, calendar: Calendar) -> int | None:
        """Return five minutes after the first regular opening that counts; None on a day without one.

        Where maintenance ends, nobody opens; nor at midnight, when the centre has been open since the day before.
        """
        around = Window(self.window.start - FIVE, self.window.end)
        opens = (w.start for w in calendar.regular_windows(around) if w.start > around.start)
        return next((t + FIVE for t in opens if self.marks.issuperset((t, t + FIVE))), None)


def _row(rows: Sequence[Total], width: Width, clock: _Clock) -> Total:
    sums: dict[str, int] = {}
    for row in rows:
        _add(sums, row.sums, row.start in clock.marks)
    sums[CALENDAR_FIELD] = clock.stamp
    first = rows[0]
    return Total(first.unit, first.scope, width, clock.window.start, first.province, sums)


def _add(sums: dict[str, int], more: Mapping[str, int], is_open: bool) -> None:  # noqa: FBT001
    for name, value in more.items():
        if name in _UNADDED:
            continue
        sums[name] = sums.get(name, 0) + value
        if name in _TIMED:
            sums[f"open_{name}"] = sums.get(f"open_{name}", 0) + value * is_open


def _with_readiness(day: Total, rows: Sequence[Total], mark: int | None) -> Total:
    """Say of a centre what `mark` said: five minutes after the day's first opening (slo.md: opening-readiness)."""
    if not day.scope.startswith("centre:"):
        return day
    found = next((row.sums for row in rows if row.start == mark), {})
    ready = {"ready_up": found.get("mark_up", 0), "ready_down": found.get("mark_down", 0)}
    return Total(day.unit, day.scope, day.width, day.start, day.province, {**day.sums, **ready})
