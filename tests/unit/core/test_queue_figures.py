"""Queue figures from sums: exact thresholds, percentiles within the error, nothing from nothing, former totals too."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.histogram_buckets import HISTOGRAM_BOUNDS_S, RELATIVE_ERROR, histogram_of
from telemetry.core.fold.totals import FORMER_QUEUE_FIELDS, add_sums, former_bucket_fields
from tests.durations import SHARES, many_durations, nearest_rank

FORMER_WAITS = former_bucket_fields("wait", HISTOGRAM_BOUNDS_S)
former_counts = st.lists(st.integers(0, 50), min_size=10, max_size=10)


def sums_of(waits_ms: list[int]) -> dict[str, int]:
    return add_sums({"called": 1, "wait_sum_ms": ms, "wait_histogram": histogram_of(ms)} for ms in waits_ms)


def interpolated(counts: list[int], share: float) -> float:
    """Return the percentile as it was shown before fold version 5, seconds: linear between the exact bounds."""
    rank, cumulative = share * sum(counts), 0
    for (low, high), count in zip(pairwise((0, *HISTOGRAM_BOUNDS_S, 3600)), counts, strict=True):
        if count and cumulative + count >= rank:
            return low + (high - low) * (rank - cumulative) / count
        cumulative += count
    raise AssertionError(counts)


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


def test_a_percentile_is_the_value_at_its_rank() -> None:
    wait = queue_figures(sums_of([0, 162_000, 162_000, 400_000])).wait
    assert wait.percentile_s(0.25) == 0
    assert wait.percentile_s(0.26) == pytest.approx(162, rel=RELATIVE_ERROR)
    assert wait.percentile_s(0.75) == pytest.approx(162, rel=RELATIVE_ERROR)
    assert wait.percentile_s(0.76) == pytest.approx(400, rel=RELATIVE_ERROR)


def test_a_rank_is_not_raised_by_the_rounding_of_its_product() -> None:
    assert 0.07 * 100 > 7
    wait = queue_figures(sums_of([10_000] * 7 + [900_000] * 93)).wait
    assert wait.percentile_s(0.07) == pytest.approx(10, rel=RELATIVE_ERROR)


def test_service_time_is_counted_by_itself() -> None:
    found = queue_figures({"served": 3, "service_histogram": 2 * histogram_of(45_000), "service_sum_ms": 90_000})
    assert (found.served, found.service_time.count, found.service_time.mean_s) == (3, 2, 45.0)
    assert found.wait.count == 0


@given(many_durations, st.sampled_from(HISTOGRAM_BOUNDS_S))
def test_within_counts_exactly(waits: list[int], bound: int) -> None:
    wait = queue_figures(sums_of(waits)).wait
    assert wait.within_threshold(bound).count == sum(ms <= bound * 1000 for ms in waits)
    assert (bound, wait.within_threshold(bound).count) in wait.counts_within()


@given(many_durations, many_durations)
def test_figures_of_added_sums_are_those_of_all_the_tickets(first: list[int], second: list[int]) -> None:
    assert queue_figures(add_sums([sums_of(first), sums_of(second)])) == queue_figures(sums_of([*first, *second]))


@given(many_durations, st.sampled_from(SHARES))
def test_a_percentile_is_within_the_error_of_the_exact_one(waits: list[int], share: float) -> None:
    exact_s = nearest_rank(waits, share) / 1000
    assert queue_figures(sums_of(waits)).wait.percentile_s(share) == pytest.approx(exact_s, rel=RELATIVE_ERROR, abs=0)


@given(many_durations)
def test_count_and_mean_are_exact(waits: list[int]) -> None:
    wait = queue_figures(sums_of(waits)).wait
    assert (wait.count, wait.mean_s) == (len(waits), sum(waits) / len(waits) / 1000)


@given(many_durations, st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_never_waits_less(waits: list[int], a: float, b: float) -> None:
    wait = queue_figures(sums_of(waits)).wait
    low, high = (wait.percentile_s(share) for share in sorted((a, b)))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high


@given(former_counts.filter(any), st.sampled_from(SHARES))
def test_totals_of_earlier_versions_answer_as_before(counts: list[int], share: float) -> None:
    wait = queue_figures(dict(zip(FORMER_WAITS, counts, strict=True))).wait
    assert wait.count == sum(counts)
    assert wait.percentile_s(share) == pytest.approx(interpolated(counts, share), rel=RELATIVE_ERROR)
    for place, bound in enumerate(HISTOGRAM_BOUNDS_S):
        assert wait.within_threshold(bound).count == sum(counts[: place + 1])


@given(former_counts, many_durations, st.sampled_from(SHARES))
def test_earlier_totals_and_present_ones_add(counts: list[int], waits: list[int], share: float) -> None:
    former = {**dict.fromkeys(FORMER_QUEUE_FIELDS, 0), **dict(zip(FORMER_WAITS, counts, strict=True))}
    wait = queue_figures(add_sums([former, sums_of(waits)])).wait
    assert wait.count == sum(counts) + len(waits)
    for place, bound in enumerate(HISTOGRAM_BOUNDS_S):
        within = sum(ms <= bound * 1000 for ms in waits)
        assert wait.within_threshold(bound).count == sum(counts[: place + 1]) + within
    value = wait.percentile_s(share)
    assert value is not None
    bounds = [bound for bound, within in wait.counts_within() if within >= share * wait.count - 1e-9]
    assert not bounds or value <= bounds[0]
