"""What the vantage points inside the cloud may reach, and what they dial that must refuse them. Pure.

It must not choose what is probed: `telemetry.core.hosted.inside_probes` does, for their agents and for this plan alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from infra.plan.cloud.connections import component_endpoint, distinct_connections, flow_endpoint, platform_endpoint
from infra.plan.cloud.values import AllowedConnection, Endpoint
from telemetry.core.hosted.derived_systems import vantage_device
from telemetry.core.hosted.inside_probes import VantageZone, closed_paths, component_probes, figure_reads, peer_probes
from telemetry.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.connections import Namespaces
    from infra.plan.cloud.values import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration, Component
    from telemetry.core.hosted.inside_probes import InsideProbe

BROKER = "broker"
"""The service of the platform to which agents publish."""
DNS_PORT, BROKER_PORT = 53, 8883
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1"})
"""Hosts of a broker that agents in the cloud cannot reach."""


def vantage_end(province: str, zone: VantageZone) -> Endpoint:
    """Return a vantage point as the end of a connection; its namespace has the id of its device."""
    return Endpoint("vantage", zone, zone=zone, namespace=vantage_device(province, zone))


def vantage_namespaces(province: str) -> tuple[str, ...]:
    """Return the namespaces of all vantage points that a province may have."""
    return tuple(vantage_device(province, zone) for zone in get_args(VantageZone))


def planned_vantage_points(plan: CloudPlan) -> tuple[Endpoint, ...]:
    """Return the vantage points that probe something, by zone."""
    probing = (*plan.platform_connections, *plan.closed_dials)
    return tuple(sorted({one.source for one in probing if one.source.kind == "vantage"}))


def vantage_connections(
    declaration: CloudDeclaration, namespaces: Namespaces, province: str
) -> tuple[AllowedConnection, ...]:
    """Return what vantage points must reach, sorted: what they probe, names, and the broker."""
    probes = [probe for ident in declaration.systems for probe in _open_probes(declaration, ident)]
    connections = [*_dials(declaration, namespaces, province, probes)]
    zones = {one.source: None for one in (*connections, *closed_dials(declaration, namespaces, province))}
    for source in zones:
        connections += _service_connections(declaration, namespaces, source)
    return distinct_connections(connections)


def closed_dials(declaration: CloudDeclaration, namespaces: Namespaces, province: str) -> tuple[AllowedConnection, ...]:
    """Return what vantage points dial and must not reach, sorted; nothing allows it at the other end.

    A component's own door must refuse, so the way out to it is open. Outside parties have no door of ours: the closed
    way out of the zone is what is tried.
    """
    probes = [probe for ident in declaration.systems for probe in closed_paths(declaration, ident)]
    return distinct_connections(_dials(declaration, namespaces, province, probes))


def broker_faults(plan: CloudPlan, host: str) -> list[Fault]:
    """Return why the agents could not report what they see to a broker of this name; empty when they can."""
    faults = list[Fault]()
    if not planned_vantage_points(plan):
        return faults
    if BROKER not in plan.declaration.platform:
        remedy = "write [platform.broker] with namespace or address, and port"
        faults.append(Fault("cloud.toml", 0, "platform", "has no broker, to which the agents inside report", remedy))
    if host in LOCAL_HOSTS:
        problem, remedy = f"is {host}, where the agents inside find no broker", "write the name in its certificate"
        faults.append(Fault("stack configuration", 0, "motcua:broker.host", problem, remedy))
    return faults


def _open_probes(declaration: CloudDeclaration, system: str) -> tuple[InsideProbe, ...]:
    return (
        *component_probes(declaration, system),
        *figure_reads(declaration, system),
        *peer_probes(declaration, system),
    )


def _dials(
    declaration: CloudDeclaration, namespaces: Namespaces, province: str, probes: list[InsideProbe]
) -> Iterator[AllowedConnection]:
    """Yield the connections of probes; none of a system that is not hosted."""
    for probe in probes:
        target = flow_endpoint(declaration, probe.target, namespaces)
        if target is not None:
            why = "must be refused" if probe.must_fail else "probes from inside"
            source = vantage_end(province, probe.zone)
            yield AllowedConnection(source, target, probe.port, tls=probe.tls, origin="platform", why=why)


def _service_connections(
    declaration: CloudDeclaration, namespaces: Namespaces, source: Endpoint
) -> Iterator[AllowedConnection]:
    names = platform_endpoint(declaration, "dns")
    if names is not None:
        port = declaration.platform["dns"].port or DNS_PORT
        for protocol in ("UDP", "TCP"):
            yield AllowedConnection(
                source, names, port, "UDP" if protocol == "UDP" else "TCP", tls=False, origin="platform", why="names"
            )
    broker = broker_end(declaration, namespaces)
    if broker is not None:
        port = declaration.platform[BROKER].port or BROKER_PORT
        yield AllowedConnection(source, broker, port, origin="platform", why="what was seen")


def broker_end(declaration: CloudDeclaration, namespaces: Namespaces) -> Endpoint | None:
    """Return where agents publish: the component that is the broker, where the province hosts it, or the service."""
    service = declaration.platform.get(BROKER)
    if service is None:
        return None
    hosted = (one for one in declaration.components if _is_broker(declaration, namespaces, one))
    component = next(iter(sorted(hosted, key=lambda one: one.path)), None)
    return component_endpoint(component, namespaces) if component else platform_endpoint(declaration, BROKER)


def _is_broker(declaration: CloudDeclaration, namespaces: Namespaces, component: Component) -> bool:
    service = declaration.platform[BROKER]
    is_there = namespaces.get((component.system, component.zone)) == service.namespace
    return is_there and component.port == (service.port or BROKER_PORT)
