"""The routes of `/api/v1`; each calls `Queries` and returns models, and must not do anything else."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api import event_stream
from api.etags import apply_etag
from api.routes import (
    alerts,
    availability,
    centre_days,
    comparison,
    datasets,
    forecasts,
    incidents,
    index,
    kpis,
    models,
    network,
    queues,
    reports,
    service,
    slos,
    units,
)

PREFIX = "/api/v1"


def api_router() -> APIRouter:
    """Return all routes; every JSON answer carries an ETag."""
    router = APIRouter(prefix=PREFIX)
    router.add_api_route("", index.list_operations, operation_id="index", tags=["index"])
    for module in (
        network, units, availability, incidents, slos, alerts, queues, centre_days, forecasts, kpis, models, datasets,
        reports, service,
    ):  # fmt: skip
        router.include_router(module.router, dependencies=[Depends(apply_etag)])
    router.include_router(comparison.router, dependencies=[Depends(apply_etag)])
    router.include_router(event_stream.router)
    return router
