"""The pages of the province and of a centre, now or over a period, and their downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from api.deps import QueriesDep
from api.pages.centre import page as centre_page
from api.pages.frame.links import PageLinks
from api.pages.frame.periods import parse_period
from api.pages.frame.responses import check_page_etag, get_renderer, show_page
from api.pages.history import page as history_page
from api.pages.history.downloads import CsvTable, TableName, file_name, render_csv
from api.pages.places import HistoryPlace, ServiceNames, days_of_import, newest_day, threshold_of
from api.pages.province import page as province_page
from telemetry.core.inventory import local_date
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from telemetry.queries.service import Queries

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def show_province(request: Request, queries: QueriesDep) -> Response:
    """Show the province, now or over a period."""
    place = _requested_place(request, queries, None)
    if _requested_days(request, queries, place) is not None:
        return _show_place(request, queries, None)
    links, summary = PageLinks(get_renderer(request).paths), request.app.state.province_summary
    return show_page(
        request,
        queries,
        "province.html",
        lambda locale: province_page.build_context(queries, locale, place, links, summary),
        for_many=True,
    )


@router.get("/centres/{ident}", response_class=HTMLResponse)
def show_centre(ident: str, request: Request, queries: QueriesDep) -> Response:
    """Show a centre, now or over a period; one without present data on the newest day that has any."""
    return _show_place(request, queries, ident)


def _show_place(request: Request, queries: Queries, ident: str | None) -> Response:
    pages, place = get_renderer(request), _requested_place(request, queries, ident)
    locale = pages.locale_for(request, place.zone)
    days = _requested_days(request, queries, place)
    shown_days = days or days_of_import(queries, place)
    headers = check_page_etag(request, queries, locale)
    if shown_days is not None:
        context = history_page.build_context(queries, locale, place, shown_days, is_chosen=days is not None)
        template = "history.html"
    else:
        return show_page(
            request, queries, "centre.html",
            lambda locale: centre_page.build_context(queries, locale, place, pages.paths), place.zone,
        )  # fmt: skip
    response = pages.render(request, locale, template, context)
    response.headers.update(headers)
    return response


def _requested_place(request: Request, queries: Queries, ident: str | None) -> HistoryPlace:
    """Return what the page is about; an unknown centre or service raises NotFound."""
    centre = queries.network().centre(ident) if ident is not None else None
    path = f"/centres/{ident}" if ident is not None else "/"
    zone = centre.zone if centre else queries.inventory().zone
    return HistoryPlace(centre, request.query_params.get("service") or None, zone, path)


def _requested_days(request: Request, queries: Queries, place: HistoryPlace) -> DayRange | None:
    """Return the chosen days, today when only a service was chosen, None without a choice."""
    days = parse_period(request.query_params, place.zone, place.max_days)
    if days is None and place.service is not None:
        today = local_date(queries.now(), place.zone)
        return DayRange(today, today, place.zone)
    return days


@router.get("/history.csv", response_class=PlainTextResponse)
def download_province(request: Request, queries: QueriesDep, table: TableName = "time") -> PlainTextResponse:
    """Return a table of the province's history as CSV."""
    return _download(request, queries, None, table)


@router.get("/centres/{ident}/history.csv", response_class=PlainTextResponse)
def download_centre(
    ident: str, request: Request, queries: QueriesDep, table: TableName = "time"
) -> PlainTextResponse:  # fmt: skip
    """Return a table of a centre's history as CSV."""
    return _download(request, queries, ident, table)


def _download(request: Request, queries: Queries, ident: str | None, table: TableName) -> PlainTextResponse:
    place = _requested_place(request, queries, ident)
    locale = get_renderer(request).locale_for(request, place.zone)
    headers = check_page_etag(request, queries, locale)
    days = _requested_days(request, queries, place)
    days = days or days_of_import(queries, place) or newest_day(queries, place)
    history = queries.period_history(place.ident, days, place.service)
    spreadsheet = locale if request.query_params.get("spreadsheet") == "1" else None
    names = ServiceNames(queries, locale, place.centre)
    rows = queries.period_rows(place.ident, days, place.service) if table == "detail" else ()
    text = render_csv(CsvTable(table, history, rows), place, names, threshold_of(queries), spreadsheet)
    name = file_name(history, table, place)
    headers |= {"Content-Disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse(text, headers=headers, media_type="text/csv")
