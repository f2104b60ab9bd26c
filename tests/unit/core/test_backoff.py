"""Backoff: full jitter that doubles to a cap and never overflows."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.backoff import MAX_RETRY_AFTER_MS, full_jitter_ms, retry_after_ms


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


@pytest.mark.parametrize(
    ("header", "wait_ms"),
    [
        ("7", 7_000),
        (" 120 ", 120_000),
        ("0", 0),
        ("9" * 5_000, MAX_RETRY_AFTER_MS),
        ("86400", MAX_RETRY_AFTER_MS),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30_000),
        ("Thursday, 01-Jan-26 00:00:30 GMT", 30_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_MS),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 0),
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("-5", 0),
        ("1.5", 0),
        ("١٢", 0),
        ("soon", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_has_a_bound(header: str | None, wait_ms: int) -> None:
    assert retry_after_ms(header, 1_767_225_600_000) == wait_ms
