"""The network's status, its centres and devices, and the digital systems that the centres probe."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas.envelope import Envelope, ResponseMeta, WindowEnvelope, WindowMeta
from api.schemas.hosted import SystemDetailResponse
from api.schemas.network import (
    ApiCondition,
    CentreDetail,
    CentreSummary,
    DeviceResponse,
    LatencyRow,
    NetworkStatusResponse,
    SystemSummary,
)
from api.times import WindowParam
from telemetry.queries.buckets import bucket_query
from telemetry.queries.hosted import hosted_view

router = APIRouter()


@router.get("/status", operation_id="status", tags=["status"])
def get_status(queries: QueriesDep) -> Envelope[NetworkStatusResponse]:
    """Return the network's condition, counts and queues."""
    completeness = queries.store_stats().completeness.overall.ratio
    status = NetworkStatusResponse.from_status(queries.network_status(), completeness, queries.slo_index())
    return Envelope(data=status, meta=ResponseMeta.current(queries))


@router.get("/centres", operation_id="centres", tags=["centres"])
def list_centres(
    queries: QueriesDep,
    page: PageParam,
    condition: Annotated[ApiCondition | None, Query(description="only centres in this condition")] = None,
) -> Envelope[list[CentreSummary]]:
    """List centres by id."""
    views = [v for v in queries.centres() if condition in (None, v.condition)]
    part, following = page.slice_rows(views, lambda v: (v.centre.id,))
    slos = queries.slo_index()
    data = [CentreSummary.from_view(view, slos) for view in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)


@router.get("/centres/{centre}", operation_id="centre", tags=["centres"])
def get_centre(centre: str, queries: QueriesDep) -> Envelope[CentreDetail]:
    """Return one centre with its queues and devices."""
    detail = CentreDetail.with_lists(queries.centre(centre), queries.current_queues(centre), queries.slo_index())
    return Envelope(data=detail, meta=ResponseMeta.current(queries))


@router.get("/centres/{centre}/devices", operation_id="devices", tags=["centres"])
def list_devices(centre: str, queries: QueriesDep, page: PageParam) -> Envelope[list[DeviceResponse]]:
    """List a centre's devices by id."""
    view = queries.centre(centre)
    part, following = page.slice_rows(view.devices, lambda d: (d.now.id,))
    data = [DeviceResponse.from_view(device, view.centre.zone) for device in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)


@router.get("/devices/{device}", operation_id="device", tags=["centres"])
def get_device(device: str, queries: QueriesDep) -> Envelope[DeviceResponse]:
    """Return one device."""
    view = queries.device(device)
    data = DeviceResponse.from_view(view, queries.zone(view.centre))
    return Envelope(data=data, meta=ResponseMeta.current(queries))


@router.get("/systems", operation_id="systems", tags=["systems"])
def list_systems(
    queries: QueriesDep,
    page: PageParam,
    agency: Annotated[str | None, Query(description="only systems that the province hosts for this agency")] = None,
) -> Envelope[list[SystemSummary]]:
    """List systems by id, with the figures of their last 24 hours, 7, 28 and 90 days."""
    inventory = queries.inventory()
    owners = {ident: hosted.owner for ident, hosted in inventory.cloud.systems.items()}
    views = [v for v in queries.network().systems() if agency in (None, owners.get(v.system.id))]
    part, following = page.slice_rows(views, lambda v: (v.system.id,))
    data = [SystemSummary.from_detail(queries.systems.detail(view.system.id), inventory) for view in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)


@router.get("/systems/{system}", operation_id="system", tags=["systems"])
def get_system(system: str, queries: QueriesDep) -> Envelope[SystemDetailResponse]:
    """Return one system with its vantage table, availability, latency and certificate."""
    hosted = hosted_view(queries.network(), system)
    detail = SystemDetailResponse.with_quorum(queries.systems.detail(system), queries.inventory(), hosted)
    return Envelope(data=detail, meta=ResponseMeta.current(queries))


@router.get("/systems/{system}/latency", operation_id="system_latency", tags=["systems"])
def list_latency(
    system: str, queries: QueriesDep, span: WindowParam, bucket: Literal["total", "1h", "1d"] = "1h"
) -> WindowEnvelope[LatencyRow]:
    """List a system's probes and their latency bucket by bucket; by default the last 24 hours."""
    zone = queries.zone()
    query = bucket_query(span.resolve(zone, queries.last_24_hours), bucket, zone)
    data = [LatencyRow.from_bucket(row, zone) for row in queries.systems.latency(system, query)]
    return WindowEnvelope(data=data, meta=WindowMeta.for_window(queries, query.window, zone, None))
