"""Where an objective stands at one moment: SLI with bounds, budget, burn rates, one word; it must read no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.figures.accounting import sum_times
from telemetry.core.slo.budget import ErrorBudget, SloState, classify_slo_state, error_budget, predict_exhaustion
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.inventory import ObjectiveUnknownPolicy
    from telemetry.core.slo.burn_rate import BurnRate
    from telemetry.core.slo.series import TimeSeries


@dataclass(frozen=True, slots=True)
class ObjectiveGoal:
    """What is promised: the share `goal` (0 to 1) of what counts; unknown time counts as `policy` says."""

    goal: float
    policy: ObjectiveUnknownPolicy = "settle"


@dataclass(frozen=True, slots=True)
class TimeResult:
    """Time by state and what of it was good and bad, both in whole seconds of the same rounding."""

    account: TimeByState
    good_bad: GoodBad


@dataclass(frozen=True, slots=True)
class ObjectiveStatus:
    """An objective's figures over its period; `account` is None for objectives that count tickets.

    `measure` and `budget` are in seconds or in tickets.  `value` is the official SLI, None when nothing counted.
    """

    goal: float
    good_bad: GoodBad
    budget: ErrorBudget
    slo_state: SloState
    burn_rates: tuple[BurnRate, ...] = ()
    account: TimeByState | None = None
    exhausts_at: int | None = None

    @property
    def sli_value(self) -> float | None:
        """Return good ÷ (good + bad)."""
        return self.good_bad.ratio


@dataclass(frozen=True, slots=True)
class StatusContext:
    """What a status adds to the figures of its period.

    `period` is all that counts in it when that is more than what was seen (a calendar month's open seconds, those
    to come included), else None.  `error` is the recent share of bad, from which the end of the budget is foretold.
    """

    period_total: int | None = None
    burn_rates: tuple[BurnRate, ...] = ()
    previous_state: SloState = "no_data"
    recent_error_ratio: float | None = None


def weigh_time(settled_parts: Iterable[tuple[TimeByState, bool]], policy: ObjectiveUnknownPolicy) -> TimeResult:
    """Weigh tallies (ms), each with whether it is settled; open = up + down + unknown holds in whole seconds."""
    rounded = [(time.to_seconds(), settled) for time, settled in settled_parts]
    good_bad = sum((apply_unknown_policy(t, policy, settled=settled) for t, settled in rounded), GoodBad())
    return TimeResult(sum_times(t for t, _ in rounded), good_bad)


def split_settled(series: TimeSeries, window: Window, settled_until: int) -> list[tuple[TimeByState, bool]]:
    """Return the settled and the provisional tally of a window, cut at a mark of the cells (Unix ms)."""
    boundary = min(max(settled_until, window.start), window.end)
    settled, provisional = Window(window.start, boundary), Window(boundary, window.end)
    return [(series.sum_within(settled), True), (series.sum_within(provisional), False)]


def time_status(
    objective_goal: ObjectiveGoal, result: TimeResult, context: StatusContext, timeline: OpenTimeline, now: int
) -> ObjectiveStatus:
    """Return the status of an objective that counts time; its budget is in seconds: (1 − goal) · open."""
    period_total = result.account.open if context.period_total is None else context.period_total
    period_budget = error_budget(objective_goal.goal, period_total, result.good_bad.bad)
    slo_state = classify_slo_state(period_budget, result.good_bad.total, context.previous_state)
    exhausted_at = predict_exhaustion(period_budget, context.recent_error_ratio, timeline, now)
    return ObjectiveStatus(
        objective_goal.goal, result.good_bad, period_budget, slo_state, context.burn_rates, result.account, exhausted_at
    )


def ticket_status(
    goal: float, good_bad: GoodBad, burn_rates: Sequence[BurnRate] = (), previous: SloState = "no_data"
) -> ObjectiveStatus:
    """Return the status of an objective that counts tickets or days; its budget is in them: (1 − goal) · counted."""
    period_budget = error_budget(goal, good_bad.total, good_bad.bad)
    return ObjectiveStatus(
        goal, good_bad, period_budget, classify_slo_state(period_budget, good_bad.total, previous), tuple(burn_rates)
    )
