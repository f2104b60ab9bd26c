"""A scope's time by state: availability by bucket, timelines of devices and centres, and a centre's open days."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import StringConstraints

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.schemas.availability import AvailabilityRow
from api.schemas.calendar_entries import CalendarEntryResponse
from api.schemas.days import CalendarDayResponse, DueDateEnvelope, DueDateResponse, TimelineInterval
from api.schemas.envelope import ResponseMeta, WindowEnvelope, WindowMeta
from api.times import WindowParam
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.calendar.working_days import MAX_WORKING_DAYS, Pause, due_date
from telemetry.core.inventory import UnknownPolicy
from telemetry.core.scope import Scope
from telemetry.queries.availability import AvailabilityDimension, ClockKind
from telemetry.queries.calendar_entries import calendar_entries
from telemetry.queries.errors import BadWindow
from telemetry.queries.timeline import open_time_account, past_window

if TYPE_CHECKING:
    from api.times import WindowRequest
    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries

router = APIRouter()
AvailabilityBucket = Literal["total", "5m", "1h", "1d", "1mo"]
DimensionParam = Annotated[
    AvailabilityDimension, Query(description="service: able to serve people; connectivity: in contact")
]
DEFAULT_AHEAD_MS = 7 * DAY
PausedDays = Annotated[str, StringConstraints(max_length=21)]


class AvailabilityParams:
    """How time is counted: in which buckets, on which clock, of what, and what unknown time counts as."""

    def __init__(
        self,
        bucket: AvailabilityBucket = "total",
        clock: ClockKind = "open",
        unknown: UnknownPolicy = "exclude",
        sli: DimensionParam = "service",
    ) -> None:
        self.bucket = bucket
        self.clock = clock
        self.unknown = unknown
        self.sli = sli


@router.get(
    "/availability",
    operation_id="availability",
    tags=["availability"],
    response_model=WindowEnvelope[AvailabilityRow],
)
def get_availability(
    queries: QueriesDep,
    scope: Annotated[str, Query(description="centre:ID, device:ID, system:ID, province:ID or country")],
    span: WindowParam,
    params: Annotated[AvailabilityParams, Depends()],
    gate: HeavyQueryDep,
) -> Response:
    """Account for a scope's time; by default the last 24 hours."""
    asked = queries.availability_query(scope, lambda zone: span.resolve(zone, queries.last_24_hours), params.bucket)

    def build() -> WindowEnvelope[AvailabilityRow]:
        result = queries.answer_availability(asked, params.clock, params.unknown, params.sli)
        meta = WindowMeta.for_window(queries, result.window, result.zone, result.overall.coverage, result.centre)
        return WindowEnvelope[AvailabilityRow](data=AvailabilityRow.from_result(result), meta=meta)

    return gate.answer(asked.cost, build)


@router.get("/calendar/{centre}/days", operation_id="calendar_days", tags=["calendar"])
def list_calendar_days(centre: str, queries: QueriesDep, span: WindowParam) -> WindowEnvelope[CalendarDayResponse]:
    """Explain each day the window touches; by default today and the week ahead."""
    declared = queries.network().centre(centre)
    window = span.resolve(declared.zone, lambda: Window(queries.now(), queries.now() + DEFAULT_AHEAD_MS))
    days = queries.calendar_days(centre, window)
    full_window = Window(days[0].window.start, days[-1].window.end)
    meta = WindowMeta.for_window(queries, full_window, declared.zone, None, declared)
    return WindowEnvelope(data=[CalendarDayResponse.from_day(day, declared) for day in days], meta=meta)


@router.get("/calendar/{centre}/due", operation_id="calendar_due", tags=["calendar"])
def get_due_date(
    centre: str, queries: QueriesDep,
    received: Annotated[date, Query(description="day of receipt, which does not count")],
    working_days: Annotated[int, Query(description="working days of the procedure", ge=0, le=MAX_WORKING_DAYS)],
    pause: Annotated[
        list[PausedDays] | None,
        Query(description="first and last day of a wait for supplements, FIRST/LAST; may be repeated", max_length=50),
    ] = None,
) -> DueDateEnvelope:  # fmt: skip
    """Compute when a dossier is due, in working days of the centre's calendar."""
    declared = queries.network().centre(centre)
    due = due_date(declared.calendar, received, working_days, [parse_pause(text) for text in pause or ()])
    if due is None:
        msg = f"{centre} has no {working_days} working days in the three years after {received}"
        raise BadWindow(msg)
    meta = ResponseMeta.current(queries, declared.zone, declared)
    return DueDateEnvelope(data=DueDateResponse.from_due_date(due, declared.zone), meta=meta)


def parse_pause(text: str) -> Pause:
    """Read FIRST/LAST, two days; raises BadWindow."""
    first, _, last = text.partition("/")
    try:
        pause = Pause(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError as error:
        msg = f"`pause` is {text!r}: write two days such as 2025-04-28/2025-05-06"
        raise BadWindow(msg) from error
    if pause.last < pause.first:
        msg = f"`pause` is {text!r}: its last day must not be before its first"
        raise BadWindow(msg)
    return pause


@router.get("/maintenance", operation_id="maintenance", tags=["calendar"])
def list_maintenance(queries: QueriesDep, span: WindowParam) -> WindowEnvelope[CalendarEntryResponse]:
    """List planned maintenance, holidays, swapped days and exceptions; by default of 31 days back and 92 ahead."""
    zone, now = queries.zone(), queries.now()
    window = span.resolve(zone, lambda: Window(now - 31 * DAY, now + 92 * DAY))
    entries = calendar_entries(queries.inventory(), window)
    data = [CalendarEntryResponse.from_entry(entry, zone) for entry in entries]
    return WindowEnvelope(data=data, meta=WindowMeta.for_window(queries, window, zone, None))


@router.get("/devices/{device}/timeline", operation_id="device_timeline", tags=["timeline"])
def get_device_timeline(
    device: str, queries: QueriesDep, span: WindowParam, sli: DimensionParam = "service"
) -> WindowEnvelope[TimelineInterval]:
    """Divide the window into segments of one state and mixed slots; by default today so far, at most 31 days."""
    centre = queries.network().centre(queries.device(device).centre)
    return _timeline_response(queries, Scope.device(device), centre, span, sli)


@router.get("/centres/{centre}/timeline", operation_id="centre_timeline", tags=["timeline"])
def get_centre_timeline(
    centre: str, queries: QueriesDep, span: WindowParam, sli: DimensionParam = "service"
) -> WindowEnvelope[TimelineInterval]:
    """Divide the window into segments of one state and mixed slots; by default today so far, at most 31 days."""
    return _timeline_response(queries, Scope.centre(centre), queries.network().centre(centre), span, sli)


def _timeline_response(
    queries: Queries, scope: Scope, centre: Centre, span: WindowRequest, sli: AvailabilityDimension
) -> WindowEnvelope[TimelineInterval]:
    window = past_window(span.resolve(centre.zone, lambda: queries.today_so_far(centre.zone)), queries.now())
    segments = queries.timeline(scope, window, sli)
    meta = WindowMeta.for_window(queries, window, centre.zone, open_time_account(segments).coverage, centre)
    return WindowEnvelope(data=[TimelineInterval.from_segment(s, centre.zone) for s in segments], meta=meta)
