"""What became of every row the devices ever numbered."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas import CompletenessEnvelope

router = APIRouter(tags=["completeness"])


@router.get("/completeness", operation_id="completeness")
def list_completeness(queries: QueriesDep, page: PageParam, device: str | None = None) -> CompletenessEnvelope:
    """List devices with their rows stored, refused, dropped and the highest number."""
    network_completeness = queries.completeness()
    rows = [d for d in network_completeness.devices if device in (None, d.device)]
    if device is not None and not rows:
        queries.device(device)
    part, following = page.slice_rows(rows, lambda d: (d.device,))
    data = [shapes.completeness_row(d.device, d.outbox_count, d.counts) for d in part]
    return CompletenessEnvelope(
        data=data, meta=shapes.completeness_meta(queries, network_completeness.overall), next=following
    )
