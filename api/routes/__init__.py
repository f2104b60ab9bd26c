"""The routes of `/api/v1`; each asks `Queries` and shapes the answer, and must not do anything else."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.etags import apply_etag
from api.routes import (
    availability,
    budgets,
    calendar,
    centres,
    completeness,
    events,
    queues,
    slos,
    status,
    systems,
    timelines,
)

PREFIX = "/api/v1"


def api_router() -> APIRouter:
    """Return all routes; every JSON answer carries an ETag."""
    router = APIRouter(prefix=PREFIX)
    for module in (status, centres, systems, availability, slos, budgets, queues, completeness, calendar, timelines):
        router.include_router(module.router, dependencies=[Depends(apply_etag)])
    router.include_router(events.router)
    return router
