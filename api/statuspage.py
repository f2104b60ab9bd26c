"""The network in the shape that tools made for Statuspage read; it must say nothing that `/api/v1/status` does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from api.deps import Asked
from api.times import stamp
from telemetry.core.calendar.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.queries import Maintenance, Queries, Standpoint, Status

router = APIRouter(tags=["status"])
AHEAD = 14 * DAY
_SAID = {
    "none": "All Systems Operational", "minor": "Minor Service Outage", "major": "Major Service Outage",
    "critical": "Critical Service Outage",
}  # fmt: skip
_CENTRE = {
    "operational": "operational", "degraded": "degraded_performance", "down": "major_outage",
    "unknown": "partial_outage", "closed": "operational", "imported": "operational",
}  # fmt: skip
_SYSTEM = {"up": "operational", "down": "major_outage", "unknown": "partial_outage"}
_IMPACT = {"page": "major", "ticket": "minor"}


@router.get("/status/summary.json", operation_id="status_summary")
def summary(request: Request, queries: Asked) -> dict[str, Any]:
    """Return page, status, components, incidents (alarms that fire) and maintenance of the next 14 days."""
    found = queries.status()
    inventory = found.world.inventory
    now = stamp(found.world.now, inventory.zone)
    base = {"id": inventory.province, "name": inventory.name_en, "time_zone": inventory.zone.key}
    return {
        "page": {**base, "url": str(request.base_url), "updated_at": now},
        "status": {"indicator": found.indicator, "description": _SAID[found.indicator]},
        "components": list(_components(found, now)),
        "incidents": [_incident(one, queries) for one in queries.objectives().unordered if _firing(one)],
        "scheduled_maintenances": [_maintenance(m, queries) for m in queries.planned(AHEAD)],
    }


def _components(found: Status, now: str) -> Iterator[dict[str, Any]]:
    places = [
        *((f"centre:{v.centre.id}", v.centre.name_en, _CENTRE[v.condition]) for v in found.centres),
        *((f"system:{v.system.id}", v.system.name_en, _SYSTEM[v.state]) for v in found.systems),
    ]
    for position, (ident, name, status) in enumerate(places, 1):
        yield {"id": ident, "name": name, "status": status, "position": position, "updated_at": now, "group": False}


def _firing(one: Standpoint) -> list[tuple[int, str]]:
    """Return since when and how bad each alarm is that fires, the first to fire first."""
    return sorted((r.fired, r.severity) for r in one.row.readings if r.fired is not None)


def _incident(one: Standpoint, queries: Queries) -> dict[str, Any]:
    alarms, zone = _firing(one), queries.zone()
    since = stamp(alarms[0][0], zone)
    impact = "major" if any(_IMPACT.get(severity) == "major" for _, severity in alarms) else "minor"
    return {
        "id": f"{one.objective.id}/{one.scope}",
        "name": f"{one.objective.name_en}: {one.scope}",
        "status": "investigating",
        "impact": impact,
        "created_at": since,
        "started_at": since,
        "updated_at": stamp(one.at or queries.now(), zone),
        "resolved_at": None,
        "components": [{"id": one.scope}],
        "incident_updates": [],
    }


def _maintenance(found: Maintenance, queries: Queries) -> dict[str, Any]:
    zone = queries.zone()
    start, end = stamp(found.window.start, zone), stamp(found.window.end, zone)
    return {
        "id": f"{found.name}/{start}",
        "name": found.name,
        "status": "in_progress" if found.window.start <= queries.now() else "scheduled",
        "impact": "maintenance",
        "scheduled_for": start,
        "scheduled_until": end,
        "components": [{"id": scope} for scope in found.scopes],
        "incident_updates": [],
    }
