"""A device's or a centre's time as segments of one state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from api import shapes
from api.deps import QueriesDep
from api.schemas import TimelineInterval, WindowEnvelope
from api.times import WindowParam
from telemetry.queries import AvailabilityDimension
from telemetry.queries.timeline import past_window

if TYPE_CHECKING:
    from api.times import WindowRequest
    from telemetry.core.inventory import Centre
    from telemetry.queries import Queries

router = APIRouter(tags=["timeline"])
TimelineDimensionParam = Annotated[
    AvailabilityDimension, Query(description="did it serve people, or did we hear from it")
]


@router.get("/devices/{device}/timeline", operation_id="device_timeline")
def get_device_timeline(
    device: str, queries: QueriesDep, span: WindowParam, sli: TimelineDimensionParam = "service"
) -> WindowEnvelope[TimelineInterval]:
    """Tile the window with segments of one state; today so far unless said, at most 31 days."""
    centre = queries.network().centre(queries.device(device).centre)
    return _timeline_response(queries, f"device:{device}", centre, span, sli)


@router.get("/centres/{centre}/timeline", operation_id="centre_timeline")
def get_centre_timeline(
    centre: str, queries: QueriesDep, span: WindowParam, sli: TimelineDimensionParam = "service"
) -> WindowEnvelope[TimelineInterval]:
    """Tile the window with segments of one state; today so far unless said, at most 31 days."""
    return _timeline_response(queries, f"centre:{centre}", queries.network().centre(centre), span, sli)


def _timeline_response(
    queries: Queries, scope: str, centre: Centre, span: WindowRequest, sli: AvailabilityDimension
) -> WindowEnvelope[TimelineInterval]:
    window = past_window(span.resolve(centre.zone, lambda: queries.today_so_far(centre.zone)), queries.now())
    segments = queries.timeline(scope, window, sli)
    meta = shapes.window_meta(queries, window, centre.zone, shapes.timeline_coverage(segments), centre)
    return WindowEnvelope(data=[shapes.timeline_interval(segment, centre.zone) for segment in segments], meta=meta)
