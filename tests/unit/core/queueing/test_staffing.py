from __future__ import annotations

from dataclasses import replace

import pytest

from telemetry.core.calendar.windows import Window
from telemetry.core.queueing.erlang import QueueDemand, steady_state
from telemetry.core.queueing.staffing import (
    MEAN_WAIT_GOAL,
    StaffedPeriod,
    StaffingGoal,
    StaffingRules,
    WhatIf,
    change_day,
    counters_needed,
    plan_day,
)
from telemetry.core.queueing.transient_queue import EMPTY_QUEUE, _erlang_distribution, advance_queue

HALF_HOUR_MS = 1_800_000
MORNING = (8, 14, 12, 6, 4, 3, 3, 2, 2)


def staffed_day(arrivals: tuple[float, ...], service_s: float = 600, roster: int = 3) -> list[StaffedPeriod]:
    return [
        StaffedPeriod(Window(n * HALF_HOUR_MS, (n + 1) * HALF_HOUR_MS), QueueDemand(a, 1800, service_s), roster)
        for n, a in enumerate(arrivals)
    ]


def settled(demand: QueueDemand, counters: int, within_s: float) -> tuple[float | None, float, float | None]:
    state = EMPTY_QUEUE
    for _ in range(12):
        outcome = advance_queue(state, demand, counters, within_s)
        state = outcome.distribution
    return outcome.mean_wait_s, outcome.service_level, outcome.occupancy


def test_a_queue_that_never_changes_settles_in_the_state_of_erlang_c() -> None:
    demand = QueueDemand(100, 1800, 180)
    steady = steady_state(demand, 14, 20)
    assert settled(demand, 14, 20) == pytest.approx(
        (steady.mean_wait_s, steady.service_level, steady.occupancy), rel=1e-6
    )


def test_a_queue_that_customers_leave_settles_in_the_state_of_erlang_a() -> None:
    demand = QueueDemand(100, 1800, 180, patience_s=600)
    outcome = advance_queue(EMPTY_QUEUE, demand, 9, 900)
    for _ in range(12):
        outcome = advance_queue(outcome.distribution, demand, 9, 900)
    steady = steady_state(demand, 9, 900)
    assert outcome.occupancy == pytest.approx(steady.occupancy, rel=1e-6)
    assert outcome.waiting_mean / demand.rate == pytest.approx(steady.mean_wait_s, rel=1e-6)
    assert steady.mean_wait_s is not None
    assert outcome.mean_wait_s is not None
    assert outcome.mean_wait_s > steady.mean_wait_s, "the wait of one who does not leave is longer"


def test_probabilities_of_a_queue_add_up_to_one() -> None:
    outcome = advance_queue(EMPTY_QUEUE, QueueDemand(40, 1800, 180), 2, 900)
    assert sum(outcome.distribution) == pytest.approx(1.0)
    assert min(outcome.distribution) >= 0


def test_a_peak_is_served_in_the_half_hours_after_it() -> None:
    plan = plan_day(staffed_day((14, 0)), StaffingRules())
    assert plan[0].with_roster.waiting_at_end > 3
    assert plan[1].with_roster.waiting_mean > 0.5, "carried over, though nobody arrives any more"
    assert plan[1].steady.at_work == 1
    assert plan[1].needed == 2, "one who came now would wait for those left over"


def test_with_a_queue_left_over_a_half_hour_needs_more_counters_than_alone() -> None:
    plan = plan_day(staffed_day(MORNING), StaffingRules(max_occupancy=1.0))
    assert all(row.needed >= 1 for row in plan)
    assert any(row.needed > row.steady.at_work for row in plan)
    for row in plan:
        assert row.expected.mean_wait_s is not None
        assert row.expected.mean_wait_s <= 900


def test_one_counter_fewer_than_planned_misses_the_goal_or_the_occupancy() -> None:
    goal = StaffingGoal(None, within_s=60, min_service_level=0.95)
    first, *_ = plan_day(staffed_day((20,)), StaffingRules(goal, max_occupancy=1.0))
    fewer = advance_queue(EMPTY_QUEUE, QueueDemand(20, 1800, 600), first.needed - 1, 60)
    assert first.expected.service_level >= 0.95 > fewer.service_level


