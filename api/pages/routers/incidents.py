"""The page of what broke."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.deps import QueriesDep
from api.pages import incidents as incidents_page
from api.pages.responses import show_page

router = APIRouter(include_in_schema=False)


@router.get("/incidents")
def show_incidents(request: Request, queries: QueriesDep) -> Response:
    """Show the incidents of the requested days, by default today's; `?scope=` those of one centre, device or system."""
    return show_page(
        request,
        queries,
        "incidents.html",
        lambda locale: incidents_page.build_context(queries, locale, request.query_params),
    )
