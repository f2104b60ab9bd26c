"""Who may speak to whom: nobody, but for the plan's flows. Pure; it adds only what the cluster itself needs.

A flow between two components is two rules: one lets it out, one lets it in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.values import Flow
from infra.plan.workloads import INFLUX, PROMETHEUS
from infra.targets.kubernetes.names import BACKUP, SERVICES_PORT
from infra.targets.kubernetes.objects import labels, made, name_of, selector

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import Cluster, Manifest

ANYWHERE = "0.0.0.0/0"
HTTPS = 443
NODE_CACHE = "169.254.20.10/32"
"""Where pods ask for names on clusters with a cache on every node."""
INGRESS_NAMESPACE = "ingress-nginx"
"""Where the ingress controller runs: people reach the API through it alone."""
OUTSIDE = ("devices", "people", "national", "receivers")
_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One side of a flow: whose pods, which way, the other side."""

    name: str
    component: str
    way: str
    others: list[Manifest]
    port: int


def network(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the rules: nothing, names to be looked up, then each flow."""
    rules = [rule for flow in flows(cluster) for rule in _rules(cluster, flow)]
    return (_nothing(cluster), _lookups(cluster), *(_policy(cluster, rule) for rule in rules))


def flows(cluster: Cluster) -> tuple[Flow, ...]:
    """Return the plan's flows, services at their own listener of the broker, and what this target adds."""
    plan = [_at_services(flow) for flow in cluster.plan.flows]
    return tuple(sorted({*plan, *additions()}))


def _at_services(flow: Flow) -> Flow:
    if flow.target != "broker" or flow.source in OUTSIDE:
        return flow
    return Flow(flow.source, flow.target, SERVICES_PORT, flow.why)


def additions() -> tuple[Flow, ...]:
    """Return what the plan does not know: backup, the lag's reader, where alerts go."""
    return (
        Flow(BACKUP, "influxdb", INFLUX, "backup"),
        Flow("prometheus-adapter", "prometheus", PROMETHEUS, "lag for the autoscaler"),
        Flow("alertmanager", "receivers", HTTPS, "messages to the operators"),
    )


def _rules(cluster: Cluster, flow: Flow) -> list[_Rule]:
    """Return the two sides of a flow; the outside has none of its own."""
    found = []
    if flow.source not in {*OUTSIDE, "prometheus-adapter"}:
        found.append(_rule(cluster, flow, "Egress"))
    if flow.target not in OUTSIDE:
        found.append(_rule(cluster, flow, "Ingress"))
    return found


def _rule(cluster: Cluster, flow: Flow, way: str) -> _Rule:
    own, other = (flow.source, flow.target) if way == "Egress" else (flow.target, flow.source)
    name = name_of(flow.source, "to", flow.target, str(flow.port), "out" if way == "Egress" else "in")
    return _Rule(name, own, way, _peers(cluster, other), flow.port)


def _peers(cluster: Cluster, name: str) -> list[Manifest]:
    """Return whom a name means."""
    if name == "devices":
        return _blocks(cluster.options.kubernetes.device_sources)
    if name in {"national", "receivers"}:
        # Rules know no host names: the port is what can be bound.
        return _blocks(())
    if name == "people":
        return [{"namespaceSelector": {"matchLabels": {_NAMESPACE: INGRESS_NAMESPACE}}}]
    if name == "prometheus-adapter":
        pods = {"matchLabels": {"app.kubernetes.io/name": name}}
        return [{"namespaceSelector": {}, "podSelector": pods}]
    return [{"podSelector": {"matchLabels": selector(cluster, name)}}]


def _blocks(networks: tuple[str, ...]) -> list[Manifest]:
    return [{"ipBlock": {"cidr": one}} for one in networks or (ANYWHERE,)]


def _policy(cluster: Cluster, rule: _Rule) -> Manifest:
    side = {
        "to" if rule.way == "Egress" else "from": rule.others,
        "ports": [{"protocol": "TCP", "port": rule.port}],
    }
    pods = {"matchLabels": selector(cluster, rule.component)}
    spec = {"podSelector": pods, "policyTypes": [rule.way], rule.way.lower(): [side]}
    return made(cluster, "networking.k8s.io/v1 NetworkPolicy", rule.name, rule.component, spec=spec)


def _nothing(cluster: Cluster) -> Manifest:
    spec: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return made(cluster, "networking.k8s.io/v1 NetworkPolicy", "default-deny", "network", spec=spec)


def _lookups(cluster: Cluster) -> Manifest:
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    server = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    cache = {"ipBlock": {"cidr": NODE_CACHE}}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [server, cache], "ports": ports}]}
    return made(cluster, "networking.k8s.io/v1 NetworkPolicy", "names", "network", spec=spec)


def namespace(cluster: Cluster) -> Manifest:
    """Return the namespace: nothing runs in it that is not restricted."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    meta = {"name": cluster.namespace, "labels": {**labels(cluster, "namespace"), **levels}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
