"""Turns objectives into what goes over the wire; it must not compute figures the core does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from api import schemas as s
from api.shapes.origin import meta_fields
from api.times import rfc3339, rfc3339_or_none
from telemetry.core.figures.accounting import TimeByState, sum_times
from telemetry.core.slo.sli import TIME_SLIS
from telemetry.queries.slos import count_slo_states, sum_slos

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.live_row_types import BurnRateNow
    from telemetry.core.inventory import Centre, Objective
    from telemetry.core.slo.budget import ErrorBudget, SloState
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.core.slo.sli import GoodBad
    from telemetry.queries import Queries, ScopedSlo
    from telemetry.queries.slo_history import ScopedSloQuery

WORST_COUNT = 5
_UNIT_BY_SLI: dict[str, Literal["seconds", "tickets", "probes", "days"]] = {
    "availability": "seconds", "connectivity": "seconds", "readiness": "days", "wait": "tickets", "latency": "probes",
}  # fmt: skip


def slo_meta(queries: Queries, slos: Sequence[ScopedSlo], zone: ZoneInfo, centre: Centre | None = None) -> s.SloMeta:
    """Say as of when the objectives were judged, the oldest of them, and whose calendar counts."""
    evaluated_at = min((slo.evaluated_at for slo in slos if slo.evaluated_at is not None), default=None)
    settled = min((slo.settled_until for slo in slos if slo.settled_until is not None), default=None)
    fields = meta_fields(queries, zone, centre)
    if evaluated_at is not None:
        fields["as_of"] = rfc3339(evaluated_at, zone)
    if settled is not None:
        fields["settled_until"] = rfc3339(settled, zone)
    return s.SloMeta(**fields, judged_at=rfc3339_or_none(evaluated_at, zone))  # type: ignore[arg-type]


def seconds_by_state(time_account: TimeByState) -> s.SecondsByState:
    """Shape time by state."""
    return s.SecondsByState(
        open=time_account.open,
        up=time_account.up,
        down=time_account.down,
        unknown=time_account.unknown,
        excluded=time_account.excluded,
    )


def good_bad_counts(good_bad: GoodBad) -> s.GoodBadCounts:
    """Shape what counted."""
    return s.GoodBadCounts(good=good_bad.good, bad=good_bad.bad)


def budget_summary(error_budget: ErrorBudget, objective: Objective, exhausts_at: str | None = None) -> s.BudgetSummary:
    """Shape a budget, in seconds and minutes when it is one of time."""
    unit = _UNIT_BY_SLI[objective.sli]
    time_budget = (
        (error_budget.total, float(error_budget.consumed), error_budget.remaining)
        if unit == "seconds"
        else (None, None, None)
    )
    minutes = error_budget.minutes if unit == "seconds" else (None, None, None)
    return s.BudgetSummary(
        total_s=time_budget[0], consumed_s=time_budget[1], remaining_s=time_budget[2],
        total_min=minutes[0], consumed_min=minutes[1], remaining_min=minutes[2],
        unit=unit, total=error_budget.total, consumed=error_budget.consumed, remaining=error_budget.remaining,
        remaining_ratio=error_budget.remaining_ratio, exhausts_at=exhausts_at,
    )  # fmt: skip


def slo_status_detail(slo: ScopedSlo, zone: ZoneInfo, centre: Centre | None) -> s.SloStatusDetail:
    """Shape an objective at one scope, with all there is to know."""
    objective = slo.objective
    return s.SloStatusDetail(
        slo=objective.id,
        scope=slo.scope,
        target=objective.goal,
        window=_slo_period(slo, zone, centre),
        sli=_sli_value(slo),
        seconds=seconds_by_state(slo.account),
        counted=good_bad_counts(slo.good_bad),
        budget=budget_summary(slo.budget, objective, rfc3339_or_none(slo.row.exhausts_at, zone)),
        burn=[_burn_rate_status(reading, zone) for reading in slo.row.readings],
        status=slo.slo_state,
    )


def _slo_period(slo: ScopedSlo, zone: ZoneInfo, centre: Centre | None) -> s.SloPeriod:
    objective, is_evaluated = slo.objective, slo.evaluated_at is not None
    return s.SloPeriod(
        type=objective.period,
        days=objective.days,
        clock=objective.clock,
        calendar=f"{centre.id}@{centre.calendar.version}" if centre and objective.clock == "open" else None,
        from_=rfc3339(slo.row.start, zone) if is_evaluated else None,
        to=rfc3339(slo.row.end, zone) if is_evaluated else None,
    )


def _sli_value(slo: ScopedSlo) -> s.SliValue:
    account = slo.account
    return s.SliValue(
        value=slo.good_bad.ratio,
        low=account.low,
        high=account.high,
        coverage=account.coverage,
        unknown_as=slo.objective.unknown,
    )


def _burn_rate_status(burn_rate: BurnRateNow, zone: ZoneInfo) -> s.BurnRateStatus:
    return s.BurnRateStatus(
        rule=burn_rate.rule,
        severity=burn_rate.severity,
        long_s=burn_rate.long_ms // 1000,
        short_s=burn_rate.short_ms // 1000,
        long=burn_rate.long,
        short=burn_rate.short,
        threshold=burn_rate.threshold,
        armed=burn_rate.armed,
        firing=burn_rate.fired is not None,
        since=rfc3339_or_none(burn_rate.fired, zone),
    )


def slo_row(slo: ScopedSlo, zone: ZoneInfo) -> s.SloRow:
    """Shape an objective at one scope for a list."""
    return s.SloRow(
        slo=slo.objective.id,
        scope=slo.scope,
        target=slo.objective.goal,
        value=slo.good_bad.ratio,
        coverage=slo.account.coverage,
        seconds=seconds_by_state(slo.account),
        counted=good_bad_counts(slo.good_bad),
        remaining_ratio=slo.budget.remaining_ratio,
        remaining_min=slo.budget.minutes[2] if slo.in_seconds else None,
        firing=[reading.rule for reading in slo.row.readings if reading.fired is not None],
        status=slo.slo_state,
        judged_at=rfc3339_or_none(slo.evaluated_at, zone),
    )


def slo_definition(objective: Objective, slos: Sequence[ScopedSlo], zone: ZoneInfo) -> s.SloDefinition:
    """Shape what is promised, with the sums over its scopes and the five that have least budget left."""
    account, good_bad = sum_slos(slos)
    same = ("id", "name_vi", "name_en", "scope", "sli", "days", "period", "clock", "alert")
    return s.SloDefinition(
        **{name: getattr(objective, name) for name in same},
        target=objective.goal,
        threshold_s=objective.threshold_ms / 1000 if objective.threshold_ms else None,
        unknown_as=objective.unknown,
        scopes=len(slos),
        standing=slo_state_counts(count_slo_states(slos)),
        sums=s.SloSums(
            seconds=seconds_by_state(account),
            counted=good_bad_counts(good_bad),
            value=good_bad.ratio,
            coverage=account.coverage,
        ),
        worst=[slo_row(slo, zone) for slo in slos[:WORST_COUNT]],
    )


def slo_state_counts(counts: Mapping[SloState, int]) -> s.SloStateCounts:
    """Shape counts by standing."""
    return s.SloStateCounts(**{str(slo_state): count for slo_state, count in counts.items()})


def slo_badge(slo: ScopedSlo) -> s.SloBadge:
    """Shape an objective in a word."""
    return s.SloBadge(
        slo=slo.objective.id,
        status=slo.slo_state,
        remaining_ratio=slo.budget.remaining_ratio,
        remaining_min=slo.budget.minutes[2] if slo.in_seconds else None,
        coverage=slo.account.coverage,
    )


def slo_history_point(slo_query: ScopedSloQuery, history_point: HistoryPoint) -> s.SloHistoryPoint:
    """Shape one bucket of history."""
    return s.SloHistoryPoint(
        slo=slo_query.objective.id,
        scope=slo_query.scope,
        from_=rfc3339(history_point.bucket.start, slo_query.zone),
        to=rfc3339(history_point.bucket.end, slo_query.zone),
        seconds=seconds_by_state(_time_account_or_empty(slo_query, history_point.account)),
        counted=good_bad_counts(history_point.good_bad),
        value=history_point.good_bad.ratio,
        coverage=_time_account_or_empty(slo_query, history_point.account).coverage,
        burn=history_point.burn_rate,
        budget=budget_summary(history_point.budget, slo_query.objective),
    )


def _time_account_or_empty(slo_query: ScopedSloQuery, time_account: TimeByState) -> TimeByState:
    return time_account if slo_query.objective.sli in TIME_SLIS else TimeByState()


def budget_consumption(budget_spend: BudgetSpend, cause: str, slo_query: ScopedSloQuery) -> s.BudgetConsumption:
    """Shape a run of bad time, tickets, probes or days; only time is in seconds and has parts."""
    zone, unit = slo_query.zone, _UNIT_BY_SLI[slo_query.objective.sli]
    in_seconds = unit == "seconds"
    return s.BudgetConsumption(
        from_=rfc3339(budget_spend.window.start, zone),
        to=rfc3339(budget_spend.window.end, zone),
        seconds=budget_spend.bad_ms / 1000 if in_seconds else None,
        unit=unit,
        bad=budget_spend.bad_ms / 1000,
        share=budget_spend.share,
        cause=cause,
        parts=seconds_by_state(budget_spend.time_by_state.to_seconds()) if in_seconds else None,
    )


def coverage_of(accounts: Iterable[TimeByState]) -> float | None:
    """Return the known share of all open time, as accounts say it."""
    return sum_times(accounts).coverage
