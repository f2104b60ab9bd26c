"""Who may reach whom in what is rendered of hosted systems: parties, and every pair that the policies let through.

It must not assert anything.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from infra.config.options import CloudOptions
from infra.plan.cloud.names import CLUSTER_API
from infra.plan.cloud.network_policies import NetworkParty, NetworkPolicies
from infra.plan.cloud.vantage_points import vantage_namespaces
from infra.targets.kubernetes.cloud.manifests import system_manifests
from infra.targets.kubernetes.cloud.objects import (
    AGENT,
    COMPONENT_LABEL,
    DATABASE_CLUSTER_LABEL,
    HostedSpec,
    pod_selector,
    policy_selector,
)
from infra.targets.kubernetes.cloud.vantage import vantage_manifests
from tests.cloud_examples import GROUND
from tests.hosted_objects import cluster_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint, ZonePlan
    from telemetry.core.cloud.values import CloudDeclaration

Json = dict[str, Any]
Reached = tuple[str, str, int, str]
"""Source, target, port, protocol."""
API_SERVER = "10.84.0.2"
NEVER_DECLARED = 9
"""A port that no connection has."""
_GATEWAY_LABEL = CloudOptions().gateway_pod_label
_OUTSIDE_ADDRESSES = {"internet": "198.51.100.77"}


def with_kept_promises(declaration: CloudDeclaration) -> CloudDeclaration:
    """Return the declaration over a cluster that keeps its promises."""
    return replace(declaration, ground=replace(GROUND, gateway_namespace=declaration.ground.gateway_namespace))


def rendered_objects(plan: CloudPlan) -> tuple[Json, ...]:
    """Return every Kubernetes object of the hosted systems."""
    spec = _spec_of(plan)
    return tuple(one for system in plan.systems for one in system_manifests(spec, system))


def agent_objects(plan: CloudPlan) -> tuple[Json, ...]:
    """Return every Kubernetes object of the agents inside the cloud."""
    return vantage_manifests(_spec_of(plan), dict.fromkeys(vantage_namespaces(plan.province), "settings"))


def _spec_of(plan: CloudPlan) -> HostedSpec:
    return HostedSpec(plan, cluster_options(plan.declaration, api_server_networks=[f"{API_SERVER}/32"]))


def network_policies(objects: Iterable[Json]) -> NetworkPolicies:
    """Return the rendered policies with the labels of the rendered namespaces."""
    objects = tuple(objects)
    namespaces = {one["metadata"]["name"]: one["metadata"]["labels"] for one in objects if one["kind"] == "Namespace"}
    return NetworkPolicies(tuple(one for one in objects if one["kind"] == "NetworkPolicy"), namespaces)


def parties(plan: CloudPlan, objects: Iterable[Json]) -> Mapping[str, NetworkParty]:
    """Return every party by the text of its end: components with the labels of their rendered pods, and all others.

    A stranger is a pod of another namespace with the labels of a component, and each zone has a pod without labels.
    """
    labels = _rendered_pod_labels(objects)
    named = {str(end): _party(plan, end) for end in _other_ends(plan)}
    for at, component in enumerate((one for system in plan.systems for one in system.components), 1):
        declared = component.declared
        if declared.kind == "objects":
            continue
        (name,) = pod_selector(declared).values()
        own = labels.get((component.namespace, name), policy_selector(declared))
        address = str(ipaddress.ip_address("10.244.0.0") + at)
        named[declared.path] = NetworkParty(component.namespace, own, address)
        named["stranger"] = NetworkParty("elsewhere", own, "10.245.0.1")
        named[_undeclared_in(component.namespace)] = NetworkParty(component.namespace, {}, "10.247.0.1")
    return named


def _undeclared_in(namespace: str) -> str:
    """Return the name of a pod that nobody declared: nothing but names is open to it."""
    return f"undeclared in {namespace}"


def _rendered_pod_labels(objects: Iterable[Json]) -> dict[tuple[str, ...], Mapping[str, str]]:
    """Return the labels of the pods of every workload, by namespace and name of the workload.

    The operator of a database gives its pods the name of their cluster as well.
    """
    found: dict[tuple[str, ...], Mapping[str, str]] = {}
    for one in objects:
        if one["kind"] in {"Deployment", "StatefulSet", "CronJob", "Cluster"}:
            spec = one["spec"]
            template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
            name = one["metadata"]["name"]
            inherited = {} if template else {**spec["inheritedMetadata"]["labels"], DATABASE_CLUSTER_LABEL: name}
            found[one["metadata"]["namespace"], name] = template["metadata"]["labels"] if template else inherited
    return found


def _other_ends(plan: CloudPlan) -> set[Endpoint]:
    connections = (*plan.connections, *plan.platform_connections)
    return {end for one in connections for end in (one.source, one.target) if end.kind != "component"}


def _party(plan: CloudPlan, end: Endpoint) -> NetworkParty:
    pods = {
        "edge": NetworkParty(end.namespace, {_GATEWAY_LABEL: end.name}, "10.246.0.1"),
        "operator": NetworkParty(end.namespace, {"app.kubernetes.io/name": end.name}, "10.246.0.2"),
        "vantage": NetworkParty(end.namespace, {COMPONENT_LABEL: AGENT}, f"10.248.0.{len(end.name)}"),
    }
    if end.kind in pods:
        return pods[end.kind]
    if end.kind == "outside":
        first = str(ipaddress.ip_network(plan.declaration.peers[end.name].cidrs[0])[5])
        return NetworkParty(address=_OUTSIDE_ADDRESSES.get(end.name, first))
    if end.name == CLUSTER_API:
        return NetworkParty(address=API_SERVER)
    service = plan.declaration.platform[end.name]
    if service.namespace:
        return NetworkParty(service.namespace, {"k8s-app": "kube-dns"}, "10.246.0.3")
    return NetworkParty(address=service.address)


def expected_reach(plan: CloudPlan) -> set[Reached]:
    """Return the planned connections that have a component at an end; any pod of a zone may ask for names."""
    reached = {_reached(one) for one in (*plan.connections, *plan.platform_connections) if _has_component(one)}
    names = {one for one in reached if one[1] == "platform:dns"}
    zones = {zone.namespace for system in plan.systems for zone in system.zones if _has_pods(zone)}
    return reached | {(_undeclared_in(zone), *one[1:]) for zone in zones for one in names}


def _has_pods(zone: ZonePlan) -> bool:
    return any(one.declared.kind != "objects" for one in zone.components)


def _has_component(connection: AllowedConnection) -> bool:
    return not {"component", "vantage"}.isdisjoint({connection.source.kind, connection.target.kind})


def _reached(connection: AllowedConnection) -> Reached:
    return str(connection.source), str(connection.target), connection.port, connection.protocol


def allowed_reach(plan: CloudPlan, policies: NetworkPolicies, named: Mapping[str, NetworkParty]) -> set[Reached]:
    """Return every pair with a component at an end, port and protocol that the policies let through."""
    doors = {(one.port, one.protocol) for one in (*plan.connections, *plan.platform_connections)}
    doors |= {(NEVER_DECLARED, "TCP"), (NEVER_DECLARED, "UDP")}
    hosted = {zone.namespace for system in plan.systems for zone in system.zones}
    hosted |= {*vantage_namespaces(plan.province)}
    return {
        (source, target, port, protocol)
        for source, target in product(named, repeat=2)
        if {named[source].namespace, named[target].namespace} & hosted
        for port, protocol in doors
        if policies.allow(named[source], named[target], port, protocol)
    }
