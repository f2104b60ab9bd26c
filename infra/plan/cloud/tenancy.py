"""Builds the plan of hosted systems from their declaration: projects, zones, slots, quotas, connections. Pure.

It must not check rules; a system that no shared cloud may host is set apart, so that nothing renders it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.connections import declared_connections
from infra.plan.cloud.least_level import level_reasons, refusal_clause
from infra.plan.cloud.names import component_labels, project_name, system_labels
from infra.plan.cloud.platform_connections import platform_connections
from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan, ZoneQuota
from infra.plan.cloud.vantage_points import closed_dials
from telemetry.core.cloud import address_slots
from telemetry.core.cloud.address_slots import slot_count
from telemetry.core.cloud.physical_names import first_id, lock_entry, zone_namespace
from telemetry.core.cloud.values import ComponentSize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry.core.cloud.values import CloudDeclaration, Component, ComponentZone, HostedSystem

ZONE_ORDER: tuple[ComponentZone, ...] = ("dmz", "server", "database")
LEAST_DATABASE_INSTANCES = 3
"""Instances of a database from level 3 (TCVN 14423 5.12.2.2 a)."""
_UNKNOWN_SIZE = ComponentSize("", 0, 0)


def build_cloud_plan(declaration: CloudDeclaration, *, province: str, stage: str, today: date) -> CloudPlan:
    """Return the plan of all hosted systems in a stage; `today` is the day that its rules are checked on."""
    planned = [
        (_plan_system(declaration, system, province, stage), refusal_clause(system))
        for _, system in sorted(declaration.systems.items())
    ]
    hosted = tuple(system for system, refused in planned if not refused)
    namespaces = {(zone.system, zone.zone): zone.namespace for system in hosted for zone in system.zones}
    return CloudPlan(
        province=province,
        stage=stage,
        declaration=declaration,
        systems=hosted,
        connections=declared_connections(declaration, namespaces),
        platform_connections=platform_connections(declaration, namespaces, province),
        today=today,
        closed_dials=closed_dials(declaration, namespaces, province),
        refused=tuple(system for system, refused in planned if refused),
    )


def instances_of(system: HostedSystem, component: Component) -> int:
    """Return the most instances that run at once; a bucket has none."""
    if component.kind == "objects":
        return 0
    if component.kind == "database" and system.level >= 3:
        return max(component.most, LEAST_DATABASE_INSTANCES)
    return component.most


def is_autoscaled(component: Component) -> bool:
    """Return whether load may add instances above `least`: of what has neither data nor a place in a group."""
    return component.kind in {"web", "gateway"} or (component.kind == "app" and not component.disk_gb)


def zone_quota(system: HostedSystem, components: Sequence[ComponentPlan]) -> ZoneQuota:
    """Return the sum of most × size, and one more instance of the largest size for a roll-out; disks need no more."""
    running = [(one, instances_of(system, one.declared)) for one in components if one.declared.kind != "objects"]
    spare = 1 if running else 0
    return ZoneQuota(
        sum(one.size.cpu_millicores * count for one, count in running)
        + max((one.size.cpu_millicores for one, _ in running), default=0),
        sum(one.size.memory_mb * count for one, count in running)
        + max((one.size.memory_mb for one, _ in running), default=0),
        sum(one.declared.disk_gb * count for one, count in running),
        sum(count for _, count in running) + spare,
    )


def drill_quota(components: Sequence[ComponentPlan]) -> ZoneQuota:
    """Return what a restore drill of a zone's databases uses beside the zone: one instance of each, and what restores.

    A pod of the largest size reads the copies before the instance starts.
    """
    databases = [one for one in components if one.declared.kind == "database"]
    return ZoneQuota(
        sum(one.size.cpu_millicores for one in databases)
        + max((one.size.cpu_millicores for one in databases), default=0),
        sum(one.size.memory_mb for one in databases) + max((one.size.memory_mb for one in databases), default=0),
        sum(one.declared.disk_gb for one in databases),
        len(databases) + (1 if databases else 0),
    )


def slot_network(declaration: CloudDeclaration, zone: str, site: str, slot: int) -> str:
    """Return the network of a slot, empty without a slot (0), a network of the zone at the site, or room in it."""
    declared = next((one for one in declaration.zone_networks if (one.zone, one.site) == (zone, site)), None)
    if declared is None or slot < 1:
        return ""
    return address_slots.slot_network(declared.cidr, slot) if slot < slot_count(declared.cidr) else ""


def _plan_system(declaration: CloudDeclaration, system: HostedSystem, province: str, stage: str) -> SystemPlan:
    labels = system_labels(province, stage, system)
    components = declaration.components_of(system.id)
    zones = tuple(
        _plan_zone(declaration, system, zone, labels)
        for zone in ZONE_ORDER
        if any(component.zone == zone for component in components)
    )
    project = project_name(first_id(declaration, system), stage)
    aliases = tuple(sorted(project_name(ident, stage) for ident in system.was))
    return SystemPlan(system, project, zones, level_reasons(system), labels, aliases)


def _plan_zone(
    declaration: CloudDeclaration, system: HostedSystem, zone: ComponentZone, labels: Mapping[str, str]
) -> ZonePlan:
    entry = lock_entry(declaration, system, zone)
    namespace = zone_namespace(declaration, system, zone)
    slot = entry.slot if entry else 0
    own_labels = {**labels, "motcua.org/zone": zone}
    components = tuple(
        ComponentPlan(
            component,
            declaration.sizes.get(component.size, _UNKNOWN_SIZE),
            namespace,
            component_labels(own_labels, component),
        )
        for component in declaration.components_of(system.id)
        if component.zone == zone
    )
    cidr = slot_network(declaration, zone, system.site, slot)
    return ZonePlan(system.id, zone, namespace, slot, cidr, zone_quota(system, components), components, own_labels)
