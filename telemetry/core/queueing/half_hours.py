"""Stored 5-minute totals of desks → the half hours of a centre's open days. Pure: it must not read a store.

The centre's calendar says which days and half hours it was open, and what is known of a day before it begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, day_window, days_in, to_local, wall_time_ms
from telemetry.core.fold.totals import QUEUE_FIELDS, add_to_sums
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.queueing.arrivals import SLOTS, ArrivalDay, DayTraits
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Centre

MONTH_END_DAYS = 2
"""The last open days of a month that count as its end."""
_LONGEST_HOLIDAY_DAYS = 14
_ONE_DAY = timedelta(days=1)
_QUEUE_SUMS = frozenset(QUEUE_FIELDS)
HalfHourKey = tuple[date, int]
"""A local day and a half hour of it, 0–47."""


@dataclass(frozen=True, slots=True)
class CentreHalfHours:
    """The queue sums (`totals.QUEUE_FIELDS`) of one centre's half hours by local day, over all its services.

    `issued` has the arrivals alone, by service.
    """

    sums: Mapping[HalfHourKey, Mapping[str, int]] = field(default_factory=dict)
    issued: Mapping[str, Mapping[HalfHourKey, int]] = field(default_factory=dict)

    @property
    def days_with_tickets(self) -> list[date]:
        """Return the local days on which tickets were issued, in order."""
        return sorted({day for (day, _), sums in self.sums.items() if sums.get("issued")})


def slot_of(t: int, zone: ZoneInfo) -> HalfHourKey:
    """Return the local day and half hour of an instant, Unix ms."""
    local = to_local(t, zone)
    return local.date(), local.hour * 2 + local.minute // 30


def slot_window(day: date, slot: int, zone: ZoneInfo) -> Window:
    """Return a half hour of a local day; one that is skipped where clocks change is empty."""
    starts = _slot_starts(day, zone)
    return Window(starts[slot], starts[slot + 1])


@lru_cache(maxsize=1 << 10)  # centres of one zone need the same days repeatedly
def _slot_starts(day: date, zone: ZoneInfo) -> tuple[int, ...]:
    """Return when each half hour of a local day begins, and the next day."""
    starts = [wall_time_ms(day, time(slot // 2, slot % 2 * 30), zone) for slot in range(SLOTS)]
    return (*starts, wall_time_ms(day + _ONE_DAY, time(), zone))


def add_half_hours(centre: Centre, totals: Iterable[Total]) -> CentreHalfHours:
    """Add a centre's 5-minute desk totals into half hours; undeclared services are one, as everywhere."""
    sums: dict[HalfHourKey, dict[str, int]] = defaultdict(dict)
    issued: dict[str, dict[HalfHourKey, int]] = defaultdict(lambda: defaultdict(int))
    keys: dict[int, HalfHourKey] = {}
    for total in totals:
        key = keys.get(total.start) or keys.setdefault(total.start, slot_of(total.start, centre.zone))
        present = {name: value for name, value in total.sums.items() if value and name in _QUEUE_SUMS}
        add_to_sums(sums[key], present)
        if count := present.get("issued"):
            issued[centre.shown_service(Scope(total.scope).service)][key] += count
    return CentreHalfHours(sums, issued)


def day_traits(centre: Centre, day: date) -> DayTraits:
    """Return what the calendar says of a day: whose weekday's hours it has, and whether it follows a holiday."""
    plan = centre.calendar.day_plan(day)
    swap = centre.calendar.rules.swaps.get(day)
    weekday = swap.weekday if plan.basis == "swap" and swap and swap.weekday is not None else day.weekday()
    return DayTraits(weekday, _follows_holiday(centre, day), _is_month_end(centre, day))


def _follows_holiday(centre: Centre, day: date) -> bool:
    """Return whether a holiday lies between the day and the open day before it."""
    before = day - _ONE_DAY
    for _ in range(_LONGEST_HOLIDAY_DAYS):
        plan = centre.calendar.day_plan(before)
        if plan.hours:
            return False
        if plan.basis in ("holiday", "swap"):
            return True
        before -= _ONE_DAY
    return False


def _is_month_end(centre: Centre, day: date) -> bool:
    """Return whether fewer than MONTH_END_DAYS open days of the month follow."""
    later, after = 0, day + _ONE_DAY
    while after.month == day.month and later < MONTH_END_DAYS:
        later += bool(centre.calendar.day_plan(after).hours)
        after += _ONE_DAY
    return later < MONTH_END_DAYS


def open_slots(centre: Centre, day: date) -> tuple[Window | None, ...]:
    """Return for each half hour of a day the time from its first to its last open minute; None: closed."""
    starts = _slot_starts(day, centre.zone)
    slots: list[Window | None] = [None] * SLOTS
    for opening in centre.calendar.desk_windows(Window(starts[0], starts[-1])):
        slot = bisect_right(starts, opening.start) - 1
        while slot < SLOTS and starts[slot] < opening.end:
            begin, before = max(starts[slot], opening.start), slots[slot]
            end = min(starts[slot + 1], opening.end)
            slots[slot] = Window(begin if before is None else before.start, end)
            slot += 1
    return tuple(slots)


def arrival_days(centre: Centre, half_hours: CentreHalfHours, until: date) -> tuple[ArrivalDay, ...]:
    """Return the centre's open days before `until`, in order, from the first with tickets on.

    Of a centre that is always open (an imported log without hours) these are the days with tickets.
    """
    with_tickets = half_hours.days_with_tickets
    if not with_tickets or with_tickets[0] >= until:
        return ()
    first = with_tickets[0]
    first_slot = min(slot for (day, slot), sums in half_hours.sums.items() if day == first and sums.get("issued"))
    if centre.hours == ALWAYS_OPEN:
        days = [day for day in with_tickets if day < until]
    else:
        window = Window(day_window(first, centre.zone).start, day_window(until, centre.zone).start)
        opened = centre.calendar.desk_windows(window)
        days = sorted({day for w in opened for day in days_in(w, centre.zone) if day < until})
    return tuple(_arrival_day(centre, half_hours, day, first_slot if day == first else 0) for day in days)


def _arrival_day(centre: Centre, half_hours: CentreHalfHours, day: date, first_slot: int) -> ArrivalDay:
    """Return one day; half hours that are closed, and not beside an open one, count only when tickets were issued."""
    opened = open_slots(centre, day)
    counts: list[int | None] = []
    for slot in range(SLOTS):
        issued = half_hours.sums.get((day, slot), {}).get("issued", 0)
        is_near = any(opened[max(0, slot - 1) : slot + 2])
        counts.append(issued if issued or (is_near and slot >= first_slot) else None)
    return ArrivalDay(day, day_traits(centre, day), tuple(counts))
