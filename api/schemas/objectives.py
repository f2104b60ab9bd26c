"""Objectives: what is promised, how it stands, how its budget went."""

from __future__ import annotations

from typing import Generic, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, Data, ResponseMeta
from api.schemas.figures import SecondsByState

ApiSloState = Literal["no_data", "healthy", "at_risk", "exhausted"]
BudgetUnit = Literal["seconds", "tickets", "probes", "days"]


class SloMeta(ResponseMeta):
    """`as_of` is when rollup judged, or the present when it has not yet: then `judged_at` is null."""

    judged_at: str | None


class SloPeriod(ApiModel):
    """What the budget is for: the last `days` days, or a calendar period; from and to are those judged."""

    type: str
    days: int
    clock: str
    calendar: str | None
    from_: str | None = Field(serialization_alias="from")
    to: str | None


class SliValue(ApiModel):
    """good ÷ (good + bad) with its bounds; the bounds and coverage are null for what is not time."""

    value: float | None
    low: float | None
    high: float | None
    coverage: float | None
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


class BurnRateStatus(ApiModel):
    """A burn-rate rule: how fast its two windows burn (null: nothing counted), and whether its alarm fires."""

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


class GoodBadCounts(ApiModel):
    """What counted."""

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


class SloRow(ApiModel):
    """An objective at one scope, in short."""

    slo: str
    scope: str
    target: float
    value: float | None
    coverage: float | None
    seconds: SecondsByState
    counted: GoodBadCounts
    remaining_ratio: float | None
    remaining_min: float | None
    firing: list[str]
    status: ApiSloState
    judged_at: str | None


class SloStateCounts(ApiModel):
    """Objectives at scopes, by standing."""

    exhausted: int
    at_risk: int
    healthy: int
    no_data: int


class SloSums(ApiModel):
    """Sums over all scopes; the ratios are made from them."""

    seconds: SecondsByState
    counted: GoodBadCounts
    value: float | None
    coverage: float | None


class SloDefinition(ApiModel):
    """What is promised, where, and how it stands everywhere together; `worst` has the five least budgets."""

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
    burn: float | None
    budget: BudgetSummary


class BudgetConsumption(ApiModel):
    """A run of what was bad: how much of the budget's consumption it was, and why.

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


class SloBadge(ApiModel):
    """The objective of a place that stands worst."""

    slo: str
    status: ApiSloState
    remaining_ratio: float | None
    remaining_min: float | None
    coverage: float | None


class SloEnvelope(ApiModel, Generic[Data]):
    """An answer about objectives."""

    data: Data
    meta: SloMeta
    next: str | None = None
