"""Declared flows → allowed connections: an outside party reaches a component through the edge of its exposure. Pure.

It must not judge: whether the zones allow a connection is decided by `infra.plan.cloud.zones`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.plan.cloud.values import AllowedConnection, Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from telemetry.core.cloud.values import (
        CloudDeclaration,
        Component,
        ComponentZone,
        Exposure,
        Flow,
        FlowEnd,
        PeerKind,
    )

    Namespaces = Mapping[tuple[str, ComponentZone], str]
    """(system, zone) → physical name."""

EDGE_PORT = 443
PEERS_BY_EXPOSURE: Mapping[Exposure, frozenset[PeerKind]] = {
    "internet": frozenset({"internet", "office", "wireless", "wan", "partner"}),
    "wan": frozenset({"office", "wireless", "wan", "partner"}),
    "office": frozenset({"office", "wireless"}),
    "none": frozenset(),
}
"""The outside networks whose flows pass the edge of an exposure; each exposure holds the narrower ones."""


def declared_connections(declaration: CloudDeclaration, namespaces: Namespaces) -> tuple[AllowedConnection, ...]:
    """Return the connections of all flows between known ends, sorted; equal ones once, in whatever order they are."""
    connections = (
        connection for flow in declaration.flows for connection in _connections_of(declaration, flow, namespaces)
    )
    return distinct_connections(connections)


def distinct_connections(connections: Iterable[AllowedConnection]) -> tuple[AllowedConnection, ...]:
    """Return one connection for each pair of ends, port and protocol, with the purposes of all its rows.

    It has TLS only if all of them have it.
    """
    merged: dict[tuple[Endpoint, Endpoint, int, str], list[AllowedConnection]] = {}
    for one in connections:
        merged.setdefault((one.source, one.target, one.port, one.protocol), []).append(one)
    return tuple(sorted(_merge_rows(rows) for rows in merged.values()))


def _merge_rows(rows: list[AllowedConnection]) -> AllowedConnection:
    first = min(rows, key=lambda row: (row.origin, row.tls, row.why, row.declared_at))
    return replace(first, why="; ".join(sorted({row.why for row in rows if row.why})))


def _connections_of(declaration: CloudDeclaration, flow: Flow, namespaces: Namespaces) -> Iterator[AllowedConnection]:
    source, target = (flow_endpoint(declaration, end, namespaces) for end in (flow.source, flow.target))
    if source is None or target is None:
        return
    component = declaration.component(flow.target)
    edge = _edge_of(declaration, source, component)
    if component is None or edge is None:
        yield AllowedConnection(source, target, flow.port, tls=flow.tls, why=flow.why, declared_at=flow.declared_at)
        return
    port = edge_port(component, source)
    yield AllowedConnection(source, edge, port, tls=flow.tls, why=flow.why, declared_at=flow.declared_at)
    yield AllowedConnection(
        edge, target, flow.port, tls=flow.tls, origin="exposure", why=flow.why, declared_at=flow.declared_at
    )


def edge_port(component: Component, source: Endpoint) -> int:
    """Return the port at the edge: a gateway has its own one for other networks of the state and partners."""
    return component.port if component.kind == "gateway" and source.peer in {"wan", "partner"} else EDGE_PORT


def _edge_of(declaration: CloudDeclaration, source: Endpoint, component: Component | None) -> Endpoint | None:
    if component is None or source.kind != "outside":
        return None
    exposure = declaration.systems[component.system].exposure
    if source.peer not in PEERS_BY_EXPOSURE[exposure]:
        return None
    return Endpoint("edge", exposure, zone="edge", namespace=declaration.ground.gateway_namespace)


def flow_endpoint(declaration: CloudDeclaration, end: FlowEnd, namespaces: Namespaces) -> Endpoint | None:
    """Return the endpoint of a flow's end; None for one that is not declared or not hosted."""
    if end.kind == "outside":
        peer = declaration.peers.get(end.name)
        return Endpoint("outside", end.name, peer=peer.kind) if peer else None
    if end.kind == "platform":
        return platform_endpoint(declaration, end.name)
    component = declaration.component(end)
    return component_endpoint(component, namespaces) if component else None


def component_endpoint(component: Component, namespaces: Namespaces) -> Endpoint | None:
    """Return the endpoint of a component; None when its system is not hosted."""
    namespace = namespaces.get((component.system, component.zone))
    if namespace is None:
        return None
    return Endpoint("component", component.id, component.system, component.zone, namespace)


def platform_endpoint(declaration: CloudDeclaration, name: str) -> Endpoint | None:
    """Return the endpoint of a platform service; None when it is not declared."""
    service = declaration.platform.get(name)
    return Endpoint("platform", name, zone="manage", namespace=service.namespace) if service else None
