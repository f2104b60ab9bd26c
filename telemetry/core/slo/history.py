"""How a budget was spent: figures bucket by bucket, and the runs of bad time; it reads no raw events. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.slo.budget import ErrorBudget, error_budget
from telemetry.core.slo.burn_rate import compute_burn_rate
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy, weigh_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.inventory import Objective
    from telemetry.core.slo.timeseries import TimeBucket, TimeSeries


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """A bucket and the period whose budget it belongs to, as far as it had passed when the bucket ended.

    `period_open_s` is the open time (s) of the whole period, None for the time that has passed (a rolling period).
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
    series: TimeSeries, steps: Iterable[HistoryStep], objective: Objective, settled_until: int
) -> list[HistoryPoint]:
    """Return one point per step; a bucket without open time has ratios of None."""
    points: list[HistoryPoint] = []
    for step in steps:
        own, whole = (
            weigh_time(series.split_settled(window, settled_until), objective.unknown)
            for window in (step.bucket, step.period)
        )
        burn_rate = compute_burn_rate(own.good_bad, objective.goal)
        budget = error_budget(objective.goal, whole.account.open, whole.good_bad.bad, step.period_open_s)
        points.append(HistoryPoint(step.bucket, own.account, own.good_bad, burn_rate, budget))
    return points


@dataclass(frozen=True, slots=True)
class BudgetSpend:
    """A run of bad time without good buckets between: its time by state and bad time (ms), its share of all bad."""

    window: Window
    time_by_state: TimeByState
    bad_ms: int
    share: float


def rank_spending(
    series: TimeSeries, window: Window, timeline: OpenTimeline, objective: Objective, settled_until: int
) -> list[BudgetSpend]:
    """Return what consumed the budget, the greatest first, then the earliest; the shares add up to 1.

    Buckets with bad time are one run when no open time is between them: an outage in the evening and one from the
    next opening on are one outage.
    """
    own_buckets = (b for b in series.buckets if window.start <= b.window.start < window.end)
    bad_runs = list(_bad_runs(own_buckets, timeline, objective, settled_until))
    total_bad = sum(bad for _, _, bad in bad_runs)
    spends = [BudgetSpend(w, time_by_state, bad, bad / total_bad) for w, time_by_state, bad in bad_runs]
    return sorted(spends, key=lambda s: (-s.bad_ms, s.window))


def _bad_runs(
    buckets: Iterable[TimeBucket], timeline: OpenTimeline, objective: Objective, settled_until: int
) -> Iterator[tuple[Window, TimeByState, int]]:
    run: tuple[Window, TimeByState, int] | None = None
    for bucket in buckets:
        bad = bad_amount(bucket, objective, settled_until)
        if not bad:
            continue
        if run and not timeline.open_within(Window(run[0].end, bucket.window.start)):
            run = Window(run[0].start, bucket.window.end), run[1] + bucket.time_by_state, run[2] + bad
            continue
        if run:
            yield run
        run = bucket.window, bucket.time_by_state, bad
    if run:
        yield run


def bad_amount(bucket: TimeBucket, objective: Objective, settled_until: int) -> int:
    """Return the bad part of a bucket, ms, as the objective's policy weighs its unknown time."""
    return apply_unknown_policy(
        bucket.time_by_state, objective.unknown, settled=bucket.window.start < settled_until
    ).bad
