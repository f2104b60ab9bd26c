"""A system's networks, router, groups and their rules on OpenStack, and those of the platform. Pure.

No network is shared between systems: a system's router has the platform's edge as its way out, and calls as one
address of the edge.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from infra.targets.openstack.cloud.addresses import (
    POOL_HOST,
    edge_addresses,
    platform_network_name,
    site_network,
    zone_subnets,
)
from infra.targets.openstack.cloud.exposures import balancer_listeners
from infra.targets.openstack.cloud.group_rules import group_rules
from infra.targets.openstack.cloud.tenancy import components_with_machines
from infra.targets.openstack.cloud.values import CloudResource, CreatedReference, ExistingReference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan, ZonePlan
    from infra.targets.openstack.cloud.group_rules import GroupRule
    from infra.targets.openstack.cloud.values import CloudSettings
    from telemetry.core.cloud.values import CloudZone

PLATFORM_ZONES: tuple[CloudZone, ...] = ("edge", "manage")


def platform_project(plan: CloudPlan) -> str:
    """Return the name of the project of the platform's own networks."""
    return f"{plan.province}-platform-{plan.stage}"


def platform_resources(plan: CloudPlan, settings: CloudSettings) -> tuple[CloudResource, ...]:
    """Return what lies below all systems: the platform's project, at each site the edge, `manage` and their router."""
    name = platform_project(plan)
    project = CloudResource("project", name, {"name": name, "description": "the platform below the hosted systems"},
                            lasting=True)  # fmt: skip
    sites = sorted({network.site for network in plan.declaration.zone_networks if network.zone == "edge"})
    return (project, *(one for site in sites for one in _site_resources(plan, settings, site)))


def platform_router_name(province: str, site: str) -> str:
    """Return the name of the router between edge, `manage` and outside at a site."""
    return f"{province}-platform-{site}"


def _site_resources(plan: CloudPlan, settings: CloudSettings, site: str) -> Iterator[CloudResource]:
    project = platform_project(plan)
    owner = CreatedReference("project", project)
    router_name = platform_router_name(plan.province, site)
    properties: dict[str, object] = {
        "name": router_name, "external_network_id": ExistingReference("network", settings.external_network),
        "tenant_id": owner,
    }  # fmt: skip
    router = CloudResource("router", router_name, properties, project, by_administrator=True, lasting=True)
    yield router
    for zone in PLATFORM_ZONES:
        cidr, name = site_network(plan.declaration, zone, site), platform_network_name(plan.province, zone, site)
        if not cidr:
            continue
        network = CloudResource(
            "network", name,
            {"name": name, "external": zone == "edge", "port_security_enabled": True, "tenant_id": owner},
            project, by_administrator=True, lasting=True,
        )  # fmt: skip
        yield network
        subnet_properties: dict[str, object] = {
            "name": name, "network_id": network.reference, "cidr": cidr, "ip_version": 4, "tenant_id": owner,
        }  # fmt: skip
        if zone == "edge":
            hosts = ipaddress.ip_network(cidr)
            pool = {"start": str(hosts[POOL_HOST]), "end": str(hosts[min(254, hosts.num_addresses - 2)])}
            subnet_properties["allocation_pools"] = [pool]
        subnet = CloudResource("subnet", name, subnet_properties, project, by_administrator=True, lasting=True)
        yield subnet
        ends = {"router_id": router.reference, "subnet_id": subnet.reference}
        yield CloudResource("router-interface", name, ends, project, by_administrator=True)


def network_resources(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudResource]:
    """Yield router, networks and subnets of a system."""
    zones = [zone for zone in system.zones if components_with_machines(zone)]
    if not zones:
        return
    router = _router(plan, system)
    yield router
    called = {listener.component for listener in balancer_listeners(plan, system)}
    dns = plan.declaration.platform.get("dns")
    servers = [dns.address] if dns and dns.address else []
    for zone in zones:
        yield from _zone_resources(system, zone, router, called, servers)
        yield from _ways_back(plan, system, zone, router)


def _ways_back(plan: CloudPlan, system: SystemPlan, zone: ZonePlan, router: CloudResource) -> Iterator[CloudResource]:
    """Yield the platform's route to a zone: figures and probes come from `manage`."""
    addresses = edge_addresses(plan, system)
    if addresses is not None:
        properties: dict[str, object] = {
            "router_id": ExistingReference("router", platform_router_name(plan.province, system.declared.site)),
            "destination_cidr": zone.cidr, "next_hop": addresses.router,
        }  # fmt: skip
        yield CloudResource(
            "route", zone.namespace, properties, system.project, by_administrator=True, after=(router.reference,),
            declared_at=system.declared.declared_at,
        )  # fmt: skip


