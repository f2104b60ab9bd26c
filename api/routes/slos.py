"""Objectives: target and state, and their budget bucket by bucket and by what consumed it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas.envelope import WindowEnvelope, WindowMeta
from api.schemas.objectives import (
    ApiSloState,
    BudgetConsumption,
    SloDefinition,
    SloEnvelope,
    SloHistoryPoint,
    SloMeta,
    SloRow,
    SloStatusDetail,
    coverage_of,
)
from api.times import WindowParam
from telemetry.core.calendar.windows import DAY, align_to_slots
from telemetry.core.inventory import AdministrativeLevel, SliKind
from telemetry.queries.errors import BadWindow
from telemetry.queries.slo_filter import PlaceKind, SloFilter, check_unit
from telemetry.queries.slo_history import current_period

router = APIRouter(tags=["slos"])
SloHistoryBucket = Literal["1h", "1d", "1mo"]
ScopeParam = Annotated[str, Query(description="centre:ID, device:ID or system:ID")]
MAX_WINDOW_MS: dict[SloHistoryBucket, int] = {"1h": 31 * DAY, "1d": 92 * DAY, "1mo": 366 * DAY}


class SloFilterParams:
    """Which objectives at which places are listed."""

    def __init__(
        self,
        status: Annotated[ApiSloState | None, Query(description="only objectives in this state")] = None,
        slo: Annotated[str | None, Query(description="only this objective")] = None,
        sli: Annotated[SliKind | None, Query(description="only objectives that count this")] = None,
        kind: Annotated[PlaceKind | None, Query(description="only objectives of this kind of place")] = None,
        district: Annotated[str | None, Query(description="only centres and devices of this unit, by its code")] = None,
        level: Annotated[AdministrativeLevel | None, Query(description="only places of this level")] = None,
    ) -> None:  # fmt: skip
        self.wanted = SloFilter(slo, status, sli, kind, district, level)


@router.get("/slos", operation_id="slos")
def list_slos(
    queries: QueriesDep,
    page: PageParam,
    params: Annotated[SloFilterParams, Depends()],
    scope: Annotated[str | None, Query(description="centre:ID, device:ID or system:ID")] = None,
    sort: Annotated[Literal["budget_remaining"], Query(description="least budget left first")] = "budget_remaining",
) -> SloEnvelope[list[SloRow]]:
    """List objectives by scope, least budget left first."""
    del sort  # there is one order
    slo_index, zone, wanted = queries.slo_index(), queries.zone(), params.wanted
    if wanted.objective is not None:
        slo_index.objective(wanted.objective)
    if wanted.district is not None:
        check_unit(wanted.district, queries.inventory())
    if scope is not None:
        queries.network().parse_scope(scope)
    rows = slo_index.sorted_slos if scope is None else slo_index.at_scope(scope)
    matching = wanted.narrow(rows, queries.inventory())
    part, following = page.slice_rows(matching, lambda r: r.sort_key)
    meta = SloMeta.for_slos(queries, matching, zone)
    return SloEnvelope(data=[SloRow.from_slo(row, zone) for row in part], meta=meta, next=following)


@router.get("/slos/{slo}", operation_id="slo")
def get_slo_definition(slo: str, queries: QueriesDep) -> SloEnvelope[SloDefinition]:
    """Return an objective, how many of its scopes are in each state, and the five with the least budget left."""
    slo_index, zone = queries.slo_index(), queries.zone()
    objective, rows = slo_index.objective(slo), slo_index.for_slo(slo)
    definition = SloDefinition.from_slos(objective, rows, queries)
    return SloEnvelope(data=definition, meta=SloMeta.for_slos(queries, rows, zone))


@router.get("/slos/{slo}/status", operation_id="slo_status")
def get_slo_status(
    slo: str, queries: QueriesDep, page: PageParam, scope: str | None = None,
) -> SloEnvelope[SloStatusDetail | list[SloStatusDetail]]:  # fmt: skip
    """Return an objective's state at one scope; without a scope at all of them, least budget left first."""
    slo_index = queries.slo_index()
    slo_index.objective(slo)
    if scope is not None:
        zone = queries.network().parse_scope(scope).zone
        scoped_slo, centre = slo_index.find(slo, scope), queries.centre_of(scope)
        detail = SloStatusDetail.from_slo(scoped_slo, zone, centre)
        return SloEnvelope(data=detail, meta=SloMeta.for_slos(queries, [scoped_slo], zone, centre))
    rows, zone = slo_index.for_slo(slo), queries.zone()
    part, following = page.slice_rows(rows, lambda r: r.sort_key)
    data = [SloStatusDetail.from_slo(r, zone, queries.centre_of(r.scope)) for r in part]
    return SloEnvelope(data=data, meta=SloMeta.for_slos(queries, rows, zone), next=following)


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
    """List an objective's figures bucket by bucket; by default its period so far."""
    slo_query, bucket = queries.scoped_slo(params.slo, params.scope), params.bucket
    window = align_to_slots(span.resolve(slo_query.zone, lambda: current_period(slo_query, queries.now())))
    if window.length > MAX_WINDOW_MS[bucket]:
        days = MAX_WINDOW_MS[bucket] // DAY
        msg = f"at most {days} days at bucket={bucket}: use a shorter window or a wider bucket"
        raise BadWindow(msg)
    points = queries.slo_history(slo_query, window, bucket)
    part, following = page.slice_rows(points, lambda p: (p.bucket.start,))
    coverage = coverage_of(p.account for p in points)
    meta = WindowMeta.for_window(queries, window, slo_query.zone, coverage, queries.centre_of(params.scope))
    return WindowEnvelope(data=[SloHistoryPoint.from_point(slo_query, p) for p in part], meta=meta, next=following)


@router.get("/slos/{slo}/spending", operation_id="slo_spending")
def get_slo_spending(
    slo: str, queries: QueriesDep, scope: ScopeParam, page: PageParam
) -> WindowEnvelope[BudgetConsumption]:
    """List what consumed the budget of the current period, the greatest first."""
    slo_query = queries.scoped_slo(slo, scope)
    window = current_period(slo_query, queries.now())
    spends = queries.budget_spending(slo_query, window)
    part, following = page.slice_rows(spends, lambda x: (-x.bad_ms, x.window.start))
    meta = WindowMeta.for_window(queries, window, slo_query.zone, None, queries.centre_of(scope))
    data = [BudgetConsumption.from_spend(spend, slo_query) for spend in part]
    return WindowEnvelope(data=data, meta=meta, next=following)
