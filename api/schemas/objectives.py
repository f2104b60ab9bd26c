"""Objectives: target, state, budget and history; the figures are computed in the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal

from pydantic import Field

from api.schemas.availability import SecondsByState
from api.schemas.envelope import ApiModel, Data, ResponseMeta, window_fields
from api.times import rfc3339, rfc3339_or_none
from telemetry.core.figures.accounting import TimeByState, reaches_floor, sum_times
from telemetry.core.slo.sli import TIME_SLIS
from telemetry.queries.slo_history import spend_cause
from telemetry.queries.slos import count_slo_states, sum_slos

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.live_row_types import BurnRateNow
    from telemetry.core.inventory import Centre, Objective
    from telemetry.core.slo.budget import ErrorBudget
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.queries.service import Queries
    from telemetry.queries.slo_history import ScopedSloQuery
    from telemetry.queries.slos import ScopedSlo

ApiSloState = Literal["no_data", "healthy", "at_risk", "exhausted"]
BudgetUnit = Literal["seconds", "tickets", "probes", "days"]
WORST_COUNT = 5
_UNIT_BY_SLI: dict[str, BudgetUnit] = {
    "availability": "seconds", "connectivity": "seconds", "readiness": "days", "wait": "tickets", "latency": "probes",
}  # fmt: skip


class SloMeta(ResponseMeta):
    """`as_of` is when rollup evaluated, or the present when it has not yet: then `judged_at` is null."""

    judged_at: str | None

    @classmethod
    def for_slos(
        cls, queries: Queries, slos: Sequence[ScopedSlo], zone: ZoneInfo, centre: Centre | None = None
    ) -> Self:
        """Return the meta of evaluated objectives: as of the oldest evaluation, and whose calendar counts."""
        evaluated_at = min((slo.evaluated_at for slo in slos if slo.evaluated_at is not None), default=None)
        settled = min((slo.settled_until for slo in slos if slo.settled_until is not None), default=None)
        own: dict[str, object] = {"judged_at": rfc3339_or_none(evaluated_at, zone)}
        if evaluated_at is not None:
            own["as_of"] = own["judged_at"]
        if settled is not None:
            own["settled_until"] = rfc3339(settled, zone)
        return cls.current(queries, zone, centre, **own)


class SloPeriod(ApiModel):
    """What the budget is for: the last `days` days, or a calendar period; from and to are those evaluated."""

    type: str
    days: int
    clock: str
    calendar: str | None
    from_: str | None = Field(serialization_alias="from")
    to: str | None

    @classmethod
    def from_slo(cls, slo: ScopedSlo, zone: ZoneInfo, centre: Centre | None) -> Self:
        """Return an objective's period; `centre` is whose calendar counts, if one does."""
        objective, is_evaluated = slo.objective, slo.evaluated_at is not None
        return cls.build(
            objective,
            type=objective.period,
            calendar=f"{centre.id}@{centre.calendar.version}" if centre and objective.clock == "open" else None,
            from_=rfc3339(slo.row.start, zone) if is_evaluated else None,
            to=rfc3339(slo.row.end, zone) if is_evaluated else None,
        )


class SliValue(ApiModel):
    """good ÷ (good + bad) with its bounds; the bounds and coverage are null for what is not time."""

    value: float | None
    low: float | None
    high: float | None
    coverage: float | None
    coverage_sufficient: bool | None
    unknown_as: str


class BudgetSummary(ApiModel):
    """(1 − target) · what can count in the period, in `unit`; minutes are null unless the unit is seconds."""

    total_s: float | None
    consumed_s: float | None
    remaining_s: float | None
    total_min: float | None
    consumed_min: float | None
    remaining_min: float | None
    unit: BudgetUnit
    total: float
    consumed: float
    remaining: float
    remaining_ratio: float | None
    exhausts_at: str | None

    @classmethod
    def from_budget(cls, budget: ErrorBudget, objective: Objective, exhausts_at: str | None = None) -> Self:
        """Return a budget in its objective's unit; also in minutes when that is seconds."""
        unit = _UNIT_BY_SLI[objective.sli]
        in_seconds = unit == "seconds"
        total_min, consumed_min, remaining_min = budget.minutes if in_seconds else (None, None, None)
        return cls.build(
            budget,
            total_s=budget.total if in_seconds else None,
            consumed_s=budget.consumed if in_seconds else None,
            remaining_s=budget.remaining if in_seconds else None,
            total_min=total_min,
            consumed_min=consumed_min,
            remaining_min=remaining_min,
            unit=unit,
            exhausts_at=exhausts_at,
        )


