"""What OpenStack would refuse or do wrong, before anything is sent: each fault with place and remedy. Pure.

It must not judge levels or flows, which `infra.policy` does, nor repeat the inventory's own checks.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import TYPE_CHECKING

from infra.plan.cloud.platform_stores import is_bucket, store_port_fault
from infra.plan.cloud.vantage_points import planned_vantage_points
from infra.targets.openstack.cloud.addresses import edge_addresses, site_network, vantage_address
from infra.targets.openstack.cloud.exposures import balancer_listeners
from infra.targets.openstack.cloud.group_rules import is_of_cluster, remote_networks
from infra.targets.openstack.cloud.networks import PLATFORM_ZONES
from infra.targets.openstack.cloud.tenancy import components_with_machines
from infra.targets.openstack.cloud.values import CreatedReference, ExistingReference
from infra.targets.openstack.cloud.vantage import networks_of, smallest_flavor
from telemetry.errors import Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint, SystemPlan
    from infra.targets.openstack.cloud.values import CloudResource

LAST_PORT = 65_535


def find_plan_faults(plan: CloudPlan) -> list[Fault]:
    """Return why the plan cannot be put on OpenStack, sorted; empty when it can."""
    faults = {fault for system in plan.systems for fault in _system_faults(plan, system)}
    return sorted(faults)


def find_vantage_faults(plan: CloudPlan) -> list[Fault]:
    """Return why the agents inside could have no machine, or reach nothing, sorted."""
    points, declaration = planned_vantage_points(plan), plan.declaration
    faults = set[Fault]()
    services = {one.address: name for name, one in declaration.platform.items() if one.address}
    for point in points:
        address = vantage_address(declaration, point.zone or "manage")
        where = f"agent {point.namespace}"
        if not address:
            problem = f"has no network of zone {point.zone} at a main site"
            faults.add(new_fault("", where, problem, "write it in [zones], with room for slot 0"))
        elif address in services:
            problem = f"has the address {address}, which [platform.{services[address]}] has"
            faults.add(new_fault("", where, problem, "give the service another address"))
        for one in (*plan.platform_connections, *plan.closed_dials):
            if one.source == point and not networks_of(plan, one.target):
                at = declaration.platform[one.target.name].declared_at if one.target.kind == "platform" else ""
                problem = "has no network, and security groups know addresses, no names"
                faults.add(new_fault(at or one.declared_at, str(one.target), problem, "write address or cidrs"))
    if points and not smallest_flavor(plan):
        faults.add(new_fault("", "sizes", "have no flavor, which a machine needs", "write flavor in one of [sizes]"))
    return sorted(faults)


def find_resource_faults(resources: Iterable[CloudResource]) -> list[Fault]:
    """Return the resources that Keystone or Neutron refuse whatever exists there, sorted.

    Repeated names and rules, ports and networks that are none, and more than the quota of a project's own.
    """
    known = tuple(resources)
    rules = [one for one in known if one.kind == "security-group-rule"]
    return sorted({*_repeated_names(known), *_rule_faults(rules), *_subnet_faults(known), *_quota_faults(known)})


def find_route_faults(resources: Iterable[CloudResource], max_routes: int) -> list[Fault]:
    """Return the routers that get more routes than Neutron allows one, sorted.

    Neutron's setting is `max_routes`, from 2026.2 on `quota_router_route`.
    The platform's router has one for each zone with machines, because figures and probes come from `manage`.
    """
    routers = (one.properties["router_id"] for one in resources if one.kind == "route")
    counts = Counter(router.name for router in routers if isinstance(router, CreatedReference | ExistingReference))
    return [
        Fault(
            "stack configuration",
            0,
            "motcua:openstack.maxRoutes",
            f"router {name} gets {count} routes, one for each zone with machines, and Neutron allows {max_routes}",
            "let the cloud's operator set max_routes in [DEFAULT] of neutron.conf (from 2026.2 on quota_router_route "
            f"in [quotas]) to {count} or more, then write openstack.maxRoutes: {count} in the stack file",
        )
        for name, count in sorted(counts.items())
        if count > max_routes
    ]


def new_fault(declared_at: str, field: str, problem: str, remedy: str) -> Fault:
    """Return a fault at a place `file:line`, or of the cloud's declaration as a whole."""
    return declaration_fault(declared_at, "cloud.toml", field, problem, remedy)


