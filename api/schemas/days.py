"""A centre's days and the segments of a timeline; they must not decide when a centre is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, ResponseMeta, window_fields
from api.times import rfc3339
from telemetry.queries.timeline import round_to_seconds

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import CalendarDay
    from telemetry.core.calendar.working_days import DueDate
    from telemetry.core.inventory import Centre
    from telemetry.queries.timeline import TimelineSegment


class Interval(ApiModel):
    """A half-open window."""

    from_: str = Field(serialization_alias="from")
    to: str


class ExclusionInterval(Interval):
    """Opening hours that count in no objective."""

    cause: str
    reason: str


class ModeInterval(Interval):
    """A declared mode other than normal."""

    mode: str
    reason: str


class DueDateResponse(ApiModel):
    """When a dossier is due by the calendar of its centre."""

    due: str = Field(description="last closing of the last working day, RFC 3339 with offset")
    date: str = Field(description="the last working day, YYYY-MM-DD")
    counted: list[str] = Field(description="the working days that count, YYYY-MM-DD, in order")

    @classmethod
    def from_due_date(cls, due: DueDate, zone: ZoneInfo) -> Self:
        """Return a due date."""
        return cls(
            due=rfc3339(due.at, zone), date=due.day.isoformat(), counted=[day.isoformat() for day in due.counted]
        )


class DueDateEnvelope(ApiModel):
    """A due date with its origin."""

    data: DueDateResponse
    meta: ResponseMeta
    next: str | None = None


class CalendarDayResponse(ApiModel):
    """One local day: what decided its hours (`reason`), its open windows, and what is excluded from them."""

    date: str
    reason: Literal["week", "holiday", "swap", "exception"]
    name: str
    swapped_with: str | None
    open: list[Interval]
    open_s: int
    excluded: list[ExclusionInterval]
    excluded_s: int
    modes: list[ModeInterval]
    calendar_version: str

    @classmethod
    def from_day(cls, day: CalendarDay, centre: Centre) -> Self:
        """Return one local day of a centre."""
        zone, swapped_with = centre.zone, day.plan.swapped_with
        return cls(
            date=day.date.isoformat(),
            reason=day.plan.basis,
            name=day.plan.name,
            swapped_with=None if swapped_with is None else swapped_with.isoformat(),
            open=[Interval.build(**window_fields(w, zone)) for w in day.open],
            open_s=day.open_ms // 1000,
            excluded=[ExclusionInterval.build(e, **window_fields(e.window, zone)) for e in day.excluded],
            excluded_s=day.excluded_ms // 1000,
            modes=[ModeInterval.build(m, **window_fields(m.window, zone)) for m in day.modes],
            calendar_version=centre.calendar.version,
        )


class TimelineInterval(Interval):
    """A run of one state, or five minutes of several (`mixed`): totals have how long each lasted, not the order."""

    state: Literal["up", "down", "unknown", "excluded", "closed", "mixed"]
    seconds: int
    cause: str | None
    caused_by: str | None
    settled: bool
    parts: dict[str, int] | None
    parts_ms: dict[str, int] | None
    parts_by_cause: dict[str, int] | None

    @classmethod
    def from_segment(cls, segment: TimelineSegment, zone: ZoneInfo) -> Self:
        """Return one segment of a timeline."""
        ms_by_state, ms_by_cause = segment.ms_by_state, segment.ms_by_cause
        is_mixed = len(ms_by_state) > 1
        return cls.build(
            state=segment.kind.state,
            seconds=segment.window.length // 1000,
            cause=segment.kind.cause or None,
            caused_by=segment.kind.caused_by or None,
            settled=segment.settled,
            parts=round_to_seconds(ms_by_state) if is_mixed else None,
            parts_ms=ms_by_state if is_mixed else None,
            parts_by_cause=round_to_seconds(ms_by_cause) if len(ms_by_cause) > 1 else None,
            **window_fields(segment.window, zone),
        )
