"""Digital systems as seen from the centres."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas import Envelope, SystemDetailResponse, SystemSummary

router = APIRouter(tags=["systems"])


@router.get("/systems", operation_id="systems")
def list_systems(queries: QueriesDep, page: PageParam) -> Envelope[list[SystemSummary]]:
    """List systems by id."""
    part, following = page.slice_rows(queries.systems(), lambda v: (v.system.id,))
    rows = [shapes.system_summary(v, queries.zone()) for v in part]
    return Envelope(data=rows, meta=shapes.response_meta(queries), next=following)


@router.get("/systems/{system}", operation_id="system")
def get_system(system: str, queries: QueriesDep) -> Envelope[SystemDetailResponse]:
    """Return one system with its vantage table, availability, latency and certificate."""
    detail = shapes.system_detail_response(queries.system_detail(system), queries.zone())
    return Envelope(data=detail, meta=shapes.response_meta(queries))
