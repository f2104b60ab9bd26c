"""The API as a factory over `Queries`; importing it does nothing and creating an app reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI

from api import badges, docs_page, metrics, problems, statuspage
from api.heavy_queries import HeavyQueryGate
from api.large_answers import LargeAnswerMiddleware
from api.live_feed import LiveFeed
from api.loading import LoadingMiddleware
from api.middleware import HeadMiddleware, NormalisedTextMiddleware, SecurityHeadersMiddleware
from api.openapi import complete_document
from api.pages import install_pages
from api.pages.frame.page_cache import PageCache
from api.pages.province.summary import ProvinceSummary
from api.parameters import check_parameters
from api.queue_row_texts import QueueRowTexts
from api.routes import PREFIX, api_router
from api.routes.service import health_router
from telemetry.queries.monthly_reports import MonthlyReports
from telemetry.queries.search import SearchIndexCache

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from api.alertmanager_access import AlertmanagerAccess
    from api.loading import LoadingState
    from telemetry.queries.service import Queries

_DESCRIPTION = (
    "Service availability, queue load and completeness of public-service centres. Times are RFC 3339 with offset, "
    "durations are seconds, ratios lie between 0 and 1 and are null when there was nothing to divide by. "
    "HEAD works wherever GET does. Errors are problems (RFC 9457)."
)


class ApiApplication(FastAPI):
    """FastAPI with what must be around everything else, its own error answers included."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the app below security headers, HEAD and the form of texts."""
        return SecurityHeadersMiddleware(HeadMiddleware(NormalisedTextMiddleware(super().build_middleware_stack())))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document with all texts, ranges and errors."""
        if not self.openapi_schema:
            self.openapi_schema = complete_document(super().openapi())
        return self.openapi_schema


def create_app(
    queries: Queries,
    *,
    version: str = "0",
    pages: bool = True,
    loading: LoadingState | None = None,
    alertmanager: AlertmanagerAccess | None = None,
) -> FastAPI:
    """Return the app; `pages=False` leaves out the HTML pages, `loading` answers for it until that is finished."""
    app = ApiApplication(
        title="Motcua",
        version=version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(check_parameters)],
    )
    app.add_api_route(f"{PREFIX}/openapi.json", app.openapi, include_in_schema=False)  # its first address
    attach_queries(app, queries)
    app.state.alertmanager = alertmanager
    problems.install_handlers(app)
    app.include_router(api_router())
    app.include_router(health_router)
    app.include_router(metrics.router)
    app.include_router(badges.router)
    app.include_router(statuspage.router)
    app.include_router(docs_page.router)
    if pages:
        install_pages(app)
    app.add_middleware(LargeAnswerMiddleware)
    if loading is not None:
        app.add_middleware(LoadingMiddleware, state=loading)
    return app


def attach_queries(app: FastAPI, queries: Queries) -> None:
    """Let the app answer from `queries`: replaces all that its state has of a store."""
    app.state.queries = queries
    app.state.heavy_queries = HeavyQueryGate()
    app.state.reports = MonthlyReports(queries)
    app.state.live_feed = LiveFeed(queries)
    app.state.queue_row_texts = QueueRowTexts()
    app.state.search = SearchIndexCache()
    app.state.page_cache = PageCache()
    app.state.province_summary = ProvinceSummary(queries)
    app.state.registry = metrics.build_registry(queries, app.version)
