"""The pages of parts of a centre: its counters, its half hours."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from api.deps import QueriesDep
from api.pages.centre import counters as counters_page, half_hours as half_hours_page
from api.pages.frame.periods import parse_period
from api.pages.frame.responses import show_page

router = APIRouter(include_in_schema=False)


@router.get("/centres/{ident}/counters", response_class=HTMLResponse)
def show_counters(ident: str, request: Request, queries: QueriesDep) -> Response:
    """Show a centre's counters on one day (`from`), by default today."""
    centre = queries.network().centre(ident)
    days = parse_period(request.query_params, centre.zone, 1)
    day = None if days is None else days.first
    return show_page(
        request, queries, "counters.html",
        lambda locale: counters_page.build_context(queries, locale, centre, day), centre.zone,
    )  # fmt: skip


@router.get("/centres/{ident}/half-hours", response_class=HTMLResponse)
def show_half_hours(ident: str, request: Request, queries: QueriesDep) -> Response:
    """Show the half hours of a centre's last four weeks, or with `weekday` and `at` the days of one."""
    centre, key = queries.network().centre(ident), half_hours_page.parse_cell(request.query_params)
    return show_page(
        request, queries, "half_hours.html",
        lambda locale: half_hours_page.build_context(queries, locale, centre, key), centre.zone,
    )  # fmt: skip
