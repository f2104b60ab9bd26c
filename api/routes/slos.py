"""Objectives: what is promised, how it stands, how its budget went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query

from api import shapes
from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas import ApiSloState, SloDefinition, SloMeta, SloRow, SloStatusDetail
from api.schemas.objectives import SloEnvelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.queries import Queries, ScopedSlo

router = APIRouter(tags=["slos"])


@router.get("/slos", operation_id="slos")
def list_slos(
    queries: QueriesDep,
    page: PageParam,
    scope: Annotated[str | None, Query(description="centre:ID, device:ID or system:ID")] = None,
    status: Annotated[ApiSloState | None, Query(description="only what stands so")] = None,
    slo: Annotated[str | None, Query(description="only this objective")] = None,
    sort: Annotated[Literal["budget_remaining"], Query(description="least budget left first")] = "budget_remaining",
) -> SloEnvelope[list[SloRow]]:
    """List objectives by scope, least budget left first."""
    del sort  # there is one order
    slo_index = queries.slo_index()
    if slo is not None:
        slo_index.objective(slo)
    if scope is not None:
        queries.parse_scope(scope)
    rows = slo_index.sorted_slos if scope is None else slo_index.at_scope(scope)
    matching = [r for r in rows if status in (None, r.slo_state) and slo in (None, r.objective.id)]
    part, following = page.slice_rows(matching, lambda r: r.sort_key)
    zone = queries.zone()
    data = [shapes.slo_row(scoped_slo, zone) for scoped_slo in part]
    return SloEnvelope(data=data, meta=_slo_meta(queries, matching), next=following)


def _slo_meta(queries: Queries, slos: Sequence[ScopedSlo]) -> SloMeta:
    return shapes.slo_meta(queries, slos, queries.zone())


@router.get("/slos/{slo}", operation_id="slo")
def get_slo_definition(slo: str, queries: QueriesDep) -> SloEnvelope[SloDefinition]:
    """Return what is promised, how many scopes stand how, and the worst five."""
    slo_index = queries.slo_index()
    objective = slo_index.objective(slo)
    rows = slo_index.for_slo(slo)
    return SloEnvelope(data=shapes.slo_definition(objective, rows, queries.zone()), meta=_slo_meta(queries, rows))


@router.get("/slos/{slo}/status", operation_id="slo_status")
def get_slo_status(
    slo: str, queries: QueriesDep, page: PageParam, scope: str | None = None,
) -> SloEnvelope[SloStatusDetail | list[SloStatusDetail]]:  # fmt: skip
    """Return how an objective stands at one scope; without a scope at all of them, least budget left first."""
    slo_index = queries.slo_index()
    slo_index.objective(slo)
    if scope is not None:
        query_scope = queries.parse_scope(scope)
        scoped_slo, centre = slo_index.find(slo, scope), queries.centre_of(scope)
        meta = shapes.slo_meta(queries, [scoped_slo], query_scope.zone, centre)
        return SloEnvelope(data=shapes.slo_status_detail(scoped_slo, query_scope.zone, centre), meta=meta)
    rows = slo_index.for_slo(slo)
    part, following = page.slice_rows(rows, lambda r: r.sort_key)
    data = [shapes.slo_status_detail(r, queries.zone(), queries.centre_of(r.scope)) for r in part]
    return SloEnvelope(data=data, meta=_slo_meta(queries, rows), next=following)
