"""Expected arrivals, counters needed and flagged half hours, each with the inputs and formulas behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, ResponseMeta, window_fields
from api.times import rfc3339
from telemetry.core.queueing.anomalies import AnomalyCause, AnomalyMeasure
from telemetry.queries.forecasts import ForecastStatus

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.queueing.forecast_rows import BacktestNow, CentreForecast, QueueSumsNow
    from telemetry.core.queueing.staffing import PeriodStaffing, StaffingRules, WhatIf
    from telemetry.core.queueing.transient_queue import PeriodOutcome
    from telemetry.queries.forecasts import CentreFlag, ExpectedHalfHour, ServiceInputs, StaffingPlan
    from telemetry.queries.service import Queries

STATUS_TEXT = (
    "`ok`; `not_made`: no forecast was made of this time; `too_little_data`: fewer than five open days, or a weekday "
    "that was never open; `no_service_time`: nothing was served; `closed`: no open hours that day; `beyond_limits`: "
    "more than 6,000 tickets a day or 300 erlangs"
)
ARRIVALS_FORMULA = (
    "profile: level of the day (weekday, trend, day after a holiday, month end) × share of the half hour (own weekday, "
    "shrunk with n ÷ (n + 6) to weekdays alike); same_slot_mean: mean of the half hour on earlier same weekdays; "
    "p10 and p90: negative binomial with variance μ + dispersion × μ²"
)
STAFFING_FORMULA = (
    "offered_load = arrivals × service time ÷ open seconds; steady: Erlang C, or Erlang A with a patience, of the half "
    "hour alone; needed: least counters that meet the goal with the queue that earlier half hours leave "
    "(M(t)/M/c(t)+M); needed_on_roster = ⌈needed ÷ (1 − shrinkage)⌉"
)
PATIENCE_FORMULA = "mean wait of called tickets ÷ (abandoned ÷ (called + abandoned)), when over 5 % of issued left"
ANOMALY_FORMULA = (
    "(actual − expected) ÷ standard deviation, flagged from 5 on, at most 3 half hours a day; arrivals: variance "
    "μ + 0.06 μ² + 1; wait and service time: median and median absolute deviation of logarithms; abandonment: binomial"
)


class ModelErrorFigures(ApiModel):
    """How well both models forecast the newest days, each from the days before it."""

    days: int = Field(description="days that both models forecast", ge=0)
    actual: int = Field(description="tickets of these days", ge=0)
    profile_absolute: float = Field(description="Σ|actual − expected| over half hours, model `profile`", ge=0)
    same_slot_absolute: float = Field(description="the same of model `same_slot_mean`", ge=0)
    profile_wape: float | None = Field(description="profile_absolute ÷ actual; null without tickets", ge=0)
    same_slot_wape: float | None = Field(description="same_slot_absolute ÷ actual; null without tickets", ge=0)

    @classmethod
    def from_backtest(cls, backtest: BacktestNow) -> Self:
        """Return the errors of a stored back-test."""
        profile, plain = (
            absolute / backtest.actual if backtest.actual else None
            for absolute in (backtest.profile_absolute, backtest.same_slot_absolute)
        )
        return cls.build(backtest, profile_wape=profile, same_slot_wape=plain)


class ForecastModel(ApiModel):
    """The model behind a forecast and what it was made from."""

    name: Literal["profile", "same_slot_mean"] = Field(description="the model in force: the one with the smaller error")
    made_at: str = Field(description="when rollup made the forecast, RFC 3339")
    origin: str = Field(description="first day that was forecast; all days before it are history")
    history_from: str | None = Field(description="first open day of the history")
    history_days: int = Field(description="open days of the history, at most 40", ge=0)
    dispersion: float = Field(description="variance beyond chance: variance = μ + dispersion × μ²", ge=0)
    backtest: ModelErrorFigures = Field(description="errors of both models on the newest days")
    source: str = Field(description="what the history is read from")

    @classmethod
    def from_forecast(cls, forecast: CentreForecast, zone: ZoneInfo) -> Self:
        """Return what is known of a stored forecast."""
        return cls.build(
            forecast,
            name=forecast.model,
            made_at=rfc3339(forecast.at, zone),
            origin=forecast.origin.isoformat(),
            history_from=None if forecast.history_from is None else forecast.history_from.isoformat(),
            backtest=ModelErrorFigures.from_backtest(forecast.backtest),
            source="stored 5-minute totals of desks: issued",
        )


class ServiceShare(ApiModel):
    """The part of a service in the expected arrivals."""

    service: str
    expected: float = Field(description="expected tickets of the service", ge=0)


class ForecastRow(ApiModel):
    """Expected arrivals of one half hour, of all services or of the one asked for."""

    centre: str
    service: str | None = Field(description="the service asked for; null: all services together")
    from_: str = Field(serialization_alias="from")
    to: str
    expected: float = Field(description="expected tickets", ge=0)
    p10: int = Field(description="tickets that are not reached in one of ten such half hours", ge=0)
    p90: int = Field(description="tickets that are not exceeded in nine of ten such half hours", ge=0)
    services: list[ServiceShare] = Field(description="the expected tickets by service")

    @classmethod
    def from_half_hour(cls, row: ExpectedHalfHour, centre: str, service: str | None, zone: ZoneInfo) -> Self:
        """Return one expected half hour."""
        shares = [ServiceShare(service=name, expected=value) for name, value in sorted(row.services.items())]
        return cls.build(
            row, centre=centre, service=service, p10=row.low, p90=row.high, services=shares,
            **window_fields(row.window, zone),
        )  # fmt: skip


class ForecastMeta(ResponseMeta):
    """The window, the model and the formula of expected arrivals."""

    from_: str = Field(serialization_alias="from")
    to: str
    status: ForecastStatus = Field(description=STATUS_TEXT)
    formula: str = Field(description="how the figures are computed")
    model: ForecastModel | None = Field(description="what the forecast rests on; null when none was made")


class ForecastEnvelope(ApiModel):
    """Expected arrivals."""

    data: list[ForecastRow]
    meta: ForecastMeta
    next: str | None = None


class StaffingOutcome(ApiModel):
    """What customers meet with a number of counters at work."""

    counters: int = Field(description="counters at work", ge=0)
    mean_wait_s: float | None = Field(description="mean wait until called, s; null: without limit, or no counter", ge=0)
    service_level: float = Field(description="share of arrivals called within the goal's threshold, 0 to 1", ge=0, le=1)
    occupancy: float | None = Field(description="share of counter time that is busy; null without counters", ge=0, le=1)
    waiting_at_end: float = Field(description="customers that wait when the half hour ends, on average", ge=0)

    @classmethod
    def from_outcome(cls, outcome: PeriodOutcome) -> Self:
        """Return the outcome, its shares within 0 and 1 whatever was rounded."""
        level, occupancy = min(1.0, max(0.0, outcome.service_level)), outcome.occupancy
        return cls.build(
            outcome, service_level=level, occupancy=None if occupancy is None else min(1.0, max(0.0, occupancy))
        )


class SteadyStaffing(ApiModel):
    """What Erlang's formula needs for the half hour alone."""

    counters: int = Field(description="least counters at work that meet the goal", ge=1)
    wait_probability: float = Field(description="share of arrivals that wait, 0 to 1", ge=0, le=1)
    mean_wait_s: float | None = Field(description="mean wait of all arrivals, s; null: without limit", ge=0)
    service_level: float = Field(description="share called within the threshold, 0 to 1", ge=0, le=1)
    occupancy: float = Field(description="share of counter time that is busy, 0 to 1", ge=0, le=1)


