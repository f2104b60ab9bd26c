"""The pages of the indicators and of the signed commitments."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.pages import commitments as commitments_page, kpis as kpis_page
from api.pages.responses import check_page_etag, get_renderer
from telemetry.queries.commitments import commitments_cost

router = APIRouter(include_in_schema=False)


@router.get("/kpis", response_class=HTMLResponse)
def show_indicators(request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> HTMLResponse:
    """Show all indicators over the requested days, by default over the local year so far."""
    pages = get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    window = kpis_page.page_window(request.query_params, queries)
    headers = check_page_etag(request, queries, locale)
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
    pages = get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    headers = check_page_etag(request, queries, locale)
    with gate.admit(commitments_cost(queries.inventory())):
        context = commitments_page.build_context(queries, locale)
    response = pages.render(request, locale, "commitments.html", context)
    response.headers.update(headers)
    return response