def _router(plan: CloudPlan, system: SystemPlan) -> CloudResource:
    edge = platform_network_name(plan.province, "edge", system.declared.site)
    addresses = edge_addresses(plan, system)
    properties: dict[str, object] = {
        "name": system.project, "external_network_id": ExistingReference("network", edge), "enable_snat": True,
        "tenant_id": CreatedReference("project", system.project),
    }  # fmt: skip
    if addresses is not None:
        address = {"subnet_id": ExistingReference("subnet", edge), "ip_address": addresses.router}
        properties["external_fixed_ips"] = [address]
    return CloudResource(
        "router", system.project, properties, system.project, by_administrator=True, lasting=True,
        declared_at=system.declared.declared_at,
    )  # fmt: skip


def _zone_resources(
    system: SystemPlan, zone: ZonePlan, router: CloudResource, called: set[str], name_servers: list[str]
) -> Iterator[CloudResource]:
    at = system.declared.declared_at
    network = CloudResource(
        "network", zone.namespace, {"name": zone.namespace, "port_security_enabled": True}, system.project,
        lasting=True, declared_at=at,
    )  # fmt: skip
    yield network
    parts = zone_subnets(zone)
    subnets = [(zone.namespace, parts.machines)]
    if any(one.declared.id in called for one in zone.components):
        subnets.append((f"{zone.namespace}/balancer", parts.balancer))
    for name, cidr in subnets:
        properties: dict[str, object] = {
            "name": name.replace("/", "-"), "network_id": network.reference, "cidr": cidr, "ip_version": 4,
        }  # fmt: skip
        if name_servers:
            properties["dns_nameservers"] = list(name_servers)
        subnet = CloudResource("subnet", name, properties, system.project, lasting=True, declared_at=at)
        yield subnet
        ends = {"router_id": router.reference, "subnet_id": subnet.reference}
        yield CloudResource("router-interface", name, ends, system.project, declared_at=at)


def group_resources(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudResource]:
    """Yield a group without rules for each component, then all rules."""
    for zone in system.zones:
        for component in components_with_machines(zone):
            ident = component.declared.id
            yield CloudResource(
                "security-group", group_name(system, ident),
                {"name": ident, "description": component.declared.path, "delete_default_rules": True},
                system.project, aliases=earlier_names(system, ident), declared_at=component.declared.declared_at,
            )  # fmt: skip
    declared_at = {one.declared.id: one.declared.declared_at for one in system.components}
    for rule in group_rules(plan, system):
        yield _rule_resource(system, rule, declared_at.get(rule.component, ""))


def group_name(system: SystemPlan, component: str) -> str:
    """Return the name of a component's group among all groups."""
    return f"{system.project}/{component}"


def earlier_names(system: SystemPlan, component: str, form: str = "{}") -> tuple[str, ...]:
    """Return the names that a component's resource had under its earlier ids; `form` is the last part of its name."""
    was = next((one.declared.was for one in system.components if one.declared.id == component), ())
    return tuple(group_name(system, form.format(ident)) for ident in was)


def _earlier_rule_names(system: SystemPlan, rule: GroupRule, way: str) -> tuple[str, ...]:
    """Return a rule's names under the earlier ids of its ends: Neutron refuses an equal new one beside the old."""
    was = {one.declared.id: one.declared.was for one in system.components}
    ends = [
        (component, remote)
        for component in (rule.component, *was.get(rule.component, ()))
        for remote in (rule.remote, *was.get(rule.remote_component, ()))
    ]
    return tuple(_rule_name(system, rule, way, component, remote) for component, remote in ends[1:])


def _rule_name(system: SystemPlan, rule: GroupRule, way: str, component: str, remote: str) -> str:
    return f"{group_name(system, component)}/{way}-{remote}-{rule.port}-{rule.protocol}"


def _rule_resource(system: SystemPlan, rule: GroupRule, declared_at: str) -> CloudResource:
    way = "from" if rule.direction == "ingress" else "to"
    properties: dict[str, object] = {
        "security_group_id": CreatedReference("security-group", group_name(system, rule.component)),
        "direction": rule.direction, "ethertype": "IPv6" if ":" in rule.remote_network else "IPv4",
        "protocol": rule.protocol, "port_range_min": rule.port, "port_range_max": rule.port,
        "description": f"{rule.component} {way} {rule.remote}",
    }  # fmt: skip
    if rule.remote_component:
        remote = CreatedReference("security-group", group_name(system, rule.remote_component))
        properties["remote_group_id"] = remote
    else:
        properties["remote_ip_prefix"] = rule.remote_network
    return CloudResource(
        "security-group-rule", _rule_name(system, rule, way, rule.component, rule.remote), properties, system.project,
        aliases=_earlier_rule_names(system, rule, way), declared_at=declared_at,
    )  # fmt: skip