class StaffingRow(ApiModel):
    """The counters of one open half hour, or of the open part of it."""

    from_: str = Field(serialization_alias="from")
    to: str
    arrivals: float = Field(description="expected tickets, what-if applied", ge=0)
    offered_load: float = Field(description="arrivals × service time ÷ open seconds, erlangs", ge=0)
    steady: SteadyStaffing = Field(description="Erlang's formula for this half hour alone")
    needed: int = Field(description="counters at work that meet the goal, earlier queues included", ge=1)
    needed_on_roster: int = Field(description="needed ÷ (1 − shrinkage), rounded up", ge=1)
    expected: StaffingOutcome = Field(description="what the needed counters give")
    roster: int | None = Field(description="counters declared, what-if applied; null: none declared", ge=0)
    with_roster: StaffingOutcome | None = Field(
        description="what the whole roster at work gives, shrinkage not applied; null without a roster"
    )
    missing: int | None = Field(description="needed_on_roster − roster where more are needed, else 0", ge=0)

    @classmethod
    def from_period(cls, row: PeriodStaffing, zone: ZoneInfo, *, has_roster: bool) -> Self:
        """Return one half hour of a plan."""
        demand, state = row.period.demand, row.steady.state
        return cls.build(
            arrivals=demand.arrivals,
            offered_load=demand.offered_load,
            steady=SteadyStaffing.build(state),
            needed=row.needed,
            needed_on_roster=row.rostered,
            expected=StaffingOutcome.from_outcome(row.expected),
            roster=row.period.roster if has_roster else None,
            with_roster=StaffingOutcome.from_outcome(row.with_roster) if has_roster else None,
            missing=row.missing if has_roster else None,
            **window_fields(row.period.window, zone),
        )


class StaffingInputs(ApiModel):
    """The sums from which service time and patience are computed, and the results."""

    issued: int = Field(description="tickets issued in the history", ge=0)
    called: int = Field(description="tickets called in the history", ge=0)
    abandoned: int = Field(description="tickets abandoned in the history", ge=0)
    wait_sum_s: float = Field(description="sum of waits of called tickets, s", ge=0)
    service_count: int = Field(description="finished services in the history", ge=0)
    service_sum_s: float = Field(description="sum of their service times, s", ge=0)
    mean_service_s: float | None = Field(description="service_sum_s ÷ service_count; null without services", ge=0)
    patience_s: float | None = Field(description=f"{PATIENCE_FORMULA}; null: not taken into account", ge=0)

    @classmethod
    def from_inputs(cls, inputs: ServiceInputs) -> Self:
        """Return the inputs of a plan."""
        sums: QueueSumsNow = inputs.sums
        return cls.build(
            sums, wait_sum_s=sums.wait_sum_ms / 1000, service_sum_s=sums.service_sum_ms / 1000,
            mean_service_s=inputs.service_s, patience_s=inputs.patience_s,
        )  # fmt: skip


