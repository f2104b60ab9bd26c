"""Histograms: bounded error everywhere, exact at the exact bounds, adding, and small when stored."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from telemetry.core.fold.histogram_buckets import (
    BUCKET_BOUNDS_MS,
    BUCKET_VALUES_MS,
    COUNT_BITS,
    HISTOGRAM_BOUNDS_S,
    LATENCY_BOUNDS_MS,
    MAX_MS,
    MIN_MS,
    RELATIVE_ERROR,
    bucket_counts,
    count_within,
    decode_histogram,
    encode_histogram,
    histogram_of,
)
from tests.durations import durations, many_durations

STORED_BYTES = 400
"""The most that the histogram of 200 waits may take when it is stored."""


def value_of(duration_ms: float) -> float:
    (first, counts) = bucket_counts(histogram_of(duration_ms))
    assert counts == (1,)
    return BUCKET_VALUES_MS[first]


def test_bounds_and_values_rise_and_every_value_lies_in_its_bucket() -> None:
    assert all(low < high for low, high in pairwise(BUCKET_BOUNDS_MS))
    for value, (low, high) in zip(BUCKET_VALUES_MS[1:], pairwise(BUCKET_BOUNDS_MS), strict=False):
        assert low < value <= high


def test_both_ends_of_every_bucket_are_within_the_error_of_its_value() -> None:
    for (low, high), value in zip(pairwise(BUCKET_BOUNDS_MS[1:]), BUCKET_VALUES_MS[2:], strict=False):
        assert abs(value - low) / low <= RELATIVE_ERROR
        assert abs(value - high) / high <= RELATIVE_ERROR


@given(durations.filter(bool) | st.floats(MIN_MS, MAX_MS))
def test_a_duration_is_reported_within_the_error(duration_ms: float) -> None:
    assert value_of(duration_ms) == pytest.approx(duration_ms, rel=RELATIVE_ERROR, abs=0)


def test_no_time_at_all_is_reported_as_none_and_what_is_beyond_the_range_as_its_end() -> None:
    assert (value_of(0), value_of(MIN_MS / 2), value_of(MAX_MS + 1), value_of(1e300)) == (0, MIN_MS, MAX_MS, MAX_MS)


@pytest.mark.parametrize("bound_ms", [*(s * 1000 for s in HISTOGRAM_BOUNDS_S), *LATENCY_BOUNDS_MS])
def test_counts_at_an_exact_bound_are_exact(bound_ms: int) -> None:
    found = sum(map(histogram_of, (0, bound_ms - 0.001, bound_ms, bound_ms + 0.001, 2 * bound_ms)))
    assert count_within(found, bound_ms) == 3


@given(many_durations, many_durations)
def test_the_sum_of_two_histograms_is_that_of_both_sets(first: list[int], second: list[int]) -> None:
    one, other = (sum(map(histogram_of, values)) for values in (first, second))
    assert one + other == sum(map(histogram_of, (*first, *second)))
    assert sum(bucket_counts(one + other)[1]) == len(first) + len(second)
    assert one + other - other == one


def test_counts_up_to_the_largest_stay_in_their_bucket() -> None:
    most = (1 << COUNT_BITS) - 1
    found = most * histogram_of(1000) + histogram_of(1050) + most * histogram_of(MAX_MS + 1)
    assert sorted(filter(None, bucket_counts(found)[1])) == [1, most, most]
    assert decode_histogram(encode_histogram(found)) == found


@given(many_durations, st.integers(1, 10**6))
def test_what_is_stored_is_read_again(values: list[int], times: int) -> None:
    found = sum(map(histogram_of, values)) * times
    assert decode_histogram(encode_histogram(found)) == found
    assert bucket_counts(0) == (0, ())


@given(st.lists(durations, min_size=200, max_size=200))
def test_two_hundred_waits_take_few_bytes_however_they_are_spread(values: list[int]) -> None:
    assert len(encode_histogram(sum(map(histogram_of, values)))) <= STORED_BYTES


def test_the_worst_spread_of_two_hundred_waits_takes_few_bytes_too() -> None:
    """Gaps that are one bucket too wide for a single sign as far as they go, then no gaps."""
    apart = (len(BUCKET_VALUES_MS) - 200) // 8
    buckets = [*(9 * i for i in range(apart)), *(9 * apart + i for i in range(200 - apart))]
    values = [BUCKET_BOUNDS_MS[bucket] for bucket in buckets]
    assert len({*values}) == 200
    assert 300 < len(encode_histogram(sum(map(histogram_of, values)))) <= STORED_BYTES


def test_large_counts_in_adjacent_buckets_are_read_as_they_were_written() -> None:
    low, high = (histogram_of(BUCKET_VALUES_MS[bucket]) for bucket in (100, 101))
    assert low != high
    assert decode_histogram(encode_histogram(40 * low + 50 * high)) == 40 * low + 50 * high


def test_adjacent_buckets_in_the_sparse_form_are_read_as_they_were_written() -> None:
    counts = (1, 0, 0, 70_000, 80_000, 1, 0, 3)
    histogram = sum(count << (i * COUNT_BITS) for i, count in enumerate(counts, 5))
    assert bucket_counts(decode_histogram(encode_histogram(histogram))) == (5, counts)
