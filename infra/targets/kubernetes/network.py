"""Network policies: only the plan's flows are allowed. Pure; it adds only what the cluster itself needs.

A flow between two components is two policies: one for egress, one for ingress.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.plan.values import NetworkFlow
from infra.plan.workloads import PROMETHEUS_PORT, SERVICES_PORT
from infra.targets.kubernetes.objects import dns_name, manifest, object_labels, pod_selector
from telemetry.core.hosted.derived_systems import cloud_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

ANY_NETWORK = "0.0.0.0/0"
HTTPS_PORT = 443
NODE_CACHE = "169.254.20.10/32"
"""The DNS server of clusters with a cache on every node."""
EXPOSURE_LABEL = "motcua.org/exposure"
"""The label of a namespace that may bring listeners to the gateway of this name."""
INSIDE_AGENT = "agent"
"""What the label of the agents' pods says, which probe hosted systems from namespaces of their own."""
OUTSIDE_PARTIES = ("devices", "people", "national", "receivers", INSIDE_AGENT)
_CLUSTER_FLOWS = {
    NetworkFlow("prometheus-adapter", "prometheus", PROMETHEUS_PORT, "lag for the autoscaler"),
    NetworkFlow("alertmanager", "receivers", HTTPS_PORT, "messages to the operators"),
}
"""Flows of this target only."""
_NAMESPACE_LABEL, _COMPONENT_LABEL = "kubernetes.io/metadata.name", "app.kubernetes.io/component"


def network_policies(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the policies: deny all, allow DNS, then allow each flow."""
    deny_all: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return (
        _policy(cluster, "default-deny", "network", deny_all),
        _dns_policy(cluster),
        *(policy for flow in cluster_flows(cluster) for policy in _flow_policies(cluster, flow)),
    )


def _policy(cluster: ClusterSpec, name: str, component: str, spec: Manifest) -> Manifest:
    return manifest(cluster, "networking.k8s.io/v1 NetworkPolicy", name, component, spec=spec)


def cluster_flows(cluster: ClusterSpec) -> tuple[NetworkFlow, ...]:
    """Return the plan's flows, with services at their own broker listener, and this target's own flows."""
    flows = {
        replace(flow, port=SERVICES_PORT) if flow.target == "broker" and flow.source not in OUTSIDE_PARTIES else flow
        for flow in cluster.plan.flows
    }
    port = cluster.plan.workload("broker").ports["mqtts"]
    watching = {NetworkFlow(INSIDE_AGENT, "broker", port, "frames from inside the province's cloud")}
    return tuple(sorted(flows | _CLUSTER_FLOWS | (watching if _inside_agents(cluster) else set())))


def _inside_agents(cluster: ClusterSpec) -> list[str]:
    """Return the namespaces of the agents inside the province's cloud, which have the ids of their devices."""
    place = cloud_place(cluster.plan.province)
    return [device.id for device in cluster.plan.broker.devices if device.centre == place]


def _flow_policies(cluster: ClusterSpec, flow: NetworkFlow) -> Iterator[Manifest]:
    """Yield the policies of a flow for its sides inside the cluster; outside parties have none."""
    name, ports = (flow.source, "to", flow.target, str(flow.port)), [{"protocol": "TCP", "port": flow.port}]
    if flow.source not in {*OUTSIDE_PARTIES, "prometheus-adapter"}:
        allowed: Manifest = {"to": _peers_of(cluster, flow.target), "ports": ports}
        pods = {"matchLabels": pod_selector(cluster, flow.source)}
        spec = {"podSelector": pods, "policyTypes": ["Egress"], "egress": [allowed]}
        yield _policy(cluster, dns_name(*name, "out"), flow.source, spec)
    if flow.target not in OUTSIDE_PARTIES:
        allowed = {"from": _peers_of(cluster, flow.source), "ports": ports}
        pods = {"matchLabels": pod_selector(cluster, flow.target)}
        spec = {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": [allowed]}
        yield _policy(cluster, dns_name(*name, "in"), flow.target, spec)


def _peers_of(cluster: ClusterSpec, name: str) -> list[Manifest]:
    """Return the peers of a component or outside party."""
    if name == "devices":
        return _ip_blocks(cluster.options.kubernetes.device_sources)
    if name in {"national", "receivers"}:
        # Policies have no host names: only the port can be limited.
        return _ip_blocks(())
    if name == INSIDE_AGENT:
        agents = {"key": _NAMESPACE_LABEL, "operator": "In", "values": _inside_agents(cluster)}
        pods = {"matchLabels": {_COMPONENT_LABEL: INSIDE_AGENT}}
        return [{"namespaceSelector": {"matchExpressions": [agents]}, "podSelector": pods}]
    if name == "people":
        return [{"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: door_namespace(cluster)}}}]
    if name == "prometheus-adapter":
        pods = {"matchLabels": {"app.kubernetes.io/name": name}}
        return [{"namespaceSelector": {}, "podSelector": pods}]
    return [{"podSelector": {"matchLabels": pod_selector(cluster, name)}}]


def door_namespace(cluster: ClusterSpec) -> str:
    """Return the namespace of the pods through which alone people reach the API: a gateway's, or a controller's."""
    options = cluster.options.kubernetes
    return options.gateway_pods_namespace if options.exposure == "gateway" else options.ingress_namespace


def _ip_blocks(networks: tuple[str, ...]) -> list[Manifest]:
    return [{"ipBlock": {"cidr": network}} for network in networks or (ANY_NETWORK,)]


def _dns_policy(cluster: ClusterSpec) -> Manifest:
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    server = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    cache = {"ipBlock": {"cidr": NODE_CACHE}}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [server, cache], "ports": ports}]}
    return _policy(cluster, "names", "network", spec)


def namespace_manifest(cluster: ClusterSpec) -> Manifest:
    """Return the namespace, which admits restricted pods only."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    options = cluster.options.kubernetes
    # The gateway accepts listeners from namespaces that have its label alone.
    exposure = {EXPOSURE_LABEL: options.gateway_name} if options.exposure == "gateway" else {}
    meta = {"name": options.namespace, "labels": {**object_labels(cluster, "namespace"), **levels, **exposure}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
