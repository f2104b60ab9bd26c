"""Frames and tracks: cells tile the past, sums of any window are exact, a new cut keeps what the old one knew."""

from __future__ import annotations

import itertools
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, day_window, merge_adjacent
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import add_sums
from telemetry.core.slo.sli import GoodBad, good_bad_counts, time_sums, with_open_probes
from telemetry.core.slo.timeseries import (
    BucketGrid,
    TimeSeries,
    bucket_layout,
    build_grid,
    map_buckets,
)

HCM, BERLIN, KOLKATA = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
TODAY = date(2026, 3, 30)
WEEK = (
    *tuple(((time(7, 30), time(11, 30)), (time(13, 30), time(17))) for _ in range(5)),
    ((time(7, 30), time(11, 30)),),
    (),
)


def laid(
    zone: ZoneInfo = HCM, today: date = TODAY, week: tuple[object, ...] = WEEK, *, sparse: bool = True
) -> BucketGrid:
    parts = bucket_layout(zone, today - timedelta(days=28), today, {today - timedelta(days=28)})
    calendar = Calendar(week, zone)  # type: ignore[arg-type]
    whole = Window(parts[0][1].start, parts[-1][1].end)
    return build_grid(parts, build_open_timeline(calendar.open_windows(whole)), build_open_timeline(()), sparse=sparse)


@pytest.mark.parametrize("zone", [HCM, BERLIN, KOLKATA])
def test_cells_tile_the_days_also_where_clocks_change_and_where_midnight_is_no_hour(zone: ZoneInfo) -> None:
    parts = bucket_layout(zone, TODAY - timedelta(days=28), TODAY, {TODAY - timedelta(days=28)})
    assert all(one[1].end == other[1].start for one, other in itertools.pairwise(parts))
    whole = Window(day_window(TODAY - timedelta(days=28), zone).start, day_window(TODAY, zone).end)
    assert (parts[0][1].start, parts[-1][1].end) == (whole.start, whole.end)
    assert next(w for _, w in merge_adjacent(parts)).start == whole.start


