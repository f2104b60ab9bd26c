"""Digital systems as seen from the centres."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import Asked
from api.paging import PageAsked
from api.schemas import Envelope, SystemDetailOut, SystemOut

router = APIRouter(tags=["systems"])


@router.get("/systems", operation_id="systems")
def systems(queries: Asked, page: PageAsked) -> Envelope[list[SystemOut]]:
    """List systems by id."""
    part, following = page.cut(queries.systems(), lambda v: (v.system.id,))
    found = [shapes.system(v, queries.zone()) for v in part]
    return Envelope(data=found, meta=shapes.meta(queries), next=following)


@router.get("/systems/{system}", operation_id="system")
def system(system: str, queries: Asked) -> Envelope[SystemDetailOut]:
    """Return one system with its vantage table, availability, latency and certificate."""
    found = shapes.system_detail(queries.system_detail(system), queries.zone())
    return Envelope(data=found, meta=shapes.meta(queries))
