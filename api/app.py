"""The API as a factory over `Queries`; importing it does nothing and creating an app reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from api import badges, metrics, problems, statuspage
from api.loading import LoadingMiddleware
from api.pages import install_pages
from api.routes import PREFIX, api_router
from api.routes.service import health_router

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.loading import LoadingState
    from telemetry.queries.service import Queries

_DESCRIPTION = "Service availability, queue load and completeness of public-service centres."
CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class SecurityHeadersMiddleware:
    """Adds security headers to every response; plain ASGI, so that streams are not buffered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to the response."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def create_app(
    queries: Queries, *, version: str = "0", pages: bool = True, loading: LoadingState | None = None
) -> FastAPI:
    """Return the app; `pages=False` leaves out the HTML pages, `loading` answers for it until that is finished."""
    app = FastAPI(
        title="Motcua",
        version=version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    app.state.queries = queries
    app.state.registry = metrics.build_registry(queries, version)
    problems.install_handlers(app)
    app.include_router(api_router())
    app.include_router(health_router)
    app.include_router(metrics.router)
    app.include_router(badges.router)
    app.include_router(statuspage.router)
    if pages:
        install_pages(app)
    if loading is not None:
        app.add_middleware(LoadingMiddleware, state=loading)
    app.add_middleware(SecurityHeadersMiddleware)
    return app
