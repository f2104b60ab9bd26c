"""What became of every row the devices ever numbered."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import Asked
from api.paging import PageAsked
from api.schemas import CompletenessEnvelope

router = APIRouter(tags=["completeness"])


@router.get("/completeness", operation_id="completeness")
def completeness(queries: Asked, page: PageAsked, device: str | None = None) -> CompletenessEnvelope:
    """List devices with their rows stored, refused, dropped and the highest number."""
    found = queries.completeness()
    rows = [d for d in found.devices if device in (None, d.device)]
    if device is not None and not rows:
        queries.device(device)
    part, following = page.cut(rows, lambda d: (d.device,))
    data = [shapes.completeness_row(d.device, d.spools, d.parts) for d in part]
    return CompletenessEnvelope(data=data, meta=shapes.completeness_meta(queries, found.whole), next=following)
