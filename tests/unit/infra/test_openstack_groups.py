"""Groups, routers and balancers on OpenStack let exactly the declared connections through."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import given

from infra.plan.cloud.security_groups import NetworkPort, SecurityGroupRule, groups_allow
from infra.targets.openstack.cloud.group_rules import remote_networks
from infra.targets.openstack.cloud.resources import hosted_resources
from infra.targets.openstack.cloud.values import CloudSettings, CreatedReference
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import base_declaration, base_lock, gateway_system, planned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan
    from infra.targets.openstack.cloud.values import CloudResource
    from telemetry.core.cloud.values import CloudDeclaration

Allowed = set[tuple[str, str, int, str]]
"""From, to (`project/component`, or a network), port at the component, protocol."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as packets see it: its component's group and an address of its subnet."""

    group: str
    address: str


class Cloud:
    """What the resources alone say: it reads no declaration and no plan."""

    def __init__(self, resources: tuple[CloudResource, ...]) -> None:
        self._by_kind: dict[str, dict[str, CloudResource]] = {}
        for one in resources:
            self._by_kind.setdefault(one.kind, {})[one.name] = one
        ports = [one for one in self.of("port") if "security_group_ids" in one.properties]
        # those of a component are alike: one stands for all
        self.machines = list({one.group: one for one in map(self._machine, ports)}.values())
        self.rules: dict[tuple[str, str], list[SecurityGroupRule]] = {}
        for rule in map(as_group_rule, self.of("security-group-rule")):
            self.rules.setdefault((rule.group, rule.direction), []).append(rule)

    def of(self, kind: str) -> list[CloudResource]:
        return list(self._by_kind.get(kind, {}).values())

    def _machine(self, port: CloudResource) -> Machine:
        groups: Any = port.properties["security_group_ids"]
        addresses: Any = port.properties["fixed_ips"]
        cidr = self._by_kind["subnet"][addresses[0]["subnet_id"].name].properties["cidr"]
        return Machine(groups[0].name, str(ipaddress.ip_network(str(cidr))[5]))

    def is_open(self, source: Machine, target: Machine, port: int, protocol: str) -> bool:
        """Tell whether a packet passes the groups of both ends; an end without a group is a balancer's, unfiltered."""
        rules = [*self.rules.get((source.group, "egress"), ()), *self.rules.get((target.group, "ingress"), ())]
        near, far = (
            NetworkPort(one.address, frozenset({one.group}) if one.group else None) for one in (source, target)
        )
        return groups_allow(rules, near, far, port, protocol)

    def ports(self) -> set[tuple[int, str]]:
        return {(rule.first_port or 0, rule.protocol) for rules in self.rules.values() for rule in rules}

    def direct(self) -> Allowed:
        """Return what machines reach of each other without a balancer."""
        return {
            (one.group, other.group, port, protocol)
            for one in self.machines
            for other in self.machines
            for port, protocol in self.ports()
            if self.is_open(one, other, port, protocol)
        }

    def balanced(self) -> Iterator[tuple[str, str, int, str]]:
        """Yield what is reached through balancers: from a component or a network, to a component."""
        for listener in self.of("listener"):
            vip = _only_address(self._by_kind["port"][f"{listener.project}/balancer"].properties["fixed_ips"])
            port = int(str(listener.properties["protocol_port"]))
            for target, member_port in self._members_reached(listener):
                for source in listener.properties["allowed_cidrs"]:  # type: ignore[attr-defined]
                    callers = self._behind(str(source))
                    if not callers:
                        yield source, target, member_port, "tcp"
                    for one in callers:
                        if self.is_open(one, Machine("", vip), port, "tcp"):
                            yield one.group, target, member_port, "tcp"

    def _behind(self, cidr: str) -> list[Machine]:
        """Return the machines that call from a router's address; none when it is no router's."""
        for router in self.of("router"):
            if _only_address(router.properties["external_fixed_ips"]) == cidr.removesuffix("/32"):
                return [one for one in self.machines if one.group.startswith(f"{router.project}/")]
        return []

    def _members_reached(self, listener: CloudResource) -> set[tuple[str, int]]:
        reached = set()
        for member in self.of("member"):
            pool = self._by_kind["pool"][member.properties["pool_id"].name]  # type: ignore[attr-defined]
            if pool.properties["listener_id"] != listener.reference:
                continue
            port_name = member.properties["address"].name  # type: ignore[attr-defined]
            machine = self._machine(self._by_kind["port"][port_name])
            subnet = self._by_kind["subnet"][member.properties["subnet_id"].name]  # type: ignore[attr-defined]
            leg = str(ipaddress.ip_network(str(subnet.properties["cidr"]))[5])
            port = int(str(member.properties["protocol_port"]))
            if self.is_open(Machine("", leg), machine, port, "tcp"):
                reached.add((machine.group, port))
        return reached


def _only_address(fixed: Any) -> str:  # noqa: ANN401 - a list of mappings
    (one,) = fixed
    return str(one["ip_address"])


