"""Rules over single Kubernetes objects of hosted systems, as the policy pack sees them before anything is sent.

Pure; the admission policies check the same on the API server (`admission_checks`), and the tests send both the same
objects. An object is judged by its labels: one without a level is not a hosted system's. A value that is unknown in
a preview is never a breach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from infra.policy.catalogue import Finding
from infra.policy.cloud.admission_checks import (
    AUTOSCALED_LABEL,
    COMPONENT_LABEL,
    DATA_LABEL,
    DEFAULT_DENY,
    DRILL_LABEL,
    KIND_LABEL,
    LEVEL_LABEL,
    NAMESPACE_LABEL,
    SYSTEM_LABEL,
    ZONE_LABEL,
)
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.exceptions import NAMESPACE_PART, exception_keys, exception_label, label_problems
from infra.policy.manifests import UNKNOWN, as_list, as_mapping
from infra.policy.rules import is_open_network

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import date

    from infra.plan.cloud.values import CloudPlan

KubernetesObject = dict[str, Any]
Problem = tuple[str, str]
"""(problem, remedy)."""
_MANAGEMENT_NAMES: Final = frozenset({"admin", "health", "manage", "management", "metrics"})
_TLS_VERSIONS: Final = ("TLSv1.2", "TLSv1.3", UNKNOWN)
LEAST_INSTANCES, LEAST_DATABASE_INSTANCES = 2, 3


@dataclass(frozen=True, slots=True)
class KnownExceptions:
    """The day on which objects are judged, and the keys of the exceptions that were declared; None: not known."""

    today: date | None = None
    declared: Collection[str] | None = None


NOTHING_KNOWN: Final = KnownExceptions()


def known_exceptions(plan: CloudPlan) -> KnownExceptions:
    """Return the exceptions that a plan's declaration has on its day."""
    return KnownExceptions(plan.today, exception_keys(plan))


def check_hosted_manifest(manifest: Mapping[str, object], known: KnownExceptions = NOTHING_KNOWN) -> Iterator[Finding]:
    """Yield the breaches of one object of a hosted system; nothing for one without a label of its level.

    A label by which it is left out of a rule is a breach itself if it is not one of the `known` exceptions.
    """
    obj = cast("KubernetesObject", manifest)
    meta = as_mapping(obj.get("metadata"))
    labels = as_mapping(meta.get("labels"))
    level, data = str(labels.get(LEVEL_LABEL, "")), str(labels.get(DATA_LABEL, "public"))
    in_edge = labels.get(ZONE_LABEL) == "edge"
    if not (level.isdecimal() or in_edge):
        return
    where = f"{obj.get('kind', '?')} {meta.get('name', '?')}"
    for rule, check in _CHECKS.get(str(obj.get("kind")), ()):
        held = CLOUD_RULES[rule].applies_to(int(level or 1), data) or (in_edge and rule == "tls")
        if held and exception_label(rule) not in labels:
            clause = CLOUD_RULES[rule].clause(int(level or 1))
            for problem, remedy in check(obj):
                yield Finding(rule, where, problem, remedy, "mandatory", clause)
    if obj.get("kind") != "Namespace" and not meta.get("namespace"):
        return  # No rule looks at what is in no namespace.
    decided = {label: value for label, value in labels.items() if value != UNKNOWN}
    for problem, remedy in label_problems(decided, _place_of(obj, labels), known.today, known.declared):
        yield Finding("exception-dated", where, problem, remedy, "mandatory")


def _place_of(obj: KubernetesObject, labels: KubernetesObject) -> str:
    """Return the place of an object as exceptions name it."""
    meta = as_mapping(obj.get("metadata"))
    if obj.get("kind") == "Namespace":
        return f"{meta.get('name')}.{NAMESPACE_PART}"
    component = labels.get(COMPONENT_LABEL)
    return f"{meta.get('namespace')}.{component}" if component else str(meta.get("namespace"))


def _spec(obj: KubernetesObject) -> KubernetesObject:
    return as_mapping(obj.get("spec"))


def _check_deployment(obj: KubernetesObject) -> Iterator[Problem]:
    spec, labels = _spec(obj), as_mapping(as_mapping(obj.get("metadata")).get("labels"))
    replicas = spec.get("replicas", 1)
    is_autoscaled = labels.get(AUTOSCALED_LABEL) == "true"
    if not is_autoscaled and isinstance(replicas, int | float) and replicas < LEAST_INSTANCES:
        yield f"runs {replicas:g} of {LEAST_INSTANCES} instances", f"replicas: {LEAST_INSTANCES}"
    pod = as_mapping(as_mapping(spec.get("template")).get("spec"))
    if not pod.get("topologySpreadConstraints") and not as_mapping(pod.get("affinity")).get("podAntiAffinity"):
        yield "puts its instances on any hosts", "spread them: topologySpreadConstraints"


