"""Network policies of the hosted systems: everything is denied but the plan's connections. Pure.

A connection between two components is two policies, `…-out` and `…-in`; the other sides are not the systems' own.
Peers are named by namespace and pod label together.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.plan.cloud.names import CLUSTER_API, policy_name
from infra.policy.cloud.admission_checks import NAMESPACE_LABEL, SYSTEM_LABEL
from infra.targets.kubernetes.cloud.objects import (
    AGENT,
    COMPONENT_LABEL,
    is_end,
    object_name,
    policy_selector,
    zone_manifest,
)
from infra.targets.kubernetes.network import NODE_CACHE
from telemetry.core.cloud.values import FlowEnd
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.cloud.values import AllowedConnection, ComponentPlan, Endpoint, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.cloud.values import Component

NETWORK_POLICY_KIND = "networking.k8s.io/v1 NetworkPolicy"
ENGINE_LABEL = "app.kubernetes.io/name"


def network_manifests(spec: HostedSpec, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return a zone's policies: deny all, allow names, then allow each connection of its components.

    Raises ConfigError naming every party outside whose networks are unknown.
    """
    deny_all: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    policies = [
        zone_manifest(zone, NETWORK_POLICY_KIND, "default-deny", "network", spec=deny_all),
        zone_manifest(zone, NETWORK_POLICY_KIND, "names", "network", spec=names_rule()),
    ]
    faults: list[Fault] = []
    for component in zone.components:
        if component.declared.kind == "objects":
            continue  # A bucket has no pods: it is at the platform's object store.
        for connection in _own_connections(spec, component):
            try:
                policies += _connection_policies(spec, zone, component, connection)
            except ConfigError as error:
                faults += error.faults
    if faults:
        raise ConfigError(sorted(set(faults)))
    return tuple(policies)


def _own_connections(spec: HostedSpec, component: ComponentPlan) -> Iterator[AllowedConnection]:
    """Yield the connections of a component; asking for names is the zone's policy, not the component's."""
    for connection in spec.plan.connections_of(component.declared.system, component.declared.id):
        if not (connection.target.kind == "platform" and connection.target.name == "dns"):
            yield connection


def _connection_policies(
    spec: HostedSpec, zone: ZonePlan, component: ComponentPlan, connection: AllowedConnection
) -> Iterator[Manifest]:
    """Yield the policies of a connection for its sides that are this component."""
    pods = {"matchLabels": policy_selector(component.declared)}
    port = str(connection.port) if connection.protocol == "TCP" else f"{connection.port}-{connection.protocol.lower()}"
    ports = ports_of(connection)
    ends = _named_ends(spec, connection)
    if is_end(component, connection, of_source=True):
        allowed: Manifest = {"to": peers_of(spec, connection.target), "ports": ports}
        name = policy_name(*ends, port, "out")
        body = {"podSelector": pods, "policyTypes": ["Egress"], "egress": [allowed]}
        yield zone_manifest(zone, NETWORK_POLICY_KIND, name, object_name(component.declared), spec=body)
    if is_end(component, connection, of_source=False):
        allowed = {"from": peers_of(spec, connection.source), "ports": ports}
        name = policy_name(*ends, port, "in")
        body = {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": [allowed]}
        yield zone_manifest(zone, NETWORK_POLICY_KIND, name, object_name(component.declared), spec=body)


def _named_ends(spec: HostedSpec, connection: AllowedConnection) -> tuple[Endpoint, Endpoint]:
    """Return the ends as a policy's name has them: physical names, which a renamed system or component keeps."""
    source, target = connection.source, connection.target
    across = source.kind == target.kind == "component" and source.system != target.system
    return _named_end(spec, source, across=across), _named_end(spec, target, across=across)


def _named_end(spec: HostedSpec, end: Endpoint, *, across: bool) -> Endpoint:
    if end.kind != "component":
        return end
    return replace(end, system=end.namespace if across else "", name=object_name(_component_at(spec, end)))


def _component_at(spec: HostedSpec, end: Endpoint) -> Component:
    component = spec.plan.declaration.component(FlowEnd("component", end.name, end.system))
    assert component is not None, f"{end} is planned, so it is declared"  # noqa: S101
    return component


def ports_of(connection: AllowedConnection) -> list[Manifest]:
    """Return the port of a connection as a rule has it."""
    return [{"protocol": connection.protocol, "port": connection.port}]


def peers_of(spec: HostedSpec, end: Endpoint) -> list[Manifest]:
    """Return the peers that an end stands for. Raises ConfigError for one whose networks are unknown."""
    if end.kind == "component" and _component_at(spec, end).kind == "objects":
        return _platform_peers(spec, replace(end, name="objects", namespace=_object_store_namespace(spec)))
    if end.kind == "component":
        return [_pods_in(end.namespace, policy_selector(_component_at(spec, end)), {SYSTEM_LABEL: end.system})]
    pods = {"edge": {spec.options.cloud.gateway_pod_label: end.name}, "operator": {ENGINE_LABEL: end.name},
            "vantage": {COMPONENT_LABEL: AGENT}}  # fmt: skip
    if end.kind in pods:
        return [_pods_in(end.namespace, pods[end.kind])]
    if end.kind == "outside":
        return _ip_blocks(spec.plan.declaration.peers[end.name].cidrs, f"peer {end.name}", _where_of_peer(spec, end))
    return _platform_peers(spec, end)


def _object_store_namespace(spec: HostedSpec) -> str:
    service = spec.plan.declaration.platform.get("objects")
    return service.namespace if service else ""


def _platform_peers(spec: HostedSpec, end: Endpoint) -> list[Manifest]:
    """Return the peers of a service of the platform: all pods of its namespace, or its address."""
    if end.name == CLUSTER_API:
        return _cluster_api_blocks(spec)
    if end.namespace:
        return [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: end.namespace}}}]
    return _ip_blocks(_platform_networks(spec, end), f"platform service {end.name}", "cloud.toml")


