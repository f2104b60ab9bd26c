"""Three-state time adds exactly, in any order and any grouping; policies and tickets weigh it as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import Window, difference, intersection, total_length
from telemetry.core.figures.accounting import TimeByState, sum_times, to_time_by_state
from telemetry.core.figures.histograms import DurationHistogram, queue_figures
from telemetry.core.fold.service_levels import decide_wait
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy
from telemetry.core.slo.timeseries import TimeBucket, build_time_series
from tests.oracles import sli

if TYPE_CHECKING:
    from random import Random

    from telemetry.core.inventory import ObjectiveUnknownPolicy

calm = settings(deadline=None)

ms = st.integers(0, 10_000_000)
tallies = st.builds(lambda u, d, n, x, e: TimeByState(u, d, n, x, min(n, e)), ms, ms, ms, ms, ms)
policies: st.SearchStrategy[ObjectiveUnknownPolicy] = st.sampled_from(["exclude", "down", "up", "settle"])
windows = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 15)).map(lambda p: Window(p[0], p[0] + p[1])), max_size=8
)


def moments(found: list[Window]) -> set[int]:
    return {t for w in found for t in range(w.start, w.end)}


@calm
@given(windows, windows)
def test_intervals_are_sets_of_moments(one: list[Window], other: list[Window]) -> None:
    assert moments(intersection(one, other)) == moments(one) & moments(other)
    assert moments(difference(one, other)) == moments(one) - moments(other)
    assert total_length(one) == len(moments(one))
    for found in (intersection(one, other), difference(one, other)):
        assert found == sorted(found)
        assert sum(w.length for w in found) == total_length(found)


@calm
@given(ms, ms, ms, ms, ms)
def test_open_is_up_and_down_and_unknown(open_ms: int, up: int, down: int, excluded: int, elsewhere: int) -> None:
    found = to_time_by_state(open_ms, up, down, excluded, elsewhere)
    assert found.open == found.up + found.down + found.unknown == max(open_ms, up + down)
    assert found.charged_elsewhere <= found.unknown
    whole = found.to_seconds()
    assert whole.open == whole.up + whole.down + whole.unknown == (found.open + 500) // 1000
    assert min(whole.up, whole.down, whole.unknown) >= 0
    assert whole.charged_elsewhere <= whole.unknown


def test_half_a_second_rounds_up_and_the_sum_decides() -> None:
    assert TimeByState(500, 499, 0, 500).to_seconds() == TimeByState(1, 0, 0, 1)
    assert TimeByState(400, 400, 400).to_seconds() == TimeByState(0, 1, 0)


@calm
@given(st.lists(tallies, max_size=8), st.integers(0, 8), st.randoms(use_true_random=False))
def test_adding_is_exact_in_any_order_and_grouping(found: list[TimeByState], cut: int, chance: Random) -> None:
    shuffled = chance.sample(found, len(found))
    assert sum_times(found) == sum_times(shuffled) == sum_times(found[:cut]) + sum_times(found[cut:])


@calm
@given(st.lists(tallies, max_size=5), policies, st.booleans())
def test_weighing_the_sum_is_adding_what_was_weighed(
    found: list[TimeByState], policy: ObjectiveUnknownPolicy, settled: bool
) -> None:
    parts = sum((apply_unknown_policy(t, policy, settled=settled) for t in found), GoodBad())
    assert apply_unknown_policy(sum_times(found), policy, settled=settled) == parts


@calm
@given(tallies, policies, st.booleans(), st.integers(0, 10_000_000))
def test_more_down_time_never_raises_the_ratio(
    found: TimeByState, policy: ObjectiveUnknownPolicy, settled: bool, more: int
) -> None:
    before = apply_unknown_policy(found, policy, settled=settled).ratio
    moved = min(more, found.up)
    for worse in (
        TimeByState(found.up, found.down + more, found.unknown, found.excluded, found.charged_elsewhere),
        TimeByState(found.up - moved, found.down + moved, found.unknown, found.excluded, found.charged_elsewhere),
    ):
        after = apply_unknown_policy(worse, policy, settled=settled).ratio
        assert before is None or (after is not None and after <= before)


@calm
@given(tallies, policies, st.booleans())
def test_low_and_high_enclose_every_policy_and_error_completes_the_ratio(
    found: TimeByState, policy: ObjectiveUnknownPolicy, settled: bool
) -> None:
    one = apply_unknown_policy(found, policy, settled=settled)
    if one.ratio is None or one.error_ratio is None:
        assert (one.ratio, one.error_ratio, one.total) == (None, None, 0)
        return
    assert found.low is not None
    assert found.high is not None
    assert found.low <= one.ratio <= found.high
    assert one.ratio + one.error_ratio == pytest.approx(1)


@pytest.mark.parametrize(
    ("policy", "settled", "expected"),
    [
        ("exclude", True, GoodBad(60, 20)),
        ("down", False, GoodBad(60, 40)),
        ("up", True, GoodBad(80, 20)),
        ("settle", False, GoodBad(60, 20)),
        ("settle", True, GoodBad(60, 35)),
    ],
)
def test_the_policy_weighs_unknown_time(policy: ObjectiveUnknownPolicy, settled: bool, expected: GoodBad) -> None:
    assert apply_unknown_policy(TimeByState(60, 20, 20, 0, 5), policy, settled=settled) == expected


@calm
@given(st.lists(tallies, max_size=12), st.integers(0, 130), st.integers(0, 130))
def test_running_sums_are_the_sums(found: list[TimeByState], one: int, other: int) -> None:
    window = Window(min(one, other), max(one, other))
    cells = [TimeBucket(Window(10 * i, 10 * i + 10), t) for i, t in enumerate(found)]
    known = build_time_series(reversed(cells))
    assert known.time_within(window) == sum_times(
        c.time_by_state for c in cells if window.start <= c.window.start < window.end
    )
    assert known.time_touching(window) == sum_times(c.time_by_state for c in cells if c.window.clip(window))


def test_a_cell_that_only_borders_on_a_window_does_not_touch_it() -> None:
    known = build_time_series(TimeBucket(Window(10 * i, 10 * i + 10), TimeByState(up=1 << i)) for i in range(4))
    assert [known.time_touching(Window(*w)).up for w in ((10, 20), (9, 21), (15, 16), (20, 20), (40, 50))] == [
        2,
        7,
        2,
        0,
        0,
    ]


@calm
@given(st.lists(tallies, max_size=12), st.integers(0, 120))
def test_windows_that_tile_time_add_up(found: list[TimeByState], cut: int) -> None:
    known = build_time_series(TimeBucket(Window(10 * i, 10 * i + 10), t) for i, t in enumerate(found))
    assert known.time_within(Window(0, cut)) + known.time_within(Window(cut, 120)) == sum_times(found)


def test_time_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two buckets hold the time 5"):
        build_time_series([TimeBucket(Window(5, 15), TimeByState()), TimeBucket(Window(0, 10), TimeByState())])


def test_tickets_within_the_threshold_are_good() -> None:
    found = queue_figures({"called": 11, "wait_le_300": 6, "wait_le_900": 3, "wait_le_1800": 1}).wait
    assert sli.wait_good_bad(found, 900) == GoodBad(9, 1)
    assert sli.wait_good_bad(DurationHistogram(0, 0), 900).ratio is None
    with pytest.raises(ValueError, match="901 s is not an exact bound"):
        sli.wait_good_bad(found, 901)


@pytest.mark.parametrize(
    ("called", "lost", "expected"),
    [
        (950, None, (1000, True)),
        (1000, None, (1000, True)),
        (1001, None, (1000, False)),
        (None, None, (1000, False)),
        (None, 999, None),
        (950, 980, None),
        (None, 1000, (1000, False)),
    ],
)
def test_a_ticket_is_decided_once_at_entry_plus_threshold(
    called: int | None, lost: int | None, expected: tuple[int, bool] | None
) -> None:
    assert decide_wait(100, called, lost, 900) == expected


def test_slices_without_known_time_count_nowhere() -> None:
    found = [TimeByState(95, 5), TimeByState(90, 10), TimeByState(0, 0, 100), TimeByState()]
    assert sli.count_slices(found, 0.95, "exclude") == GoodBad(1, 1)
    assert sli.count_slices(found, 0.95, "down") == GoodBad(1, 2)


def test_visitors_weigh_time() -> None:
    busy, idle = GoodBad(50, 50), GoodBad(100, 0)
    assert sli.weighted_ratio([(3, busy), (1, idle)]) == pytest.approx(0.625)
    assert sli.weighted_ratio([(0, busy)]) is None


def test_readiness_counts_days() -> None:
    found = sli.count_ready_days(["up", "up", "down", "unknown"])
    assert found == TimeByState(2, 1, 1)
    assert apply_unknown_policy(found, "exclude").ratio == pytest.approx(2 / 3)
