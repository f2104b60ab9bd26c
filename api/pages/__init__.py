"""The server-rendered pages: readable without JavaScript, and without any request to another host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

import dashboards
from api.deps import Asked
from api.pages import centre as centre_page, province as province_page
from api.pages.render import Renderer, renderer

if TYPE_CHECKING:
    from starlette.responses import Response

router = APIRouter(include_in_schema=False)


def _renderer(request: Request) -> Renderer:
    found: Renderer = request.app.state.renderer
    return found


@router.get("/", response_class=HTMLResponse)
def province(request: Request, queries: Asked) -> HTMLResponse:
    """Show the province."""
    pages = _renderer(request)
    words = pages.in_language(request, queries.zone())
    return pages.page(request, words, "province.html", province_page.context(queries, words))


@router.get("/centres/{ident}", response_class=HTMLResponse)
def centre(ident: str, request: Request, queries: Asked) -> HTMLResponse:
    """Show a centre."""
    pages = _renderer(request)
    words = pages.in_language(request, queries.zone(ident))
    return pages.page(request, words, "centre.html", centre_page.context(queries, words, ident))


@router.get("/badges", response_class=HTMLResponse)
def badges(request: Request, queries: Asked) -> HTMLResponse:
    """Show which badges there are and how they are used; one centre stands for all."""
    pages = _renderer(request)
    words = pages.in_language(request, queries.zone())
    inventory = queries.inventory()
    named = {
        "slo": [(o.id, words.name(o)) for o in inventory.objectives],
        "centre": [(ident, words.name(c)) for ident, c in sorted(inventory.centres.items())[:1]],
        "system": [(ident, words.name(one)) for ident, one in sorted(inventory.systems.items())],
    }
    groups = [(f"badges_{kind}", [(f"/badges/{kind}/{i}.svg", n) for i, n in rows]) for kind, rows in named.items()]
    return pages.page(request, words, "badges.html", {"groups": [(h, rows) for h, rows in groups if rows]})


def error_page(request: Request, status: int, _detail: str) -> Response:
    """Show an error in the reader's language, without asking the store anything."""
    pages = _renderer(request)
    words = pages.in_language(request, request.app.state.queries.inventory().zone)
    key = f"error_{status}" if f"error_{status}" in words.messages else "error_other"
    return pages.page(request, words, "error.html", {"message": words.t(key), "code": status}, status)


def install_pages(app: FastAPI) -> None:
    """Add the pages, their static files and the error page."""
    app.state.renderer = renderer(app.version)
    app.state.error_page = error_page
    app.include_router(router)
    folder = Path(dashboards.__file__ or "").parent / "page" / "static"
    app.mount("/static", StaticFiles(directory=folder, check_dir=False), name="static")
