"""Totals: exact bounds, sums that add in any order, every field present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.fold.administrative_counts import ADMINISTRATION_FIELDS
from telemetry.core.fold.histogram_buckets import (
    HISTOGRAM_BOUNDS_S,
    histogram_of,
)
from telemetry.core.fold.live_row_types import FoldFaultNow, ServiceNow
from telemetry.core.fold.totals import (
    CAPACITY_FIELDS,
    HISTOGRAM_FIELDS,
    OPEN_FIELDS,
    PROBE_FIELDS,
    PROBE_SUM_FIELDS,
    QUEUE_FIELDS,
    SEGMENT_FIELDS,
    SERVICE_LEVEL_FIELDS,
    SERVICE_LEVEL_THRESHOLDS_S,
    STATE_FIELDS,
    add_sums,
    decode_sums,
    encode_sums,
)

if TYPE_CHECKING:
    from random import Random

rows = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**9)), max_size=8)


def test_every_histogram_is_a_field_and_no_field_is_named_twice() -> None:
    fields = (*QUEUE_FIELDS, *SEGMENT_FIELDS, *PROBE_FIELDS, *OPEN_FIELDS, *ADMINISTRATION_FIELDS)
    assert {*HISTOGRAM_FIELDS} == {f for f in fields if f.endswith("histogram")}
    assert len(set(ADMINISTRATION_FIELDS)) == len(ADMINISTRATION_FIELDS)
    assert len({*QUEUE_FIELDS, *SEGMENT_FIELDS}) == len(QUEUE_FIELDS) + len(SEGMENT_FIELDS)
    assert [f"open_{f}" for f in (*STATE_FIELDS, *CAPACITY_FIELDS, *PROBE_SUM_FIELDS)] == list(OPEN_FIELDS)


def test_sums_are_stored_with_histograms_as_texts_and_read_again() -> None:
    sums = {**dict.fromkeys(QUEUE_FIELDS, 0), "called": 2, "wait_histogram": histogram_of(5) + histogram_of(7_000_000)}
    stored = encode_sums(sums)
    assert {name for name, value in stored.items() if isinstance(value, str)} == {"wait_histogram"}
    assert decode_sums(stored) == sums
    assert decode_sums({"wait_le_10": 3}) == {"wait_le_10": 3}


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


def test_the_sums_of_a_service_are_read_from_its_live_row() -> None:
    sums = {"issued": 3, "wait_histogram": histogram_of(61_000)}
    row = ServiceNow(
        service="land", waiting=0, serving=0, oldest=None, today=encode_sums(sums), recent=encode_sums(sums)
    )
    assert (row.today_sums, row.recent_sums) == (sums, sums)


def test_a_text_in_place_of_a_count_is_refused() -> None:
    with pytest.raises(ValueError, match="a sum is a text"):
        decode_sums({"called": "three"})


@pytest.mark.parametrize("text", ["/ggBB", "=//B"])
def test_a_histogram_with_a_bucket_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        decode_sums({"wait_histogram": text})


def test_a_fold_fault_whose_window_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        FoldFaultNow(entity="c", at=3, windows=((2, 1),))
