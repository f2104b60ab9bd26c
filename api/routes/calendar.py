"""When a centre is open, day by day, and why."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import Asked
from api.schemas import DayOut, WindowEnvelope
from api.times import SpanAsked
from telemetry.core.calendar.windows import DAY, Window

router = APIRouter(tags=["calendar"])
AHEAD = 7 * DAY


@router.get("/calendar/{centre}/days", operation_id="calendar_days")
def days(centre: str, queries: Asked, span: SpanAsked) -> WindowEnvelope[DayOut]:
    """Explain each day the window touches; today and the week ahead unless said."""
    place = queries.world().centre(centre)
    window = span.window(place.zone, lambda: Window(queries.now(), queries.now() + AHEAD))
    found = queries.calendar_days(centre, window)
    whole = Window(found[0].window.start, found[-1].window.end)
    meta = shapes.window_meta(queries, whole, place.zone, None, place)
    return WindowEnvelope(data=[shapes.day(one, place) for one in found], meta=meta)
