"""The reference's test vectors V1 to V6 and its worked numbers, each by the way a real figure takes."""

from __future__ import annotations

from datetime import date, time
from random import Random
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, local_ms
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.states import StateReport, build_segments
from telemetry.core.slo import budget as bg, evaluation as status
from telemetry.core.slo.sli import apply_unknown_policy, weigh_time
from tests.oracles import causes

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = date(2026, 11, 23)
GRACE = 150_000
WEEK_MS = 2490 * MINUTE


def at(clock: str) -> int:
    return local_ms(MONDAY, time.fromisoformat(clock), ZONE)


OPEN = [Window(at("07:30"), at("11:30")), Window(at("13:30"), at("17:00"))]
DAY_WINDOW = Window(at("00:00"), at("00:00") + DAY)


def beats(start: str = "07:30", end: str = "17:00") -> list[int]:
    """One beat a minute, the last at `end`."""
    return list(range(at(start), at(end) + 1, MINUTE))


def tally(times: list[int]) -> TimeByState:
    known = build_segments(StateReport(t, "up", GRACE) for t in times)
    return causes.sum_spans(causes.attribute_gaps(known, DAY_WINDOW, causes.GapEvidence()), OPEN)


V1 = beats(end="08:00") + beats("08:20")
V2 = V1 + beats("08:05", "08:15")
V3 = beats(end="11:29") + beats("13:31")
V4 = beats("08:00")


@pytest.mark.parametrize(
    ("name", "times", "up", "unknown", "low"),
    [
        ("V1", V1, 25_950, 1_050, 0.961111),
        ("V2", V2, 26_700, 300, 0.988889),
        ("V3", V3, 26_940, 60, 0.997778),
        ("V4", V4, 25_200, 1_800, 0.933333),
        ("V5", V1 * 3, 25_950, 1_050, 0.961111),
        ("V6", Random(1).sample(V1, len(V1)), 25_950, 1_050, 0.961111),
    ],
)
def test_the_references_vectors_hold(name: str, times: list[int], up: int, unknown: int, low: float) -> None:
    found = tally(times).to_seconds()
    assert (name, found.open, found.up, found.down, found.unknown) == (name, 27_000, up, 0, unknown)
    assert found.low is not None
    assert round(found.low, 6) == low


def test_thirty_minutes_late_opening_is_sixty_percent_of_the_budget_of_28_days() -> None:
    bad = apply_unknown_policy(tally(V4).to_seconds(), "down").bad
    left = bg.error_budget(0.995, 166 * 3600, bad).remaining_ratio
    assert left is not None
    assert round(1 - left, 3) == 0.602


@pytest.mark.parametrize(
    ("goal", "opening", "always"), [(0.99, 99.6, 403.2), (0.995, 49.8, 201.6), (0.999, 9.96, 40.32)]
)
def test_budgets_of_28_days_in_minutes(goal: float, opening: float, always: float) -> None:
    assert bg.error_budget(goal, 4 * WEEK_MS // 1000, 0).minutes[0] == pytest.approx(opening)
    assert bg.error_budget(goal, 28 * DAY // 1000, 0).minutes[0] == pytest.approx(always)


def test_one_lost_morning_shows_on_the_opening_clock() -> None:
    lost = 4 * HOUR
    opening, always = TimeByState(4 * WEEK_MS - lost, lost), TimeByState(28 * DAY - lost, lost)
    assert apply_unknown_policy(opening, "down").ratio == pytest.approx(0.9759, abs=5e-5)
    assert apply_unknown_policy(always, "down").ratio == pytest.approx(0.9940, abs=5e-5)
    found = bg.error_budget(0.995, opening.to_seconds().open, lost // 1000)
    assert found.consumed / found.total == pytest.approx(4.8, abs=0.02)
    assert found.minutes == pytest.approx((49.8, 240, -190.2))


def test_the_response_of_the_reference_is_reproduced() -> None:
    judged = weigh_time([(TimeByState(590_660_000, 4_120_000, 2_820_000), True)], "down")
    found = status.time_status(0.995, judged, status.StatusContext(), build_open_timeline([]), 0)
    account = found.account
    assert account is not None
    assert account.open == 597_600
    assert found.good_bad.ratio == account.low == pytest.approx(0.98839, abs=5e-6)
    assert (account.high, account.coverage) == pytest.approx((0.99311, 0.99528), abs=5e-6)
    assert (found.budget.total, found.budget.consumed, found.budget.remaining) == (2988, 6940, -3952)
    assert found.budget.remaining_ratio == pytest.approx(-1.3226, abs=5e-5)
    assert (found.slo_state, found.exhausts_at) == ("exhausted", None)


def test_no_open_time_is_null_and_never_one_or_zero() -> None:
    judged = weigh_time([(TimeByState(), True)], "down")
    found = status.time_status(0.995, judged, status.StatusContext(), build_open_timeline([]), 0)
    assert (found.good_bad.ratio, judged.account.coverage, found.budget.remaining_ratio, found.slo_state) == (
        None, None, None, "no_data",
    )  # fmt: skip
