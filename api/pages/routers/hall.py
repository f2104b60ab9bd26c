"""The board of a waiting hall, for a screen without a keyboard."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from api.deps import QueriesDep
from api.pages.centre import hall as hall_page
from api.pages.frame.responses import get_renderer, show_page

router = APIRouter(include_in_schema=False)


@router.get("/hall/{ident}", response_class=HTMLResponse)
def show_hall(ident: str, request: Request, queries: QueriesDep) -> Response:
    """Show the numbers called now, who waits and for how long; `services=` chooses, `lang=en` puts English first."""
    zone, chosen = queries.zone(ident), request.query_params.get("services", "")
    return show_page(
        request,
        queries,
        "hall.html",
        lambda locale: hall_page.build_context(queries, get_renderer(request), locale, ident, chosen),
        zone,
    )
