"""The pages that find things: the list of centres, administrative units, the search."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.deps import QueriesDep
from api.pages.frame.links import PageLinks
from api.pages.frame.responses import get_renderer, show_page
from api.pages.province import centre_list, search as search_page

router = APIRouter(include_in_schema=False)


def get_links(request: Request) -> PageLinks:
    """Return the addresses of the pages that are served."""
    return PageLinks(get_renderer(request).paths)


@router.get("/centres", response_class=Response)
def list_centres(request: Request, queries: QueriesDep) -> Response:
    """Show the centres that the reader's filter admits."""
    links, parameters = get_links(request), dict(request.query_params)
    return show_page(
        request, queries, "centres.html", lambda w: centre_list.build_list_context(queries, w, links, parameters)
    )


@router.get("/districts/{code}", response_class=Response)
def show_unit(code: str, request: Request, queries: QueriesDep) -> Response:
    """Show an administrative unit with its centres and the units below it."""
    links = get_links(request)
    return show_page(request, queries, "unit.html", lambda w: centre_list.build_unit_context(queries, w, links, code))


@router.get("/search", response_class=Response)
def search(request: Request, queries: QueriesDep, q: str = "") -> Response:
    """Show what matches a name, code or id."""
    links, index = get_links(request), request.app.state.search
    return show_page(request, queries, "search.html", lambda w: search_page.build_context(queries, w, links, index, q))
