"""Queues now and in the past."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError

from api import shapes
from api.deps import Asked
from api.paging import PageAsked
from api.schemas import Envelope, QueueNowOut, QueueRowOut, WindowEnvelope
from api.times import SpanAsked
from telemetry.core.figures.histograms import queueing

router = APIRouter(tags=["queues"])
Width = Literal["total", "5m", "30m", "1h", "1d"]


class Place:
    """Which centre and service are asked for."""

    def __init__(self, centre: str | None = None, service: str | None = None) -> None:
        self.centre = centre
        self.service = service


PlaceAsked = Annotated[Place, Depends()]


def _threshold(
    within: Annotated[int, Query(description="seconds; one of the exact bounds")] = 900,
) -> int:
    try:
        return queueing({}).wait.within(within).threshold_s
    except ValueError as error:
        fault = {"loc": ("query", "within"), "msg": str(error), "type": "value_error"}
        raise RequestValidationError([fault]) from error


@router.get("/queues/now", operation_id="queues_now")
def now(queries: Asked, place: PlaceAsked, page: PageAsked) -> Envelope[list[QueueNowOut]]:
    """List the queues by centre and service."""
    rows = queries.queue_now(place.centre, place.service)
    rows.sort(key=lambda r: (r.view.centre.id, r.service.service))
    part, following = page.cut(rows, lambda r: (r.view.centre.id, r.service.service))
    return Envelope(data=[shapes.queue_now(r) for r in part], meta=shapes.meta(queries), next=following)


class Manner:
    """In which buckets history comes and against which threshold waits are held."""

    def __init__(self, within: Annotated[int, Depends(_threshold)], bucket: Width = "total") -> None:
        self.within = within
        self.bucket = bucket


@router.get("/queues/history", operation_id="queues_history")
def history(
    queries: Asked, place: PlaceAsked, span: SpanAsked, manner: Annotated[Manner, Depends()], page: PageAsked,
) -> WindowEnvelope[QueueRowOut]:  # fmt: skip
    """List figures by centre, service and bucket; today so far unless said."""
    zone = queries.zone(place.centre)
    window = span.window(zone, lambda: queries.today(zone))
    found = queries.queue_history(place.centre, place.service, window, manner.bucket)
    part, following = page.cut(found.rows, lambda r: (r.centre, r.service, r.window.start))
    meta = shapes.window_meta(queries, found.window, found.zone, found.coverage)
    data = [shapes.queue_row(row, manner.within) for row in part]
    return WindowEnvelope(data=data, meta=meta, next=following)
