"""Availability of a centre, device, system, province or the country."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api import shapes
from api.deps import Asked
from api.schemas import AvailabilityRow, WindowEnvelope
from api.times import SpanAsked
from telemetry.core.accounting import Unknown
from telemetry.queries import Clock

router = APIRouter(tags=["availability"])
Width = Literal["total", "5m", "1h", "1d"]


class Manner:
    """How time is counted: in which buckets, on which clock, and as what unknown time counts."""

    def __init__(self, bucket: Width = "total", clock: Clock = "open", unknown: Unknown = "exclude") -> None:
        self.bucket = bucket
        self.clock = clock
        self.unknown = unknown


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
    answer = queries.availability(found, window, manner.bucket, manner.clock, manner.unknown)
    meta = shapes.window_meta(queries, answer.window, answer.zone, answer.whole.coverage)
    return WindowEnvelope(data=shapes.availability_rows(answer), meta=meta)
