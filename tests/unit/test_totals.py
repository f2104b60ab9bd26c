"""Totals: exact bounds, sums that add in any order, every field present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.fold.totals import (
    BOUNDS_S,
    CAPACITY_FIELDS,
    LATENCY_MS,
    LEVEL_FIELDS,
    LEVELS_S,
    OPEN_FIELDS,
    PROBE_FIELDS,
    QUEUE_FIELDS,
    SERVICE_FIELDS,
    STATE_FIELDS,
    WAIT_FIELDS,
    add,
    bucket_of,
    zeroed,
)

if TYPE_CHECKING:
    from random import Random

rows = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**9)), max_size=8)


@pytest.mark.parametrize("bound", BOUNDS_S)
def test_a_value_on_the_bound_lies_in_its_bucket(bound: int) -> None:
    assert bucket_of(bound) == str(bound)
    assert bucket_of(bound + 0.001) != str(bound)


def test_a_value_beyond_the_last_bound_lies_in_the_open_bucket() -> None:
    assert bucket_of(3600.001) == "inf"
    assert bucket_of(0) == "10"


def test_every_bucket_has_its_field() -> None:
    assert [f for f in WAIT_FIELDS if "_le_" in f] == [f"wait_le_{b}" for b in (*BOUNDS_S, "inf")]
    assert [f for f in SERVICE_FIELDS if "_le_" in f] == [f"service_le_{b}" for b in (*BOUNDS_S, "inf")]
    assert len(set(QUEUE_FIELDS)) == len(QUEUE_FIELDS)
    assert [f for f in PROBE_FIELDS if "_le_" in f] == [f"latency_le_{b}" for b in (*LATENCY_MS, "inf")]
    assert [f"open_{f}" for f in (*STATE_FIELDS, *CAPACITY_FIELDS)] == list(OPEN_FIELDS)


def test_every_threshold_of_the_service_level_is_an_exact_bound_of_the_wait_and_has_both_fields() -> None:
    assert set(LEVELS_S) <= set(BOUNDS_S)
    assert sorted(LEVEL_FIELDS) == sorted(f"level_{word}_{b}" for b in LEVELS_S for word in ("good", "bad"))
    assert set(LEVEL_FIELDS) <= set(QUEUE_FIELDS)


@given(rows, st.randoms(use_true_random=False))
def test_adding_does_not_depend_on_order_or_grouping(found: list[dict[str, int]], chance: Random) -> None:
    shuffled = sorted(found, key=lambda _: chance.random())
    assert add(shuffled) == add(found) == add([add(found[:3]), add(found[3:])])


def test_zeroed_names_every_field_and_nothing_else() -> None:
    assert zeroed(("a", "b"), {"b": 2, "c": 3}) == {"a": 0, "b": 2}
