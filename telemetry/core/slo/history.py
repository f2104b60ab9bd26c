"""How a budget went: figures bucket by bucket, and what spent it; it must read no raw events, only tallies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.slo.budget import ErrorBudget, error_budget
from telemetry.core.slo.burn_rate import compute_burn_rate
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy
from telemetry.core.slo.status import split_settled, weigh_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.slo.series import TimeBucket, TimeSeries
    from telemetry.core.slo.status import ObjectiveGoal


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """A bucket and the period whose budget it belongs to, as far as it had passed when the bucket ended.

    `allowance` is the open time (s) of the whole period, None for what was seen of it (a rolling period).
    """

    bucket: Window
    period: Window
    period_open_s: int | None = None


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A bucket's own figures and burn rate, and the budget (s) of its period at the bucket's end."""

    bucket: Window
    account: TimeByState
    good_bad: GoodBad
    burn_rate: float | None
    budget: ErrorBudget


def build_history(
    series: TimeSeries, steps: Iterable[HistoryStep], goal: ObjectiveGoal, settled_until: int
) -> list[HistoryPoint]:
    """Return one point per step; a bucket without open time has ratios of None."""
    return [_build_point(series, step, goal, settled_until) for step in steps]


def _build_point(series: TimeSeries, step: HistoryStep, goal: ObjectiveGoal, settled_until: int) -> HistoryPoint:
    bucket_result = weigh_time(split_settled(series, step.bucket, settled_until), goal.policy)
    period_result = weigh_time(split_settled(series, step.period, settled_until), goal.policy)
    budgeted_s = period_result.account.open if step.period_open_s is None else step.period_open_s
    period_budget = error_budget(goal.goal, budgeted_s, period_result.good_bad.bad)
    return HistoryPoint(
        step.bucket,
        bucket_result.account,
        bucket_result.good_bad,
        compute_burn_rate(bucket_result.good_bad, goal.goal),
        period_budget,
    )


@dataclass(frozen=True, slots=True)
class BudgetSpend:
    """A run of bad time without good cells between: when, its tally and its bad time (ms), its share of all bad."""

    window: Window
    time_by_state: TimeByState
    bad_ms: int
    share: float


def rank_spending(
    series: TimeSeries, window: Window, timeline: OpenTimeline, goal: ObjectiveGoal, settled_until: int
) -> list[BudgetSpend]:
    """Return what consumed the budget, the greatest first, then the earliest; the shares add up to 1.

    Cells with bad time are one run when no open time lies between them: a dead evening and the next dead morning
    are one outage.
    """
    bad_runs = list(_bad_runs(series, window, timeline, goal, settled_until))
    total_bad = sum(bad for _, _, bad in bad_runs)
    spends = [BudgetSpend(w, time_by_state, bad, bad / total_bad) for w, time_by_state, bad in bad_runs]
    return sorted(spends, key=lambda s: (-s.bad_ms, s.window))


BadRun = tuple[Window, TimeByState, int]


def _bad_runs(
    series: TimeSeries, window: Window, timeline: OpenTimeline, goal: ObjectiveGoal, settled_until: int
) -> Iterator[BadRun]:
    run: BadRun | None = None
    for bucket in series.buckets:
        bad = _bad_ms(bucket, goal, settled_until)
        if not bad or not window.start <= bucket.window.start < window.end:
            continue
        if run and not timeline.open_within(Window(run[0].end, bucket.window.start)):
            run = Window(run[0].start, bucket.window.end), run[1] + bucket.time_by_state, run[2] + bad
            continue
        if run:
            yield run
        run = bucket.window, bucket.time_by_state, bad
    if run:
        yield run


def _bad_ms(bucket: TimeBucket, goal: ObjectiveGoal, settled_until: int) -> int:
    return apply_unknown_policy(bucket.time_by_state, goal.policy, settled=bucket.window.start < settled_until).bad