class BurnRateStatus(ApiModel):
    """A burn-rate rule: the burn rates of its two windows (null: nothing counted), and whether its alarm fires."""

    rule: str
    severity: str
    long_s: int
    short_s: int
    long: float | None
    short: float | None
    threshold: float
    armed: bool
    firing: bool
    since: str | None

    @classmethod
    def from_row(cls, row: BurnRateNow, zone: ZoneInfo) -> Self:
        """Return a rule as rollup last evaluated it."""
        return cls.build(
            row,
            long_s=row.long_ms // 1000,
            short_s=row.short_ms // 1000,
            firing=row.fired is not None,
            since=rfc3339_or_none(row.fired, zone),
        )


class GoodBadCounts(ApiModel):
    """What counts as good and as bad."""

    good: int
    bad: int


class SloStatusDetail(ApiModel):
    """An objective at one scope."""

    slo: str
    scope: str
    target: float
    window: SloPeriod
    sli: SliValue
    seconds: SecondsByState
    counted: GoodBadCounts
    budget: BudgetSummary
    burn: list[BurnRateStatus]
    status: ApiSloState
    stale: bool

    @classmethod
    def from_slo(cls, slo: ScopedSlo, zone: ZoneInfo, centre: Centre | None) -> Self:
        """Return an objective at one scope in full."""
        objective = slo.objective
        return cls(
            slo=objective.id,
            scope=slo.scope,
            target=objective.goal,
            window=SloPeriod.from_slo(slo, zone, centre),
            sli=SliValue.build(slo.ratio, unknown_as=objective.unknown),
            seconds=SecondsByState.from_account(slo.account),
            counted=GoodBadCounts.build(slo.good_bad),
            budget=BudgetSummary.from_budget(slo.budget, objective, rfc3339_or_none(slo.row.exhausts_at, zone)),
            burn=[BurnRateStatus.from_row(row, zone) for row in slo.row.readings],
            status=slo.slo_state,
            stale=slo.row.stale,
        )


class SloRow(ApiModel):
    """An objective at one scope, in short."""

    slo: str
    scope: str
    target: float
    value: float | None
    coverage: float | None
    coverage_sufficient: bool | None
    seconds: SecondsByState
    counted: GoodBadCounts
    remaining_ratio: float | None
    remaining_min: float | None
    firing: list[str]
    status: ApiSloState
    stale: bool
    judged_at: str | None

    @classmethod
    def from_slo(cls, slo: ScopedSlo, zone: ZoneInfo) -> Self:
        """Return an objective at one scope for a list."""
        return cls(
            slo=slo.objective.id,
            scope=slo.scope,
            target=slo.objective.goal,
            value=slo.ratio.value,
            coverage=slo.ratio.coverage,
            coverage_sufficient=slo.ratio.coverage_sufficient,
            seconds=SecondsByState.from_account(slo.account),
            counted=GoodBadCounts.build(slo.good_bad),
            remaining_ratio=slo.budget.remaining_ratio,
            remaining_min=slo.budget.minutes[2] if slo.in_seconds else None,
            firing=[row.rule for row in slo.row.readings if row.fired is not None],
            status=slo.slo_state,
            stale=slo.row.stale,
            judged_at=rfc3339_or_none(slo.evaluated_at, zone),
        )


class SloStateCounts(ApiModel):
    """Objectives at scopes, by state."""

    exhausted: int
    at_risk: int
    healthy: int
    no_data: int


class SloSums(ApiModel):
    """Sums over all scopes; the ratios are computed from them."""

    seconds: SecondsByState
    counted: GoodBadCounts
    value: float | None
    coverage: float | None
    coverage_sufficient: bool | None


