"""The page of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.deps import QueriesDep
from api.pages.comparison import page as compare_page
from api.pages.frame.responses import show_page

if TYPE_CHECKING:
    from starlette.responses import Response

router = APIRouter(include_in_schema=False)


@router.get("/compare", response_class=HTMLResponse)
def show_comparison(request: Request, queries: QueriesDep) -> Response:
    """Show one place over two periods, or up to six centres over one, side by side."""
    params = request.query_params
    return show_page(
        request, queries, "compare.html", lambda locale: compare_page.build_context(queries, locale, params)
    )
