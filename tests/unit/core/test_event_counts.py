"""What one event by itself adds to the totals."""

from __future__ import annotations

import pytest

from telemetry.core.fold.counters import event_counts
from telemetry.core.protocol import events as ev


@pytest.mark.parametrize(("wait_ms", "within"), [(60_000, {"promises_within": 1}), (60_001, {})])
def test_a_promised_wait_counts_with_its_error_and_whether_it_came_true(wait_ms: int, within: dict[str, int]) -> None:
    promise = ev.WaitPromised(n=1, t=0, service="land", wait_ms=wait_ms, p50_ms=20_000, p90_ms=60_000, method="drain")
    assert event_counts(promise) == {"promises": 1, "promise_error_sum_ms": wait_ms - 20_000, **within}
