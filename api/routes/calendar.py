"""When a centre is open, day by day, and why."""

from __future__ import annotations

from fastapi import APIRouter

from api import shapes
from api.deps import QueriesDep
from api.schemas import CalendarDayResponse, WindowEnvelope
from api.times import WindowParam
from telemetry.core.calendar.windows import DAY, Window

router = APIRouter(tags=["calendar"])
DEFAULT_AHEAD_MS = 7 * DAY


@router.get("/calendar/{centre}/days", operation_id="calendar_days")
def list_calendar_days(centre: str, queries: QueriesDep, span: WindowParam) -> WindowEnvelope[CalendarDayResponse]:
    """Explain each day the window touches; today and the week ahead unless said."""
    declared = queries.network().centre(centre)
    window = span.resolve(declared.zone, lambda: Window(queries.now(), queries.now() + DEFAULT_AHEAD_MS))
    explained = queries.calendar_days(centre, window)
    full_window = Window(explained[0].window.start, explained[-1].window.end)
    meta = shapes.window_meta(queries, full_window, declared.zone, None, declared)
    return WindowEnvelope(data=[shapes.calendar_day_response(day, declared) for day in explained], meta=meta)
