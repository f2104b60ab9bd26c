"""Queue figures from sums: exact thresholds, interpolated percentiles, nothing from nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import HISTOGRAM_BOUNDS_S, add_sums, histogram_bucket

waits = st.lists(st.integers(0, 7_200_000), max_size=60)


def sums_of(found: list[int]) -> dict[str, int]:
    one = ({"called": 1, "wait_sum_ms": ms, f"wait_le_{histogram_bucket(ms / 1000)}": 1} for ms in found)
    return add_sums(one)


def test_nothing_called_gives_zeros_and_nulls() -> None:
    wait = queue_figures({}).wait
    assert (wait.count, wait.sum_s, wait.mean_s, wait.percentile_s(0.5)) == (0, 0.0, None, None)
    assert wait.within_threshold(60).ratio is None
    assert queue_figures({}).service_time.mean_s is None


def test_a_wait_on_the_bound_lies_within_it() -> None:
    wait = queue_figures(sums_of([59_999, 60_000, 60_001])).wait
    assert (wait.within_threshold(60).count, wait.within_threshold(60).ratio) == (2, 2 / 3)


def test_other_thresholds_are_refused_and_the_exact_ones_named() -> None:
    with pytest.raises(ValueError, match="10, 30, 60, 120, 300, 600, 900, 1800, 3600"):
        queue_figures({}).wait.within_threshold(45)


def test_percentiles_are_linear_inside_their_bucket() -> None:
    wait = queue_figures({"called": 4, "wait_le_60": 2, "wait_le_120": 2}).wait
    assert wait.percentile_s(0.25) == 45
    assert wait.percentile_s(0.5) == 60
    assert wait.percentile_s(0.75) == 90


def test_a_percentile_beyond_the_last_bound_is_given_as_that_bound() -> None:
    assert queue_figures({"called": 1, "wait_le_inf": 1}).wait.percentile_s(0.9) == 3600


def test_service_time_is_counted_by_itself() -> None:
    found = queue_figures({"served": 3, "service_le_60": 2, "service_sum_ms": 90_000})
    assert (found.served, found.service_time.count, found.service_time.mean_s) == (3, 2, 45.0)


@given(waits, st.sampled_from(HISTOGRAM_BOUNDS_S))
def test_within_counts_exactly(found: list[int], bound: int) -> None:
    assert queue_figures(sums_of(found)).wait.within_threshold(bound).count == sum(ms <= bound * 1000 for ms in found)


@given(waits, waits)
def test_figures_of_added_sums_are_those_of_all_the_tickets(first: list[int], second: list[int]) -> None:
    assert queue_figures(add_sums([sums_of(first), sums_of(second)])) == queue_figures(sums_of([*first, *second]))


@given(waits.filter(bool), st.floats(0.01, 1), st.floats(0.01, 1))
def test_percentiles_rise_and_stay_in_range(found: list[int], a: float, b: float) -> None:
    wait = queue_figures(sums_of(found)).wait
    low, high = wait.percentile_s(min(a, b)), wait.percentile_s(max(a, b))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= 3600


@given(waits.filter(bool), st.sampled_from((0.5, 0.9, 0.95)))
def test_a_percentile_lies_in_the_bucket_of_the_ranked_wait(found: list[int], share: float) -> None:
    rank = max(1, -(-len(found) * share // 1))
    true = sorted(found)[int(rank) - 1] / 1000
    given_s = queue_figures(sums_of(found)).wait.percentile_s(share)
    assert given_s is not None
    name = histogram_bucket(true)
    low = 0 if name == "10" else 3600 if name == "inf" else HISTOGRAM_BOUNDS_S[HISTOGRAM_BOUNDS_S.index(int(name)) - 1]
    assert low <= given_s <= (3600 if name == "inf" else int(name))
