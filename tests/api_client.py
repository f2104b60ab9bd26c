"""An API over any `Queries` for tests, without building its routes and its document for each: half a second of work.

It must not share anything that depends on the store, the clock or the inventory.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi.testclient import TestClient
from starlette.datastructures import State

from api.app import attach_queries, create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from telemetry.queries.service import Queries


@cache
def _built_app() -> FastAPI:
    """Return the application that all others are copies of, with its routes, middleware and document made."""
    unused: Any = None
    app = create_app(unused, version="1.2.3")
    app.middleware_stack = app.build_middleware_stack()
    app.openapi()
    return app


def app_over(queries: Queries) -> FastAPI:
    """Return an application as `create_app` builds it, with a state of its own."""
    app = copy(_built_app())
    app.state = State(dict(app.state._state))
    attach_queries(app, queries)
    return app


def client_over(queries: Queries) -> TestClient:
    """Return a client of an application over `queries`; a fault of the server is an answer, as over HTTP."""
    return TestClient(app_over(queries), raise_server_exceptions=False)
