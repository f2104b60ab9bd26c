"""Network policies: only the plan's flows are allowed. Pure; it adds only what the cluster itself needs.

A flow between two components is two policies: one for egress, one for ingress.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.values import NetworkFlow
from infra.plan.workloads import INFLUX_PORT, PROMETHEUS_PORT
from infra.targets.kubernetes.objects import BACKUP, SERVICES_PORT, dns_name, manifest, object_labels, pod_selector

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

ANY_NETWORK = "0.0.0.0/0"
HTTPS_PORT = 443
NODE_CACHE = "169.254.20.10/32"
"""The DNS server of clusters with a cache on every node."""
INGRESS_NAMESPACE = "ingress-nginx"
"""The ingress controller's namespace: people reach the API only through it."""
OUTSIDE_PARTIES = ("devices", "people", "national", "receivers")
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class _FlowSide:
    """One side of a flow: the component, the direction, the peers."""

    name: str
    component: str
    direction: str
    peers: list[Manifest]
    port: int


def network_policies(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the policies: deny all, allow DNS, then allow each flow."""
    rules = [rule for flow in cluster_flows(cluster) for rule in _flow_sides(cluster, flow)]
    return (_default_deny(cluster), _dns_policy(cluster), *(_network_policy(cluster, rule) for rule in rules))


def cluster_flows(cluster: ClusterSpec) -> tuple[NetworkFlow, ...]:
    """Return the plan's flows, with services at their own broker listener, and this target's own flows."""
    plan = [_to_services_listener(flow) for flow in cluster.plan.flows]
    return tuple(sorted({*plan, *cluster_only_flows()}))


def _to_services_listener(flow: NetworkFlow) -> NetworkFlow:
    if flow.target != "broker" or flow.source in OUTSIDE_PARTIES:
        return flow
    return NetworkFlow(flow.source, flow.target, SERVICES_PORT, flow.reason)


def cluster_only_flows() -> tuple[NetworkFlow, ...]:
    """Return the flows of this target only: backup, prometheus-adapter, alert receivers."""
    return (
        NetworkFlow(BACKUP, "influxdb", INFLUX_PORT, "backup"),
        NetworkFlow("prometheus-adapter", "prometheus", PROMETHEUS_PORT, "lag for the autoscaler"),
        NetworkFlow("alertmanager", "receivers", HTTPS_PORT, "messages to the operators"),
    )


def _flow_sides(cluster: ClusterSpec, flow: NetworkFlow) -> list[_FlowSide]:
    """Return the sides of a flow inside the cluster; outside parties have none."""
    sides = []
    if flow.source not in {*OUTSIDE_PARTIES, "prometheus-adapter"}:
        sides.append(_flow_side(cluster, flow, "Egress"))
    if flow.target not in OUTSIDE_PARTIES:
        sides.append(_flow_side(cluster, flow, "Ingress"))
    return sides


def _flow_side(cluster: ClusterSpec, flow: NetworkFlow, direction: str) -> _FlowSide:
    own, other = (flow.source, flow.target) if direction == "Egress" else (flow.target, flow.source)
    name = dns_name(flow.source, "to", flow.target, str(flow.port), "out" if direction == "Egress" else "in")
    return _FlowSide(name, own, direction, _peers_of(cluster, other), flow.port)


def _peers_of(cluster: ClusterSpec, name: str) -> list[Manifest]:
    """Return the peers of a component or outside party."""
    if name == "devices":
        return _ip_blocks(cluster.options.kubernetes.device_sources)
    if name in {"national", "receivers"}:
        # Policies have no host names: only the port can be limited.
        return _ip_blocks(())
    if name == "people":
        return [{"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: INGRESS_NAMESPACE}}}]
    if name == "prometheus-adapter":
        pods = {"matchLabels": {"app.kubernetes.io/name": name}}
        return [{"namespaceSelector": {}, "podSelector": pods}]
    return [{"podSelector": {"matchLabels": pod_selector(cluster, name)}}]


def _ip_blocks(networks: tuple[str, ...]) -> list[Manifest]:
    return [{"ipBlock": {"cidr": network}} for network in networks or (ANY_NETWORK,)]


def _network_policy(cluster: ClusterSpec, flow_side: _FlowSide) -> Manifest:
    traffic = {
        "to" if flow_side.direction == "Egress" else "from": flow_side.peers,
        "ports": [{"protocol": "TCP", "port": flow_side.port}],
    }
    pods = {"matchLabels": pod_selector(cluster, flow_side.component)}
    spec = {"podSelector": pods, "policyTypes": [flow_side.direction], flow_side.direction.lower(): [traffic]}
    return manifest(cluster, "networking.k8s.io/v1 NetworkPolicy", flow_side.name, flow_side.component, spec=spec)


def _default_deny(cluster: ClusterSpec) -> Manifest:
    spec: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return manifest(cluster, "networking.k8s.io/v1 NetworkPolicy", "default-deny", "network", spec=spec)


def _dns_policy(cluster: ClusterSpec) -> Manifest:
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    server = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    cache = {"ipBlock": {"cidr": NODE_CACHE}}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [server, cache], "ports": ports}]}
    return manifest(cluster, "networking.k8s.io/v1 NetworkPolicy", "names", "network", spec=spec)


def namespace_manifest(cluster: ClusterSpec) -> Manifest:
    """Return the namespace, which admits restricted pods only."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    meta = {"name": cluster.namespace, "labels": {**object_labels(cluster, "namespace"), **levels}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