def test_the_roster_is_compared_with_the_counters_needed_on_it() -> None:
    plan = plan_day(staffed_day(MORNING), StaffingRules(shrinkage=0.3))
    peak = plan[1]
    assert peak.rostered == -(-peak.needed * 10 // 7)
    assert peak.missing == peak.rostered - 3
    assert plan[-1].missing == 0


def test_closing_a_counter_lengthens_every_wait_and_more_arrivals_need_more_counters() -> None:
    day = staffed_day(MORNING)
    closed = plan_day(change_day(day, WhatIf(closed_counters=1)), StaffingRules())
    usual = plan_day(day, StaffingRules())
    busier = plan_day(change_day(day, WhatIf(arrivals_factor=1.2)), StaffingRules())
    for before, after in zip(usual, closed, strict=True):
        assert before.with_roster.mean_wait_s is not None
        assert after.with_roster.mean_wait_s is not None
        assert after.with_roster.mean_wait_s > before.with_roster.mean_wait_s
        assert after.needed == before.needed
    assert sum(row.needed for row in busier) > sum(row.needed for row in usual)
    assert busier[0].period.demand.arrivals == pytest.approx(9.6)


def test_closing_all_counters_serves_nobody_and_loses_nobody() -> None:
    day = [replace(p, demand=replace(p.demand, patience_s=600)) for p in staffed_day((4, 4))]
    plan = plan_day(change_day(day, WhatIf(closed_counters=5)), StaffingRules())
    last = plan[-1].with_roster
    assert last.counters == 0
    assert last.mean_wait_s is None
    assert last.occupancy is None
    assert last.service_level == 0.0
    assert last.waiting_at_end == pytest.approx(8.0, rel=1e-6)


def test_the_goal_without_another_one_is_the_legal_mean() -> None:
    assert (MEAN_WAIT_GOAL.max_mean_wait_s, MEAN_WAIT_GOAL.min_service_level) == (900.0, None)


def test_a_queue_of_thousands_is_followed_in_longer_steps_and_loses_nobody() -> None:
    outcome = advance_queue(EMPTY_QUEUE, QueueDemand(5_000, 1800, 600), 1, 900)
    assert outcome.waiting_at_end == pytest.approx(5_000 - 3 - 1, rel=1e-3)
    assert outcome.service_level < 0.06


def test_called_at_once_are_those_who_meet_a_free_counter() -> None:
    outcome = advance_queue(EMPTY_QUEUE, QueueDemand(30, 1800, 180), 3, 0.0)
    later = advance_queue(EMPTY_QUEUE, QueueDemand(30, 1800, 180), 3, 60.0)
    assert 0 < outcome.service_level < later.service_level < 1


@pytest.mark.parametrize("x", [150.0, 199.0, 230.0])
def test_many_stages_last_as_long_as_one_fewer_nearly(x: float) -> None:
    assert _erlang_distribution(201, x) == pytest.approx(_erlang_distribution(200, x), abs=0.03)
    assert _erlang_distribution(201, x) < _erlang_distribution(200, x)


def test_no_goal_but_the_occupancy_is_met_by_the_least_counters() -> None:
    needed = counters_needed(QueueDemand(18, 1800, 100), StaffingRules(StaffingGoal(None, 900, None), 0.5))
    assert needed.at_work == 2


def test_an_overloaded_queue_misses_every_goal_for_a_mean_wait() -> None:
    assert not MEAN_WAIT_GOAL.is_met(None, 1.0)
    assert MEAN_WAIT_GOAL.is_met(900.0, 0.0)


@pytest.mark.parametrize(("occupancy", "shrinkage"), [(0.0, 0.0), (1.1, 0.0), (0.8, 1.0), (0.8, -0.1)])
def test_rules_that_no_roster_can_meet_are_refused(occupancy: float, shrinkage: float) -> None:
    with pytest.raises(ValueError, match="max_occupancy must be"):
        StaffingRules(max_occupancy=occupancy, shrinkage=shrinkage)


def test_a_demand_beyond_every_roster_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1000 counters"):
        counters_needed(QueueDemand(1e6, 1800, 600), StaffingRules())
