"""The pages of the objectives (the list, and one at one place) and of the quality of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from api.deps import QueriesDep
from api.pages.frame.responses import get_renderer, show_page
from api.pages.monitoring import data_quality as data_quality_page
from api.pages.objectives import detail as objective_detail, page as objectives_page

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(include_in_schema=False)


@router.get("/objectives", response_class=Response)
def show_objectives(request: Request, queries: QueriesDep) -> Response:
    """Show all objectives at all their places, least budget left first."""
    return _show_list(request, queries, request.query_params)


@router.get("/objectives/{ident}", response_class=Response)
def show_objective(ident: str, request: Request, queries: QueriesDep, scope: str = "") -> Response:
    """Show one objective at one place; without a place the list of all its places."""
    if not scope:
        return _show_list(request, queries, {**request.query_params, "objective": ident})
    served = get_renderer(request).paths
    return show_page(
        request,
        queries,
        "objective.html",
        lambda locale: objective_detail.build_context(queries, locale, ident, scope, served),
    )


def _show_list(request: Request, queries: QueriesDep, params: Mapping[str, str]) -> Response:
    return show_page(
        request, queries, "objectives.html", lambda locale: objectives_page.build_context(queries, locale, params)
    )


@router.get("/data-quality", response_class=Response)
def show_data_quality(request: Request, queries: QueriesDep) -> Response:
    """Show what is wrong with the stored data, each with its remedy."""
    served = get_renderer(request).paths
    return show_page(
        request,
        queries,
        "data_quality.html",
        lambda locale: data_quality_page.build_context(queries, locale, request.query_params, served),
    )
