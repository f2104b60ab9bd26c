"""Completeness of the stored data; liveness, readiness and the build, which are outside `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.deps import QueriesDep
from api.paging import PageParam
from api.problems import NotReady
from api.schemas.service import (
    CompletenessEnvelope,
    CompletenessMeta,
    CompletenessRow,
    HealthResponse,
    RowCounts,
    VersionResponse,
)

router = APIRouter(tags=["completeness"])
health_router = APIRouter(tags=["health"])


@router.get("/completeness", operation_id="completeness")
def list_completeness(queries: QueriesDep, page: PageParam, device: str | None = None) -> CompletenessEnvelope:
    """List devices with their rows stored, refused, dropped and the highest number."""
    completeness = queries.store_stats().completeness
    rows = [d for d in completeness.devices if device in (None, d.device)]
    if device is not None and not rows:
        queries.device(device)
    part, following = page.slice_rows(rows, lambda d: (d.device,))
    data = [CompletenessRow.build(d.counts, device=d.device, spools=d.outbox_count) for d in part]
    meta = CompletenessMeta.current(queries, totals=RowCounts.build(completeness.overall))
    return CompletenessEnvelope(data=data, meta=meta, next=following)


@health_router.get("/healthz", operation_id="healthz")
def healthz() -> HealthResponse:
    """Answer as long as the process is alive."""
    return HealthResponse(status="ok")


@health_router.get("/readyz", operation_id="readyz")
def readyz(queries: QueriesDep) -> HealthResponse:
    """Return the age of the newest live row; 503 with the reasons when the store does not answer or rollup is behind.

    Behind means: changes of recent hours wait for more than two minutes, or there was no pass. Older hours that wait
    (`backlog_hours`) delay no present figure.
    """
    readiness = queries.readiness()
    if readiness.reasons:
        raise NotReady(readiness.reasons)
    snapshot = queries.snapshot()
    times = [*(row.at for row in snapshot.centres.values()), *(row.at for row in snapshot.systems.values())]
    newest = max(times, default=None)
    age = None if newest is None else max(0, queries.now() - newest) // 1000
    return HealthResponse(
        status="ok",
        store="ok",
        live_age_s=age,
        rollup_age_s=(readiness.rollup_age_ms or 0) // 1000,
        backlog_hours=readiness.backlog_hours,
    )


@health_router.get("/version", operation_id="version")
def get_version(request: Request, queries: QueriesDep) -> VersionResponse:
    """Return the build and the inventory in force."""
    return VersionResponse(version=request.app.version, inventory_version=queries.inventory().version)
