"""Administrative units with the state of their centres, and the search over all that is declared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas.envelope import Envelope, ResponseMeta
from api.schemas.units import SearchHitResponse, UnitDetail, UnitSummary
from telemetry.queries.search import SearchIndexCache
from telemetry.queries.units import build_unit_tree

router = APIRouter()


@router.get("/units", operation_id="units", tags=["units"])
def list_units(queries: QueriesDep, page: PageParam) -> Envelope[list[UnitSummary]]:
    """List the administrative units by code, each with the sums over the centres in it and below it."""
    views = sorted(build_unit_tree(queries.network()).all_units(), key=lambda view: view.unit.code)
    part, following = page.slice_rows(views, lambda view: (view.unit.code,))
    data = [UnitSummary.from_view(view) for view in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)


@router.get("/units/{unit}", operation_id="unit", tags=["units"])
def get_unit(unit: str, queries: QueriesDep) -> Envelope[UnitDetail]:
    """Return one administrative unit with the units directly below it and all its centres, worst first."""
    view = build_unit_tree(queries.network()).find(unit)
    return Envelope(data=UnitDetail.with_parts(view, queries.slo_index()), meta=ResponseMeta.current(queries))


@router.get("/search", operation_id="search", tags=["search"])
def search(
    request: Request,
    queries: QueriesDep,
    page: PageParam,
    q: Annotated[str, Query(max_length=200, description="name, code or id; accents and case do not count")] = "",
) -> Envelope[list[SearchHitResponse]]:
    """Find centres, units, systems, objectives, indicators and devices by name, code or id, best matches first."""
    index: SearchIndexCache = request.app.state.search
    hits = index.find(queries.network(), q)
    part, following = page.slice_rows(list(enumerate(hits)), lambda hit: (hit[0],))
    data = [SearchHitResponse.from_hit(hit) for _, hit in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)
