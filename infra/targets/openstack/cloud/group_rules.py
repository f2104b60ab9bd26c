"""Allowed connections → rules of security groups: one group per component, everything else is denied. Pure.

Within a system a rule names the other component's group; groups of other projects cannot be seen, so across systems
it names the called system's balancer, and there the part of the network from which its own balancer calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.plan.cloud.names import CLUSTER_API
from infra.plan.cloud.platform_connections import is_isolation_check
from infra.plan.cloud.platform_stores import is_bucket
from infra.targets.openstack.cloud.addresses import edge_addresses, vantage_address, zone_subnets
from infra.targets.openstack.cloud.exposures import is_between_systems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint, SystemPlan

RuleDirection = Literal["ingress", "egress"]
HOST_PREFIX = 32


@dataclass(frozen=True, slots=True, order=True)
class GroupRule:
    """A rule of a component's group: way, protocol, port, and the other end: a component's group, or a network.

    Either `remote_component` (of the same system) or `remote_network` is empty.
    """

    component: str
    direction: RuleDirection
    protocol: Literal["tcp", "udp"]
    port: int
    remote_component: str = ""
    remote_network: str = ""

    @property
    def remote(self) -> str:
        """Return the other end for names and messages."""
        return self.remote_component or self.remote_network


def group_rules(plan: CloudPlan, system: SystemPlan) -> tuple[GroupRule, ...]:
    """Return the rules of all groups of a system, sorted, each once: Neutron refuses an equal second one."""
    return tuple(sorted(set(_rules_of(plan, system))))


def is_of_cluster(connection: AllowedConnection) -> bool:
    """Return whether a connection exists in a Kubernetes cluster only: its API server, an operator, what one runs."""
    ends = (connection.source, connection.target)
    is_of_operator = any(end.kind == "operator" for end in ends) or is_isolation_check(connection)
    return is_of_operator or any(end.kind == "platform" and end.name == CLUSTER_API for end in ends)


def remote_networks(plan: CloudPlan, end: Endpoint) -> tuple[str, ...]:
    """Return the networks of an end outside of a system; empty when none is known.

    A service of the platform has its address: the whole zone `manage` in its place would open all that is in it. A
    container is at the platform's object store.
    """
    declaration = plan.declaration
    if end.kind == "outside":
        return declaration.peers[end.name].cidrs
    is_store = is_bucket(plan, end)
    if end.kind == "platform" or is_store:
        service = declaration.platform.get("objects" if is_store else end.name)
        return (_as_network(service.address),) if service and service.address else ()
    if end.kind == "vantage" and end.zone:
        address = vantage_address(declaration, end.zone)
        return (_as_network(address),) if address else ()
    if end.kind == "component":
        addresses = edge_addresses(plan, plan.system(end.system))
        return (_as_network(addresses.balancer),) if addresses else ()
    return ()


def _as_network(address: str) -> str:
    return address if "/" in address else f"{address}/{HOST_PREFIX}"


def balancer_network(system: SystemPlan, component: Endpoint) -> tuple[str, ...]:
    """Return the part of a component's network from which the system's balancer calls it."""
    return tuple(zone_subnets(zone).balancer for zone in system.zones if zone.zone == component.zone and zone.cidr)


def _rules_of(plan: CloudPlan, system: SystemPlan) -> Iterator[GroupRule]:
    for connection in (*plan.connections, *plan.platform_connections):
        if is_of_cluster(connection) or is_bucket(plan, connection.source):
            continue
        source, target = connection.source, connection.target
        if source.kind == "component" and source.system == system.id:
            yield from _way_out(plan, system, connection)
        if target.kind == "component" and target.system == system.id and not is_bucket(plan, target):
            yield from _way_in(plan, system, connection)


def _way_out(plan: CloudPlan, system: SystemPlan, connection: AllowedConnection) -> Iterator[GroupRule]:
    source, target = connection.source, connection.target
    protocol: Literal["tcp", "udp"] = "udp" if connection.protocol == "UDP" else "tcp"
    if target.kind == "component" and target.system == system.id and not is_bucket(plan, target):
        yield GroupRule(source.name, "egress", protocol, connection.port, remote_component=target.name)
        return
    for network in remote_networks(plan, target):
        yield GroupRule(source.name, "egress", protocol, connection.port, remote_network=network)


def _way_in(plan: CloudPlan, system: SystemPlan, connection: AllowedConnection) -> Iterator[GroupRule]:
    source, target = connection.source, connection.target
    protocol: Literal["tcp", "udp"] = "udp" if connection.protocol == "UDP" else "tcp"
    if source.kind == "component" and source.system == system.id:
        yield GroupRule(target.name, "ingress", protocol, connection.port, remote_component=source.name)
        return
    by_balancer = source.kind == "edge" or is_between_systems(source, target)
    networks = balancer_network(system, target) if by_balancer else remote_networks(plan, source)
    for network in networks:
        yield GroupRule(target.name, "ingress", protocol, connection.port, remote_network=network)
