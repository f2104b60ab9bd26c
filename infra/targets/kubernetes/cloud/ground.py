"""The ground that all hosted systems stand on: gateways of the edge, storage classes, platform namespaces, rules. Pure.

It holds nothing of a single system but its storage class. Definitions of other operators' kinds are theirs:
`required_kinds` names those that must exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.vantage_points import BROKER
from infra.policy.cloud.admission import admission_objects
from infra.policy.cloud.admission_checks import ZONE_LABEL
from infra.policy.cloud.exceptions import exception_keys
from infra.policy.rules import is_open_network
from infra.targets.kubernetes.cloud.exposure import exposed_components
from infra.targets.kubernetes.cloud.log_store_rules import log_store_rules
from infra.targets.kubernetes.cloud.network import NETWORK_POLICY_KIND
from infra.targets.kubernetes.cloud.objects import SEPARATED_LEVEL, object_labels, platform_labels, platform_manifest
from infra.targets.kubernetes.cloud.storage import storage_classes
from infra.targets.kubernetes.cloud.tenancy import pod_security_labels
from infra.targets.kubernetes.door import GATEWAY_GROUP
from infra.targets.kubernetes.network import EXPOSURE_LABEL
from telemetry.errors import Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest

CLOSED_HOST = "closed.invalid"
"""The host of a gateway's own listener, which the Gateway API wants and nobody reaches."""
LEAST_CONTROL_PLANES = 3
CLUSTER_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
CORE_GROUPS = frozenset({
    "v1", "apps/v1", "autoscaling/v2", "batch/v1", "networking.k8s.io/v1", "policy/v1",
    "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1", "admissionregistration.k8s.io/v1",
})  # fmt: skip
"""Versions that every cluster has."""


def ground_objects(spec: HostedSpec) -> tuple[Manifest, ...]:
    """Return everything that must exist before the systems, namespaces first."""
    return (
        *(_platform_namespace(spec, name, "edge" if name == _edge(spec) else "manage") for name in _namespaces(spec)),
        *_edge_policies(spec),
        *(_gateway(spec, exposure) for exposure in _exposures(spec)),
        *storage_classes(spec),
        *log_store_rules(spec),
        *(_with_platform_labels(spec, policy) for policy in _admission_objects(spec)),
    )


def _admission_objects(spec: HostedSpec) -> tuple[Manifest, ...]:
    plan = spec.plan
    return admission_objects(plan.declaration, plan.stage, plan.province, exception_keys(plan))


def _with_platform_labels(spec: HostedSpec, policy: Manifest) -> Manifest:
    meta = policy["metadata"]
    return {**policy, "metadata": {**meta, "labels": object_labels(platform_labels(spec), "policy") | meta["labels"]}}


def required_kinds(objects: Iterable[Manifest]) -> tuple[str, ...]:
    """Return the kinds (`group/version Kind`) of other operators that objects need, each once, in order."""
    kinds = {(one["apiVersion"], one["kind"]) for one in objects if one["apiVersion"] not in CORE_GROUPS}
    return tuple(f"{version} {kind}" for version, kind in sorted(kinds))


def _edge(spec: HostedSpec) -> str:
    return spec.options.cloud.edge_namespace


def _namespaces(spec: HostedSpec) -> tuple[str, ...]:
    """Return the edge's namespace and those of the platform's services, but for those that others make."""
    # The broker is Motcua's own, in a namespace of its stack or of a hosted system.
    services = {one.namespace for name, one in spec.plan.declaration.platform.items() if name != BROKER}
    others = CLUSTER_NAMESPACES | {"", spec.ground.gateway_namespace}
    return tuple(sorted({_edge(spec)} | (services - others)))


def _platform_namespace(spec: HostedSpec, name: str, zone: str) -> Manifest:
    labels = {**object_labels(platform_labels(spec), "namespace"), ZONE_LABEL: zone, **pod_security_labels(spec.ground)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _exposures(spec: HostedSpec) -> tuple[str, ...]:
    """Return the exposures that a system has."""
    return tuple(sorted({one.gateway for system in spec.plan.systems for one in exposed_components(spec, system)}))


def _edge_manifest(spec: HostedSpec, kind: str, name: str, body: Manifest) -> Manifest:
    return platform_manifest(spec, kind, _edge(spec), name, "edge", body)


def _gateway(spec: HostedSpec, exposure: str) -> Manifest:
    """Return the gateway of an exposure: systems bring their listeners from namespaces that have its label."""
    own_listener = {
        "name": "closed", "hostname": CLOSED_HOST, "port": 443, "protocol": "TLS", "tls": {"mode": "Passthrough"},
        "allowedRoutes": {"kinds": [{"group": GATEWAY_GROUP, "kind": "TLSRoute"}], "namespaces": {"from": "Same"}},
    }  # fmt: skip
    selector = {"matchLabels": {EXPOSURE_LABEL: exposure}}
    body: Manifest = {
        "gatewayClassName": spec.ground.gateway_class,
        "listeners": [own_listener],
        "allowedListeners": {"namespaces": {"from": "Selector", "selector": selector}},
    }
    networks = _source_networks(spec, exposure)
    if networks:
        ranges = {"service.beta.kubernetes.io/load-balancer-source-ranges": ",".join(networks)}
        body["infrastructure"] = {"annotations": ranges}
    return _edge_manifest(spec, f"{GATEWAY_GROUP}/v1 Gateway", exposure, body)


def _source_networks(spec: HostedSpec, exposure: str) -> tuple[str, ...]:
    """Return the networks that may reach a gateway; none for every network."""
    peers = spec.plan.declaration.peers
    reaching = {
        connection.source.name
        for connection in spec.plan.connections
        if connection.target.kind == "edge" and connection.target.name == exposure
    }
    networks = {network for name in reaching for network in peers[name].cidrs}
    return () if any(is_open_network(network) for network in networks) else tuple(sorted(networks))


def _edge_policies(spec: HostedSpec) -> tuple[Manifest, ...]:
    """Return the policy that closes the edge's namespace, where the gateways' pods run elsewhere."""
    if spec.ground.gateway_namespace == _edge(spec):
        return ()
    deny_all: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return (_edge_manifest(spec, NETWORK_POLICY_KIND, "default-deny", deny_all),)


def ground_faults(spec: HostedSpec) -> tuple[Fault, ...]:
    """Return a fault for each promise that the cluster does not give, and that systems of their level need."""
    ground = spec.ground
    level = max((system.declared.level for system in spec.plan.systems), default=0)
    promises = (
        (1, ground.network_policies_enforced, "network_policies_enforced", "true",
         "use a network that enforces NetworkPolicy"),
        (SEPARATED_LEVEL, ground.storage_encrypted, "storage_encrypted", "true", "encrypt the volumes"),
        (SEPARATED_LEVEL, ground.etcd_encrypted, "etcd_encrypted", "true", "encrypt Secrets in etcd"),
        (SEPARATED_LEVEL, ground.control_planes >= LEAST_CONTROL_PLANES, "control_planes",
         str(LEAST_CONTROL_PLANES), f"run {LEAST_CONTROL_PLANES} control planes"),
        (1, ground.time_synchronised, "time_synchronised", "true", "synchronise the clocks of all hosts"),
    )  # fmt: skip
    return tuple(
        declaration_fault(ground.declared_at, "cloud.toml", f"[ground] {name}",
                          f"is not promised, and systems of level {level} need it",
                          f"{remedy}, and only then write {name} = {value} in [ground] of cloud.toml")
        for least_level, promised, name, value, remedy in promises
        if level >= least_level and not promised
    )  # fmt: skip