def _check_autoscaler(obj: KubernetesObject) -> Iterator[Problem]:
    least = _spec(obj).get("minReplicas", 1)
    if isinstance(least, int | float) and least < LEAST_INSTANCES:
        yield f"leaves {least:g} of {LEAST_INSTANCES} instances", f"minReplicas: {LEAST_INSTANCES}"


def _check_instances(obj: KubernetesObject) -> Iterator[Problem]:
    instances = _spec(obj).get("instances", 1)
    if as_mapping(as_mapping(obj.get("metadata")).get("labels")).get(DRILL_LABEL) == "true":
        return
    if isinstance(instances, int | float) and instances < LEAST_DATABASE_INSTANCES:
        yield f"runs {instances:g} of {LEAST_DATABASE_INSTANCES} instances", f"instances: {LEAST_DATABASE_INSTANCES}"


def _rules_with_peers(obj: KubernetesObject) -> Iterator[tuple[KubernetesObject, list[KubernetesObject]]]:
    """Yield each rule of a NetworkPolicy with its peers."""
    for way, key in (("ingress", "from"), ("egress", "to")):
        for rule in as_list(_spec(obj).get(way)):
            yield as_mapping(rule), [as_mapping(peer) for peer in as_list(as_mapping(rule).get(key))]


def _check_declared_flows(obj: KubernetesObject) -> Iterator[Problem]:
    for rule, peers in _rules_with_peers(obj):
        ports = [as_mapping(port) for port in as_list(rule.get("ports"))]
        if not peers:
            yield "has a rule without peers, which opens the way for everybody", "name the peers"
        if not ports or any(not port.get("port") or port.get("endPort") for port in ports):
            yield "has a rule that names no single ports", "name each port"
        for peer in peers:
            network = as_mapping(peer.get("ipBlock")).get("cidr", "")
            if is_open_network(str(network)):
                yield f"opens the way for {network}", "name the networks that are meant"
            if "namespaceSelector" in peer and not _selects_something(peer["namespaceSelector"]):
                yield "selects every namespace", "name the namespace"


def _selects_something(selector: object) -> bool:
    labels = as_mapping(selector)
    return selector == UNKNOWN or bool(labels.get("matchLabels") or labels.get("matchExpressions"))


def _check_egress(obj: KubernetesObject) -> Iterator[Problem]:
    spec, meta = _spec(obj), as_mapping(obj.get("metadata"))
    every_pod = "podSelector" in spec and not _selects_something(spec["podSelector"])
    if meta.get("name") == DEFAULT_DENY:
        types = as_list(spec.get("policyTypes"))
        if not (every_pod and {"Ingress", "Egress"} <= set(types)) or spec.get("ingress") or spec.get("egress"):
            yield "does not close both directions for every pod", "policyTypes: [Ingress, Egress], without rules"
    outward = [
        str(as_mapping(as_mapping(peer).get("ipBlock")).get("cidr", ""))
        for rule in as_list(spec.get("egress"))
        for peer in as_list(as_mapping(rule).get("to"))
    ]
    if every_pod:
        for network in outward:
            if network and network != UNKNOWN and network.rpartition("/")[2] not in {"32", "128"}:
                yield f"lets every pod out to {network}", "name a single address"


def _check_foreign_peers(obj: KubernetesObject) -> Iterator[Problem]:
    """Report peers of another system."""
    selected = as_mapping(as_mapping(_spec(obj).get("podSelector")).get("matchLabels"))
    own = as_mapping(as_mapping(obj.get("metadata")).get("labels")).get(SYSTEM_LABEL)
    if selected.get(KIND_LABEL) == "gateway" or own is None:
        return
    for rule in as_list(_spec(obj).get("ingress")):
        for peer in as_list(as_mapping(rule).get("from")):
            wanted = as_mapping(as_mapping(as_mapping(peer).get("namespaceSelector")).get("matchLabels"))
            system = wanted.get(SYSTEM_LABEL, own)
            if system not in (own, UNKNOWN):
                name = wanted.get(NAMESPACE_LABEL, system)
                yield f"admits {name} of another system", "let it call a component of kind gateway"


