"""Opening calendars: precedence, breaks, midnight, clocks that change, modes, maintenance, and what they promise."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.calendar_values import (
    ALWAYS_OPEN,
    END_OF_TIME_MS,
    CalendarRules,
    DayPlan,
    Exclusion,
    ModeSpan,
    OpeningHours,
    SingleMaintenance,
    Swap,
    WeeklyHours,
    describe_hours,
)  # fmt: skip
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import (
    DAY,
    HOUR,
    SLOT,
    Window,
    day_window,
    difference,
    intersection,
    merge,
    to_local,
    to_ms,
    wall_time_ms,
)

HANOI, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
NEW_YORK, APIA = ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")
MORNING, AFTERNOON = (time(7, 30), time(11, 30)), (time(13, 30), time(17))
SHUT: OpeningHours = ()
WEEK: tuple[OpeningHours, ...] = (*(((MORNING, AFTERNOON),) * 5), (MORNING,), SHUT)
at_leisure = settings(deadline=None)
MONDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 8)


def calendar(
    hours: tuple[OpeningHours, ...] = WEEK,
    zone: ZoneInfo = HANOI,
    exceptions: dict[date, OpeningHours] | None = None,
    **rules: Any,  # noqa: ANN401 - the fields of Rules
) -> Calendar:
    return Calendar(hours, zone, MappingProxyType(exceptions or {}), CalendarRules(**rules))


def ms(day: date, hour: int = 0, minute: int = 0, zone: ZoneInfo = HANOI) -> int:
    return to_ms(datetime.combine(day, time(hour, minute), tzinfo=zone))


def span(day: date, start: int, end: int, zone: ZoneInfo = HANOI) -> Window:
    """Return the window from one full hour of a day to another; hour 24 and more lie on the next day."""
    hours = (ms(day + timedelta(days=hour // 24), hour % 24, zone=zone) for hour in (start, end))
    return Window(*hours)


def every_day(*hours: tuple[time, time]) -> tuple[OpeningHours, ...]:
    return (hours,) * 7


def open_hours(found: Calendar, day: date) -> float:
    return found.open_ms(day_window(day, found.zone)) / HOUR


# What decides a day


def test_four_weeks_are_166_hours_and_the_lunch_break_is_none_of_them() -> None:
    window = Window(ms(MONDAY), ms(MONDAY) + 28 * DAY)
    assert calendar().open_ms(window) == 166 * HOUR
    assert calendar().open_windows(Window(ms(MONDAY, 11, 30), ms(MONDAY, 13, 30))) == []


def test_one_lost_morning_is_97_59_percent_and_not_99_40() -> None:
    window, lost = Window(ms(MONDAY), ms(MONDAY) + 28 * DAY), 4 * HOUR
    opening = calendar().open_ms(window)
    assert f"{1 - lost / opening:.2%}" == "97.59%"
    assert f"{1 - lost / window.length:.2%}" == "99.40%"


def test_exception_wins_over_swap_over_holiday_over_week() -> None:
    rules: dict[str, Any] = {
        "holidays": {MONDAY: "Tết", SUNDAY: "Giỗ Tổ"},
        "swaps": {MONDAY: Swap(0, SUNDAY, "hoán đổi"), SUNDAY: Swap(None)},
        "names": {MONDAY: "bão"},
    }
    assert calendar().day_plan(MONDAY) == DayPlan("week", WEEK[0])
    assert calendar(holidays=rules["holidays"]).day_plan(MONDAY) == DayPlan("holiday", (), "Tết")
    swapped = calendar(holidays=rules["holidays"], swaps=rules["swaps"])
    assert swapped.day_plan(MONDAY) == DayPlan("swap", WEEK[0], "hoán đổi", SUNDAY)
    assert swapped.day_plan(SUNDAY) == DayPlan("swap", ())
    assert calendar(exceptions={MONDAY: (MORNING,)}, **rules).day_plan(MONDAY) == DayPlan(
        "exception", (MORNING,), "bão"
    )


def test_a_swapped_saturday_is_worked_like_the_friday_it_stands_for() -> None:
    friday, saturday = date(2026, 1, 2), date(2026, 1, 10)
    found = calendar(swaps={friday: Swap(None, saturday), saturday: Swap(4, friday)})
    assert (open_hours(found, friday), open_hours(found, saturday)) == (0, 7.5)


def test_an_extra_day_needs_nothing_but_an_exception() -> None:
    assert open_hours(calendar(exceptions={SUNDAY: (AFTERNOON,)}), SUNDAY) == 3.5


def test_a_week_holds_from_its_first_day_to_the_day_before_its_end_and_the_last_named_wins() -> None:
    first, later = date(2026, 3, 9), date(2026, 3, 16)
    weeks = (
        WeeklyHours(first, date(2026, 3, 23), every_day(MORNING)),
        WeeklyHours(later, date(2026, 3, 17), every_day(AFTERNOON)),
    )
    days = [date(2026, 3, 8), first, later, date(2026, 3, 17), date(2026, 3, 22), date(2026, 3, 23)]
    assert [open_hours(calendar(weeks=weeks), day) for day in days] == [0, 4, 3.5, 4, 4, 7.5]


# Midnight and clocks that change


def test_hours_past_midnight_belong_to_the_day_they_began_on() -> None:
    night = calendar(((((time(22), time(2))),), *((SHUT,) * 6)))
    assert night.open_windows(Window(ms(MONDAY), ms(MONDAY) + 2 * DAY)) == [span(MONDAY, 22, 26)]
    assert night.open_windows(day_window(date(2026, 3, 3), HANOI)) == [span(MONDAY, 24, 26)]
    closed = calendar(night.hours, exceptions={date(2026, 3, 3): ()})
    assert open_hours(closed, date(2026, 3, 3)) == 2


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2026, 3, 29), {"night": 3, "dawn": 0, "day": 23}),
        (BERLIN, date(2026, 10, 25), {"night": 5, "dawn": 2, "day": 25}),
        (NEW_YORK, date(2026, 3, 8), {"night": 3, "dawn": 0, "day": 23}),
        (NEW_YORK, date(2026, 11, 1), {"night": 5, "dawn": 1, "day": 25}),
        (HANOI, date(2026, 3, 29), {"night": 4, "dawn": 1, "day": 24}),
    ],
)
def test_days_on_which_clocks_change_have_their_true_length(zone: ZoneInfo, day: date, hours: dict[str, int]) -> None:
    at_night = every_day((time(0), time(4)))
    dawn = every_day((time(2), time(3)))
    assert open_hours(calendar(at_night, zone), day) == hours["night"]
    assert open_hours(calendar(dawn, zone), day) == hours["dawn"]
    assert open_hours(calendar(ALWAYS_OPEN, zone), day) == hours["day"]


def test_a_skipped_time_is_the_moment_of_the_change_and_a_repeated_one_is_its_first() -> None:
    spring, autumn = date(2026, 3, 8), date(2026, 11, 1)
    change = to_ms(datetime(2026, 3, 8, 3, tzinfo=NEW_YORK))
    assert {wall_time_ms(spring, time(2, minute), NEW_YORK) for minute in (0, 15, 55)} == {change}
    assert open_hours(calendar(every_day((time(2, 15), time(3))), NEW_YORK), spring) == 0
    assert open_hours(calendar(every_day((time(1), time(2, 30))), NEW_YORK), spring) == 1
    assert wall_time_ms(autumn, time(1, 30), NEW_YORK) == to_ms(datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=0))
    assert open_hours(calendar(every_day((time(1, 30), time(3))), NEW_YORK), autumn) == 2.5


def test_hours_that_last_to_the_same_time_tomorrow_survive_the_longest_day() -> None:
    found = calendar(every_day((time(23, 55), time(23, 55))), NEW_YORK)
    whole = Window(ms(date(2026, 10, 31), zone=NEW_YORK), ms(date(2026, 11, 3), zone=NEW_YORK))
    assert found.open_windows(whole) == [whole]
    assert found.open_ms(Window(whole.end - 2 * SLOT, whole.end - SLOT)) == SLOT


def test_a_day_that_a_zone_leaves_out_is_not_open() -> None:
    found = calendar(every_day(MORNING), APIA)
    assert open_hours(found, date(2011, 12, 30)) == 0
    assert found.open_ms(Window(ms(date(2011, 12, 29), zone=APIA), ms(date(2012, 1, 1), zone=APIA))) == 8 * HOUR


@at_leisure
@given(
    st.sampled_from([HANOI, BERLIN, NEW_YORK, APIA, ZoneInfo("Australia/Lord_Howe")]),
    st.dates(date(2009, 1, 1), date(2030, 1, 1)),
    st.lists(st.integers(0, 287), min_size=2, max_size=2),
)
def test_a_later_wall_time_is_never_an_earlier_moment(zone: ZoneInfo, day: date, marks: list[int]) -> None:
    first, second = (wall_time_ms(day, time(m // 12, m % 12 * 5), zone) for m in sorted(marks))
    assert first <= second <= wall_time_ms(day + timedelta(days=1), time(0), zone)
    assert first % SLOT == 0


# Modes and maintenance


def test_online_only_pauses_the_desks_clock_and_closed_has_no_clock() -> None:
    modes = (
        ModeSpan("online_only", span(MONDAY, 0, 24), "Chỉ thị 16"),
        ModeSpan("closed", span(date(2026, 3, 3), 0, 24)),
        ModeSpan("normal", span(date(2026, 3, 4), 0, 24)),
    )
    found = calendar(modes=modes)
    week = Window(ms(MONDAY), ms(MONDAY) + 3 * DAY)
    assert found.open_ms(week) == 7.5 * HOUR
    assert sum(w.length for w in found.excluded_windows(week)) == 7.5 * HOUR
    assert {(part.cause, part.reason) for part in found.exclusions(week)} == {("online_only", "Chỉ thị 16")}
    assert sum(w.length for w in found.desk_windows(week)) == 7.5 * HOUR
    assert sum(w.length for w in found.regular_windows(week)) == 22.5 * HOUR
    assert found.mode_spans(week) == list(modes[:2])


def test_an_emergency_is_excluded_but_people_are_served() -> None:
    found = calendar(modes=(ModeSpan("emergency", span(MONDAY, 10, 15)),))
    day = day_window(MONDAY, HANOI)
    assert found.open_ms(day) == (2.5 + 2) * HOUR
    assert sum(w.length for w in found.desk_windows(day)) == 7.5 * HOUR


def test_the_later_of_two_modes_wins_while_it_lasts() -> None:
    modes = (ModeSpan("online_only", Window(0, END_OF_TIME_MS)), ModeSpan("normal", span(MONDAY, 8, 9)))
    found = calendar(modes=modes)
    assert found.open_windows(day_window(MONDAY, HANOI)) == [span(MONDAY, 8, 9)]
    parts = found.mode_spans(span(MONDAY, 7, 10))
    assert [(part.mode, part.window) for part in parts] == [
        ("online_only", span(MONDAY, 7, 8)),
        ("online_only", span(MONDAY, 9, 10)),
    ]


def test_time_is_excluded_once_and_the_mode_is_named_before_the_maintenance() -> None:
    found = calendar(
        modes=(ModeSpan("emergency", span(MONDAY, 8, 10), "lũ"),),
        maintenance=(
            SingleMaintenance("tủ mạng", span(MONDAY, 9, 12)),
            SingleMaintenance("máy in", span(SUNDAY, 9, 12)),
        ),
    )
    day = day_window(MONDAY, HANOI)
    assert found.exclusions(day) == [
        Exclusion(span(MONDAY, 8, 10), "emergency", "lũ"),
        Exclusion(Window(ms(MONDAY, 10), ms(MONDAY, 11, 30)), "maintenance", "tủ mạng"),
    ]
    assert found.excluded_windows(day) == [Window(ms(MONDAY, 8), ms(MONDAY, 11, 30))]
    assert found.open_ms(day) == 4 * HOUR
    assert sum(w.length for w in found.desk_windows(day)) == 7.5 * HOUR


def test_a_system_is_open_round_the_clock_but_for_maintenance() -> None:
    found = calendar(ALWAYS_OPEN, maintenance=(SingleMaintenance("nâng cấp", span(MONDAY, 22, 26)),))
    assert found.open_ms(Window(ms(MONDAY), ms(MONDAY) + 2 * DAY)) == 44 * HOUR


# Explaining and comparing


def test_every_day_touched_is_explained_whole() -> None:
    found = calendar(
        holidays={MONDAY: "Tết"},
        modes=(ModeSpan("emergency", span(date(2026, 3, 3), 10, 11)),),
    )
    first, second = found.explain_days(Window(ms(MONDAY, 23), ms(MONDAY, 23) + 2 * HOUR))
    assert (first.date, first.plan, first.open_ms, first.excluded_ms) == (MONDAY, DayPlan("holiday", (), "Tết"), 0, 0)
    assert second.window == day_window(date(2026, 3, 3), HANOI)
    assert (second.plan.basis, second.open_ms, second.excluded_ms) == ("week", 6.5 * HOUR, HOUR)
    assert [part.mode for part in second.modes] == ["emergency"]
    assert found.explain_days(Window(5, 5)) == []


def test_the_stamp_of_a_day_changes_only_when_its_windows_do() -> None:
    day, other = day_window(MONDAY, HANOI), day_window(SUNDAY, HANOI)
    before, after = calendar(), calendar(holidays={MONDAY: "Tết"})
    assert before.fingerprint(day) != after.fingerprint(day)
    assert before.fingerprint(other) == after.fingerprint(other)
    paused = calendar(modes=(ModeSpan("online_only", Window(0, END_OF_TIME_MS)),))
    assert paused.fingerprint(day) != after.fingerprint(day)
    assert 0 <= before.fingerprint(day) < 1 << 48


def test_the_version_is_that_of_everything_declared() -> None:
    plain = calendar()
    assert plain.version == calendar().version
    changed = [
        calendar(every_day(MORNING)),
        calendar(zone=BERLIN),
        calendar(exceptions={MONDAY: ()}),
        calendar(holidays={MONDAY: "Tết"}),
        calendar(swaps={MONDAY: Swap(None)}),
        calendar(weeks=(WeeklyHours(MONDAY, SUNDAY, WEEK),)),
        calendar(modes=(ModeSpan("closed", Window(0, 1)),)),
        calendar(maintenance=(SingleMaintenance("x", Window(0, 1)),)),
        calendar(names={MONDAY: "bão"}),
    ]
    assert len({found.version for found in (plain, *changed)}) == len(changed) + 1


# Properties, on calendars as odd as they can be declared

# (sampled from pools, because drawing times one by one is slow)

ODD: tuple[OpeningHours, ...] = (
    SHUT,
    ALWAYS_OPEN[0],
    (MORNING, AFTERNOON),
    (AFTERNOON, MORNING),
    (MORNING, (time(11, 30), time(13))),
    ((time(8), time(12)), (time(11), time(14))),
    ((time(22), time(2)),),
    ((time(0), time(3)), (time(23, 55), time(0))),
    ((time(1, 30), time(2, 30)),),
    ((time(2, 5), time(3)),),
    ((time(12), time(12)),),
    ((time(0, 5), time(0)), (time(20), time(8))),
)
HOURS = st.sampled_from(ODD)
WEEKS = st.builds(lambda working, weekend: (working,) * 5 + (weekend,) * 2, HOURS, HOURS)
DAYS = st.sampled_from([date(2026, 2, 20) + timedelta(days=n) for n in range(50)])
START = ms(date(2026, 2, 20))
WINDOWS = st.tuples(st.integers(0, 45 * 288), st.integers(0, 4 * 288)).map(
    lambda at: Window(START + at[0] * SLOT, START + (at[0] + at[1]) * SLOT)
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    modes = st.builds(ModeSpan, st.sampled_from(["normal", "online_only", "closed", "emergency"]), WINDOWS)
    rules = CalendarRules(
        holidays=draw(st.dictionaries(DAYS, st.just("x"), max_size=3)),
        swaps=draw(st.dictionaries(DAYS, st.builds(Swap, st.none() | st.integers(0, 6)), max_size=3)),
        weeks=tuple(draw(st.lists(st.builds(WeeklyHours, DAYS, DAYS, WEEKS), max_size=2))),
        modes=tuple(draw(st.lists(modes, max_size=3))),
        maintenance=tuple(draw(st.lists(st.builds(SingleMaintenance, st.just("x"), WINDOWS), max_size=2))),
    )
    zone = draw(st.sampled_from([HANOI, BERLIN, NEW_YORK]))
    return Calendar(draw(WEEKS), zone, draw(st.dictionaries(DAYS, HOURS, max_size=2)), rules)


def in_order(windows: list[Window]) -> bool:
    return merge(windows) == windows and all(w.length for w in windows)


@at_leisure
@given(calendars(), WINDOWS)
def test_windows_are_disjoint_sorted_and_inside_what_was_asked(found: Calendar, window: Window) -> None:
    opening, excluded = found.open_windows(window), found.excluded_windows(window)
    for windows in (opening, excluded, found.desk_windows(window), found.regular_windows(window)):
        assert in_order(windows)
        assert intersection(windows, [window]) == windows
        assert all(w.start % SLOT == w.end % SLOT == 0 for w in windows)
    assert intersection(opening, excluded) == []
    assert difference(opening, found.desk_windows(window)) == []


@at_leisure
@given(calendars(), WINDOWS)
def test_open_excluded_and_closed_make_up_the_regular_hours(found: Calendar, window: Window) -> None:
    closed = [part.window for part in found.mode_spans(window) if part.mode == "closed"]
    counted = found.open_windows(window) + found.excluded_windows(window)
    assert merge(counted) == difference(found.regular_windows(window), closed)
    assert sum(part.window.length for part in found.exclusions(window)) == sum(
        w.length for w in found.excluded_windows(window)
    )


@at_leisure
@given(calendars(), WINDOWS, st.lists(st.integers(0, 4 * 288), max_size=4))
def test_open_time_adds_up_over_any_split(found: Calendar, window: Window, cuts: list[int]) -> None:
    marks = sorted({window.start, window.end, *(min(window.start + cut * SLOT, window.end) for cut in cuts)})
    parts = [Window(start, end) for start, end in pairwise(marks)]
    assert sum(found.open_ms(part) for part in parts) == found.open_ms(window)
    assert merge([w for part in parts for w in found.open_windows(part)]) == found.open_windows(window)


@at_leisure
@given(calendars(), DAYS, HOURS)
def test_exceptions_win_over_everything(found: Calendar, day: date, hours: OpeningHours) -> None:
    changed = Calendar(found.hours, found.zone, {**found.exceptions, day: hours}, found.rules)
    assert changed.day_plan(day).hours == hours
    others = (day + timedelta(days=n) for n in (-1, 1))
    assert all(changed.day_plan(other) == found.day_plan(other) for other in others)


@at_leisure
@given(calendars(), WINDOWS)
def test_the_days_of_a_window_tell_the_same_as_the_window(found: Calendar, window: Window) -> None:
    days = found.explain_days(window)
    assert [day.date for day in days] == sorted({day.date for day in days})
    if days:
        whole = Window(days[0].window.start, days[-1].window.end)
        assert sum(day.open_ms for day in days) == found.open_ms(whole)
        assert to_local(whole.start, found.zone).time() == time(0)


def test_hours_are_described_as_the_inventory_writes_them() -> None:
    assert describe_hours(((time(7, 30), time(11, 30)), (time(13), time(0)))) == "07:30-11:30,13:00-24:00"
    assert describe_hours(()) == ""
