"""Percentiles of probe latency within the error, counts exact at the declared bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.figures.histograms import latency_histogram
from telemetry.core.fold.histogram_buckets import LATENCY_BOUNDS_MS, RELATIVE_ERROR, histogram_of
from tests.durations import SHARES, nearest_rank

latencies = st.lists(st.floats(0.1, 20_000) | st.sampled_from(LATENCY_BOUNDS_MS), min_size=1, max_size=50)


def test_nothing_probed_has_no_latency() -> None:
    found = latency_histogram({})
    assert (found.count, found.mean_ms, found.percentile_ms(0.5)) == (0, None, None)


def test_probes_their_successes_and_the_mean_are_exact() -> None:
    sums = {"probes": 12, "probes_ok": 10, "latency_sum_ms": 1500, "latency_histogram": 10 * histogram_of(150)}
    found = latency_histogram(sums)
    assert (found.probes, found.ok, found.count, found.mean_ms) == (12, 10, 10, 150)


@given(latencies, st.sampled_from(SHARES))
def test_a_percentile_is_within_the_error_of_the_exact_one(values: list[float], share: float) -> None:
    found = latency_histogram({"latency_histogram": sum(map(histogram_of, values))})
    exact = nearest_rank(values, share)
    assert found.percentile_ms(share) == pytest.approx(exact, rel=RELATIVE_ERROR, abs=0)


@given(latencies, st.sampled_from(LATENCY_BOUNDS_MS))
def test_counts_at_a_declared_bound_are_exact(values: list[float], bound: int) -> None:
    found = latency_histogram({"latency_histogram": sum(map(histogram_of, values))})
    assert found.count_within(bound) == sum(value <= bound for value in values)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 150.0), (0.95, 195.0), (1.0, 200.0)])
def test_totals_of_earlier_versions_answer_as_before(share: float, expected: float) -> None:
    found = latency_histogram({"probes": 12, "probes_ok": 10, "latency_sum_ms": 1500, "latency_le_200": 10})
    assert found.percentile_ms(share) == pytest.approx(expected, rel=RELATIVE_ERROR)
    assert (found.count_within(100), found.count_within(200)) == (0, 10)
    beyond = latency_histogram({"latency_le_inf": 3}).percentile_ms(0.5)
    assert beyond == pytest.approx(LATENCY_BOUNDS_MS[-1], rel=RELATIVE_ERROR)
