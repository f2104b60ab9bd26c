"""Expected arrivals, counters needed and flagged half hours of centres."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas.envelope import window_fields
from api.schemas.forecasts import (
    ANOMALY_FORMULA,
    ARRIVALS_FORMULA,
    AnomalyEnvelope,
    AnomalyMeta,
    AnomalyRow,
    ForecastEnvelope,
    ForecastMeta,
    ForecastModel,
    ForecastRow,
    StaffingEnvelope,
    StaffingMeta,
    StaffingRow,
)
from api.times import WindowParam
from telemetry.core.calendar.windows import DAY, Window, day_window, to_local
from telemetry.core.queueing.centre_forecast import JUDGED_DAYS
from telemetry.core.queueing.staffing import LEGAL_MEAN_WAIT_S, StaffingGoal, StaffingRules, WhatIf
from telemetry.queries.service import Queries

router = APIRouter(tags=["queues"])
CentreQuery = Annotated[str, Query(description="centre id")]


@router.get("/queues/forecast", operation_id="queues_forecast")
def get_arrivals_forecast(
    queries: QueriesDep, centre: CentreQuery, span: WindowParam, page: PageParam, service: str | None = None
) -> ForecastEnvelope:
    """List expected arrivals by half hour with their interval; by default all that was forecast from today on."""
    zone = queries.zone(centre)
    window = span.resolve(zone, lambda: _forecast_window(queries, centre))
    forecast = queries.arrivals_forecast(centre, window, service)
    part, following = page.slice_rows(forecast.rows, lambda row: (row.window.start,))
    meta = ForecastMeta.current(
        queries, zone, forecast.centre, status=forecast.status, formula=ARRIVALS_FORMULA,
        model=None if forecast.forecast is None else ForecastModel.from_forecast(forecast.forecast, zone),
        **window_fields(window, zone),
    )  # fmt: skip
    data = [ForecastRow.from_half_hour(row, centre, service, zone) for row in part]
    return ForecastEnvelope(data=data, meta=meta, next=following)


def _forecast_window(queries: Queries, centre: str) -> Window:
    """Return the days of the stored forecast, or the next two weeks."""
    zone, forecast = queries.zone(centre), queries.snapshot().forecasts.get(centre)
    today = to_local(queries.now(), zone).date()
    if forecast is None or not forecast.days:
        return Window(day_window(today, zone).start, day_window(today + timedelta(days=14), zone).start)
    last = forecast.days[-1].day
    first = max(forecast.origin, today) if today <= last else forecast.origin
    return Window(day_window(first, zone).start, day_window(last, zone).end)


class StaffingParams:
    """The goal of a staffing plan and the change that is tried."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is a parameter of the request
        self,
        goal: Annotated[Literal["mean_wait", "service_level"], Query(description="which goal counts")] = "mean_wait",
        mean_wait: Annotated[float, Query(description="largest mean wait, s", gt=0, le=86_400)] = LEGAL_MEAN_WAIT_S,
        within: Annotated[float, Query(description="threshold of the service level, s", ge=0, le=86_400)] = 900.0,
        share: Annotated[float, Query(description="least service level, 0 to 1", gt=0, lt=1)] = 0.8,
        occupancy: Annotated[float, Query(description="largest share of busy counter time", ge=0.1, le=1)] = 0.85,
        shrinkage: Annotated[float, Query(description="share of rostered time not at work", ge=0, le=0.9)] = 0.0,
        arrivals: Annotated[float, Query(description="what-if: factor on arrivals, 1.2 is +20 %", ge=0, le=5)] = 1.0,
        close: Annotated[int, Query(description="what-if: counters closed; negative: opened", ge=-100, le=100)] = 0,
    ) -> None:
        is_mean = goal == "mean_wait"
        wanted = StaffingGoal(mean_wait if is_mean else None, within, None if is_mean else share)
        self.rules = StaffingRules(wanted, occupancy, shrinkage)
        self.change = WhatIf(arrivals, close)


@router.get("/staffing", operation_id="staffing")
def get_staffing(
    queries: QueriesDep, centre: CentreQuery, params: Annotated[StaffingParams, Depends()],
    day: Annotated[date | None, Query(alias="date", description="day (default: the next one forecast)")] = None,
) -> StaffingEnvelope:  # fmt: skip
    """List counters needed by half hour against the roster, with what-if: arrivals and closed counters."""
    plan = queries.staffing(centre, day, params.rules, params.change)
    data = [StaffingRow.from_period(row, plan.centre.zone, has_roster=plan.has_roster) for row in plan.rows]
    meta = StaffingMeta.for_plan(queries, plan, params.rules, params.change)
    return StaffingEnvelope(data=data, meta=meta)


@router.get("/queues/anomalies", operation_id="queues_anomalies")
def list_anomalies(
    queries: QueriesDep, span: WindowParam, page: PageParam, centre: str | None = None
) -> AnomalyEnvelope:
    """List half hours that leave what was expected, by centre; by default the days that were last judged."""
    zone = queries.zone(centre)
    window = span.resolve(zone, lambda: _judged_window(queries, centre))
    flags = queries.centre_days.flagged_half_hours(centre, window)
    part, following = page.slice_rows(flags, lambda row: (row.centre.id, row.window.start))
    meta = AnomalyMeta.current(
        queries,
        zone,
        None,
        formula=ANOMALY_FORMULA,
        source="stored 5-minute totals of desks",
        **window_fields(window, zone),
    )
    return AnomalyEnvelope(data=[AnomalyRow.from_flag(row) for row in part], meta=meta, next=following)


def _judged_window(queries: Queries, centre: str | None) -> Window:
    """Return the days that a centre's forecast judged and today so far, or the last two weeks up to now."""
    zone, now = queries.zone(centre), queries.now()
    forecast = None if centre is None else queries.snapshot().forecasts.get(centre)
    if forecast is None or forecast.judged_from is None:
        return Window(now - JUDGED_DAYS * DAY, now)
    return Window(day_window(forecast.judged_from, zone).start, max(now, day_window(forecast.origin, zone).start))
