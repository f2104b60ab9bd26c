"""The incidents of a month as a report has them: how many, how long, and the longest; it must not derive them anew."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telemetry.core.figures.outages import incident_order
from telemetry.core.report.values import ReportedIncident, ReportedIncidents
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.outages import Incident
    from telemetry.core.inventory import Inventory
    from telemetry.queries.service import Queries

LISTED: Final = 10
LISTED_OF_A_CENTRE: Final = 3
"""A published report lists so many of each centre: it must fit into a ConfigMap (1 MiB) with all centres."""


@dataclass(frozen=True, slots=True)
class MonthIncidents:
    """The incidents of the province with its systems, and of each centre that had any."""

    province: ReportedIncidents
    by_centre: Mapping[str, ReportedIncidents]

    def of_centre(self, ident: str) -> ReportedIncidents:
        """Return a centre's incidents with those of its devices."""
        return self.by_centre.get(ident, ReportedIncidents())


def read_month_incidents(queries: Queries, window: Window) -> MonthIncidents:
    """Read what broke in a month, once for all centres. Raises BadWindow."""
    inventory = queries.inventory()
    incidents = queries.incidents.incidents(Scope.province(inventory.province), window).incidents
    by_centre: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        if incident.outage.scope.kind != "system":
            by_centre[_place_id(incident.outage.scope, inventory)].append(incident)
    grouped = {ident: _summary(own, inventory, LISTED_OF_A_CENTRE) for ident, own in by_centre.items()}
    return MonthIncidents(_summary(incidents, inventory, LISTED), grouped)


def _place_id(scope: Scope, inventory: Inventory) -> str:
    return inventory.devices[scope.id].centre if scope.kind == "device" else scope.id


def _summary(incidents: Sequence[Incident], inventory: Inventory, most: int) -> ReportedIncidents:
    """Count the incidents, and list what was down before what was silent, the longest first."""
    silent = sum(incident.state == "unknown" for incident in incidents)
    ordered = sorted(incidents, key=lambda incident: incident_order(incident)[1:])
    return ReportedIncidents(
        down_count=len(incidents) - silent,
        silent_count=silent,
        down=sum(incident.lost.down_ms for incident in incidents) // 1000,
        unknown=sum(incident.lost.unknown_ms for incident in incidents) // 1000,
        listed=tuple(_report_incident(incident, inventory) for incident in ordered[:most]),
    )


def _report_incident(incident: Incident, inventory: Inventory) -> ReportedIncident:
    scope, window = incident.outage.scope, incident.outage.window
    is_system = scope.kind == "system"
    place = inventory.systems[scope.id] if is_system else inventory.centres[_place_id(scope, inventory)]
    return ReportedIncident(
        scope=str(scope),
        kind=inventory.devices[scope.id].kind if scope.kind == "device" else scope.kind,
        name_vi=place.name_vi,
        name_en=place.name_en,
        start=window.start,
        end=window.end,
        cause=incident.cause,
        down=incident.lost.down_ms // 1000,
        unknown=incident.lost.unknown_ms // 1000,
        ongoing=incident.ongoing,
    )
