"""The server-rendered pages: readable without JavaScript, and without any request to another host."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

import dashboards
from api.deps import QueriesDep
from api.etags import check_etag
from api.heavy_queries import HeavyQueryDep
from api.pages import (
    centre as centre_page,
    commitments as commitments_page,
    datasets as datasets_page,
    history as history_page,
    kpis as kpis_page,
    models as models_page,
    province as province_page,
)
from api.pages.downloads import TableName, file_name, render_csv
from api.pages.periods import BadPeriod, parse_period
from api.pages.places import HistoryPlace, ServiceNames, days_of_import, newest_day, threshold_of
from api.pages.render import Renderer, load_renderer, own_path
from telemetry.core.inventory import local_date
from telemetry.errors import MotcuaError
from telemetry.queries.commitments import commitments_cost
from telemetry.queries.errors import NotFound
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.pages.language import PageLocale
    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries

router = APIRouter(include_in_schema=False)
AGE_STEP_MS = 5_000


def _get_renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


@router.get("/", response_class=HTMLResponse)
def show_province(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the province, now or over a period."""
    return _show_place(request, queries, None)


@router.get("/centres/{ident}", response_class=HTMLResponse)
def show_centre(ident: str, request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show a centre, now or over a period; one without present data on the newest day that has any."""
    return _show_place(request, queries, ident)


def _show_place(request: Request, queries: Queries, ident: str | None) -> HTMLResponse:
    pages, place = _get_renderer(request), _requested_place(request, queries, ident)
    locale = pages.locale_for(request, place.zone)
    days = _requested_days(request, queries, place)
    shown_days = days or days_of_import(queries, place)
    headers = _check_page_etag(request, queries, locale)
    if shown_days is not None:
        context = history_page.build_context(queries, locale, place, shown_days, is_chosen=days is not None)
        template = "history.html"
    elif ident is None:
        context, template = province_page.build_context(queries, locale, place), "province.html"
    else:
        context, template = centre_page.build_context(queries, locale, place), "centre.html"
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


def _check_page_etag(request: Request, queries: Queries, locale: PageLocale) -> dict[str, str]:
    """Return the headers of a page's version; a language that is being chosen always gets its cookie.

    Every page says how old its data are, so a version is good for AGE_STEP_MS.
    """
    key = f"{request.url} {locale.lang} {request.app.version} {queries.now() // AGE_STEP_MS}"
    return check_etag(request, queries, key, may_skip="lang" not in request.query_params)


@router.get("/models", response_class=HTMLResponse)
def show_models(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the cards of the models in use."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    headers = _check_page_etag(request, queries, locale)
    response = pages.render(request, locale, "models.html", models_page.build_context(queries, locale))
    response.headers.update(headers)
    return response


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
    locale = _get_renderer(request).locale_for(request, place.zone)
    headers = _check_page_etag(request, queries, locale)
    days = _requested_days(request, queries, place)
    days = days or days_of_import(queries, place) or newest_day(queries, place)
    history = queries.period_history(place.ident, days, place.service)
    spreadsheet = locale if request.query_params.get("spreadsheet") == "1" else None
    names = ServiceNames(queries, locale, place.centre)
    text = render_csv(history, table, place, names, threshold_of(queries), spreadsheet)
    name = file_name(history, table, place)
    headers |= {"Content-Disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse(text, headers=headers, media_type="text/csv")


@router.get("/kpis", response_class=HTMLResponse)
def show_indicators(request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> HTMLResponse:
    """Show all indicators over the requested days, by default over the local year so far."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    window = kpis_page.page_window(request.query_params, queries)
    headers = _check_page_etag(request, queries, locale)
    with gate.admit(queries.indicators.overview_cost(window)):
        context = kpis_page.build_context(
            queries, locale, queries.indicators.overview(window), request.app.state.indicator_lines
        )
    response = pages.render(request, locale, "kpis.html", context)
    response.headers.update(headers)
    return response


@router.get("/kpis/commitments", response_class=HTMLResponse)
def show_commitments(request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> HTMLResponse:
    """Show the signed commitments with the figures of who signed them."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    headers = _check_page_etag(request, queries, locale)
    with gate.admit(commitments_cost(queries.inventory())):
        context = commitments_page.build_context(queries, locale)
    response = pages.render(request, locale, "commitments.html", context)
    response.headers.update(headers)
    return response


@router.get("/badges", response_class=HTMLResponse)
def show_badges(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the badges and their addresses; one centre as the example."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    inventory = queries.inventory()
    names_by_kind = {
        "slo": [(o.id, locale.name(o)) for o in inventory.objectives],
        "centre": [(ident, locale.name(c)) for ident, c in sorted(inventory.centres.items())[:1]],
        "system": [(ident, locale.name(system)) for ident, system in sorted(inventory.systems.items())],
    }
    groups = [
        (f"badges_{kind}", [(f"/badges/{kind}/{i}.svg", n) for i, n in rows]) for kind, rows in names_by_kind.items()
    ]
    return pages.render(request, locale, "badges.html", {"groups": [(h, rows) for h, rows in groups if rows]})


@router.get("/datasets", response_class=HTMLResponse)
def show_datasets(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the open datasets with their files."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    context = datasets_page.build_context(queries, locale)
    return pages.render(request, locale, "datasets.html", context)


def render_error_page(request: Request, status: int, cause: Exception | None) -> Response:
    """Show an error in the reader's language, with its remedy; it needs no answer of the store."""
    pages = _get_renderer(request)
    queries: Queries = request.app.state.queries
    locale = pages.locale_for(request, queries.inventory().zone)
    key = f"error_{status}" if f"error_{status}" in locale.messages else "error_other"
    is_service = isinstance(cause, NotFound) and cause.kind == "service"
    message = locale.t(cause.key, **locale.with_dates(cause.values)) if isinstance(cause, BadPeriod) else locale.t(key)
    if isinstance(cause, NotFound) and is_service:
        message = locale.t("error_service", entry=cause.ident)
    similar = similar_centres(queries, cause.ident) if isinstance(cause, NotFound) and cause.kind == "centre" else []
    context = {
        "message": message,
        "code": status,
        "similar": [(f"/centres/{centre.id}", locale.name(centre), centre.id) for centre in similar],
        "retry": own_path(request)
        if (isinstance(cause, BadPeriod) or is_service) and not request.url.path.endswith(".csv")
        else "",
    }
    return pages.render(request, locale, "error.html", context, status)


def similar_centres(queries: Queries, ident: str) -> list[Centre]:
    """Return up to five centres whose id or name resembles a wrong id."""
    try:
        centres = queries.network().centres()
    except MotcuaError:
        centres = list(queries.inventory().centres.values())
    words = {word: centre for centre in centres for word in (centre.id, centre.name_vi.lower(), centre.name_en.lower())}
    matches = get_close_matches(ident.lower(), words, n=15, cutoff=0.6)
    return list({words[match].id: words[match] for match in matches}.values())[:5]


def install_pages(app: FastAPI) -> None:
    """Add the pages, their static files and the error page."""
    app.state.renderer = load_renderer(app.version)
    app.state.error_page = render_error_page
    app.state.indicator_lines = kpis_page.LineCache()
    app.include_router(router)
    folder = Path(dashboards.__file__ or "").parent / "page" / "static"
    app.mount("/static", StaticFiles(directory=folder, check_dir=False), name="static")
