"""The listeners of a system's balancer: what outside parties and other systems call, and from where. Pure.

It must not open anything that the plan does not allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.connections import edge_port, flow_endpoint
from infra.targets.openstack.cloud.addresses import edge_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, Endpoint, SystemPlan


@dataclass(frozen=True, slots=True, order=True)
class BalancerListener:
    """A port of a system's balancer: the component behind it, that one's port, and the networks that may call.

    `outside` when a party outside of the cloud is among them.
    """

    port: int
    component: str
    component_port: int
    sources: tuple[str, ...]
    outside: bool
    declared_at: str = ""


@dataclass(frozen=True, slots=True, order=True)
class _ListenerSource:
    port: int
    component: str
    component_port: int
    cidr: str
    outside: bool
    declared_at: str


def balancer_listeners(plan: CloudPlan, system: SystemPlan) -> tuple[BalancerListener, ...]:
    """Return a system's listeners, sorted; one for each port at the balancer, component and port behind it."""
    grouped: dict[tuple[int, str, int], list[_ListenerSource]] = {}
    for one in sorted({*_outside_sources(plan, system), *_system_sources(plan, system)}):
        grouped.setdefault((one.port, one.component, one.component_port), []).append(one)
    return tuple(
        BalancerListener(
            *key,
            tuple(sorted({one.cidr for one in sources})),
            any(one.outside for one in sources),
            min(one.declared_at for one in sources),
        )
        for key, sources in sorted(grouped.items())
    )


def _outside_sources(plan: CloudPlan, system: SystemPlan) -> Iterator[_ListenerSource]:
    """Yield the networks of the outside parties whose flows pass the edge."""
    declaration = plan.declaration
    namespaces = {(zone.system, zone.zone): zone.namespace for zone in system.zones}
    passed = {(one.source, one.port) for one in plan.connections if one.target.kind == "edge"}
    for flow in declaration.flows:
        component, source = declaration.component(flow.target), flow_endpoint(declaration, flow.source, namespaces)
        if component is None or component.kind == "objects" or component.system != system.id:
            continue
        if source is None or source.kind != "outside":
            continue
        port = edge_port(component, source)
        if (source, port) in passed:
            for cidr in declaration.peers[source.name].cidrs:
                yield _ListenerSource(port, component.id, flow.port, cidr, outside=True, declared_at=flow.declared_at)


def _system_sources(plan: CloudPlan, system: SystemPlan) -> Iterator[_ListenerSource]:
    """Yield the routers of the systems that call this one."""
    with_machines = {one.declared.id for one in system.components if one.declared.kind != "objects"}
    for connection in plan.connections:
        source, target = connection.source, connection.target
        if is_between_systems(source, target) and target.system == system.id and target.name in with_machines:
            addresses = edge_addresses(plan, plan.system(source.system))
            if addresses is not None:
                yield _ListenerSource(
                    connection.port, target.name, connection.port, f"{addresses.router}/32", outside=False,
                    declared_at=connection.declared_at,
                )  # fmt: skip


def is_between_systems(source: Endpoint, target: Endpoint) -> bool:
    """Return whether a connection leads from a component of one system to one of another."""
    return source.kind == target.kind == "component" and source.system != target.system
