"""Counters needed for a demand, by half hour, against a roster. Pure: it must not forecast nor know calendars."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.queueing.erlang import SteadyState, steady_state
from telemetry.core.queueing.transient_queue import EMPTY_QUEUE, PeriodOutcome, advance_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.queueing.erlang import QueueDemand

LEGAL_MEAN_WAIT_S = 900.0
"""Decision 468/QD-TTg of 2021: by 2025 customers wait 15 minutes on average at most."""
MAX_COUNTERS = 1_000
"""No plan asks for more; a demand beyond it is an input error."""


@dataclass(frozen=True, slots=True)
class StaffingGoal:
    """What the counters must reach: a mean wait, a service level at `within_s`, or both (None: not asked for)."""

    max_mean_wait_s: float | None = LEGAL_MEAN_WAIT_S
    within_s: float = 900.0
    min_service_level: float | None = None

    def is_met(self, mean_wait_s: float | None, service_level: float) -> bool:
        """Return whether figures reach the goal; a mean wait of None grows without limit."""
        if self.min_service_level is not None and service_level < self.min_service_level:
            return False
        return self.max_mean_wait_s is None or (mean_wait_s is not None and mean_wait_s <= self.max_mean_wait_s)


MEAN_WAIT_GOAL = StaffingGoal()
"""The legal one: a mean wait of at most 15 minutes."""


@dataclass(frozen=True, slots=True)
class StaffingRules:
    """A goal, the largest occupancy (share of time that a counter is busy), and the shrinkage.

    `shrinkage` is the share of rostered time in which a counter is not at work (breaks, meetings, leave).
    """

    goal: StaffingGoal = MEAN_WAIT_GOAL
    max_occupancy: float = 0.85
    shrinkage: float = 0.0

    def __post_init__(self) -> None:
        """Refuse rules that no number of counters could meet; raises ValueError."""
        if not (0 < self.max_occupancy <= 1 and 0 <= self.shrinkage < 1):
            msg = f"max_occupancy must be in (0, 1] and shrinkage in [0, 1): {self}"
            raise ValueError(msg)

    def counters_to_roster(self, counters: int) -> int:
        """Return ⌈counters ÷ (1 − shrinkage)⌉: how many must be on the roster so that so many are at work."""
        return math.ceil(counters / (1 - self.shrinkage) - 1e-9)


@dataclass(frozen=True, slots=True)
class CountersNeeded:
    """The least number of counters at work that meets the goal, how many to roster for it, and the state they give."""

    at_work: int
    rostered: int
    state: SteadyState


def counters_needed(demand: QueueDemand, rules: StaffingRules) -> CountersNeeded:
    """Return the least number of counters (≥ 1) that meets the rules in the steady state of Erlang C or A.

    Raises ValueError when MAX_COUNTERS do not suffice.
    """

    def fits(counters: int) -> bool:
        state = steady_state(demand, counters, rules.goal.within_s)
        return rules.goal.is_met(state.mean_wait_s, state.service_level)

    counters = _least(_least_for_occupancy(demand, rules), fits)
    return CountersNeeded(
        counters, rules.counters_to_roster(counters), steady_state(demand, counters, rules.goal.within_s)
    )


def _least_for_occupancy(demand: QueueDemand, rules: StaffingRules) -> int:
    """Return the least number of counters that may be busy no longer than the rules allow; 1 at least."""
    return max(1, math.ceil(demand.offered_load / rules.max_occupancy - 1e-9))


def _least(first: int, fits: Callable[[int], bool]) -> int:
    """Return the least number from `first` on that fits: more counters never do worse."""
    for counters in range(first, MAX_COUNTERS + 1):
        if fits(counters):
            return counters
    msg = f"more than {MAX_COUNTERS} counters would be needed: check arrivals, service time and goal"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class StaffedPeriod:
    """One period of a day, usually a half hour: its demand, and the counters on the roster.

    `window` is the part of it in which the centre is open; a break between periods ends no queue.
    """

    window: Window
    demand: QueueDemand
    roster: int


@dataclass(frozen=True, slots=True)
class PeriodStaffing:
    """The counters of one period.

    `steady` is what Erlang's formula needs for this period alone.  `needed` counters meet the goal with the queue that
    earlier periods leave, `rostered` are needed on the roster for them; `expected` is what they give.  `with_roster` is
    what the roster's counters give, and `missing` how many more the roster would need (0 when it suffices).
    """

    period: StaffedPeriod
    steady: CountersNeeded
    needed: int
    rostered: int
    expected: PeriodOutcome
    with_roster: PeriodOutcome
    missing: int


def plan_day(periods: Sequence[StaffedPeriod], rules: StaffingRules) -> tuple[PeriodStaffing, ...]:
    """Return the counters needed in each period of one day, in order, its first beginning with nobody waiting.

    The queue is carried from period to period (`advance_queue`), once with the needed counters, once with the roster's.
    """
    planned, rostered = EMPTY_QUEUE, EMPTY_QUEUE
    plan = []
    for period in periods:
        steady = counters_needed(period.demand, rules)
        expected = _least_outcome(planned, period.demand, rules)
        with_roster = advance_queue(rostered, period.demand, period.roster, rules.goal.within_s)
        planned, rostered = expected.distribution, with_roster.distribution
        on_roster = rules.counters_to_roster(expected.counters)
        missing = max(0, on_roster - period.roster)
        plan.append(PeriodStaffing(period, steady, expected.counters, on_roster, expected, with_roster, missing))
    return tuple(plan)


def _least_outcome(distribution: Sequence[float], demand: QueueDemand, rules: StaffingRules) -> PeriodOutcome:
    """Return the outcome with the least number of counters that meets the goal after `distribution`."""
    outcomes: dict[int, PeriodOutcome] = {}

    def fits(counters: int) -> bool:
        outcome = outcomes[counters] = advance_queue(distribution, demand, counters, rules.goal.within_s)
        return rules.goal.is_met(outcome.mean_wait_s, outcome.service_level)

    return outcomes[_least(_least_for_occupancy(demand, rules), fits)]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change to try on a day: arrivals multiplied, counters closed (or, negative, opened)."""

    arrivals_factor: float = 1.0
    closed_counters: int = 0


def change_day(periods: Sequence[StaffedPeriod], change: WhatIf) -> tuple[StaffedPeriod, ...]:
    """Return the periods with the change applied; a roster is never below 0."""
    return tuple(
        replace(
            period,
            demand=replace(period.demand, arrivals=period.demand.arrivals * change.arrivals_factor),
            roster=max(0, period.roster - change.closed_counters),
        )
        for period in periods
    )
