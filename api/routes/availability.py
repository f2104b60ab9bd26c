"""Availability and connectivity of a centre, device, system, province or the country."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api.deps import Asked
from api.schemas import AvailabilityRow, WindowEnvelope
from api.shapes.availability import availability_rows
from api.shapes.origin import window_meta
from api.times import SpanAsked
from telemetry.core.figures.accounting import Unknown
from telemetry.core.inventory import Centre
from telemetry.queries import Clock, Sli
from telemetry.queries.network import Scope

router = APIRouter(tags=["availability"])
Width = Literal["total", "5m", "1h", "1d", "1mo"]
Figure = Annotated[Sli, Query(description="did it serve people, or did we hear from it")]


class Manner:
    """How time is counted: in which buckets, on which clock, what of, and as what unknown time counts."""

    def __init__(
        self, bucket: Width = "total", clock: Clock = "open", unknown: Unknown = "exclude", sli: Figure = "service"
    ) -> None:
        self.bucket = bucket
        self.clock = clock
        self.unknown = unknown
        self.sli = sli


@router.get("/availability", operation_id="availability")
def availability(
    queries: Asked,
    scope: Annotated[str, Query(description="centre:ID, device:ID, system:ID, province:ID or country")],
    span: SpanAsked,
    manner: Annotated[Manner, Depends()],
) -> WindowEnvelope[AvailabilityRow]:
    """Account for a scope's time; the last 24 hours unless said."""
    found = queries.scope(scope)
    window = span.window(found.zone, queries.last_day)
    answer = queries.availability(found, window, manner.bucket, manner.clock, manner.unknown, manner.sli)
    meta = window_meta(queries, answer.window, answer.zone, answer.whole.coverage, _centre(found))
    return WindowEnvelope(data=availability_rows(answer), meta=meta)


def _centre(scope: Scope) -> Centre | None:
    """Return the one centre whose calendar counted, if it was one."""
    found = list(scope.calendars.values())
    return found[0] if len(found) == 1 and isinstance(found[0], Centre) else None
