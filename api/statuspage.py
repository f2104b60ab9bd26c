"""The network in Statuspage's format, for tools that read it; it must show nothing that `/api/v1/status` does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request

from api.deps import QueriesDep
from api.schemas.envelope import ApiModel
from api.times import rfc3339
from telemetry.core.calendar.windows import DAY
from telemetry.core.figures.condition import component_status
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.queries.network import MaintenanceWindow, NetworkStatus
    from telemetry.queries.service import Queries
    from telemetry.queries.slos import ScopedSlo

router = APIRouter(tags=["status"])


class StatusPage(ApiModel):
    """Whose status it is."""

    id: str
    name: str
    time_zone: str
    url: str
    updated_at: str


class StatusIndicator(ApiModel):
    """The condition of the whole network."""

    indicator: Literal["none", "minor", "major", "critical"]
    description: str


class StatusComponent(ApiModel):
    """A centre or a digital system."""

    id: str
    name: str
    status: str
    position: int
    updated_at: str
    group: bool


class ComponentReference(ApiModel):
    """A component that is concerned."""

    id: str


class StatusIncident(ApiModel):
    """A firing alarm."""

    id: str
    name: str
    status: str
    impact: str
    created_at: str
    started_at: str
    updated_at: str
    resolved_at: str | None
    components: list[ComponentReference]
    incident_updates: list[str]


class StatusMaintenance(ApiModel):
    """A planned maintenance."""

    id: str
    name: str
    status: str
    impact: str
    scheduled_for: str
    scheduled_until: str
    components: list[ComponentReference]
    incident_updates: list[str]


class StatusSummary(ApiModel):
    """The network in Statuspage's format."""

    page: StatusPage
    status: StatusIndicator
    components: list[StatusComponent]
    incidents: list[StatusIncident]
    scheduled_maintenances: list[StatusMaintenance]


MAINTENANCE_AHEAD_MS = 14 * DAY
_DESCRIPTIONS = {
    "none": "All Systems Operational", "minor": "Minor Service Outage", "major": "Major Service Outage",
    "critical": "Critical Service Outage",
}  # fmt: skip
_IMPACT_BY_SEVERITY = {"page": "major", "ticket": "minor"}


@router.get("/status/summary.json", operation_id="status_summary")
def get_status_summary(request: Request, queries: QueriesDep) -> StatusSummary:
    """Return page, status, components, incidents (firing alarms) and maintenance of the next 14 days."""
    network_status = queries.network_status()
    inventory = network_status.network.inventory
    now = rfc3339(network_status.network.now, inventory.zone)
    base = {"id": inventory.province, "name": inventory.name_en, "time_zone": inventory.zone.key}
    components = list(_components(network_status, now))
    firing = [_incident(slo, queries) for slo in queries.slo_index().unsorted_slos if _firing_alarms(slo)]
    planned = [_maintenance(m, queries) for m in queries.planned_maintenance(MAINTENANCE_AHEAD_MS)]
    return StatusSummary.model_validate(
        {
            "page": {**base, "url": str(request.base_url), "updated_at": now},
            "status": {"indicator": network_status.indicator, "description": _DESCRIPTIONS[network_status.indicator]},
            "components": components,
            "incidents": firing,
            "scheduled_maintenances": planned,
        }
    )


def _components(network_status: NetworkStatus, now: str) -> Iterator[dict[str, Any]]:
    components = [
        *(
            (Scope.centre(v.centre.id), v.centre.name_en, component_status(v.assessment))
            for v in network_status.centres
        ),
        *(
            (Scope.system(v.system.id), v.system.name_en, component_status(v.assessment))
            for v in network_status.systems
        ),
    ]
    for position, (ident, name, status) in enumerate(components, 1):
        yield {"id": ident, "name": name, "status": status, "position": position, "updated_at": now, "group": False}


def _firing_alarms(slo: ScopedSlo) -> list[tuple[int, str]]:
    """Return start and severity of the firing alarms, the earliest first."""
    return sorted((r.fired, r.severity) for r in slo.row.readings if r.fired is not None)


def _incident(slo: ScopedSlo, queries: Queries) -> dict[str, Any]:
    alarms, zone = _firing_alarms(slo), queries.zone()
    since = rfc3339(alarms[0][0], zone)
    impact = "major" if any(_IMPACT_BY_SEVERITY.get(severity) == "major" for _, severity in alarms) else "minor"
    return {
        "id": f"{slo.objective.id}/{slo.scope}",
        "name": f"{slo.objective.name_en}: {slo.scope}",
        "status": "investigating",
        "impact": impact,
        "created_at": since,
        "started_at": since,
        "updated_at": rfc3339(slo.evaluated_at or queries.now(), zone),
        "resolved_at": None,
        "components": [{"id": slo.scope}],
        "incident_updates": [],
    }


def _maintenance(maintenance: MaintenanceWindow, queries: Queries) -> dict[str, Any]:
    zone = queries.zone()
    start, end = rfc3339(maintenance.window.start, zone), rfc3339(maintenance.window.end, zone)
    return {
        "id": f"{maintenance.name}/{start}",
        "name": maintenance.name,
        "status": "in_progress" if maintenance.window.start <= queries.now() else "scheduled",
        "impact": "maintenance",
        "scheduled_for": start,
        "scheduled_until": end,
        "components": [{"id": scope} for scope in maintenance.scopes],
        "incident_updates": [],
    }
