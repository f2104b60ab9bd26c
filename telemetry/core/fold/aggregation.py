"""Add 5-minute totals into hours and local days, by the wall clock and by the open clock. Pure.

Only here is the calendar applied: opening hours, exceptions and maintenance begin and end on slot boundaries, so a
5-minute total is open or closed as a whole.  A row carries the fingerprint of its calendar; when that
changes, the same 5-minute totals are added again and no raw event is read.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, SLOT, Window, floor
from telemetry.core.fold.totals import (
    CALENDAR_FIELD,
    CAPACITY_FIELDS,
    COUNTER_FIELDS_BY_CLOCK,
    PROBE_SUM_FIELDS,
    READY_AT_SLOT_FIELDS,
    STATE_FIELDS,
    Total,
)
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.calendar.windows import BucketWidth

_FIELDS_BY_CLOCK = frozenset((*STATE_FIELDS, *CAPACITY_FIELDS, *PROBE_SUM_FIELDS, *COUNTER_FIELDS_BY_CLOCK))
_SLOT_ONLY_FIELDS = frozenset(READY_AT_SLOT_FIELDS)


def hourly_totals(slot_totals: Iterable[Total], calendar: Calendar) -> list[Total]:
    """Add 5-minute totals into UTC hours."""
    rows_by_hour: dict[tuple[int, str], list[Total]] = defaultdict(list)
    for total in slot_totals:
        rows_by_hour[floor(total.start, HOUR), total.scope].append(total)
    open_slots_by_hour = {
        start: _OpenSlots(calendar, Window(start, start + HOUR)) for start in {start for start, _ in rows_by_hour}
    }
    return [_sum_rows(rows, "1h", open_slots_by_hour[start]) for (start, _), rows in sorted(rows_by_hour.items())]


def daily_totals(slot_totals: Iterable[Total], day: Window, calendar: Calendar) -> list[Total]:
    """Add a local day's 5-minute totals; a centre's row also holds whether it was ready after opening."""
    rows_by_scope: dict[str, list[Total]] = defaultdict(list)
    for total in slot_totals:
        rows_by_scope[total.scope].append(total)
    open_slots = _OpenSlots(calendar, day)
    readiness_slot = dict(calendar.readiness_checks(day)).get(day.start)
    return [
        _with_readiness(_sum_rows(rows, "1d", open_slots), rows, readiness_slot)
        for _, rows in sorted(rows_by_scope.items())
    ]


class _OpenSlots:
    """The open slots of one row's window, and the `fingerprint` of its open and excluded parts."""

    def __init__(self, calendar: Calendar, window: Window) -> None:
        self.window = window
        self.fingerprint = calendar.fingerprint(window)
        opening = calendar.open_windows(window)
        self.slots = {slot for w in opening for slot in range(floor(w.start, SLOT), w.end, SLOT)}


def _sum_rows(rows: Sequence[Total], width: BucketWidth, open_slots: _OpenSlots) -> Total:
    sums: dict[str, int] = {}
    for row in rows:
        is_open = row.start in open_slots.slots
        for name, value in row.sums.items():
            if name in _SLOT_ONLY_FIELDS:
                continue
            sums[name] = sums.get(name, 0) + value
            if name in _FIELDS_BY_CLOCK:
                sums[f"open_{name}"] = sums.get(f"open_{name}", 0) + value * is_open
    sums[CALENDAR_FIELD] = open_slots.fingerprint
    first = rows[0]
    return Total(first.entity, first.scope, width, open_slots.window.start, first.province, sums)


def _with_readiness(day: Total, rows: Sequence[Total], slot: int | None) -> Total:
    """Add a centre's readiness to its day: the `mark_…` sums of the slot five minutes after opening (slo.md)."""
    if Scope(day.scope).kind != "centre":
        return day
    slot_sums = next((row.sums for row in rows if row.start == slot), {})
    readiness = {"ready_up": slot_sums.get("mark_up", 0), "ready_down": slot_sums.get("mark_down", 0)}
    return Total(day.entity, day.scope, day.width, day.start, day.province, {**day.sums, **readiness})
