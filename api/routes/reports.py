"""The monthly reports as data."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import QueriesDep, ReportsDep
from api.heavy_queries import HeavyQueryDep
from api.schemas.envelope import Envelope, ResponseMeta
from api.schemas.reports import ReportResponse, ReportSummary

router = APIRouter(tags=["reports"])
MonthPath = Annotated[str, Path(description="a local month, 2026-10", examples=["2026-10"])]


@router.get("/reports", operation_id="reports")
def list_reports(queries: QueriesDep, reports: ReportsDep) -> Envelope[list[ReportSummary]]:
    """List the last twelve months and all published ones, newest first."""
    data = [ReportSummary.from_month(month, queries.zone()) for month in reports.months()]
    return Envelope(data=data, meta=ResponseMeta.current(queries))


@router.get("/reports/{month}", operation_id="report")
def get_report(
    month: MonthPath, queries: QueriesDep, reports: ReportsDep, gate: HeavyQueryDep
) -> Envelope[ReportResponse]:  # fmt: skip
    """Return a month's report as it was published, else as the totals give it now."""
    with gate.admit(reports.cost(month)):
        data = ReportResponse.from_answer(reports.answer(month))
    return Envelope(data=data, meta=ResponseMeta.current(queries))
