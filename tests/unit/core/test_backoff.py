"""Backoff: full jitter that doubles to a cap and never overflows."""

from __future__ import annotations

from hypothesis import given, strategies as st

from telemetry.core.backoff import full_jitter_ms


def test_the_longest_wait_doubles_up_to_the_cap() -> None:
    longest = [full_jitter_ms(attempt, 0.999_999) for attempt in range(12)]
    assert longest[:3] == [999, 1_999, 3_999]
    assert longest[-3:] == [299_999] * 3


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
def test_a_wait_lies_between_nothing_and_the_cap_at_any_attempt(attempt: int, chance: float) -> None:
    assert 0 <= full_jitter_ms(attempt, chance, first_ms=100, cap_ms=5_000) < 5_000


@given(st.integers(0, 40))
def test_no_luck_means_no_wait(attempt: int) -> None:
    assert full_jitter_ms(attempt, 0.0) == 0
