"""Answers every request with 503 while a process prepares its data, people with a page; it must prepare nothing."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from fastapi import Request

from api.problems import accepts_html, problem_response

if TYPE_CHECKING:
    from fastapi.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.pages.frame.render import Renderer

LoadingStep = Literal["starting", "simulating", "delivering", "folding"]
RETRY_AFTER_S = 1
_ALWAYS_ANSWERED = ("/healthz", "/version", "/static/")


@dataclass(frozen=True, slots=True)
class LoadingProgress:
    """What is being done, and how many of how many parts; `total` is 0 when parts cannot be counted."""

    step: LoadingStep
    done: int = 0
    total: int = 0


class LoadingState:
    """The progress of a start, written by one thread and read by requests; None once everything is ready."""

    def __init__(self) -> None:
        self.progress: LoadingProgress | None = LoadingProgress("starting")

    def report(self, step: LoadingStep, done: int = 0, total: int = 0) -> None:
        """Say what is being done; after `finish` this has no effect."""
        if self.progress is not None:
            self.progress = LoadingProgress(step, done, total)

    def finish(self) -> None:
        """Answer requests from now on."""
        self.progress = None


class LoadingMiddleware:
    """Answers for the app while it is loading; plain ASGI, so that streams are not buffered."""

    def __init__(self, app: ASGIApp, state: LoadingState) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it when the app is loading."""
        progress = self._state.progress
        if scope["type"] != "http" or progress is None or scope["path"].startswith(_ALWAYS_ANSWERED):
            await self._app(scope, receive, send)
            return
        await _answer(Request(scope), progress)(scope, receive, send)


def _answer(request: Request, progress: LoadingProgress) -> Response:
    """Return the page that loads itself again, or a problem with the same words."""
    renderer: Renderer | None = getattr(request.app.state, "renderer", None)
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    if renderer is None or not accepts_html(request):
        counted = f": {progress.done} of {progress.total}" if progress.total else ""
        detail = f"data are being prepared ({progress.step}{counted}); try again in a second"
        return problem_response(
            request, HTTPStatus.SERVICE_UNAVAILABLE, "loading", detail, headers=headers, reasons=[progress.step]
        )
    locale = renderer.locale_for(request, request.app.state.queries.inventory().zone)
    page = renderer.render(request, locale, "loading.html", {"progress": progress}, HTTPStatus.SERVICE_UNAVAILABLE)
    page.headers.update(headers | {"Refresh": str(RETRY_AFTER_S)})
    return page
