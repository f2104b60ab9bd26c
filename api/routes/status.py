"""The network in one answer."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import QueriesDep
from api.schemas import Envelope, NetworkStatusResponse

router = APIRouter(tags=["status"])


@router.get("/status", operation_id="status")
def get_status(queries: QueriesDep) -> Envelope[NetworkStatusResponse]:
    """Return the network's condition, counts and queues."""
    response = shapes.network_status_response(
        queries.network_status(), queries.completeness().overall.ratio, queries.slo_index()
    )
    return Envelope(data=response, meta=shapes.response_meta(queries))
