"""Queues now and in the past, by centre and service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.exceptions import RequestValidationError

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.paging import PageParam
from api.queue_row_texts import QueueRowTextsDep
from api.schemas.envelope import Envelope, ResponseMeta
from api.schemas.queues import (
    CurrentQueueResponse,
    QueueHistoryEnvelope,
    QueueHistoryMeta,
    WindowChoice,
)
from api.times import WindowParam
from telemetry.core.calendar.windows import day_window, to_local
from telemetry.core.figures.histograms import queue_figures
from telemetry.queries.queue_groups import QueueGroup

if TYPE_CHECKING:
    from api.paging import PageRequest
    from telemetry.core.calendar.windows import Window
    from telemetry.queries.service import Queries

router = APIRouter(tags=["queues"])
QueueBucket = Literal["total", "5m", "30m", "1h", "1d"]


class QueueFilter:
    """The requested centre and service."""

    def __init__(self, centre: str | None = None, service: str | None = None) -> None:
        self.centre = centre
        self.service = service


QueueFilterParam = Annotated[QueueFilter, Depends()]


def validate_threshold(
    within: Annotated[int, Query(description="seconds; one of the exact bounds")] = 900,
) -> int:
    """Return the threshold that waits are compared with; one that is no exact bound is a fault of the request."""
    try:
        return queue_figures({}).wait.within_threshold(within).threshold_s
    except ValueError as error:
        fault = {"loc": ("query", "within"), "msg": str(error), "type": "value_error"}
        raise RequestValidationError([fault]) from error


@router.get("/queues/now", operation_id="queues_now")
def list_current_queues(
    queries: QueriesDep, queue_filter: QueueFilterParam, page: PageParam
) -> Envelope[list[CurrentQueueResponse]]:
    """List the queues by centre and service."""
    rows = queries.current_queues(queue_filter.centre, queue_filter.service)
    rows.sort(key=lambda r: (r.view.centre.id, r.service.service))
    part, following = page.slice_rows(rows, lambda r: (r.view.centre.id, r.service.service))
    data = [CurrentQueueResponse.from_queue(queue) for queue in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)


class QueueHistoryParams:
    """The buckets of the history, the threshold that waits are compared with, and the texts of rows."""

    def __init__(
        self, within: Annotated[int, Depends(validate_threshold)], texts: QueueRowTextsDep,
        bucket: QueueBucket = "total",
        by: Annotated[
            QueueGroup | None, Query(description="one row for each; without it one for each centre and service")
        ] = None,
    ) -> None:  # fmt: skip
        self.within = within
        self.bucket = bucket
        self.by = by
        self.texts = texts


@router.get("/queues/history", operation_id="queues_history", response_model=QueueHistoryEnvelope)
def get_queue_history(
    queries: QueriesDep, queue_filter: QueueFilterParam, span: WindowParam,
    params: Annotated[QueueHistoryParams, Depends()], page: PageParam, gate: HeavyQueryDep,
) -> Response:  # fmt: skip
    """List figures by centre and service (or `by`) and bucket; by default today, or the newest day with tickets."""
    zone = queries.zone(queue_filter.centre)
    window = span.resolve(zone, lambda: queries.today_so_far(zone))
    cost = queries.queue_history_cost(queue_filter.centre, window, params.bucket)
    choice: WindowChoice = "today" if span.is_open else "requested"
    return gate.answer(cost, lambda: _queue_history(queries, queue_filter, choice, window, params, page))


def _queue_history(
    queries: Queries, queue_filter: QueueFilter, choice: WindowChoice, window: Window, params: QueueHistoryParams,
    page: PageRequest,
) -> bytes:  # fmt: skip
    zone = queries.zone(queue_filter.centre)
    first_centre = page.first_text() if choice == "requested" else ""  # whether today has tickets is asked of all
    queue_history = queries.queue_history(
        queue_filter.centre, queue_filter.service, window, params.bucket, params.by, first_centre
    )
    if choice == "today" and not queue_history.has_tickets:
        newest = queries.newest_day_with_tickets(queue_filter.centre)
        if newest is not None and newest < window.start:
            choice, window = "newest", day_window(to_local(newest, zone).date(), zone)
            queue_history = queries.queue_history(
                queue_filter.centre, queue_filter.service, window, params.bucket, params.by, page.first_text()
            )
    part, following = page.slice_stream(queue_history.rows, lambda r: (r.centre, r.service, r.group, r.window.start))
    meta = QueueHistoryMeta.for_window(
        queries, queue_history.window, queue_history.zone, queue_history.coverage, window_choice=choice
    )
    now = queries.now()
    return QueueHistoryEnvelope.encode([params.texts.text(row, params.within, now) for row in part], meta, following)
