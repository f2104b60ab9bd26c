"""Windows: rounding, local days in zones with and without clock changes, the split into widths."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import (
    HOUR,
    SLOT,
    Window,
    align_to_slots,
    ceil,
    day_window,
    days_in,
    floor,
    local_ms,
    merge,
    split_by_width,
    to_local,
    to_ms,
)

HANOI, BERLIN, KOLKATA = (ZoneInfo(name) for name in ("Asia/Ho_Chi_Minh", "Europe/Berlin", "Asia/Kolkata"))
HAVANA, APIA = ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")
ZONES = st.sampled_from([HANOI, BERLIN, KOLKATA, HAVANA])
MARKS = st.integers(to_ms(datetime(2026, 1, 1, tzinfo=UTC)) // SLOT, to_ms(datetime(2027, 1, 1, tzinfo=UTC)) // SLOT)
windows = st.builds(lambda mark, marks: Window(mark * SLOT, (mark + marks) * SLOT), MARKS, st.integers(0, 2_000))
loose = st.builds(lambda start, length: Window(start, start + length), st.integers(0, 200), st.integers(0, 30))


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ends \(1\) before it starts \(2\)"):
        Window(2, 1)


@given(st.integers(-(10**12), 10**13), st.integers(1, 10**8))
def test_floor_and_ceil_are_the_nearest_multiples(t: int, step: int) -> None:
    low, high = floor(t, step), ceil(t, step)
    assert low % step == high % step == 0
    assert t - step < low <= t <= high < t + step


@given(loose, loose)
def test_clip_is_the_common_part_or_none(first: Window, second: Window) -> None:
    common = set(range(first.start, first.end)) & set(range(second.start, second.end))
    part = first.clip(second)
    assert (set(range(part.start, part.end)) if part else set()) == common


@given(st.lists(loose, max_size=10))
def test_merge_covers_the_same_moments_without_touching_parts(found: list[Window]) -> None:
    joined = merge(found)
    assert {t for w in joined for t in range(w.start, w.end)} == {t for w in found for t in range(w.start, w.end)}
    assert all(w.length for w in joined)
    assert all(a.end < b.start for a, b in pairwise(joined))


def test_widen_reaches_the_marks_around() -> None:
    assert align_to_slots(Window(SLOT + 1, 2 * SLOT)) == Window(SLOT, 2 * SLOT)
    assert align_to_slots(Window(SLOT, SLOT + 1)) == Window(SLOT, 2 * SLOT)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="give it a zone"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001


@given(st.integers(0, 4 * 10**12), ZONES)
def test_a_moment_comes_back_from_any_zone(t: int, zone: ZoneInfo) -> None:
    assert to_ms(to_local(t, zone)) == t


def test_local_time_is_seven_hours_ahead_in_hanoi() -> None:
    assert local_ms(date(2026, 3, 2), time(7, 30), HANOI) == to_ms(datetime(2026, 3, 2, 0, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 29), BERLIN, 23),
        (date(2026, 10, 25), BERLIN, 25),
        (date(2026, 3, 8), HAVANA, 23),
        (date(2026, 11, 1), HAVANA, 25),
        (date(2026, 3, 29), HANOI, 24),
        (date(2011, 12, 30), APIA, 0),
    ],
)
def test_a_local_day_is_as_long_as_its_clock_says(day: date, zone: ZoneInfo, hours: int) -> None:
    assert day_window(day, zone).length == hours * HOUR


def test_no_day_touches_an_empty_window() -> None:
    assert list(days_in(Window(5, 5), HANOI)) == []


def test_a_window_that_ends_at_midnight_does_not_touch_the_next_day() -> None:
    day = day_window(date(2026, 5, 4), KOLKATA)
    assert list(days_in(day, KOLKATA)) == [date(2026, 5, 4)]
    assert list(days_in(Window(day.start - 1, day.end + 1), KOLKATA)) == [date(2026, 5, d) for d in (3, 4, 5)]


@given(windows, ZONES)
def test_pieces_are_disjoint_and_cover_the_window_in_any_zone(window: Window, zone: ZoneInfo) -> None:
    parts = split_by_width(window, zone)
    edges = [window.start, *(w.end for _, w in parts)]
    assert [w.start for _, w in parts] == edges[:-1]
    assert edges[-1] == (window.end if parts else window.start)
    assert sum(w.length for _, w in parts) == window.length


@given(windows, ZONES)
def test_pieces_are_whole_days_whole_hours_and_five_minute_runs(window: Window, zone: ZoneInfo) -> None:
    for width, w in split_by_width(window, zone):
        if width == "1d":
            days = [day_window(day, zone) for day in days_in(w, zone)]
            assert (days[0].start, days[-1].end) == (w.start, w.end)
        else:
            step = HOUR if width == "1h" else SLOT
            assert w.start % step == w.end % step == 0
        assert w.length


def test_pieces_of_a_half_hour_zone_use_five_minutes_up_to_the_full_utc_hour() -> None:
    day = day_window(date(2026, 5, 4), KOLKATA)
    parts = split_by_width(Window(day.start, day.end - HOUR), KOLKATA)
    assert [(width, w.length) for width, w in parts] == [("5m", HOUR // 2), ("1h", 22 * HOUR), ("5m", HOUR // 2)]


def test_pieces_of_a_span_over_a_clock_change_are_one_run_of_days() -> None:
    first, last = day_window(date(2026, 3, 28), BERLIN), day_window(date(2026, 3, 30), BERLIN)
    assert split_by_width(Window(first.start, last.end), BERLIN) == [("1d", Window(first.start, last.end))]


def test_pieces_inside_one_hour_are_five_minutes_only() -> None:
    window = Window(HOUR + SLOT, HOUR + 3 * SLOT)
    assert split_by_width(window, HANOI) == [("5m", window)]


def test_pieces_pass_over_a_day_that_never_was() -> None:
    window = Window(day_window(date(2011, 12, 29), APIA).start, day_window(date(2011, 12, 31), APIA).end)
    assert split_by_width(window, APIA) == [("1d", window)]
