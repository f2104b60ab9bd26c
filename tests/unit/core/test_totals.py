"""Totals: exact bounds, sums that add in any order, every field present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.fold.totals import (
    CAPACITY_FIELDS,
    HISTOGRAM_BOUNDS_S,
    LATENCY_BOUNDS_MS,
    OPEN_FIELDS,
    PROBE_FIELDS,
    QUEUE_FIELDS,
    SERVICE_LEVEL_FIELDS,
    SERVICE_LEVEL_THRESHOLDS_S,
    SERVICE_TIME_FIELDS,
    STATE_FIELDS,
    WAIT_FIELDS,
    add_sums,
    fill_zeros,
    histogram_bucket,
)

if TYPE_CHECKING:
    from random import Random

rows = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**9)), max_size=8)


@pytest.mark.parametrize("bound", HISTOGRAM_BOUNDS_S)
def test_a_value_on_the_bound_lies_in_its_bucket(bound: int) -> None:
    assert histogram_bucket(bound) == str(bound)
    assert histogram_bucket(bound + 0.001) != str(bound)


def test_a_value_beyond_the_last_bound_lies_in_the_open_bucket() -> None:
    assert histogram_bucket(3600.001) == "inf"
    assert histogram_bucket(0) == "10"


def test_every_bucket_has_its_field() -> None:
    assert [f for f in WAIT_FIELDS if "_le_" in f] == [f"wait_le_{b}" for b in (*HISTOGRAM_BOUNDS_S, "inf")]
    assert [f for f in SERVICE_TIME_FIELDS if "_le_" in f] == [f"service_le_{b}" for b in (*HISTOGRAM_BOUNDS_S, "inf")]
    assert len(set(QUEUE_FIELDS)) == len(QUEUE_FIELDS)
    assert [f for f in PROBE_FIELDS if "_le_" in f] == [f"latency_le_{b}" for b in (*LATENCY_BOUNDS_MS, "inf")]
    assert [f"open_{f}" for f in (*STATE_FIELDS, *CAPACITY_FIELDS)] == list(OPEN_FIELDS)


def test_every_threshold_of_the_service_level_is_an_exact_bound_of_the_wait_and_has_both_fields() -> None:
    assert set(SERVICE_LEVEL_THRESHOLDS_S) <= set(HISTOGRAM_BOUNDS_S)
    assert sorted(SERVICE_LEVEL_FIELDS) == sorted(
        f"level_{word}_{b}" for b in SERVICE_LEVEL_THRESHOLDS_S for word in ("good", "bad")
    )
    assert set(SERVICE_LEVEL_FIELDS) <= set(QUEUE_FIELDS)


@given(rows, st.randoms(use_true_random=False))
def test_adding_does_not_depend_on_order_or_grouping(found: list[dict[str, int]], chance: Random) -> None:
    shuffled = sorted(found, key=lambda _: chance.random())
    assert add_sums(shuffled) == add_sums(found) == add_sums([add_sums(found[:3]), add_sums(found[3:])])


def test_zeroed_names_every_field_and_nothing_else() -> None:
    assert fill_zeros(("a", "b"), {"b": 2, "c": 3}) == {"a": 0, "b": 2}
