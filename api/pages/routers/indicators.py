"""The pages of the indicators (all, and one) and of the signed commitments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.pages.frame.responses import show_page
from api.pages.indicators import (
    commitments as commitments_page,
    detail as kpi_detail,
    page as kpis_page,
    targets as kpi_targets,
)
from telemetry.queries.commitments import commitments_cost

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale

router = APIRouter(include_in_schema=False)


@router.get("/kpis", response_class=Response)
def show_indicators(request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> Response:
    """Show all indicators over the requested days, by default over the local year so far; what is missed first."""
    window = kpis_page.page_window(request.query_params, queries)

    def build(locale: PageLocale) -> dict[str, Any]:
        with gate.admit(queries.indicators.overview_cost(window)):
            overview = queries.indicators.overview(window)
            cache = request.app.state.indicator_lines
            context = kpis_page.build_context(queries, locale, overview, cache)
        return {**context, **kpi_targets.build_summary(overview, locale, request.query_params)}

    return show_page(request, queries, "kpis.html", build)


@router.get("/kpis/commitments", response_class=Response)
def show_commitments(request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> Response:
    """Show the signed commitments with the figures of who signed them."""

    def build(locale: PageLocale) -> dict[str, Any]:
        with gate.admit(commitments_cost(queries.inventory())):
            return commitments_page.build_context(queries, locale)

    return show_page(request, queries, "commitments.html", build)


@router.get("/kpis/{ident}", response_class=Response)
def show_indicator(ident: str, request: Request, queries: QueriesDep, gate: HeavyQueryDep) -> Response:
    """Show one indicator over the local year so far, with its targets, months, levels and commitments."""
    queries.indicators.indicator(ident)
    window = kpis_page.page_window(request.query_params, queries)

    def build(locale: PageLocale) -> dict[str, Any]:
        with gate.admit(queries.indicators.overview_cost(window)):
            return kpi_detail.build_context(queries, locale, queries.indicators.overview(window), ident)

    return show_page(request, queries, "kpi.html", build)
