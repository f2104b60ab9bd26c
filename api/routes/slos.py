"""Objectives: what is promised, how it stands, how its budget went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query

from api import shapes
from api.deps import Asked
from api.paging import PageAsked
from api.schemas import SloDefinition, SloMeta, SloRow, SloStatus, Standing
from api.schemas.objectives import SloEnvelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.queries import Queries, Standpoint

router = APIRouter(tags=["slos"])


@router.get("/slos", operation_id="slos")
def slos(
    queries: Asked,
    page: PageAsked,
    scope: Annotated[str | None, Query(description="centre:ID, device:ID or system:ID")] = None,
    status: Annotated[Standing | None, Query(description="only what stands so")] = None,
    slo: Annotated[str | None, Query(description="only this objective")] = None,
    sort: Annotated[Literal["budget_remaining"], Query(description="least budget left first")] = "budget_remaining",
) -> SloEnvelope[list[SloRow]]:
    """List objectives by scope, least budget left first."""
    del sort  # there is one order
    found = queries.objectives()
    if slo is not None:
        found.one(slo)
    if scope is not None:
        queries.scope(scope)
    rows = found.all if scope is None else found.at(scope)
    kept = [r for r in rows if status in (None, r.standing) and slo in (None, r.objective.id)]
    part, following = page.cut(kept, lambda r: r.key)
    zone = queries.zone()
    data = [shapes.slo_row(one, zone) for one in part]
    return SloEnvelope(data=data, meta=_meta(queries, kept), next=following)


def _meta(queries: Queries, found: Sequence[Standpoint]) -> SloMeta:
    return shapes.slo_meta(queries, found, queries.zone())


@router.get("/slos/{slo}", operation_id="slo")
def definition(slo: str, queries: Asked) -> SloEnvelope[SloDefinition]:
    """Return what is promised, how many scopes stand how, and the worst five."""
    found = queries.objectives()
    objective = found.one(slo)
    rows = found.of(slo)
    return SloEnvelope(data=shapes.slo_definition(objective, rows, queries.zone()), meta=_meta(queries, rows))


@router.get("/slos/{slo}/status", operation_id="slo_status")
def status(
    slo: str, queries: Asked, page: PageAsked, scope: str | None = None,
) -> SloEnvelope[SloStatus | list[SloStatus]]:  # fmt: skip
    """Return how an objective stands at one scope; without a scope at all of them, least budget left first."""
    found = queries.objectives()
    found.one(slo)
    if scope is not None:
        place = queries.scope(scope)
        one, centre = found.find(slo, scope), queries.centre_of(scope)
        meta = shapes.slo_meta(queries, [one], place.zone, centre)
        return SloEnvelope(data=shapes.slo_status(one, place.zone, centre), meta=meta)
    rows = found.of(slo)
    part, following = page.cut(rows, lambda r: r.key)
    data = [shapes.slo_status(r, queries.zone(), queries.centre_of(r.scope)) for r in part]
    return SloEnvelope(data=data, meta=_meta(queries, rows), next=following)
