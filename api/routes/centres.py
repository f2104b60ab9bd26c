"""Centres and their devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api import shapes
from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas import ApiCondition, CentreDetail, CentreSummary, DeviceResponse, Envelope

router = APIRouter(tags=["centres"])


@router.get("/centres", operation_id="centres")
def list_centres(
    queries: QueriesDep,
    page: PageParam,
    condition: Annotated[ApiCondition | None, Query(description="only centres in this condition")] = None,
) -> Envelope[list[CentreSummary]]:
    """List centres by id."""
    views = [v for v in queries.centres() if condition in (None, v.condition)]
    part, following = page.slice_rows(views, lambda v: (v.centre.id,))
    objectives = queries.slo_index()
    return Envelope(
        data=[shapes.centre_summary(v, objectives) for v in part], meta=shapes.response_meta(queries), next=following
    )


@router.get("/centres/{centre}", operation_id="centre")
def get_centre(centre: str, queries: QueriesDep) -> Envelope[CentreDetail]:
    """Return one centre with its queues and devices."""
    detail = shapes.centre_detail(queries.centre(centre), queries.current_queues(centre), queries.slo_index())
    return Envelope(data=detail, meta=shapes.response_meta(queries))


@router.get("/centres/{centre}/devices", operation_id="devices")
def list_devices(centre: str, queries: QueriesDep, page: PageParam) -> Envelope[list[DeviceResponse]]:
    """List a centre's devices by id."""
    zone = queries.zone(centre)
    part, following = page.slice_rows(queries.devices(centre), lambda d: (d.now.id,))
    return Envelope(
        data=[shapes.device_response(d, zone) for d in part], meta=shapes.response_meta(queries), next=following
    )


@router.get("/devices/{device}", operation_id="device")
def get_device(device: str, queries: QueriesDep) -> Envelope[DeviceResponse]:
    """Return one device."""
    view = queries.device(device)
    return Envelope(data=shapes.device_response(view, queries.zone(view.centre)), meta=shapes.response_meta(queries))
