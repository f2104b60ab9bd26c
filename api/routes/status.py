"""The network in one answer."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import Asked
from api.schemas import Envelope, StatusOut

router = APIRouter(tags=["status"])


@router.get("/status", operation_id="status")
def status(queries: Asked) -> Envelope[StatusOut]:
    """Return the network's condition, counts and queues."""
    found = shapes.status(queries.status(), queries.completeness().whole.ratio, queries.objectives())
    return Envelope(data=found, meta=shapes.meta(queries))
