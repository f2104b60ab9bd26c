"""Turns days and timelines into what goes over the wire; it must not decide when a centre is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import rfc3339
from telemetry.queries.timeline import open_time_account, round_to_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import CalendarDay
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre
    from telemetry.queries.timeline import TimelineSegment


def calendar_day_response(calendar_day: CalendarDay, centre: Centre) -> s.CalendarDayResponse:
    """Shape one local day."""
    zone, swapped_with = centre.zone, calendar_day.plan.swapped_with
    return s.CalendarDayResponse(
        date=calendar_day.date.isoformat(),
        reason=calendar_day.plan.basis,
        name=calendar_day.plan.name,
        swapped_with=None if swapped_with is None else swapped_with.isoformat(),
        open=[s.Interval(**_interval_fields(w, zone)) for w in calendar_day.open],
        open_s=calendar_day.open_ms // 1000,
        excluded=[
            s.ExclusionInterval(**_interval_fields(e.window, zone), cause=e.cause, reason=e.reason)
            for e in calendar_day.excluded
        ],
        excluded_s=calendar_day.excluded_ms // 1000,
        modes=[
            s.ModeInterval(**_interval_fields(m.window, zone), mode=m.mode, reason=m.reason) for m in calendar_day.modes
        ],
        calendar_version=centre.calendar.version,
    )


def _interval_fields(window: Window, zone: ZoneInfo) -> dict[str, str]:
    return {"from_": rfc3339(window.start, zone), "to": rfc3339(window.end, zone)}


def timeline_interval(timeline_segment: TimelineSegment, zone: ZoneInfo) -> s.TimelineInterval:
    """Shape a run of one state."""
    return s.TimelineInterval(
        **_interval_fields(timeline_segment.window, zone),
        state=timeline_segment.kind.state,
        seconds=timeline_segment.window.length // 1000,
        cause=timeline_segment.kind.cause or None,
        caused_by=timeline_segment.kind.caused_by or None,
        settled=timeline_segment.settled,
        parts=round_to_seconds(timeline_segment.parts) if timeline_segment.parts else None,
    )


def timeline_coverage(segments: Iterable[TimelineSegment]) -> float | None:
    """Return the share of open time that is known, as availability does."""
    return open_time_account(segments).coverage