def _system_faults(plan: CloudPlan, system: SystemPlan) -> Iterator[Fault]:
    at, site = system.declared.declared_at, system.declared.site
    for zone in system.zones:
        if not zone.cidr:
            problem = "has no network: no slot in cloud.lock, or none left in the zone's network"
            yield new_fault(at, f"{system.id}, zone {zone.zone}", problem, "run `motcua cloud lock`, or widen [zones]")
        for component in components_with_machines(zone):
            if not component.size.flavor:
                problem = f"size {component.declared.size or '?'} has no flavor, which a machine needs"
                remedy = f"write flavor in [sizes.{component.declared.size}]"
                yield new_fault(component.declared.declared_at, component.declared.path, problem, remedy)
    for needed in PLATFORM_ZONES:
        if not site_network(plan.declaration, needed, site):
            remedy = f"write the network of {needed} at {site} in [zones]"
            yield new_fault(at, system.id, f"has no zone {needed} at its site {site}", remedy)
    if system.zones and system.zones[0].cidr and edge_addresses(plan, system) is None:
        problem = f"has slot {system.zones[0].slot}, and the zone edge at {site} is smaller than that"
        yield new_fault(at, system.id, problem, "widen the network of edge in [zones]")
    yield from _listener_faults(plan, system)
    yield from _end_faults(plan, system)


def _listener_faults(plan: CloudPlan, system: SystemPlan) -> Iterator[Fault]:
    """Report two components behind one port of the balancer, which passes TCP on without looking into it."""
    listeners = balancer_listeners(plan, system)
    ports = Counter(listener.port for listener in listeners)
    for listener in listeners:
        if ports[listener.port] > 1:
            others = sorted({one.component for one in listeners if one.port == listener.port} - {listener.component})
            problem = (
                f"is called at port {listener.port} of the balancer, as {', '.join(others) or 'its other port'} is"
            )
            remedy = "let one of them take all calls, give a gateway another port, or declare a system of its own"
            yield new_fault(listener.declared_at, f"{system.id}/{listener.component}", problem, remedy)


def _end_faults(plan: CloudPlan, system: SystemPlan) -> Iterator[Fault]:
    """Report ends of a system's connections that have no network: groups know addresses, no names."""
    for connection in (*plan.connections, *plan.platform_connections):
        ends = [connection.source, connection.target]
        if is_of_cluster(connection) or not any(end.system == system.id for end in ends):
            continue
        for end in ends:
            if end.kind in {"outside", "platform"}:
                yield from _networks_of_end(plan, connection, end)
        if is_bucket(plan, connection.target):
            yield from _store_faults(plan, connection)


def _store_faults(plan: CloudPlan, connection: AllowedConnection) -> Iterator[Fault]:
    """Report a flow to a container whose store has no address, or answers at another port."""
    store = plan.declaration.platform.get("objects")
    if store is None or not store.address:
        where = f"{connection.source} → {connection.target}"
        remedy = "write address and port in [platform.objects] of cloud.toml"
        yield new_fault(connection.declared_at, where, "calls the object store, which has no address", remedy)
    elif fault := store_port_fault(plan, connection):
        yield fault


