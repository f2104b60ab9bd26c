"""Burn rates on the open-time axis: thresholds, clipping at opening, guards, arming."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, intersection, total_length
from telemetry.core.slo import burn_rate
from telemetry.core.slo.sli import GoodBad
from tests.oracles.sli import time_until_firing

DAYS = 40
SESSIONS = [
    w
    for day in range(DAYS)
    for w in (
        Window(day * DAY + 450 * MINUTE, day * DAY + 690 * MINUTE),
        Window(day * DAY + 810 * MINUTE, day * DAY + 1020 * MINUTE),
    )
]
AXIS = build_open_timeline(SESSIONS)
PERIOD = 166 * HOUR
GOAL = 0.995
FAST, SLOW, DAILY, WEEKLY = burn_rate.OPEN_CLOCK_RULES
TODAY = 30 * DAY
OPENING, CLOSING = TODAY + 450 * MINUTE, TODAY + 1020 * MINUTE


def burning(
    *down: Window, share: float = 1.0, since: int = 0, guard: burn_rate.MinimumEvidence | None = None
) -> burn_rate.BurnRateInput:
    """A scope that was up whenever open, but for `share` of the time in `down`."""

    def measured(window: Window) -> GoodBad:
        whole = intersection(SESSIONS, [window])
        bad = round(share * total_length(intersection(whole, down)))
        return GoodBad(total_length(whole) - bad, bad)

    return burn_rate.BurnRateInput(GOAL, PERIOD, AXIS, since, measured, guard or burn_rate.MinimumEvidence())


@pytest.mark.parametrize(
    ("rule", "limit", "full", "tenth"),
    [(FAST, 8.30, 2.5, 25), (SLOW, 4.15, 5, 50), (DAILY, 3.32, 7.5, 75), (WEEKLY, 1.00, 12.5, 125)],
)
def test_the_open_clocks_rules_are_the_references(
    rule: burn_rate.BurnRateRule, limit: float, full: float, tenth: float
) -> None:
    assert burn_rate.burn_rate_threshold(rule, PERIOD) == pytest.approx(limit, abs=0.005)
    for error, minutes in ((1.0, full), (0.1, tenth)):
        fires = time_until_firing(rule, PERIOD, GOAL, error)
        assert fires is not None
        assert fires / MINUTE == pytest.approx(minutes, rel=0.01)


def test_the_wall_clocks_rules_are_the_canonical_ones() -> None:
    found = [burn_rate.burn_rate_threshold(rule, 30 * DAY) for rule in burn_rate.WALL_CLOCK_RULES]
    assert found == pytest.approx([14.4, 6, 3, 1])


def test_a_rule_whose_threshold_no_outage_reaches_cannot_fire() -> None:
    copied = burn_rate.BurnRateRule("copied", "page", 0.02, HOUR, 5 * MINUTE)
    assert not burn_rate.can_fire(copied, 30 * DAY, 0.90)
    assert burn_rate.can_fire(copied, 30 * DAY, 0.95)
    assert not burn_rate.can_fire(copied, 30 * DAY, 1.0)
    assert time_until_firing(copied, 30 * DAY, 0.90) is None


def test_a_threshold_must_be_passed_not_reached() -> None:
    found = replace(burning(Window(0, DAYS * DAY)), goal=0.5, period=4 * HOUR)
    edge = burn_rate.BurnRateRule("edge", "page", 0.5, HOUR, 5 * MINUTE)
    reading = burn_rate.evaluate_rule(edge, found, OPENING + HOUR)
    assert (reading.long_rate, reading.short_rate, reading.threshold, reading.is_exceeded) == (2.0, 2.0, 2.0, False)
    assert not burn_rate.can_fire(edge, found.period, found.goal)
    assert burn_rate.evaluate_rule(replace(edge, budget_share=0.49), found, OPENING + HOUR).is_exceeded


def test_without_time_or_without_a_budget_there_is_no_burn_rate() -> None:
    assert burn_rate.compute_burn_rate(GoodBad(), GOAL) is None
    assert burn_rate.compute_burn_rate(GoodBad(1, 1), 1.0) is None
    assert burn_rate.compute_burn_rate(GoodBad(99, 1), 0.99) == pytest.approx(1.0)


def first_exceeded(rule: burn_rate.BurnRateRule, found: burn_rate.BurnRateInput, start: int, end: int) -> int | None:
    """The first quarter of a minute at which the rule is exceeded."""
    return next((t for t in range(start, end, 15_000) if burn_rate.evaluate_rule(rule, found, t).is_exceeded), None)


def test_a_full_outage_pages_within_three_minutes_of_open_time() -> None:
    fell = OPENING + 90 * MINUTE
    fired = first_exceeded(FAST, burning(Window(fell, CLOSING)), OPENING, CLOSING)
    assert fired is not None
    assert 2.5 * MINUTE <= fired - fell <= 3 * MINUTE


def test_an_outage_from_opening_on_pages_after_five_minutes() -> None:
    fired = first_exceeded(FAST, burning(Window(OPENING, CLOSING)), OPENING - HOUR, CLOSING)
    assert fired == OPENING + 5 * MINUTE


def test_yesterdays_evening_does_not_page_at_opening() -> None:
    evening = Window(OPENING - DAY + 9 * HOUR, OPENING)
    found = burning(evening)
    assert burn_rate.evaluate_rule(FAST, found, CLOSING - DAY - MINUTE).is_exceeded
    early, later = (
        burn_rate.evaluate_rule(FAST, found, OPENING + MINUTE),
        burn_rate.evaluate_rule(FAST, found, OPENING + 6 * MINUTE),
    )
    assert early.long_rate is not None
    assert early.long_rate > early.threshold
    assert (early.short_rate, later.short_rate) == (None, 0.0)
    assert first_exceeded(FAST, found, CLOSING - DAY, OPENING + HOUR) is None


def test_the_morning_is_not_in_the_afternoons_short_window() -> None:
    afternoon = OPENING + 6 * HOUR
    found = burning(Window(afternoon - 3 * HOUR, afternoon))
    assert burn_rate.evaluate_rule(WEEKLY, found, afternoon + 10 * MINUTE).short_rate == 0.0
    assert burn_rate.evaluate_rule(WEEKLY, found, afternoon - 2 * HOUR - MINUTE).short_rate == pytest.approx(
        200 * 59 / 210
    )


@pytest.mark.parametrize("moment", [OPENING - HOUR, OPENING + 5 * HOUR, CLOSING, CLOSING + HOUR])
def test_no_rule_is_exceeded_while_closed(moment: int) -> None:
    found = burn_rate.evaluate_rules(burn_rate.OPEN_CLOCK_RULES, burning(Window(0, DAYS * DAY)), moment)
    assert [(r.short_rate, r.is_exceeded) for r in found] == [(None, False)] * 4
    assert all(r.long_rate == pytest.approx(200) for r in found)


def test_a_short_session_needs_only_its_short_window() -> None:
    nervous = replace(FAST, short_ms=MINUTE)
    assert burn_rate.evaluate_rule(nervous, burning(Window(OPENING - DAY, CLOSING)), OPENING + MINUTE).is_exceeded


def test_one_missed_heartbeat_never_pages_by_itself() -> None:
    guard = burn_rate.heartbeat_evidence(60_000)
    assert guard == burn_rate.MinimumEvidence(180_000, 0)
    fell = OPENING + HOUR
    missed, dead = Window(fell, fell + 170_000), Window(fell, fell + 180_000)
    now = fell + 180_000
    assert burn_rate.evaluate_rule(FAST, burning(missed), now).is_exceeded
    assert not burn_rate.evaluate_rule(FAST, burning(missed, guard=guard), now).is_exceeded
    assert burn_rate.evaluate_rule(FAST, burning(dead, guard=guard), now).is_exceeded


def test_few_events_never_page() -> None:
    half = replace(burning(), good_bad_in=lambda _: GoodBad(1, 1), minimum_evidence=burn_rate.MinimumEvidence(total=10))
    assert not burn_rate.evaluate_rule(FAST, half, OPENING + HOUR).is_exceeded
    assert burn_rate.evaluate_rule(FAST, replace(half, good_bad_in=lambda _: GoodBad(5, 5)), OPENING + HOUR).is_exceeded


def test_a_rule_arms_with_a_full_long_window_of_history() -> None:
    down = Window(0, DAYS * DAY)
    young = burn_rate.evaluate_rule(FAST, burning(down, since=OPENING), OPENING + 59 * MINUTE)
    assert (young.has_full_history, young.is_exceeded, young.long_start) == (False, False, OPENING - DAY + 569 * MINUTE)
    assert burn_rate.evaluate_rule(FAST, burning(down, since=OPENING), OPENING + HOUR).has_full_history
    first = burn_rate.evaluate_rule(WEEKLY, burning(down), SESSIONS[0].start + HOUR)
    assert (first.has_full_history, first.long_start) == (False, None)
    assert first.long_rate == pytest.approx(200)


def test_before_its_history_a_scope_has_no_burn_rate() -> None:
    found = burn_rate.evaluate_rule(WEEKLY, burning(since=5 * DAY), SESSIONS[0].start + HOUR)
    assert (found.long_rate, found.has_full_history) == (None, False)


def test_slow_burning_is_a_ticket_and_no_page() -> None:
    found = burn_rate.evaluate_rules(
        burn_rate.OPEN_CLOCK_RULES, burning(Window(0, DAYS * DAY), share=0.018), CLOSING - HOUR
    )
    assert [r.rule.name for r in found if r.is_exceeded] == ["ticket-day", "ticket-week"]


def test_the_starts_of_long_windows_are_known_only_as_far_as_the_timeline_reaches() -> None:
    timeline = build_open_timeline([Window(0, HOUR), Window(DAY, DAY + 2 * HOUR)])
    hour, day = (replace(burn_rate.OPEN_CLOCK_RULES[0], long_ms=length) for length in (HOUR, 10 * HOUR))
    evaluated = Window(DAY + HOUR, DAY + 2 * HOUR)
    assert burn_rate.long_window_starts([hour, day], timeline, evaluated) == [Window(DAY, DAY + HOUR)]
    assert burn_rate.long_window_starts([day], timeline, evaluated) == []
    early = Window(DAY - HOUR, DAY + HOUR)
    assert burn_rate.long_window_starts([hour], timeline, early) == [Window(0, HOUR)]
