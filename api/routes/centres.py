"""Centres and their devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api import shapes
from api.deps import Asked
from api.paging import PageAsked
from api.schemas import CentreDetail, CentreOut, Condition, DeviceOut, Envelope

router = APIRouter(tags=["centres"])


@router.get("/centres", operation_id="centres")
def centres(
    queries: Asked,
    page: PageAsked,
    condition: Annotated[Condition | None, Query(description="only centres in this condition")] = None,
) -> Envelope[list[CentreOut]]:
    """List centres by id."""
    views = [v for v in queries.centres() if condition in (None, v.condition)]
    part, following = page.cut(views, lambda v: (v.centre.id,))
    objectives = queries.objectives()
    return Envelope(data=[shapes.centre(v, objectives) for v in part], meta=shapes.meta(queries), next=following)


@router.get("/centres/{centre}", operation_id="centre")
def centre(centre: str, queries: Asked) -> Envelope[CentreDetail]:
    """Return one centre with its queues and devices."""
    found = shapes.centre_detail(queries.centre(centre), queries.queue_now(centre), queries.objectives())
    return Envelope(data=found, meta=shapes.meta(queries))


@router.get("/centres/{centre}/devices", operation_id="devices")
def devices(centre: str, queries: Asked, page: PageAsked) -> Envelope[list[DeviceOut]]:
    """List a centre's devices by id."""
    zone = queries.zone(centre)
    part, following = page.cut(queries.devices(centre), lambda d: (d.now.id,))
    return Envelope(data=[shapes.device(d, zone) for d in part], meta=shapes.meta(queries), next=following)


@router.get("/devices/{device}", operation_id="device")
def device(device: str, queries: Asked) -> Envelope[DeviceOut]:
    """Return one device."""
    found = queries.device(device)
    return Envelope(data=shapes.device(found, queries.zone(found.centre)), meta=shapes.meta(queries))