class StaffingGoalFigures(ApiModel):
    """What the counters must reach, and the change that is tried."""

    goal: Literal["mean_wait", "service_level"] = Field(description="which goal counts")
    max_mean_wait_s: float | None = Field(description="goal `mean_wait`: largest mean wait, s", ge=0)
    within_s: float = Field(description="threshold of the service level, s", ge=0)
    min_service_level: float | None = Field(description="goal `service_level`: least share, 0 to 1", ge=0, le=1)
    max_occupancy: float = Field(description="largest share of counter time that may be busy", gt=0, le=1)
    shrinkage: float = Field(description="share of rostered time in which a counter is not at work", ge=0, lt=1)
    arrivals_factor: float = Field(description="what-if: arrivals are multiplied by it", ge=0)
    closed_counters: int = Field(
        description="what-if: counters closed; negative: opened beside the roster", ge=-100, le=100
    )

    @classmethod
    def from_rules(cls, rules: StaffingRules, change: WhatIf) -> Self:
        """Return the rules of a plan."""
        name = "mean_wait" if rules.goal.max_mean_wait_s is not None else "service_level"
        return cls.build(rules.goal, rules, change, goal=name)


class StaffingMeta(ResponseMeta):
    """The day, goal, inputs, formula and model of the counters needed."""

    date: str = Field(description="the day, in the centre's zone")
    status: ForecastStatus = Field(description=STATUS_TEXT)
    goal: StaffingGoalFigures = Field(description="goal and what-if")
    inputs: StaffingInputs | None = Field(description="sums of the history; null when no forecast was made")
    formula: str = Field(description="how the figures are computed")
    model: ForecastModel | None = Field(description="what the expected arrivals rest on; null when none were made")

    @classmethod
    def for_plan(cls, queries: Queries, plan: StaffingPlan, rules: StaffingRules, change: WhatIf) -> Self:
        """Return the meta of a plan."""
        zone, forecast = plan.centre.zone, plan.forecast
        return cls.current(
            queries, zone, plan.centre, date=plan.day.isoformat(), status=plan.status, formula=STAFFING_FORMULA,
            goal=StaffingGoalFigures.from_rules(rules, change),
            inputs=None if plan.inputs is None else StaffingInputs.from_inputs(plan.inputs),
            model=None if forecast is None else ForecastModel.from_forecast(forecast, zone),
        )  # fmt: skip


class StaffingEnvelope(ApiModel):
    """Counters needed on a day."""

    data: list[StaffingRow]
    meta: StaffingMeta
    next: str | None = None


class MeasureDeviation(ApiModel):
    """A measure of a flagged half hour; arrivals in tickets, wait and service time in s, abandonment as a share."""

    measure: AnomalyMeasure = Field(description="what stands out")
    actual: float = Field(description="the figure", ge=0)
    expected: float = Field(description="what other days let expect", ge=0)
    low: float = Field(description="below it the figure is flagged", ge=0)
    high: float = Field(description="above it the figure is flagged", ge=0)
    deviations: float = Field(
        description="standard deviations above what was expected; negative: below", ge=-1e9, le=1e9
    )


class AnomalyRow(ApiModel):
    """A flagged half hour, its measures by size, and the likely cause."""

    centre: str
    from_: str = Field(serialization_alias="from")
    to: str
    cause: AnomalyCause = Field(description="`arrivals`, `service_time`, else `counters_short`")
    basis: Literal["earlier_days", "other_days"] = Field(
        description="`earlier_days`: judged by the days before it; `other_days`: by later ones too, there being too few"
    )
    measures: list[MeasureDeviation] = Field(description="the measures that stand out, the farthest first")

    @classmethod
    def from_flag(cls, centre_flag: CentreFlag) -> Self:
        """Return one flagged half hour."""
        flag = centre_flag.flag
        return cls.build(
            flag, centre=centre_flag.centre.id, basis="earlier_days" if flag.live else "other_days",
            measures=[MeasureDeviation.build(deviation) for deviation in flag.deviations],
            **window_fields(centre_flag.window, centre_flag.centre.zone),
        )  # fmt: skip


class AnomalyMeta(ResponseMeta):
    """The window and the formula of flagged half hours."""

    from_: str = Field(serialization_alias="from")
    to: str
    formula: str = Field(description="how half hours are judged")
    source: str = Field(description="what they are judged from")


class AnomalyEnvelope(ApiModel):
    """Flagged half hours."""

    data: list[AnomalyRow]
    meta: AnomalyMeta
    next: str | None = None
