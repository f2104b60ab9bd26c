"""The API as a factory over `Queries`; importing it does nothing and making an app reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from api import badges, metrics, problems, statuspage
from api.headers import SecurityHeadersMiddleware
from api.pages import install_pages
from api.routes import PREFIX, api_router, health

if TYPE_CHECKING:
    from telemetry.queries import Queries

_DESCRIPTION = "Service availability, queue load and completeness of public-service centres."


def create_app(queries: Queries, *, version: str = "0", pages: bool = True) -> FastAPI:
    """Return the app; `pages=False` leaves out the HTML pages and their static files."""
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
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(badges.router)
    app.include_router(statuspage.router)
    if pages:
        install_pages(app)
    app.add_middleware(SecurityHeadersMiddleware)
    return app
