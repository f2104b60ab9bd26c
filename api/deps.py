"""The dependency aliases of the routes; nothing here does IO."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from telemetry.queries.monthly_reports import MonthlyReports
from telemetry.queries.service import Queries


def _get_queries(request: Request) -> Queries:
    queries: Queries = request.app.state.queries
    return queries


def _get_reports(request: Request) -> MonthlyReports:
    reports: MonthlyReports = request.app.state.reports
    return reports


QueriesDep = Annotated[Queries, Depends(_get_queries)]
ReportsDep = Annotated[MonthlyReports, Depends(_get_reports)]
