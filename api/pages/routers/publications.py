"""The pages of open datasets, badges and model cards."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.deps import QueriesDep
from api.pages import datasets as datasets_page, models as models_page
from api.pages.frame.responses import check_page_etag, get_renderer

router = APIRouter(include_in_schema=False)


@router.get("/models", response_class=HTMLResponse)
def show_models(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the cards of the models in use."""
    pages = get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    headers = check_page_etag(request, queries, locale)
    response = pages.render(request, locale, "models.html", models_page.build_context(queries, locale))
    response.headers.update(headers)
    return response


@router.get("/badges", response_class=HTMLResponse)
def show_badges(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the badges and their addresses; one centre as the example."""
    pages = get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    inventory = queries.inventory()
    names_by_kind = {
        "slo": [(o.id, locale.name(o)) for o in inventory.objectives],
        "centre": [(ident, locale.name(c)) for ident, c in sorted(inventory.centres.items())[:1]],
        "system": [(ident, locale.name(system)) for ident, system in inventory.whole_systems.items()],
    }
    groups = [
        (f"badges_{kind}", [(f"/badges/{kind}/{i}.svg", n) for i, n in rows]) for kind, rows in names_by_kind.items()
    ]
    return pages.render(request, locale, "badges.html", {"groups": [(h, rows) for h, rows in groups if rows]})


@router.get("/datasets", response_class=HTMLResponse)
def show_datasets(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the open datasets with their files."""
    pages = get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    context = datasets_page.build_context(queries, locale)
    return pages.render(request, locale, "datasets.html", context)
