"""Three-state time: the parts add up after rounding, and every ratio can be divided again."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.figures.accounting import TimeByState, covered_ratio, reaches_floor, to_time_by_state

ms = st.integers(0, 40_000_000)


def test_unknown_is_what_nobody_reported() -> None:
    assert to_time_by_state(27_000_000, 25_950_000, 0).to_seconds() == TimeByState(25_950, 0, 1_050)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("exclude", 0.75), ("down", 0.6), ("up", 0.8)],
)
def test_the_policy_decides_what_unknown_time_counts_as(policy: str, expected: float) -> None:
    found = to_time_by_state(100_000, 60_000, 20_000).to_seconds()
    assert found.availability(policy) == expected  # type: ignore[arg-type]
    assert (found.low, found.high, found.coverage) == (0.6, 0.8, 0.8)


def test_nothing_to_divide_by_is_null_and_never_one_or_zero() -> None:
    found = to_time_by_state(0, 0, 0).to_seconds()
    assert (found.availability(), found.low, found.high, found.coverage) == (None, None, None, None)


def test_all_unknown_has_bounds_but_no_availability() -> None:
    found = to_time_by_state(60_000, 0, 0).to_seconds()
    assert (found.availability(), found.low, found.high, found.coverage) == (None, 0.0, 1.0, 0.0)


def test_a_report_that_speaks_ahead_of_now_raises_the_total() -> None:
    assert to_time_by_state(60_000, 90_000, 0).to_seconds() == TimeByState(90, 0, 0)


@given(ms, ms, ms, ms)
def test_the_parts_always_add_up(total: int, up: int, down: int, excluded: int) -> None:
    found = to_time_by_state(total, up, down, excluded).to_seconds()
    assert found.open == found.up + found.down + found.unknown
    assert min(found.up, found.down, found.unknown, found.excluded) >= 0
    assert abs(found.up - up / 1000) <= 0.5
    assert abs(found.down - down / 1000) <= 1


@given(ms, ms, ms)
def test_low_and_high_enclose_every_policy(total: int, up: int, down: int) -> None:
    found = to_time_by_state(total, up, down).to_seconds()
    for value in (found.availability("exclude"), found.availability("down"), found.availability("up")):
        if value is not None and found.low is not None and found.high is not None:
            assert found.low <= value <= found.high


@pytest.mark.parametrize(
    ("account", "floor", "form", "sufficient"),
    [
        (TimeByState(39, 10, 51), 0.5, "range", False),
        (TimeByState(40, 10, 50), 0.5, "point", True),
        (TimeByState(20, 10, 70), 0.3, "point", True),
        (TimeByState(20, 9, 71), 0.3, "range", False),
        (TimeByState(1, 0, 99), 0.0, "point", True),
        (TimeByState(60, 39, 1), 1.0, "range", False),
        (TimeByState(60, 40, 0), 1.0, "point", True),
        (TimeByState(0, 0, 100), 0.5, "none", False),
        (TimeByState(), 0.5, "none", None),
    ],
)
def test_below_the_floor_a_ratio_is_a_range(
    account: TimeByState, floor: float, form: str, sufficient: bool | None
) -> None:
    found = covered_ratio(account.availability(), account, floor)
    assert (found.form, found.coverage_sufficient) == (form, sufficient)
    assert (found.low, found.high, found.coverage) == (account.low, account.high, account.coverage)
    assert reaches_floor(account.coverage, floor) is sufficient


def test_what_is_not_time_has_no_floor() -> None:
    found = covered_ratio(0.9, TimeByState(), 0.5)
    assert (found.form, found.value, found.coverage_sufficient) == ("point", 0.9, None)


def test_unknown_time_that_counts_as_down_is_a_range_too() -> None:
    found = covered_ratio(0.0, TimeByState(0, 0, 100), 0.5)
    assert (found.form, found.low, found.high) == ("range", 0.0, 1.0)
