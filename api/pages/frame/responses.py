"""Answers for pages: the page with its version, or one of its tables as a file; it must not gather what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse, Response

from api.etags import check_etag
from api.pages.frame.table_files import TABLE_FORMATS, write_table
from api.pages.frame.tables import arrange_table
from telemetry.queries.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

    from fastapi import Request

    from api.pages.frame.language import PageLocale
    from api.pages.frame.page_cache import PageCache
    from api.pages.frame.render import Renderer
    from api.pages.frame.tables import PageTable
    from telemetry.queries.service import Queries

AGE_STEP_MS = 5_000


def get_renderer(request: Request) -> Renderer:
    """Return the app's templates and texts."""
    renderer: Renderer = request.app.state.renderer
    return renderer


def check_page_etag(request: Request, queries: Queries, locale: PageLocale) -> dict[str, str]:
    """Return the headers of a page's version; a language that is being chosen always gets its cookie.

    Every page says how old its data are, so a version is good for AGE_STEP_MS.
    """
    key = f"{request.url} {locale.lang} {request.app.version} {queries.now() // AGE_STEP_MS}"
    return check_etag(request, queries, key, may_skip="lang" not in request.query_params)


def show_page(
    request: Request,
    queries: Queries,
    template: str,
    build: Callable[[PageLocale], Mapping[str, Any]],
    zone: ZoneInfo | None = None,
    *,
    for_many: bool = False,
) -> Response:
    """Return a page, or with `table=` and `format=` one of its tables as a file.

    A page `for_many` is rendered once for all who ask for the same version of it in the same language.

    `build` returns what the template shows; its `tables`, when there are any, are `PageTable`s by name and reach the
    template in the order and with the part that the reader asked for. An unknown table raises NotFound.
    """
    locale = get_renderer(request).locale_for(request, zone or queries.zone())
    headers = check_page_etag(request, queries, locale)
    if for_many and not {"lang", "table"} & request.query_params.keys():
        cache: PageCache = request.app.state.page_cache
        body = cache.get(headers["ETag"], lambda: bytes(_render_page(request, locale, template, build).body))
        return HTMLResponse(body, headers={**headers, "Content-Language": locale.lang})
    response = _render_page(request, locale, template, build)
    response.headers.update(headers)
    return response


def _render_page(
    request: Request, locale: PageLocale, template: str, build: Callable[[PageLocale], Mapping[str, Any]]
) -> Response:
    context = dict(build(locale))
    if "tables" in context:
        path, parameters = quote(str(request.scope["path"])), request.query_params
        context["tables"] = {t.name: arrange_table(t, path, parameters) for t in context["tables"]}
        if "table" in parameters:
            return _send_table(request, context["tables"], locale)
    return get_renderer(request).render(request, locale, template, context)


def _send_table(request: Request, tables: Mapping[str, PageTable], locale: PageLocale) -> Response:
    name, file_format = request.query_params["table"], request.query_params.get("format", "csv")
    if name not in tables:
        raise NotFound(name, "table")
    if file_format not in TABLE_FORMATS:
        raise NotFound(file_format, "file format")
    file = write_table(tables[name], file_format, locale)
    stem = "_".join(part for part in (*str(request.scope["path"]).strip("/").split("/"), name) if part)
    stem = "".join(c if (c.isalnum() and c.isascii()) or c in "-_." else "-" for c in stem)
    disposition = {"Content-Disposition": f'attachment; filename="{stem}.{file.suffix}"'}
    return Response(file.body, headers=disposition, media_type=file.media_type)
