"""The server-rendered pages: readable without JavaScript, and without any request to another host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

import dashboards
from api.deps import QueriesDep
from api.pages import centre as centre_page, province as province_page
from api.pages.render import Renderer, load_renderer

if TYPE_CHECKING:
    from starlette.responses import Response

router = APIRouter(include_in_schema=False)


def _get_renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


@router.get("/", response_class=HTMLResponse)
def show_province(request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show the province."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone())
    return pages.render(request, locale, "province.html", province_page.build_context(queries, locale))


@router.get("/centres/{ident}", response_class=HTMLResponse)
def show_centre(ident: str, request: Request, queries: QueriesDep) -> HTMLResponse:
    """Show a centre."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, queries.zone(ident))
    return pages.render(request, locale, "centre.html", centre_page.build_context(queries, locale, ident))


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


def render_error_page(request: Request, status: int, _detail: str) -> Response:
    """Show an error in the reader's language, without reading the store."""
    pages = _get_renderer(request)
    locale = pages.locale_for(request, request.app.state.queries.inventory().zone)
    key = f"error_{status}" if f"error_{status}" in locale.messages else "error_other"
    return pages.render(request, locale, "error.html", {"message": locale.t(key), "code": status}, status)


def install_pages(app: FastAPI) -> None:
    """Add the pages, their static files and the error page."""
    app.state.renderer = load_renderer(app.version)
    app.state.error_page = render_error_page
    app.include_router(router)
    folder = Path(dashboards.__file__ or "").parent / "page" / "static"
    app.mount("/static", StaticFiles(directory=folder, check_dir=False), name="static")