def test_days_are_long_ago_hours_of_late_and_five_minutes_since_yesterday() -> None:
    found = [
        (width, w.length // DAY)
        for width, w in merge_adjacent(bucket_layout(HCM, TODAY - timedelta(days=28), TODAY, ()))
    ]
    assert found == [("1d", 20), ("1h", 7), ("5m", 2)]


def test_a_sparse_frame_leaves_out_what_is_shut_and_keeps_the_open_time() -> None:
    dense, sparse = laid(sparse=False), laid()
    assert len(sparse) < len(dense) / 2
    assert sparse.open_sums[-1] == dense.open_sums[-1] == (166 * 60 + 7 * 60 + 30) * 60_000


def test_a_moment_is_held_by_its_cell_or_by_the_next() -> None:
    found = laid()
    midnight = day_window(TODAY, HCM).start
    at_opening = midnight + 7 * HOUR + 6 * SLOT
    assert found.starts[found.index_at_or_after(midnight)] == at_opening
    assert found.index_at_or_after(at_opening + 1) == found.index_at_or_after(at_opening)
    assert found.index_at_or_after(0) == 0
    assert found.index_at_or_after(midnight + DAY) == len(found)


def test_a_round_the_clock_axis_reaches_over_all_cells() -> None:
    parts = bucket_layout(HCM, TODAY, TODAY, ())
    assert (
        build_grid(
            parts, build_open_timeline([Window(parts[0][1].start, parts[-1][1].end)]), build_open_timeline(())
        ).open_sums[-1]
        == DAY
    )


def test_a_track_adds_what_was_put_and_says_what_is_unknown_and_whose_fault() -> None:
    track = TimeSeries(laid(), 4)
    assert track.first_known_index() is None
    last = len(track.grid) - 1
    track.set_bucket(last, (200_000, 40_000, 60_000, 0))
    track.set_bucket(last - 1, (0, 0, 0, SLOT))
    assert track.time_by_state(last - 1, last + 1) == TimeByState(200_000, 40_000, 60_000, SLOT, 60_000)
    assert track.time_by_state(last, last - 3) == TimeByState()
    assert track.first_known_index() == last
    track.set_bucket(last, (200_000, 40_000, 60_000, 0))
    assert track.sum_range(last, last + 1) == (200_000, 40_000, 60_000, 0)


def test_counts_are_good_and_bad() -> None:
    track = TimeSeries(laid(), 2)
    track.set_bucket(3, (5, 1))
    track.set_bucket(4, (2, 0))
    assert track.good_bad(0, len(track.grid)) == GoodBad(7, 1)


@given(st.lists(st.integers(0, SLOT), min_size=40, max_size=40), st.integers(0, 9))
def test_the_next_days_cut_has_the_same_sums(values: list[int], skip: int) -> None:
    """Every cell of the new cut that is made of whole cells keeps its sums; days that became finer are read anew."""
    before = TimeSeries(laid(), 4)
    for number, value in enumerate(values):
        before.set_bucket((number * 5 + skip) % len(before.grid), (value, 0, 0, 0))
    new = laid(today=TODAY + timedelta(days=1))
    after = before.rebucket(new, map_buckets(before.grid, new))
    edge = day_window(TODAY - timedelta(days=27), HCM)
    known = [w for _, w in before.grid.spans if w.start >= edge.end]
    for start, end in ((edge.end, day_window(TODAY, HCM).end), (known[0].start, known[-1].end)):
        one = before.sum_range(before.grid.count_before(start), before.grid.count_before(end))
        assert after.sum_range(after.grid.count_before(start), after.grid.count_before(end)) == one


def test_cells_of_a_width_are_found_by_the_window_they_begin_in() -> None:
    found = laid()
    day = day_window(TODAY - timedelta(days=20), HCM)
    assert [start for start, _ in found.buckets_within("1d", Window(day.start, day.start + 1))] == [day.start]
    assert list(found.buckets_within("1h", Window(day.start, day.end))) == []


LATENCY = 4 * histogram_of(100) + 2 * histogram_of(301) + histogram_of(501)
SUMS = {
    "up_ms": 10, "down_ms": 2, "link_ms": 3, "platform_ms": 1, "conn_up_ms": 7, "conn_down_ms": 1,
    "conn_platform_ms": 2, "open_up_ms": 5, "open_down_ms": 1, "open_link_ms": 2, "open_conn_up_ms": 4,
    "level_good_900": 3, "level_bad_900": 1, "latency_histogram": LATENCY, "probes": 9,
}  # fmt: skip


def test_an_objective_reads_its_own_sums_on_its_own_clock() -> None:
    assert time_sums(SUMS, "1d", "availability", by_calendar=True) == (5, 1, 2, 0)
    assert time_sums(SUMS, "1d", "availability", by_calendar=False) == (10, 2, 3, 1)
    assert time_sums(SUMS, "5m", "connectivity", by_calendar=True) == (7, 1, 0, 2)
    assert time_sums(SUMS, "5m", "connectivity", by_calendar=True, is_open=False) == (0, 0, 0, 0)
    assert good_bad_counts(SUMS, "wait", 900_000, "5m", by_calendar=True, is_open=False) == (3, 1)
    assert good_bad_counts(SUMS, "latency", 300, "1d", by_calendar=False, is_open=True) == (4, 5)


def test_probes_in_planned_maintenance_are_no_latency() -> None:
    day = {**SUMS, "open_probes": 5, "open_latency_histogram": 3 * histogram_of(100)}
    assert good_bad_counts(day, "latency", 300, "1d", by_calendar=True, is_open=False) == (3, 2)
    assert good_bad_counts(day, "latency", 300, "1d", by_calendar=False, is_open=True) == (4, 5)
    assert good_bad_counts(SUMS, "latency", 300, "5m", by_calendar=True, is_open=False) == (0, 0)
    assert good_bad_counts(SUMS, "latency", 300, "5m", by_calendar=True, is_open=True) == (4, 5)


def test_a_day_that_an_earlier_version_added_counts_all_its_probes() -> None:
    assert good_bad_counts(SUMS, "latency", 300, "1d", by_calendar=True, is_open=True) == (4, 5)
    former = {"probes": 9, "latency_le_100": 4, "latency_le_inf": 3, "open_probes": 5, "open_latency_le_100": 3}
    assert good_bad_counts(former, "latency", 300, "1d", by_calendar=True, is_open=True) == (3, 2)


def test_days_of_two_versions_add_up() -> None:
    former, present = {"probes": 4, "latency_histogram": 4 * histogram_of(100)}, {"probes": 9, "open_probes": 5}
    both = add_sums(map(with_open_probes, (former, present)))
    assert good_bad_counts(both, "latency", 300, "1d", by_calendar=True, is_open=True) == (4, 5)


def test_a_calendar_without_a_day_has_an_empty_frame() -> None:
    nothing = tuple(() for _ in range(7))
    found = laid(week=nothing)
    assert len(found) == 0
    assert TimeSeries(found, 4).time_by_state(0, 0) == TimeByState()
    assert len(laid(week=ALWAYS_OPEN)) > 500
