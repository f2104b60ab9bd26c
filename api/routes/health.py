"""Liveness, readiness and the build; outside `/api/v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from api.deps import Asked
from api.schemas import Health, Version

if TYPE_CHECKING:
    from telemetry.queries import Snapshot

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="healthz")
def healthz() -> Health:
    """Say that the process answers."""
    return Health(status="ok")


@router.get("/readyz", operation_id="readyz")
def readyz(queries: Asked) -> Health:
    """Say that the store answers, and how old the newest live row is; 503 when it does not."""
    queries.reach()
    newest = _newest(queries.snapshot())
    age = None if newest is None else max(0, queries.now() - newest) // 1000
    return Health(status="ok", store="ok", live_age_s=age)


def _newest(snapshot: Snapshot) -> int | None:
    times = [*(row.at for row in snapshot.centres.values()), *(row.at for row in snapshot.systems.values())]
    return max(times, default=None)


@router.get("/version", operation_id="version")
def version(request: Request, queries: Asked) -> Version:
    """Return the build and the inventory in force."""
    return Version(version=request.app.version, inventory_version=queries.inventory().version)
