"""The page of an error in the reader's language; it must not need an answer of the store."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from api.pages.frame.periods import BadPeriod
from api.pages.frame.render import own_path
from api.pages.frame.responses import get_renderer
from telemetry.errors import MotcuaError
from telemetry.queries.errors import NotFound

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.responses import Response

    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries


def render_error_page(request: Request, status: int, cause: Exception | None) -> Response:
    """Show an error in the reader's language, with its remedy; it needs no answer of the store."""
    pages = get_renderer(request)
    queries: Queries = request.app.state.queries
    locale = pages.locale_for(request, queries.inventory().zone)
    key = f"error_{status}" if f"error_{status}" in locale.messages else "error_other"
    is_service = isinstance(cause, NotFound) and cause.kind == "service"
    message = locale.t(cause.key, **locale.with_dates(cause.values)) if isinstance(cause, BadPeriod) else locale.t(key)
    if isinstance(cause, NotFound) and is_service:
        message = locale.t("error_service", entry=cause.ident)
    similar = similar_centres(queries, cause.ident) if isinstance(cause, NotFound) and cause.kind == "centre" else []
    context = {
        "message": message,
        "code": status,
        "similar": [(f"/centres/{centre.id}", locale.name(centre), centre.id) for centre in similar],
        "retry": own_path(request)
        if (isinstance(cause, BadPeriod) or is_service) and not request.url.path.endswith(".csv")
        else "",
    }
    return pages.render(request, locale, "error.html", context, status)


def similar_centres(queries: Queries, ident: str) -> list[Centre]:
    """Return up to five centres whose id or name resembles a wrong id."""
    try:
        centres = queries.network().centres()
    except MotcuaError:
        centres = list(queries.inventory().centres.values())
    words = {word: centre for centre in centres for word in (centre.id, centre.name_vi.lower(), centre.name_en.lower())}
    matches = get_close_matches(ident.lower(), words, n=15, cutoff=0.6)
    return list({words[match].id: words[match] for match in matches}.values())[:5]
