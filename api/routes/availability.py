"""Availability and connectivity of a centre, device, system, province or the country."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api.deps import QueriesDep
from api.schemas import AvailabilityRow, WindowEnvelope
from api.shapes.availability import availability_rows
from api.shapes.origin import window_meta
from api.times import WindowParam
from telemetry.core.inventory import Centre, UnknownPolicy
from telemetry.queries import AvailabilityDimension, ClockKind
from telemetry.queries.network import QueryScope

router = APIRouter(tags=["availability"])
AvailabilityBucket = Literal["total", "5m", "1h", "1d", "1mo"]
AvailabilityDimensionParam = Annotated[
    AvailabilityDimension, Query(description="did it serve people, or did we hear from it")
]


class AvailabilityParams:
    """How time is counted: in which buckets, on which clock, what of, and as what unknown time counts."""

    def __init__(
        self,
        bucket: AvailabilityBucket = "total",
        clock: ClockKind = "open",
        unknown: UnknownPolicy = "exclude",
        sli: AvailabilityDimensionParam = "service",
    ) -> None:
        self.bucket = bucket
        self.clock = clock
        self.unknown = unknown
        self.sli = sli


@router.get("/availability", operation_id="availability")
def get_availability(
    queries: QueriesDep,
    scope: Annotated[str, Query(description="centre:ID, device:ID, system:ID, province:ID or country")],
    span: WindowParam,
    params: Annotated[AvailabilityParams, Depends()],
) -> WindowEnvelope[AvailabilityRow]:
    """Account for a scope's time; the last 24 hours unless said."""
    query_scope = queries.parse_scope(scope)
    window = span.resolve(query_scope.zone, queries.last_24_hours)
    result = queries.availability(query_scope, window, params.bucket, params.clock, params.unknown, params.sli)
    meta = window_meta(queries, result.window, result.zone, result.overall.coverage, _single_centre(query_scope))
    return WindowEnvelope(data=availability_rows(result), meta=meta)


def _single_centre(scope: QueryScope) -> Centre | None:
    """Return the one centre whose calendar counted, if it was one."""
    sources = list(scope.calendars.values())
    return sources[0] if len(sources) == 1 and isinstance(sources[0], Centre) else None
