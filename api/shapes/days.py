"""Turns days and timelines into what goes over the wire; it must not decide when a centre is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import stamp
from telemetry.queries.timeline import open_account, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import Day
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre
    from telemetry.queries.timeline import Segment


def day(found: Day, centre: Centre) -> s.DayOut:
    """Shape one local day."""
    zone, other = centre.zone, found.plan.other
    return s.DayOut(
        date=found.date.isoformat(),
        reason=found.plan.basis,
        name=found.plan.name,
        swapped_with=None if other is None else other.isoformat(),
        open=[s.Stretch(**_window(w, zone)) for w in found.open],
        open_s=found.open_ms // 1000,
        excluded=[s.ExclusionOut(**_window(e.window, zone), cause=e.cause, reason=e.reason) for e in found.excluded],
        excluded_s=found.excluded_ms // 1000,
        modes=[s.ModeOut(**_window(m.window, zone), mode=m.mode, reason=m.reason) for m in found.modes],
        calendar_version=centre.calendar.version,
    )


def _window(window: Window, zone: ZoneInfo) -> dict[str, str]:
    return {"from_": stamp(window.start, zone), "to": stamp(window.end, zone)}


def segment(found: Segment, zone: ZoneInfo) -> s.SegmentOut:
    """Shape a run of one state."""
    return s.SegmentOut(
        **_window(found.window, zone),
        state=found.kind.state,
        seconds=found.window.length // 1000,
        cause=found.kind.cause or None,
        caused_by=found.kind.caused_by or None,
        settled=found.settled,
        parts=seconds(found.parts) if found.parts else None,
    )


def coverage(found: Iterable[Segment]) -> float | None:
    """Return the share of open time that is known, as availability does."""
    return open_account(found).coverage