def _networks_of_end(plan: CloudPlan, connection: AllowedConnection, end: Endpoint) -> Iterator[Fault]:
    networks, at = remote_networks(plan, end), connection.declared_at
    if end.kind == "platform" and end.name in plan.declaration.platform:
        at = plan.declaration.platform[end.name].declared_at
    if not networks:
        own = f"write address in [platform.{end.name}] of cloud.toml; namespace may stay"
        remedy = "write its cidrs in cloud.toml" if end.kind == "outside" else own
        yield new_fault(at, str(end), "has no network, and security groups know addresses, no names", remedy)
    for network in networks:
        if problem := network_problem(network):
            yield new_fault(at, str(end), problem, "write an IPv4 address or network in cloud.toml")


def network_problem(text: object) -> str:
    """Return why Neutron refuses a text as a network of a rule or subnet; empty when it does not."""
    try:
        ipaddress.ip_network(str(text))
    except ValueError:
        return f"{text} is no network as 10.83.64.0/24"
    return ""


def _repeated_names(resources: tuple[CloudResource, ...]) -> Iterator[Fault]:
    counts = Counter((one.kind, one.name) for one in resources)
    for one in resources:
        if counts[one.kind, one.name] > 1:
            yield new_fault(one.declared_at, f"{one.kind} {one.name}", "is there twice", "rename one of them")


def _rule_faults(rules: list[CloudResource]) -> Iterator[Fault]:
    contents = Counter(_rule_content(rule) for rule in rules)
    for rule in rules:
        where = f"rule {rule.name}"
        if contents[_rule_content(rule)] > 1:
            yield new_fault(rule.declared_at, where, "is there twice in its group", "remove one of the flows")
        first, last = rule.properties.get("port_range_min"), rule.properties.get("port_range_max")
        if not (isinstance(first, int) and isinstance(last, int) and 1 <= first <= last <= LAST_PORT):
            problem = f"has the ports {first} to {last}"
            yield new_fault(rule.declared_at, where, problem, f"write a port from 1 to {LAST_PORT}")
        network = rule.properties.get("remote_ip_prefix")
        if network is not None and (problem := network_problem(network)):
            yield new_fault(rule.declared_at, where, problem, "write the network of the other end")


def _rule_content(rule: CloudResource) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in sorted(rule.properties.items()) if key != "description")


def _subnet_faults(resources: tuple[CloudResource, ...]) -> Iterator[Fault]:
    """Report subnets whose network is none, and two of one network that overlap."""
    subnets = [one for one in resources if one.kind == "subnet"]
    for number, one in enumerate(subnets):
        where, cidr = f"subnet {one.name}", one.properties["cidr"]
        if problem := network_problem(cidr):
            yield new_fault(one.declared_at, where, problem, "correct the network of its zone in [zones]")
            continue
        for other in subnets[:number]:
            same = other.properties["network_id"] == one.properties["network_id"]
            if same and not network_problem(other.properties["cidr"]):
                mine, theirs = (ipaddress.ip_network(str(each)) for each in (cidr, other.properties["cidr"]))
                if mine.overlaps(theirs):
                    problem = f"{cidr} overlaps {other.properties['cidr']} of {other.name}"
                    yield new_fault(one.declared_at, where, problem, "give each a network of its own")


_COUNTED = {
    "network": "network", "subnet": "subnet", "router": "router", "port": "port", "security_group": "security-group",
    "security_group_rule": "security-group-rule", "floatingip": "floating-address",
}  # fmt: skip
"""Name in Neutron's quota → kind."""


def _quota_faults(resources: tuple[CloudResource, ...]) -> Iterator[Fault]:
    """Report projects that are given more than their own quota."""
    counts = Counter((one.project, one.kind) for one in resources)
    for quota in resources:
        if quota.kind != "network-quota":
            continue
        for name, kind in _COUNTED.items():
            limit, count = quota.properties.get(name), counts[quota.name, kind]  # type: ignore[index] # a kind
            if isinstance(limit, int) and 0 <= limit < count:
                problem = f"has {count} of {kind}, and its quota is {limit}"
                yield new_fault(
                    quota.declared_at, f"project {quota.name}", problem, "declare fewer, or raise the quota"
                )
