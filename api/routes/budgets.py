"""How an objective's budget went: bucket by bucket, and what consumed it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api import shapes
from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas import BudgetConsumption, SloHistoryPoint, WindowEnvelope
from api.times import WindowParam
from telemetry.core.calendar.windows import DAY, SLOT, Window, align_to_slots, floor
from telemetry.core.slo.periods import calendar_period, rolling_period
from telemetry.queries import BadWindow
from telemetry.queries.slo_history import ScopedSloQuery, spend_cause

router = APIRouter(tags=["slos"])
SloHistoryBucket = Literal["1h", "1d", "1mo"]
ScopeParam = Annotated[str, Query(description="centre:ID, device:ID or system:ID")]
MAX_WINDOW_MS: dict[SloHistoryBucket, int] = {"1h": 31 * DAY, "1d": 92 * DAY, "1mo": 366 * DAY}


class SloParams:
    """Which objective at which scope, in which buckets."""

    def __init__(self, slo: str, scope: ScopeParam, bucket: SloHistoryBucket = "1d") -> None:
        self.slo = slo
        self.scope = scope
        self.bucket = bucket


@router.get("/slos/{slo}/history", operation_id="slo_history")
def get_slo_history(
    params: Annotated[SloParams, Depends()], queries: QueriesDep, span: WindowParam, page: PageParam
) -> WindowEnvelope[SloHistoryPoint]:
    """List an objective's figures bucket by bucket; its period so far unless said."""
    slo_query, bucket = queries.scoped_slo(params.slo, params.scope), params.bucket
    window = align_to_slots(span.resolve(slo_query.zone, lambda: current_period(slo_query, queries.now())))
    if window.length > MAX_WINDOW_MS[bucket]:
        msg = f"at most {MAX_WINDOW_MS[bucket] // DAY} days at bucket={bucket}: ask for less, or for a wider bucket"
        raise BadWindow(msg)
    points = queries.slo_history(slo_query, window, bucket)
    part, following = page.slice_rows(points, lambda p: (p.bucket.start,))
    coverage = shapes.coverage_of(p.account for p in points)
    meta = shapes.window_meta(queries, window, slo_query.zone, coverage, queries.centre_of(params.scope))
    return WindowEnvelope(data=[shapes.slo_history_point(slo_query, p) for p in part], meta=meta, next=following)


@router.get("/slos/{slo}/spending", operation_id="slo_spending")
def get_slo_spending(
    slo: str, queries: QueriesDep, scope: ScopeParam, page: PageParam
) -> WindowEnvelope[BudgetConsumption]:
    """List what consumed the budget of the present period, the greatest first."""
    slo_query = queries.scoped_slo(slo, scope)
    window = current_period(slo_query, queries.now())
    spends = queries.budget_spending(slo_query, window)
    part, following = page.slice_rows(spends, lambda x: (-x.bad_ms, x.window.start))
    meta = shapes.window_meta(queries, window, slo_query.zone, None, queries.centre_of(scope))
    data = [shapes.budget_consumption(spend, spend_cause(spend, slo_query), slo_query) for spend in part]
    return WindowEnvelope(data=data, meta=meta, next=following)


def current_period(slo_query: ScopedSloQuery, now: int) -> Window:
    """Return the present period as far as it has passed."""
    objective = slo_query.objective
    if objective.period == "rolling":
        return rolling_period(objective.days, now, slo_query.zone)
    full_period = calendar_period(objective.period, now, slo_query.zone)
    return Window(full_period.start, max(full_period.start + SLOT, floor(now, SLOT)))
