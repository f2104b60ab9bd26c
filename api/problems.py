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

from api.alertmanager import AlertmanagerUnavailable
from api.etags import NotModified
from api.heavy_queries import RETRY_AFTER_S, ServerBusy
from api.paging import BadCursor
from api.report_pdf import PdfUnavailable
from telemetry.errors import InventoryError, StoreError
from telemetry.queries.errors import BadScope, BadWindow, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROBLEM_MEDIA_TYPE = "application/problem+json"
_LOG = logging.getLogger(__name__)
_ERROR_PAGE = "error_page"


class NotReady(Exception):
    """The figures are not current; `reasons` in words."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = list(reasons)
        super().__init__("; ".join(reasons))


def problem_response(request: Request, status: int, code: str, detail: str, **more: object) -> Response:
    """Return a problem; browsers that accept HTML get the error page, which may say more about the `cause`."""
    page = getattr(request.app.state, _ERROR_PAGE, None)
    headers = cast("Mapping[str, str] | None", more.pop("headers", None))
    cause = more.pop("cause", None)
    if page is not None and accepts_html(request):
        page_response: Response = page(request, status, cause)
        page_response.headers.update(headers or {})
        return page_response
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
    return JSONResponse(body, status, headers, PROBLEM_MEDIA_TYPE)


def accepts_html(request: Request) -> bool:
    """Return whether a person's browser asks, for a page and not for the API."""
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith(("/api/", "/readyz"))


def _handle_http_error(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = {method.strip() for method in headers.get("Allow", "GET").split(",")}
        headers["Allow"] = ", ".join(sorted(allowed | {"HEAD"}))
    return problem_response(request, error.status_code, "http", str(error.detail), headers=headers)


def _handle_validation_error(request: Request, error: Exception) -> Response:
    error = cast("RequestValidationError", error)
    faults = [{"pointer": _json_pointer(e["loc"]), "detail": e["msg"]} for e in error.errors()]
    return problem_response(request, 422, "invalid-request", "some parameters are not valid: see errors", errors=faults)


def _json_pointer(location: tuple[str | int, ...]) -> str:
    return "#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _handle_not_found(request: Request, error: Exception) -> Response:
    error = cast("NotFound", error)
    return problem_response(request, 404, f"unknown-{error.kind}", str(error), cause=error)


def _handle_not_ready(request: Request, error: Exception) -> Response:
    reasons = cast("NotReady", error).reasons
    return problem_response(
        request, 503, "not-ready", "; ".join(reasons), headers={"Retry-After": "5"}, reasons=reasons
    )


def busy_response(request: Request, error: Exception) -> Response:
    """Return the problem of a server that has too many large answers in hand."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return problem_response(request, 503, "server-busy", str(error), headers=headers, reasons=[str(error)])


def _handle_store_error(request: Request, error: Exception) -> Response:
    _LOG.warning("store unavailable: %s", error)
    detail = "the store cannot be read now; try again in a few seconds"
    return problem_response(
        request, 503, "store-unavailable", detail, headers={"Retry-After": "5"}, reasons=["the store cannot be read"]
    )


def _handle_no_alertmanager(request: Request, error: Exception) -> Response:
    return problem_response(
        request, 503, "alertmanager-unavailable", str(error), headers={"Retry-After": "5"}, reasons=[str(error)]
    )


def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    trace = uuid.uuid4().hex
    _LOG.error("unexpected error, trace %s", trace, exc_info=error)
    return problem_response(request, 500, "internal-error", "internal error; the log has the trace", trace_id=trace)


def _problem_handler(status: int, code: str, detail: str = "") -> Callable[[Request, Exception], Response]:
    return lambda request, error: problem_response(request, status, code, detail or str(error), cause=error)


def _handle_not_modified(_request: Request, error: Exception) -> Response:
    error = cast("NotModified", error)
    return Response(status_code=304, headers=error.headers)


def install_handlers(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(NotFound, _handle_not_found)
    app.add_exception_handler(BadScope, _problem_handler(404, "unknown-scope"))
    app.add_exception_handler(BadWindow, _problem_handler(422, "invalid-window"))
    app.add_exception_handler(
        BadCursor, _problem_handler(400, "invalid-cursor", "not a cursor of this list: use `next` as given")
    )
    app.add_exception_handler(StoreError, _handle_store_error)
    app.add_exception_handler(ServerBusy, busy_response)
    app.add_exception_handler(AlertmanagerUnavailable, _handle_no_alertmanager)
    app.add_exception_handler(PdfUnavailable, _problem_handler(503, "pdf-unavailable"))
    app.add_exception_handler(InventoryError, _problem_handler(503, "inventory-faulty"))
    app.add_exception_handler(NotReady, _handle_not_ready)
    app.add_exception_handler(NotModified, _handle_not_modified)
    app.add_exception_handler(Exception, _handle_unexpected_error)
