"""Percentiles of probe latency between exact bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.figures.histograms import latency_histogram
from telemetry.core.fold.totals import LATENCY_BOUNDS_MS


def test_nothing_probed_has_no_latency() -> None:
    found = latency_histogram({})
    assert (found.count, found.mean_ms, found.percentile_ms(0.5)) == (0, None, None)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 150.0), (0.95, 195.0), (1.0, 200.0), (0.0, 100.0)])
def test_a_percentile_is_interpolated_inside_its_bucket(share: float, expected: float) -> None:
    found = latency_histogram({"probes": 12, "probes_ok": 10, "latency_sum_ms": 1500, "latency_le_200": 10})
    assert found.percentile_ms(share) == pytest.approx(expected)
    assert (found.probes, found.ok, found.mean_ms) == (12, 10, 150)


def test_what_lies_beyond_the_last_bound_is_given_as_that_bound() -> None:
    assert latency_histogram({"latency_le_inf": 3}).percentile_ms(0.5) == LATENCY_BOUNDS_MS[-1]


@given(st.lists(st.integers(0, 50), min_size=10, max_size=10), st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_is_never_faster(counts: list[int], one: float, other: float) -> None:
    names = [f"latency_le_{b}" for b in (*LATENCY_BOUNDS_MS, "inf")]
    found = latency_histogram(dict(zip(names, counts, strict=True)))
    low, high = (found.percentile_ms(x) for x in sorted((one, other)))
    assert (low is None) == (high is None) == (sum(counts) == 0)
    assert low is None or high is None or low <= high