def _pods_in(namespace: str, labels: Mapping[str, str], more: Mapping[str, str] | None = None) -> Manifest:
    """Return the peer of pods with labels in a namespace, which may have `more` labels that rules look at."""
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace, **(more or {})}},
        "podSelector": {"matchLabels": dict(labels)},
    }


def _where_of_peer(spec: HostedSpec, end: Endpoint) -> str:
    return spec.plan.declaration.peers[end.name].declared_at


def _platform_networks(spec: HostedSpec, end: Endpoint) -> tuple[str, ...]:
    """Return the network of a platform service outside of the cluster."""
    service = spec.plan.declaration.platform.get(end.name)
    try:
        return (str(ipaddress.ip_network(service.address)),) if service else ()
    except ValueError:
        return ()


def _cluster_api_blocks(spec: HostedSpec) -> list[Manifest]:
    """Return the addresses of the API server. A whole zone in their place would open all that is in it."""
    networks = spec.options.cloud.api_server_networks
    if not networks:
        remedy = "name its addresses, as [10.84.0.2/32]: `kubectl get endpointslices kubernetes`, and the Service's"
        problem = "is empty, and databases call the cluster's API server"
        raise ConfigError([Fault("stack configuration", 0, "motcua:cloud.apiServerNetworks", problem, remedy)])
    return [{"ipBlock": {"cidr": network}} for network in sorted(networks)]


def _ip_blocks(networks: tuple[str, ...], party: str, declared_at: str) -> list[Manifest]:
    if not networks:
        file, _, line = declared_at.partition(":")
        problem, remedy = f"{party} has no networks, and a network policy cannot name hosts", "add its networks (cidrs)"
        raise ConfigError([Fault(file or "cloud.toml", int(line or 0), party, problem, remedy)])
    return [{"ipBlock": {"cidr": network}} for network in sorted(networks)]


def names_rule() -> Manifest:
    """Return the rule by which every pod of a namespace may ask the cluster's own servers for names."""
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    server = _pods_in("kube-system", {"k8s-app": "kube-dns"})
    cache = {"ipBlock": {"cidr": NODE_CACHE}}
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [server, cache], "ports": ports}]}
