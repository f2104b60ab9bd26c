"""Liveness, readiness and the build; outside `/api/v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from api.deps import QueriesDep
from api.schemas import HealthResponse, VersionResponse

if TYPE_CHECKING:
    from telemetry.queries import Snapshot

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="healthz")
def healthz() -> HealthResponse:
    """Say that the process answers."""
    return HealthResponse(status="ok")


@router.get("/readyz", operation_id="readyz")
def readyz(queries: QueriesDep) -> HealthResponse:
    """Say that the store answers, and how old the newest live row is; 503 when it does not."""
    queries.check_store()
    newest = _newest_row_at(queries.snapshot())
    age = None if newest is None else max(0, queries.now() - newest) // 1000
    return HealthResponse(status="ok", store="ok", live_age_s=age)


def _newest_row_at(snapshot: Snapshot) -> int | None:
    times = [*(row.at for row in snapshot.centres.values()), *(row.at for row in snapshot.systems.values())]
    return max(times, default=None)


@router.get("/version", operation_id="version")
def get_version(request: Request, queries: QueriesDep) -> VersionResponse:
    """Return the build and the inventory in force."""
    return VersionResponse(version=request.app.version, inventory_version=queries.inventory().version)
