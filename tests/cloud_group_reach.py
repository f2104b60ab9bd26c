"""Who may reach whom through the security groups and balancers that OpenStack is asked for. It must not assert."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

from infra.plan.cloud.names import CLUSTER_API
from infra.plan.cloud.security_groups import NetworkPort, SecurityGroupRule, groups_allow
from infra.targets.openstack.cloud.addresses import edge_addresses, vantage_address, zone_subnets
from infra.targets.openstack.cloud.exposures import balancer_listeners
from infra.targets.openstack.cloud.networks import group_name, group_resources
from telemetry.core.hosted.inside_probes import VantageZone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, SystemPlan
    from tests.cloud_reachability import Reached

OUTSIDE_ADDRESSES = {"internet": "198.51.100.77"}


@dataclass(frozen=True)
class GroupWorld:
    """Rules of all groups, the port of each end by its text, and the system of each component."""

    plan: CloudPlan
    rules: tuple[SecurityGroupRule, ...]
    rules_by_group: dict[str, list[SecurityGroupRule]]
    ports: dict[str, NetworkPort]
    systems: dict[str, SystemPlan]


def group_world(plan: CloudPlan) -> GroupWorld:
    """Return what OpenStack is asked for, as the evaluator takes it."""
    rules = tuple(_rules_of(plan))
    systems = {one.declared.path: system for system in plan.systems for one in system.components}
    by_group: dict[str, list[SecurityGroupRule]] = {}
    for rule in rules:
        by_group.setdefault(rule.group, []).append(rule)
    return GroupWorld(plan, rules, by_group, dict(_ports_of(plan)), systems)


def _rules_of(plan: CloudPlan) -> Iterator[SecurityGroupRule]:
    for system in plan.systems:
        for resource in group_resources(plan, system):
            if resource.kind == "security-group-rule":
                sent: dict[str, Any] = dict(resource.properties)
                remote = sent.get("remote_group_id")
                yield SecurityGroupRule(
                    sent["security_group_id"].name, sent["direction"], sent["protocol"], sent["port_range_min"],
                    sent["port_range_max"], remote.name if remote else "", sent.get("remote_ip_prefix", ""),
                )  # fmt: skip


def _ports_of(plan: CloudPlan) -> Iterator[tuple[str, NetworkPort]]:
    for system in plan.systems:
        for zone in system.zones:
            for at, component in enumerate(zone.components, 20):
                if component.declared.kind != "objects":
                    address = str(ipaddress.ip_network(zone_subnets(zone).machines)[at])
                    groups = frozenset({group_name(system, component.declared.id)})
                    yield component.declared.path, NetworkPort(address, groups)
    for end in sorted({end for one in plan.connections for end in (one.source, one.target) if end.kind == "outside"}):
        first = str(ipaddress.ip_network(plan.declaration.peers[end.name].cidrs[0])[5])
        yield str(end), NetworkPort(OUTSIDE_ADDRESSES.get(end.name, first))
    for name, service in plan.declaration.platform.items():
        yield f"platform:{name}", NetworkPort(service.address)
    for zone in get_args(VantageZone):
        yield f"vantage:{zone}", NetworkPort(vantage_address(plan.declaration, zone))


def is_for_machines(connection: AllowedConnection) -> bool:
    """Return whether a connection exists without a cluster: it has no operator, nothing of one, no API server."""
    if connection.why == "isolation check":
        return False
    ends = (connection.source, connection.target)
    return not any(end.kind == "operator" or end.name == CLUSTER_API for end in ends)


def group_reach(world: GroupWorld) -> set[Reached]:
    """Return every pair with a component at an end that groups and balancers let through, port and protocol."""
    doors = {(one.port, one.protocol) for one in (*world.plan.connections, *world.plan.platform_connections)}
    doors |= {(9, "TCP"), (9, "UDP")}
    reached = {
        (source, target, port, protocol)
        for source, target in product(world.ports, repeat=2)
        if {source, target} & set(world.systems)
        for port, protocol in doors
        if _reaches(world, source, target, port, protocol)
    }
    return reached | set(_reached_from_edge(world))


def _reaches(world: GroupWorld, source: str, target: str, port: int, protocol: str) -> bool:
    callers, called = world.systems.get(source), world.systems.get(target)
    if callers is not None and called is not None and callers.id != called.id:
        return protocol == "TCP" and _reaches_by_balancer(world, source, target, port)
    return groups_allow(
        _rules_at(world, source, target), world.ports[source], world.ports[target], port, protocol.lower()
    )


def _rules_at(world: GroupWorld, source: str, target: str) -> list[SecurityGroupRule]:
    groups = (world.ports[source].groups or frozenset()) | (world.ports[target].groups or frozenset())
    return [rule for group in groups for rule in world.rules_by_group.get(group, ())]


def _reaches_by_balancer(world: GroupWorld, source: str, target: str, port: int) -> bool:
    """Return whether a machine reaches another system's component: out, past the listener, and in again."""
    here, there = (edge_addresses(world.plan, world.systems[end]) for end in (source, target))
    if here is None or there is None:
        return False
    out = groups_allow(world.rules, world.ports[source], NetworkPort(there.balancer), port)
    return out and any(
        listener.port == port
        and f"{here.router}/32" in listener.sources
        and _balancer_reaches(world, target, listener.component_port)
        for listener in balancer_listeners(world.plan, world.systems[target])
        if target.endswith(f"/{listener.component}")
    )


def _balancer_reaches(world: GroupWorld, target: str, port: int) -> bool:
    zones = world.systems[target].zones
    zone = next(zone for zone in zones if target in {one.declared.path for one in zone.components})
    balancer = str(ipaddress.ip_network(zone_subnets(zone).balancer)[5])
    return groups_allow(world.rules, NetworkPort(balancer), world.ports[target], port)


def _reached_from_edge(world: GroupWorld) -> Iterator[Reached]:
    for system in world.plan.systems:
        for listener in balancer_listeners(world.plan, system):
            target = f"{system.id}/{listener.component}"
            if listener.outside and _balancer_reaches(world, target, listener.component_port):
                yield f"edge:{system.declared.exposure}", target, listener.component_port, "TCP"
