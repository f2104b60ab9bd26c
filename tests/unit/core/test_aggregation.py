"""Five-minute totals added into hours and local days: both clocks, opening edges, changes of clocks, readiness."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN, CalendarRules, ModeSpan, SingleMaintenance
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, day_window, local_ms
from telemetry.core.fold.aggregation import daily_totals, hourly_totals
from telemetry.core.fold.totals import CALENDAR_FIELD, READY_AT_SLOT_FIELDS, STATE_FIELDS, Total
from telemetry.core.inventory import System

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.calendar.calendar_values import OpeningHours

HANOI, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 9)
DAY = day_window(MONDAY, HANOI)
SPLIT: OpeningHours = ((time(7), time(11, 30)), (time(13, 30), time(17)))


def calendar(hours: OpeningHours = SPLIT, zone: ZoneInfo = HANOI, rules: CalendarRules | None = None) -> Calendar:
    return Calendar((hours,) * 7, zone, rules=rules or CalendarRules())


def clock(hour: int, minute: int = 0) -> int:
    return local_ms(MONDAY, time(hour, minute), HANOI)


def rows(window: Window, scope: str = "centre:c1", **sums: int) -> list[Total]:
    found = sums or {"up_ms": SLOT}
    return [Total("c1", scope, "5m", mark, "vn83", found) for mark in range(window.start, window.end, SLOT)]


def ready(told: Mapping[int, Mapping[str, int]], by: Calendar, day: Window = DAY) -> tuple[int, int]:
    marked = [Total("c1", "centre:c1", "5m", mark, "vn83", sums) for mark, sums in told.items()]
    (found,) = daily_totals(marked, day, by)
    return found.sums["ready_up"], found.sums["ready_down"]


def test_an_hour_across_an_edge_counts_its_open_part() -> None:
    hour = Window(clock(11), clock(12))
    (found,) = hourly_totals(rows(hour, up_ms=SLOT, cap_low_ms=7, issued=2), calendar())
    assert found.start == hour.start
    assert (found.sums["up_ms"], found.sums["open_up_ms"]) == (HOUR, HOUR // 2)
    assert (found.sums["cap_low_ms"], found.sums["open_cap_low_ms"]) == (84, 42)
    assert found.sums["issued"] == 24
    assert "open_issued" not in found.sums


def test_hours_come_by_start_and_scope() -> None:
    told = [*rows(Window(clock(8), clock(10)), "device:d"), *rows(Window(clock(9), clock(10)))]
    found = [(t.scope, t.start, t.width) for t in hourly_totals(reversed(told), calendar())]
    assert found == [("device:d", clock(8), "1h"), ("centre:c1", clock(9), "1h"), ("device:d", clock(9), "1h")]


def test_every_timed_field_has_an_open_sum_zeros_included() -> None:
    (found,) = daily_totals(
        rows(Window(clock(5), clock(6)), "centre:c1", **dict.fromkeys(STATE_FIELDS, 3)), DAY, calendar()
    )
    assert {found.sums[name] for name in STATE_FIELDS} == {36}
    assert {found.sums[f"open_{name}"] for name in STATE_FIELDS} == {0}


@pytest.mark.parametrize(("day", "length"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(day: date, length: int) -> None:
    whole = day_window(day, BERLIN)
    night = calendar(((time(1), time(4)),), BERLIN)
    (found,) = daily_totals(rows(whole), whole, night)
    assert found.sums["up_ms"] == length * HOUR
    assert found.sums["open_up_ms"] == (length - 21) * HOUR
    assert sum(t.sums["open_up_ms"] for t in hourly_totals(rows(whole), night)) == (length - 21) * HOUR


def test_planned_maintenance_of_a_system_leaves_its_open_clock() -> None:
    window = Window(clock(22), clock(23, 30))
    system = System("vn83-portal", "P", "P", "portal", maintenance=(SingleMaintenance("nâng cấp", window),))
    (found,) = daily_totals(rows(DAY, "system:vn83-portal"), DAY, system.calendar(HANOI))
    assert found.sums["open_up_ms"] == 24 * HOUR - window.length
    assert found.sums["up_ms"] == 24 * HOUR


def test_what_has_no_calendar_is_always_open() -> None:
    (found,) = daily_totals(rows(DAY), DAY, Calendar(ALWAYS_OPEN, HANOI))
    assert found.sums["open_up_ms"] == found.sums["up_ms"] == DAY.length


def test_a_row_says_its_calendar_and_marks_are_not_added() -> None:
    by, told = calendar(), rows(Window(clock(7), clock(9)), up_ms=1, mark_up=1, mark_down=0)
    hours, (day,) = hourly_totals(told, by), daily_totals(told, DAY, by)
    assert [t.sums[CALENDAR_FIELD] for t in hours] == [by.fingerprint(Window(t.start, t.start + HOUR)) for t in hours]
    assert day.sums[CALENDAR_FIELD] == by.fingerprint(DAY)
    assert not {name for t in (*hours, day) for name in t.sums} & set(READY_AT_SLOT_FIELDS)
    assert "ready_up" not in hours[0].sums


def test_readiness_is_what_was_so_five_minutes_after_opening() -> None:
    up, down = {"mark_up": 1, "mark_down": 0}, {"mark_up": 0, "mark_down": 1}
    assert ready({clock(7): down, clock(7, 5): up, clock(13, 35): down}, calendar()) == (1, 0)
    assert ready({clock(7): up, clock(7, 5): down}, calendar()) == (0, 1)
    assert ready({clock(7, 5): {"mark_up": 0, "mark_down": 0}}, calendar()) == (0, 0)
    assert ready({clock(7): up}, calendar()) == (0, 0)


def test_maintenance_at_opening_makes_the_next_opening_the_first() -> None:
    told = {mark: {"mark_up": 1, "mark_down": 0} for mark in (clock(7, 5), clock(8, 5))}
    for end in (clock(8), clock(7, 10)):
        works = CalendarRules(maintenance=(SingleMaintenance("tủ mạng", Window(clock(7), end)),))
        assert ready(told, calendar(rules=works)) == (0, 0)
        assert ready({**told, clock(13, 35): {"mark_up": 0, "mark_down": 1}}, calendar(rules=works)) == (0, 1)


def test_a_day_without_an_opening_has_no_readiness() -> None:
    told = {mark: {"mark_up": 1, "mark_down": 0} for mark in range(DAY.start, DAY.end, SLOT)}
    shut = CalendarRules(modes=(ModeSpan("closed", DAY),))
    night: OpeningHours = ((time(22), time(2)),)
    assert ready(told, calendar(rules=shut)) == (0, 0)
    assert ready(told, Calendar(ALWAYS_OPEN, HANOI)) == (0, 0)
    assert ready({DAY.start + SLOT: told[DAY.start]}, calendar(night)) == (0, 0)
    assert ready({clock(22, 5): told[DAY.start]}, calendar(night)) == (1, 0)


def test_devices_and_desks_have_no_readiness() -> None:
    (found,) = daily_totals(rows(DAY, "device:d1", mark_up=1), DAY, calendar())
    assert "ready_up" not in found.sums


marks = st.integers(0, 287).map(lambda i: DAY.start + i * SLOT)
edges = st.integers(0, 287).map(lambda i: time(*divmod(i * 5, 60)))


@settings(deadline=None)
@given(
    st.dictionaries(marks, st.tuples(st.integers(0, SLOT), st.integers(0, 9)), min_size=1),
    st.lists(edges, min_size=2, max_size=6, unique=True).filter(lambda found: len(found) % 2 == 0).map(sorted),
    st.randoms(),
)
def test_hours_add_up_to_the_day_on_both_clocks(
    told: dict[int, tuple[int, int]], found: list[time], chance: object
) -> None:
    by = calendar(tuple(zip(found[::2], found[1::2], strict=True)))
    five = [Total("c1", "centre:c1", "5m", m, "p", {"up_ms": up, "issued": n}) for m, (up, n) in told.items()]
    chance.shuffle(five)  # type: ignore[attr-defined]
    (day,), hours = daily_totals(five, DAY, by), hourly_totals(five, by)
    for name in ("up_ms", "open_up_ms", "issued"):
        assert sum(t.sums[name] for t in hours) == day.sums[name]
    opening = by.open_windows(DAY)
    assert day.sums["open_up_ms"] == sum(
        up for m, (up, _) in told.items() if any(w.start <= m < w.end for w in opening)
    )
    assert sum(w.length for w in opening) % (5 * MINUTE) == 0
