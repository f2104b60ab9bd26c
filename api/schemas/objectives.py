"""Objectives: what is promised, how it stands, how its budget went."""

from __future__ import annotations

from typing import Generic, Literal

from pydantic import Field

from api.schemas.envelope import Data, Meta, Model
from api.schemas.figures import Seconds

Standing = Literal["no_data", "healthy", "at_risk", "exhausted"]
Unit = Literal["seconds", "tickets", "probes", "days"]


class SloMeta(Meta):
    """`as_of` is when rollup judged, or the present when it has not yet: then `judged_at` is null."""

    judged_at: str | None


class Period(Model):
    """What the budget is for: the last `days` days, or a calendar period; from and to are those judged."""

    type: str
    days: int
    clock: str
    calendar: str | None
    from_: str | None = Field(serialization_alias="from")
    to: str | None


class SliOut(Model):
    """good ÷ (good + bad) with its bounds; the bounds and coverage are null for what is not time."""

    value: float | None
    low: float | None
    high: float | None
    coverage: float | None
    unknown_as: str


class BudgetOut(Model):
    """(1 − target) · what can count in the period, in `unit`; minutes are null unless the unit is seconds."""

    total_s: float | None
    consumed_s: float | None
    remaining_s: float | None
    total_min: float | None
    consumed_min: float | None
    remaining_min: float | None
    unit: Unit
    total: float
    consumed: float
    remaining: float
    remaining_ratio: float | None
    exhausts_at: str | None


class BurnOut(Model):
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


class Counted(Model):
    """What counted."""

    good: int
    bad: int


class SloStatus(Model):
    """An objective at one scope."""

    slo: str
    scope: str
    target: float
    window: Period
    sli: SliOut
    seconds: Seconds
    counted: Counted
    budget: BudgetOut
    burn: list[BurnOut]
    status: Standing


class SloRow(Model):
    """An objective at one scope, in short."""

    slo: str
    scope: str
    target: float
    value: float | None
    coverage: float | None
    seconds: Seconds
    counted: Counted
    remaining_ratio: float | None
    remaining_min: float | None
    firing: list[str]
    status: Standing
    judged_at: str | None


class Counts(Model):
    """Objectives at scopes, by standing."""

    exhausted: int
    at_risk: int
    healthy: int
    no_data: int


class SloSums(Model):
    """Sums over all scopes; the ratios are made from them."""

    seconds: Seconds
    counted: Counted
    value: float | None
    coverage: float | None


class SloDefinition(Model):
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
    standing: Counts
    sums: SloSums
    worst: list[SloRow]


class SloPoint(Model):
    """One bucket's own figures and burn rate, and the budget of its period at the bucket's end."""

    slo: str
    scope: str
    from_: str = Field(serialization_alias="from")
    to: str
    seconds: Seconds
    counted: Counted
    value: float | None
    coverage: float | None
    burn: float | None
    budget: BudgetOut


class SpendOut(Model):
    """A run of what was bad: how much of the budget's consumption it was, and why.

    `bad` is in `unit`; `seconds` and `parts` are those of time, null for what counts something else.
    """

    from_: str = Field(serialization_alias="from")
    to: str
    seconds: float | None
    unit: Unit
    bad: float
    share: float
    cause: str
    parts: Seconds | None


class Pill(Model):
    """The objective of a place that stands worst."""

    slo: str
    status: Standing
    remaining_ratio: float | None
    remaining_min: float | None
    coverage: float | None


class SloEnvelope(Model, Generic[Data]):
    """An answer about objectives."""

    data: Data
    meta: SloMeta
    next: str | None = None
