"""Single centres: today beside the usual day, and the last four weeks by weekday and half hour."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas.centre_days import (
    HalfHourOfToday,
    TodayEnvelope,
    TodayMeta,
    WeekProfileEnvelope,
    WeekProfileMeta,
    WeekProfileRow,
)

router = APIRouter(tags=["queues"])
CentreQuery = Annotated[str, Query(description="centre id")]


@router.get("/queues/today", operation_id="queues_today")
def get_today(queries: QueriesDep, centre: CentreQuery, page: PageParam) -> TodayEnvelope:
    """List today's half hours of a centre beside the usual day, and how the day so far compares."""
    day = queries.centre_days.today(centre)
    part, following = page.slice_rows(day.rows, lambda row: (row.window.start,))
    data = [HalfHourOfToday.from_row(row, centre, day.centre.zone) for row in part]
    return TodayEnvelope(data=data, meta=TodayMeta.for_day(queries, day), next=following)


@router.get("/queues/profile", operation_id="queues_profile")
def get_week_profile(queries: QueriesDep, centre: CentreQuery, page: PageParam) -> WeekProfileEnvelope:
    """List tickets and waits of a centre by weekday and half hour over the 28 days before today."""
    past = queries.centre_days.past(centre)
    part, following = page.slice_rows(list(past.profile.cells.values()), lambda cell: (cell.weekday, cell.slot))
    data = [WeekProfileRow.from_cell(cell, centre) for cell in part]
    return WeekProfileEnvelope(data=data, meta=WeekProfileMeta.for_past(queries, past), next=following)
