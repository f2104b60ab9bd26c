"""Every error as RFC 9457 problem+json, pages excepted; the one place that maps errors to HTTP status."""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.etags import NotModified
from api.paging import BadCursor
from telemetry.errors import InventoryError, StoreError
from telemetry.queries import BadScope, BadWindow, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEDIA = "application/problem+json"
_LOG = logging.getLogger(__name__)
_ERROR_PAGE = "error_page"


def problem(request: Request, status: int, code: str, detail: str, **more: object) -> Response:
    """Return a problem; browsers that ask for a page get one with the same words."""
    page = getattr(request.app.state, _ERROR_PAGE, None)
    headers = cast("Mapping[str, str] | None", more.pop("headers", None))
    if page is not None and _wants_page(request):
        shown: Response = page(request, status, detail)
        shown.headers.update(headers or {})
        return shown
    title = HTTPStatus(status).phrase if code == "http" else code.replace("-", " ").capitalize()
    body = {
        "type": "about:blank" if code == "http" else f"urn:motcua:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code if code != "http" else HTTPStatus(status).phrase.lower().replace(" ", "-"),
        **more,
    }
    return JSONResponse(body, status, headers, MEDIA)


def _wants_page(request: Request) -> bool:
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith("/api/")


def _http(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    return problem(request, error.status_code, "http", str(error.detail), headers=error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    error = cast("RequestValidationError", error)
    faults = [{"pointer": _pointer(e["loc"]), "detail": e["msg"]} for e in error.errors()]
    return problem(request, 422, "invalid-request", "some parameters cannot be used: see errors", errors=faults)


def _pointer(place: tuple[str | int, ...]) -> str:
    return "#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in place)


def _unknown(request: Request, error: Exception) -> Response:
    error = cast("Unknown", error)
    return problem(request, 404, f"unknown-{error.kind}", str(error))


def _store(request: Request, error: Exception) -> Response:
    _LOG.warning("store unavailable: %s", error)
    detail = "the store cannot be read now; try again in a few seconds"
    return problem(request, 503, "store-unavailable", detail, headers={"Retry-After": "5"})


def _crash(request: Request, error: Exception) -> Response:
    trace = uuid.uuid4().hex
    _LOG.error("unexpected error, trace %s", trace, exc_info=error)
    return problem(request, 500, "internal-error", "this is our fault; the log has the trace", trace_id=trace)


def _said(status: int, code: str, detail: str = "") -> Callable[[Request, Exception], Response]:
    return lambda request, error: problem(request, status, code, detail or str(error))


def _unchanged(_request: Request, error: Exception) -> Response:
    error = cast("NotModified", error)
    return Response(status_code=304, headers=error.headers)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unknown, _unknown)
    app.add_exception_handler(BadScope, _said(404, "unknown-scope"))
    app.add_exception_handler(BadWindow, _said(422, "invalid-window"))
    app.add_exception_handler(BadCursor, _said(400, "invalid-cursor", "not a cursor of this list: use `next` as given"))
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(InventoryError, _said(503, "inventory-faulty"))
    app.add_exception_handler(NotModified, _unchanged)
    app.add_exception_handler(Exception, _crash)