def _check_storage(obj: KubernetesObject) -> Iterator[Problem]:
    spec, namespace = _spec(obj), as_mapping(obj.get("metadata")).get("namespace")
    classes = [spec.get("storageClassName")]
    if obj.get("kind") == "Cluster":
        stores = [as_mapping(spec.get(name)) for name in ("storage", "walStorage") if spec.get(name)]
        classes = [store.get("storageClass") for store in stores]
    for name in classes:
        if namespace != UNKNOWN and name not in (namespace, UNKNOWN):
            yield f"has the storage class {name or 'of the cluster'}", f"give it the one of its zone: {namespace}"


def _check_service(obj: KubernetesObject) -> Iterator[Problem]:
    spec = _spec(obj)
    kind = spec.get("type", "ClusterIP")
    if kind not in ("ClusterIP", UNKNOWN) or spec.get("externalIPs"):
        yield f"is open outside the cluster as {kind}", "let people come through the gateway: ClusterIP"
    ports = [as_mapping(port) for port in as_list(spec.get("ports"))]
    for port in ports:
        shared = any(_target_port(other) == _target_port(port) for other in ports if other is not port)
        if port.get("name") in _MANAGEMENT_NAMES and _target_port(port) != UNKNOWN and shared:
            yield f"has port {port['name']} on the port of the service", "give administration a port of its own"


def _target_port(port: KubernetesObject) -> object:
    return port.get("targetPort", port.get("port"))


def _check_listeners(obj: KubernetesObject) -> Iterator[Problem]:
    for listener in (as_mapping(entry) for entry in as_list(_spec(obj).get("listeners"))):
        name, tls = listener.get("name", "?"), as_mapping(listener.get("tls"))
        if listener.get("protocol") not in ("HTTPS", "TLS", UNKNOWN):
            yield f"listener {name} has no TLS", "protocol: HTTPS"
        elif listener.get("tls") != UNKNOWN and tls.get("mode") != "Passthrough" and not tls.get("certificateRefs"):
            yield f"listener {name} ends TLS without a certificate", "give it one: tls.certificateRefs"


def _check_backend(obj: KubernetesObject) -> Iterator[Problem]:
    validation = _spec(obj).get("validation")
    if validation != UNKNOWN and not as_mapping(validation).get("caCertificateRefs"):
        yield "trusts every public authority for a component inside", "name ours: validation.caCertificateRefs"


def _check_ingress(obj: KubernetesObject) -> Iterator[Problem]:
    if not _spec(obj).get("tls"):
        yield "serves without TLS", "give it a certificate: tls"


def _check_database_tls(obj: KubernetesObject) -> Iterator[Problem]:
    postgresql = as_mapping(_spec(obj).get("postgresql"))
    parameters = as_mapping(postgresql.get("parameters"))
    oldest = parameters.get("ssl_min_protocol_version", "TLSv1.3")
    if parameters.get("ssl", "on") == "off" or oldest not in _TLS_VERSIONS:
        yield "speaks no TLS, or an old one", "ssl_min_protocol_version: TLSv1.2"
    for line in as_list(postgresql.get("pg_hba")):
        words = str(line).split()
        if words and words[0] not in {"local", "hostssl", "hostgssenc", UNKNOWN} and words[-1] != "reject":
            yield f"admits connections without TLS: {words[0]}", "write hostssl"


_Checks = tuple[tuple[str, "Callable[[KubernetesObject], Iterator[Problem]]"], ...]
_CHECKS: Mapping[str, _Checks] = {
    "Deployment": (("replicas", _check_deployment),),
    "HorizontalPodAutoscaler": (("replicas", _check_autoscaler),),
    "Cluster": (("replicas", _check_instances), ("system-apart", _check_storage), ("tls", _check_database_tls)),
    "PersistentVolumeClaim": (("system-apart", _check_storage),),
    "NetworkPolicy": (
        ("flow-declared", _check_declared_flows),
        ("egress-closed", _check_egress),
        ("system-apart", _check_foreign_peers),
    ),
    "Service": (("admin-port", _check_service),),
    "Gateway": (("tls", _check_listeners),),
    "ListenerSet": (("tls", _check_listeners),),
    "BackendTLSPolicy": (("tls", _check_backend),),
    "Ingress": (("tls", _check_ingress),),
}
HOSTED_RULE_IDS: Final = tuple(
    sorted({"exception-dated", *(rule for checks in _CHECKS.values() for rule, _ in checks)})
)
"""The rules of hosted systems that a single object can break, but for those that every object of a stack has."""
