"""A device's or a centre's time as segments of one state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from api import shapes
from api.deps import Asked
from api.schemas import SegmentOut, WindowEnvelope
from api.times import SpanAsked
from telemetry.queries import Sli
from telemetry.queries.timeline import asked

if TYPE_CHECKING:
    from api.times import Span
    from telemetry.core.inventory import Centre
    from telemetry.queries import Queries

router = APIRouter(tags=["timeline"])
Figure = Annotated[Sli, Query(description="did it serve people, or did we hear from it")]


@router.get("/devices/{device}/timeline", operation_id="device_timeline")
def of_device(device: str, queries: Asked, span: SpanAsked, sli: Figure = "service") -> WindowEnvelope[SegmentOut]:
    """Tile the window with segments of one state; today so far unless said, at most 31 days."""
    centre = queries.world().centre(queries.device(device).centre)
    return _timeline(queries, f"device:{device}", centre, span, sli)


@router.get("/centres/{centre}/timeline", operation_id="centre_timeline")
def of_centre(centre: str, queries: Asked, span: SpanAsked, sli: Figure = "service") -> WindowEnvelope[SegmentOut]:
    """Tile the window with segments of one state; today so far unless said, at most 31 days."""
    return _timeline(queries, f"centre:{centre}", queries.world().centre(centre), span, sli)


def _timeline(queries: Queries, scope: str, centre: Centre, span: Span, sli: Sli) -> WindowEnvelope[SegmentOut]:
    window = asked(span.window(centre.zone, lambda: queries.today(centre.zone)), queries.now())
    found = queries.timeline(scope, window, sli)
    meta = shapes.window_meta(queries, window, centre.zone, shapes.coverage(found), centre)
    return WindowEnvelope(data=[shapes.segment(one, centre.zone) for one in found], meta=meta)
