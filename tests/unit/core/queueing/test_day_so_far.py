"""Today so far beside the forecast of it: what counts, and what is called usual."""

from __future__ import annotations

import math

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.queueing.anomalies import LogReference, usual_wait
from telemetry.core.queueing.day_so_far import DaySoFar, ExpectedCount, compare_day_so_far

HALF_HOUR = HOUR // 2


def rows(*counts: tuple[int, float]) -> list[ExpectedCount]:
    return [
        ExpectedCount(Window(i * HALF_HOUR, (i + 1) * HALF_HOUR), issued, expected)
        for i, (issued, expected) in enumerate(counts)
    ]


def test_only_half_hours_that_have_ended_count() -> None:
    day = compare_day_so_far(rows((12, 10.0), (7, 8.0), (5, 9.0)), 0.0, until=HOUR + 10 * MINUTE)
    assert day == DaySoFar(until=HOUR, issued=19, expected=18.0, low=13, high=24)
    assert day.comparison == "usual"


@pytest.mark.parametrize(("issued", "comparison"), [(12, "fewer"), (13, "usual"), (24, "usual"), (25, "more")])
def test_a_day_is_compared_with_the_range_of_eight_days_of_ten(issued: int, comparison: str) -> None:
    day = compare_day_so_far(rows((issued, 18.0)), 0.0, until=HALF_HOUR)
    assert day is not None
    assert day.comparison == comparison


def test_half_hours_of_one_day_are_busy_together() -> None:
    """The variance of two half hours of 50 is 100 + 0.01 × 100², not 100 + 0.01 × 2 × 50²."""
    day = compare_day_so_far(rows((50, 50.0), (50, 50.0)), 0.01, until=HOUR)
    assert day is not None
    spread = 1.2816 * math.sqrt(200)
    assert day.low == pytest.approx(100 - spread, abs=1.5)
    assert day.high == pytest.approx(100 + spread, abs=1.5)


def test_before_the_first_half_hour_ends_and_without_expected_tickets_nothing_is_compared() -> None:
    assert compare_day_so_far(rows((3, 10.0)), 0.0, until=HALF_HOUR - 1) is None
    assert compare_day_so_far(rows((3, 0.0)), 0.0, until=HALF_HOUR) is None
    assert compare_day_so_far([], 0.0, until=HALF_HOUR) is None


def test_the_usual_wait_is_the_median_with_the_range_of_eight_of_ten() -> None:
    usual = usual_wait(LogReference(math.log(330), 0.25))
    assert usual.middle_s == 300.0
    assert usual.low_s == pytest.approx(330 * math.exp(-1.28155 * 0.25) - 30, abs=0.1)
    assert usual.high_s == pytest.approx(330 * math.exp(1.28155 * 0.25) - 30, abs=0.1)
    assert usual_wait(LogReference(math.log(31), 0.25)).low_s == 0.0, "no wait is below 0"
