"""Distances of open time, forth and back, and the periods budgets are for."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.open_time import OpenTimeline, build_open_timeline
from telemetry.core.calendar.windows import DAY, HOUR, Window, to_local, to_ms
from telemetry.core.slo import periods

calm = settings(deadline=None, max_examples=60)

opens = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 15)).map(lambda p: Window(p[0], p[0] + p[1])), max_size=6)
t = st.integers(-5, 90)
SAIGON, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")


def open_moments(found: OpenTimeline, start: int, end: int) -> int:
    return sum(any(w.start <= m < w.end for w in found.open_windows) for m in range(start, end))


@calm
@given(opens, t, t)
def test_open_time_between_two_moments_is_counted(windows: list[Window], one: int, other: int) -> None:
    found, window = build_open_timeline(windows), Window(min(one, other), max(one, other))
    assert found.open_within(window) == open_moments(found, window.start, window.end)


@calm
@given(opens, t, st.integers(0, 80))
def test_back_is_the_latest_moment_at_that_distance(windows: list[Window], now: int, distance: int) -> None:
    found = build_open_timeline(windows)
    start = found.subtract_open(now, distance)
    fits = [m for m in range(-5, now + 1) if found.open_within(Window(m, now)) == distance]
    assert start == (max(fits) if fits else None)


@calm
@given(opens, t, st.integers(0, 80))
def test_ahead_is_the_earliest_moment_at_that_distance(windows: list[Window], now: int, distance: int) -> None:
    found = build_open_timeline(windows)
    end = found.add_open(now, distance)
    fits = [m for m in range(now, 91) if found.open_within(Window(now, m)) == distance]
    assert end == (min(fits) if fits else None)


@calm
@given(opens, t)
def test_a_session_is_the_open_window_of_a_moment(windows: list[Window], now: int) -> None:
    found = build_open_timeline(windows)
    session = found.open_window_at(now)
    assert (session is not None) == bool(open_moments(found, now, now + 1))
    assert session is None or session.start <= now < session.end


def test_an_hour_of_open_time_reaches_back_over_lunch() -> None:
    found = build_open_timeline([Window(8 * HOUR, 12 * HOUR), Window(14 * HOUR, 17 * HOUR)])
    assert found.subtract_open(14 * HOUR + 20 * 60_000, HOUR) == 11 * HOUR + 20 * 60_000
    assert found.add_open(11 * HOUR, 2 * HOUR) == 15 * HOUR
    assert found.subtract_open(15 * HOUR, HOUR) == 14 * HOUR
    assert found.total_open == 7 * HOUR


def ms(text: str, zone: ZoneInfo) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=zone))


def test_a_rolling_period_ends_at_the_last_mark_and_begins_on_the_hour() -> None:
    now = ms("2026-11-23T14:07:31", SAIGON)
    assert periods.rolling_period(28, now, SAIGON) == Window(
        ms("2026-10-26T14:00", SAIGON), ms("2026-11-23T14:05", SAIGON)
    )  # fmt: skip


def test_a_rolling_period_begins_at_a_midnight_between_two_hours() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    found = periods.rolling_period(7, ms("2026-11-23T00:10", kolkata), kolkata)
    assert found.start == ms("2026-11-16T00:00", kolkata)
    assert periods.rolling_period(7, ms("2026-11-23T14:40", kolkata), kolkata).start == ms("2026-11-16T14:30", kolkata)


@pytest.mark.parametrize("now", ["2026-03-30T09:00", "2026-10-26T09:00"])
def test_a_rolling_period_holds_whole_weeks_where_clocks_change(now: str) -> None:
    found = periods.rolling_period(28, ms(now, BERLIN), BERLIN)
    assert to_local(found.start, BERLIN).time() == to_local(found.end, BERLIN).time()
    assert abs(found.length - 28 * DAY) == HOUR


def test_a_rolling_period_may_begin_in_a_gap_of_the_clock() -> None:
    found = periods.rolling_period(1, ms("2026-03-30T02:30", BERLIN), BERLIN)
    assert found.start % HOUR == 0
    assert 23 * HOUR <= found.length < 24 * HOUR


@pytest.mark.parametrize(
    ("aligned", "now", "first", "last"),
    [
        ("day", "2026-03-29T23:59", "2026-03-29", "2026-03-30"),
        ("week", "2026-11-29T12:00", "2026-11-23", "2026-11-30"),
        ("week", "2026-11-23T00:00", "2026-11-23", "2026-11-30"),
        ("month", "2026-02-28T23:59", "2026-02-01", "2026-03-01"),
        ("month", "2026-12-01T00:00", "2026-12-01", "2027-01-01"),
        ("quarter", "2026-11-23T12:00", "2026-10-01", "2027-01-01"),
        ("quarter", "2026-02-01T12:00", "2026-01-01", "2026-04-01"),
        ("year", "2026-11-23T12:00", "2026-01-01", "2027-01-01"),
        ("year", "2028-02-29T12:00", "2028-01-01", "2029-01-01"),
    ],
)
@pytest.mark.parametrize("zone", [SAIGON, BERLIN])
def test_a_calendar_period_is_whole_and_local(
    aligned: periods.CalendarPeriod, now: str, first: str, last: str, zone: ZoneInfo
) -> None:
    assert periods.calendar_period(aligned, ms(now, zone), zone) == Window(ms(first, zone), ms(last, zone))


def test_an_instant_is_open_or_not() -> None:
    timeline = build_open_timeline([Window(0, HOUR), Window(2 * HOUR, 3 * HOUR)])
    assert [timeline.is_open(t) for t in (-1, 0, HOUR - 1, HOUR, 2 * HOUR, 3 * HOUR)] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]