class SloDefinition(ApiModel):
    """An objective and its state over all scopes; `worst` has the five with the least budget left."""

    id: str
    name_vi: str
    name_en: str
    scope: str
    sli: str
    target: float
    threshold_s: float | None
    days: int
    period: str
    clock: str
    unknown_as: str
    alert: bool
    scopes: int
    standing: SloStateCounts
    sums: SloSums
    worst: list[SloRow]

    @classmethod
    def from_slos(cls, objective: Objective, slos: Sequence[ScopedSlo], queries: Queries) -> Self:
        """Return an objective with the sums over its scopes; `slos` are sorted by the budget that is left."""
        account, good_bad = sum_slos(slos)
        zone, coverage_floor = queries.zone(), queries.inventory().coverage_floor
        return cls.build(
            objective,
            target=objective.goal,
            threshold_s=objective.threshold_ms / 1000 if objective.threshold_ms else None,
            unknown_as=objective.unknown,
            scopes=len(slos),
            standing=SloStateCounts.model_validate(count_slo_states(slos)),
            sums=SloSums(
                seconds=SecondsByState.from_account(account),
                counted=GoodBadCounts.build(good_bad),
                value=good_bad.ratio,
                coverage=account.coverage,
                coverage_sufficient=reaches_floor(account.coverage, coverage_floor),
            ),
            worst=[SloRow.from_slo(slo, zone) for slo in slos[:WORST_COUNT]],
        )


class SloHistoryPoint(ApiModel):
    """One bucket's own figures and burn rate, and the budget of its period at the bucket's end."""

    slo: str
    scope: str
    from_: str = Field(serialization_alias="from")
    to: str
    seconds: SecondsByState
    counted: GoodBadCounts
    value: float | None
    coverage: float | None
    coverage_sufficient: bool | None
    burn: float | None
    budget: BudgetSummary

    @classmethod
    def from_point(cls, slo_query: ScopedSloQuery, point: HistoryPoint) -> Self:
        """Return one bucket; the time is zero for what counts something else."""
        account = point.account if slo_query.objective.sli in TIME_SLIS else TimeByState()
        return cls.build(
            slo=slo_query.objective.id,
            scope=slo_query.scope,
            seconds=SecondsByState.from_account(account),
            counted=GoodBadCounts.build(point.good_bad),
            value=point.good_bad.ratio,
            coverage=account.coverage,
            coverage_sufficient=reaches_floor(account.coverage, slo_query.coverage_floor),
            burn=point.burn_rate,
            budget=BudgetSummary.from_budget(point.budget, slo_query.objective),
            **window_fields(point.bucket, slo_query.zone),
        )


class BudgetConsumption(ApiModel):
    """A run of bad time or counts: its share of the budget's consumption, and its cause.

    `bad` is in `unit`; `seconds` and `parts` are those of time, null for what counts something else.
    """

    from_: str = Field(serialization_alias="from")
    to: str
    seconds: float | None
    unit: BudgetUnit
    bad: float
    share: float
    cause: str
    parts: SecondsByState | None

    @classmethod
    def from_spend(cls, spend: BudgetSpend, slo_query: ScopedSloQuery) -> Self:
        """Return a run of bad time, tickets, probes or days; only time has seconds and parts."""
        unit = _UNIT_BY_SLI[slo_query.objective.sli]
        in_seconds = unit == "seconds"
        account = spend.time_by_state.to_seconds()
        return cls.build(
            seconds=spend.bad_ms / 1000 if in_seconds else None,
            unit=unit,
            bad=spend.bad_ms / 1000,
            share=spend.share,
            cause=spend_cause(spend, slo_query),
            parts=SecondsByState.from_account(account) if in_seconds else None,
            **window_fields(spend.window, slo_query.zone),
        )


class SloBadge(ApiModel):
    """The objective in the worst state at a scope."""

    slo: str
    status: ApiSloState
    remaining_ratio: float | None
    remaining_min: float | None
    coverage: float | None
    coverage_sufficient: bool | None

    @classmethod
    def from_slo(cls, slo: ScopedSlo) -> Self:
        """Return an objective at one scope in short."""
        return cls(
            slo=slo.objective.id,
            status=slo.slo_state,
            remaining_ratio=slo.budget.remaining_ratio,
            remaining_min=slo.budget.minutes[2] if slo.in_seconds else None,
            coverage=slo.ratio.coverage,
            coverage_sufficient=slo.ratio.coverage_sufficient,
        )


class SloEnvelope(ApiModel, Generic[Data]):
    """An answer about objectives."""

    data: Data
    meta: SloMeta
    next: str | None = None


def coverage_of(accounts: Iterable[TimeByState]) -> float | None:
    """Return the known share of the time of all accounts."""
    return sum_times(accounts).coverage
