"""Whom it concerns when a centre, device or system is not up: services, objectives, the owner agency. Pure.

It must not read stores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.queries.declared_centres import declared_centres

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory, System
    from telemetry.core.scope import Scope
    from telemetry.queries.network import NetworkView
    from telemetry.queries.slos import SloIndex


@dataclass(frozen=True, slots=True)
class Impact:
    """What depends on a scope, by id; `centre` is where it is, empty for a system.

    `critical`: the centre, or the network, does not work without it.
    """

    name_vi: str
    name_en: str
    kind: str
    critical: bool
    centre: str
    services: tuple[str, ...]
    objectives: tuple[str, ...]
    owner_agency: str


def impact_of(network: NetworkView, slos: SloIndex, scope: Scope) -> Impact:
    """Return what depends on a centre, device or system.

    A centre concerns its services, and a critical device those of its centre.  Raises NotFound.
    """
    objectives = tuple(slo.objective.id for slo in slos.at_scope(scope))
    if scope.kind == "system":
        system = network.system(scope.id).system
        return Impact(
            system.name_vi,
            system.name_en,
            system.kind,
            system.critical,
            "",
            system.services,
            objectives,
            system.owner_agency,
        )
    if scope.kind == "device":
        view = network.device(scope.id)
        centre = network.centre(view.centre)
        services = centre.services if view.critical else ()
        kind, critical = view.now.kind, view.critical
    else:
        centre = network.centre(scope.id)
        services, kind, critical = centre.services, centre.level, True
    owner = centre.owner_agency
    return Impact(centre.name_vi, centre.name_en, kind, critical, centre.id, services, objectives, owner)


def dependent_centres(inventory: Inventory, system: System) -> tuple[str, ...]:
    """Return the declared centres, by id, with a service that cannot be given without a system."""
    services = set(system.services)
    centres = declared_centres(inventory.centres.values())
    return tuple(centre.id for centre in centres if services.intersection(centre.services))