def as_group_rule(resource: CloudResource) -> SecurityGroupRule:
    """Return a rule's resource as the evaluator of security groups reads it."""
    rule = resource.properties
    group, remote = rule["security_group_id"], rule.get("remote_group_id")
    assert isinstance(group, CreatedReference)
    return SecurityGroupRule(
        group.name, "ingress" if rule["direction"] == "ingress" else "egress", str(rule["protocol"]),
        int(str(rule["port_range_min"])), int(str(rule["port_range_max"])),
        remote.name if isinstance(remote, CreatedReference) else "", str(rule.get("remote_ip_prefix") or ""),
    )  # fmt: skip


def declared(plan: CloudPlan) -> Allowed:
    """Return what the plan allows between components, and through the edge to components; containers are neither.

    Port 8000 among a database's instances is that of the operator inside a cluster, which machines do not have.
    """
    projects = {system.id: system.project for system in plan.systems}
    containers = {one.declared.path for system in plan.systems for one in system.components
                  if one.declared.kind == "objects"}  # fmt: skip
    found: Allowed = set()
    for one in (*plan.connections, *plan.platform_connections):
        ends = (one.source, one.target)
        if one.why == "isolation check":
            continue
        if all(end.kind == "component" and str(end) not in containers for end in ends):
            source, target = (f"{projects[end.system]}/{end.name}" for end in ends)
            found.add((source, target, one.port, one.protocol.lower()))
    past_the_edge = {(str(one.source), str(one.target)) for one in plan.connections}
    for flow in plan.declaration.flows:
        component = plan.declaration.component(flow.target)
        if flow.source.kind != "outside" or component is None or component.path in containers:
            continue
        if (str(flow.source), component.path) not in past_the_edge:
            target = f"{projects[component.system]}/{component.id}"
            found |= {(cidr, target, flow.port, "tcp") for cidr in plan.declaration.peers[flow.source.name].cidrs}
    return found


def reached(plan: CloudPlan) -> Allowed:
    cloud = Cloud(hosted_resources(plan, CloudSettings()))
    return cloud.direct() | set(cloud.balanced())


def test_the_base_lets_through_what_it_declares_and_nothing_else() -> None:
    plan, project = planned(base_declaration()), "vn83-onestop-prod"
    assert reached(plan) == declared(plan)
    assert declared(plan) == {
        ("0.0.0.0/0", f"{project}/web", 8080, "tcp"), (f"{project}/web", f"{project}/app", 8081, "tcp"),
        (f"{project}/app", f"{project}/db", 5432, "tcp"), (f"{project}/db", f"{project}/db", 5432, "tcp"),
    }  # fmt: skip


def test_two_systems_reach_each_other_by_the_declared_flow_only() -> None:
    plan = planned(gateway_system())
    assert reached(plan) == declared(plan)
    assert ("vn83-onestop-prod/app", "vn83-lgsp-prod/gw", 5500, "tcp") in reached(plan)
    assert ("vn83-onestop-prod/web", "vn83-lgsp-prod/gw", 5500, "tcp") not in reached(plan)


def test_a_rule_too_many_and_a_listener_for_all_would_be_noticed() -> None:
    plan = planned(gateway_system())
    resources = hosted_resources(plan, CloudSettings())
    rule = next(one for one in resources if one.name.endswith("web/to-app-8081-tcp"))
    wide = {**rule.properties, "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": None, "port_range_max": 9000}
    entry = next(one for one in resources if one.name.endswith("app/from-web-8081-tcp"))
    wide_entry = {**entry.properties, "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": None, "port_range_max": 9000}
    db = CreatedReference("security-group", "vn83-onestop-prod/db")
    more = (replace(rule, properties=wide), replace(entry, properties={**wide_entry, "security_group_id": db}))
    cloud = Cloud((*resources, *(replace(one, name=f"{one.name}-more") for one in more)))
    assert ("vn83-onestop-prod/web", "vn83-onestop-prod/db", 8081, "tcp") in cloud.direct()
    listener = next(one for one in resources if one.kind == "listener" and one.project == "vn83-lgsp-prod")
    open_listener = replace(listener, properties={**listener.properties, "allowed_cidrs": ["0.0.0.0/0"]})
    opened = Cloud((*(one for one in resources if one != listener), open_listener))
    assert ("0.0.0.0/0", "vn83-lgsp-prod/gw", 5500, "tcp") in set(opened.balanced())


@given(declarations())
def test_exactly_the_declared_connections_pass(declaration: CloudDeclaration) -> None:
    plan = planned(replace(declaration, lock=base_lock(*sorted(declaration.systems))))
    try:
        found = reached(plan)
    except ConfigError:
        return
    assert found == declared(plan)


def test_a_platform_service_is_named_by_its_address_and_never_by_its_network() -> None:
    base = base_declaration()
    nowhere = replace(base.platform["logs"], address="")
    plan = planned(replace(base, platform={**base.platform, "logs": nowhere}))
    ends = {one.target.name: one.target for one in plan.platform_connections if one.target.kind == "platform"}
    assert remote_networks(plan, ends["time"]) == ("10.84.0.10/32",)
    assert remote_networks(plan, ends["logs"]) == ()
