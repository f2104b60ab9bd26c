"""The dependency aliases of the routes; nothing here does IO."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from telemetry.queries import Queries


def _queries(request: Request) -> Queries:
    found: Queries = request.app.state.queries
    return found


Asked = Annotated[Queries, Depends(_queries)]
