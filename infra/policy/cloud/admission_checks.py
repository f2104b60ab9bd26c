"""What the API server checks on single objects, as CEL expressions by rule. It must not build objects of them.

The API server accepts an expression that names a field wrongly, so each has a good and a bad object in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from infra.policy.cloud.exceptions import EXCEPTION_PREFIX, NAMESPACE_PART

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEVEL_LABEL: Final = "motcua.org/level"
DATA_LABEL: Final = "motcua.org/data"
ZONE_LABEL: Final = "motcua.org/zone"
SYSTEM_LABEL: Final = "motcua.org/system"
COMPONENT_LABEL: Final = "motcua.org/component"
DRILL_LABEL: Final = "motcua.org/drill"
"""Label of a restore drill: its databases serve nobody, so one instance is enough."""
KIND_LABEL: Final = "motcua.org/kind"
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Labels of namespaces, and `KIND_LABEL` of pods; they are part of the contract."""
AUTOSCALED_LABEL: Final = "motcua.org/autoscaled"
"""Label of a Deployment whose instances an autoscaler counts; the autoscaler is checked in its place."""
POD_SECURITY_LABEL: Final = "pod-security.kubernetes.io/enforce"
DEFAULT_DENY: Final = "default-deny"
"""The name of the NetworkPolicy that closes a namespace in both directions."""
_WORKLOADS: Final = {"apps": ("deployments", "statefulsets", "daemonsets"), "batch": ("cronjobs",)}
"""What the program makes pods with; Jobs are made by operators and by CronJobs."""
_NETWORK_POLICIES: Final = {"networking.k8s.io": ("networkpolicies",)}
_DATABASES: Final = {"postgresql.cnpg.io": ("clusters",)}


@dataclass(frozen=True, slots=True)
class AdmissionCheck:
    """A CEL expression that is true for a good object, and what is wrong with one for which it is false."""

    expression: str
    problem: str
    from_level: int = 1


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """The checks of a rule: API group → resources that it looks at, and variables that the checks share.

    `in_edge`: it also holds in the namespaces of the gateways, which belong to no system. `conditions`: names and
    expressions of what an object must be to be looked at.
    """

    rule: str
    resources: Mapping[str, tuple[str, ...]]
    checks: tuple[AdmissionCheck, ...]
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    in_edge: bool = False
    conditions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_POD_VARIABLES: Final = {
    "pod": (
        "object.kind == 'CronJob' ? object.spec.jobTemplate.spec.template.spec : "
        "(object.kind in ['Namespace', 'Cluster', 'ConfigMap'] ? {'containers': []} : object.spec.template.spec)"
    ),
    "containers": "variables.pod.containers + variables.pod.?initContainers.orValue([])",
}
_NETWORK_VARIABLES: Final = {
    "rules": "object.spec.?ingress.orValue([]) + object.spec.?egress.orValue([])",
    "peers": (
        "object.spec.?ingress.orValue([]).map(rule, rule.?from.orValue([])) + "
        "object.spec.?egress.orValue([]).map(rule, rule.?to.orValue([]))"
    ),
}
"""All rules of a NetworkPolicy, and the list of peers of each."""
_GATEWAY: Final = f"object.spec.?podSelector.?matchLabels[?'{KIND_LABEL}'].orValue('') == 'gateway'"
_QUEUE: Final = (
    "object.kind == 'StatefulSet' && object.metadata.?ownerReferences.orValue([]).exists(owner, "
    "owner.kind == 'RabbitmqCluster' && owner.?controller.orValue(false) && "
    "variables.pod.?serviceAccountName.orValue('') == owner.name + '-server')"
)
"""A StatefulSet of the queues' operator: it always mounts the token of the account that it made for the queue alone."""
_OWN_SYSTEM: Final = f"namespaceObject.metadata.labels[?'{SYSTEM_LABEL}'].orValue('')"


def admission_policies(
    stage: str, platform_namespaces: Iterable[str], exceptions: Iterable[str] = ()
) -> tuple[AdmissionPolicy, ...]:
    """Return the policies of a cluster of a stage, one per rule that single objects can break.

    `platform_namespaces` are the namespaces from which every system may be reached: gateways, scrapes, operators;
    `exceptions` the keys of the declared ones that hold (`exception_keys`).
    """
    policies = (
        _flow_declared(), _egress_closed(), _system_apart(platform_namespaces), _admin_port(), _replicas(), _tls(),
        _secret_source(), _pod_hardened(), _image_pinned(stage),
    )  # fmt: skip
    return (*policies, _exception_dated(policies, exceptions))


def _flow_declared() -> AdmissionPolicy:
    prefix = "int(peer.ipBlock.cidr.split('/')[1]) >= (peer.ipBlock.cidr.contains(':') ? 16 : 8)"
    selector = (
        "size(peer.namespaceSelector.?matchLabels.orValue({})) + "
        "size(peer.namespaceSelector.?matchExpressions.orValue([])) > 0"
    )
    return AdmissionPolicy(
        "flow-declared",
        _NETWORK_POLICIES,
        (
            AdmissionCheck(
                "variables.peers.all(peers, size(peers) > 0)", "a rule without peers opens the way for everybody"
            ),
            AdmissionCheck(
                "variables.rules.all(rule, size(rule.?ports.orValue([])) > 0 && "
                "rule.ports.all(port, has(port.port) && !has(port.endPort)))",
                "each rule names single ports",
            ),
            AdmissionCheck(
                f"variables.peers.all(peers, peers.all(peer, !has(peer.ipBlock) || {prefix}))",
                "a network that holds the whole Internet is no declared peer",
            ),
            AdmissionCheck(
                f"variables.peers.all(peers, peers.all(peer, !has(peer.namespaceSelector) || {selector}))",
                "a selector of every namespace is no declared peer",
            ),
        ),
        _NETWORK_VARIABLES,
    )


def _egress_closed() -> AdmissionPolicy:
    selects_all = (
        "size(object.spec.?podSelector.?matchLabels.orValue({})) + "
        "size(object.spec.?podSelector.?matchExpressions.orValue([])) == 0"
    )
    outward = "object.spec.?egress.orValue([]).all(rule, rule.?to.orValue([]).all(peer, !has(peer.ipBlock) || "
    private = "peer.ipBlock.cidr.matches('^(10[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|169[.]254[.]|f[cd])')"
    inner_zone = f"namespaceObject.metadata.labels[?'{ZONE_LABEL}'].orValue('') in ['server', 'database']"
    level = f"int(namespaceObject.metadata.labels[?'{LEVEL_LABEL}'].orValue('1'))"
    return AdmissionPolicy(
        "egress-closed",
        _NETWORK_POLICIES,
        (
            AdmissionCheck(
                f"object.metadata.name != '{DEFAULT_DENY}' || (variables.every_pod && size(variables.rules) == 0 && "
                "'Ingress' in object.spec.policyTypes && 'Egress' in object.spec.policyTypes)",
                f"{DEFAULT_DENY} closes both directions for every pod",
            ),
            AdmissionCheck(
                f"!variables.every_pod || {outward}peer.ipBlock.cidr.split('/')[1] in ['32', '128']))",
                "what every pod may reach outside the cluster is a single address",
            ),
            AdmissionCheck(
                f"{level} < 4 || !({inner_zone}) || ({_GATEWAY}) || {outward}{private}))",
                "at level 4 the zones server and database reach the Internet through a proxy only",
                from_level=4,
            ),
        ),
        {**_NETWORK_VARIABLES, "every_pod": selects_all},
    )


def _system_apart(platform_namespaces: Iterable[str]) -> AdmissionPolicy:
    selected = "peer.namespaceSelector.?matchLabels"
    known = ", ".join(f"'{name}'" for name in sorted({*platform_namespaces, "kube-system"}))
    known_peer = (
        f"!has(peer.namespaceSelector) || {selected}[?'{SYSTEM_LABEL}'].orValue('') == variables.own || "
        f"{selected}[?'{NAMESPACE_LABEL}'].orValue('') in [{known}]"
    )
    classes = (
        "object.kind == 'Cluster' ? [object.spec.storage.?storageClass.orValue('')] + "
        "(has(object.spec.walStorage) ? [object.spec.walStorage.?storageClass.orValue('')] : []) : "
        "(object.kind == 'PersistentVolumeClaim' ? [object.spec.?storageClassName.orValue('')] : [])"
    )
    return AdmissionPolicy(
        "system-apart",
        {**_NETWORK_POLICIES, **_DATABASES, "": ("persistentvolumeclaims",)},
        (
            AdmissionCheck(
                f"object.kind != 'NetworkPolicy' || ({_GATEWAY}) || "
                f"object.spec.?ingress.orValue([]).all(rule, rule.?from.orValue([]).all(peer, {known_peer}))",
                "another system enters through a component of kind gateway only",
            ),
            AdmissionCheck(
                "variables.classes.all(one, one == object.metadata.namespace)",
                "the storage class is the one of its zone",
            ),
        ),
        {"own": _OWN_SYSTEM, "classes": classes},
    )


def _admin_port() -> AdmissionPolicy:
    named = "port.?name.orValue('').matches('^(admin|health|manage|management|metrics)$')"
    return AdmissionPolicy(
        "admin-port",
        {"": ("services",)},
        (
            AdmissionCheck(
                "object.spec.?type.orValue('ClusterIP') == 'ClusterIP' && !has(object.spec.externalIPs)",
                "people come through the gateway, never through a Service that is open outside the cluster",
            ),
            AdmissionCheck(
                f"object.spec.?ports.orValue([]).all(port, !({named}) || "
                "object.spec.ports.all(other, other.?name.orValue('') == port.name || "
                "string(other.?targetPort.orValue(other.port)) != string(port.?targetPort.orValue(port.port))))",
                "administration has a port of its own",
            ),
        ),
    )


def _replicas() -> AdmissionPolicy:
    autoscaled = f"object.metadata.?labels[?'{AUTOSCALED_LABEL}'].orValue('') == 'true'"
    spread = "object.spec.template.spec"
    drill = f"namespaceObject.metadata.?labels[?'{DRILL_LABEL}'].orValue('') == 'true'"
    return AdmissionPolicy(
        "replicas",
        {"apps": ("deployments",), "autoscaling": ("horizontalpodautoscalers",), **_DATABASES},
        (
            AdmissionCheck(
                f"object.kind != 'Deployment' || ({autoscaled}) || object.spec.?replicas.orValue(1) >= 2",
                "a component has at least two instances",
            ),
            AdmissionCheck(
                f"object.kind != 'Deployment' || size({spread}.?topologySpreadConstraints.orValue([])) > 0 || "
                f"has({spread}.affinity) && has({spread}.affinity.podAntiAffinity)",
                "instances are spread over hosts",
            ),
            AdmissionCheck(
                "object.kind != 'HorizontalPodAutoscaler' || object.spec.?minReplicas.orValue(1) >= 2",
                "an autoscaler leaves at least two",
            ),
            AdmissionCheck(
                f"object.kind != 'Cluster' || {drill} || object.spec.?instances.orValue(1) >= 3",
                "a database has at least three instances",
            ),
        ),
    )


def _tls() -> AdmissionPolicy:
    listeners = "!(object.kind in ['Gateway', 'ListenerSet']) || object.spec.listeners.all(listener, "
    parameters = "object.spec.?postgresql.?parameters"
    return AdmissionPolicy(
        "tls",
        {
            "gateway.networking.k8s.io": ("gateways", "listenersets", "backendtlspolicies"),
            "networking.k8s.io": ("ingresses",),
            **_DATABASES,
        },
        (
            AdmissionCheck(
                f"{listeners}listener.protocol in ['HTTPS', 'TLS'])", "a listener has a protocol without TLS"
            ),
            AdmissionCheck(
                f"{listeners}listener.?tls.?mode.orValue('Terminate') == 'Passthrough' || "
                "size(listener.?tls.?certificateRefs.orValue([])) > 0)",
                "a listener ends TLS without a certificate",
            ),
            AdmissionCheck(
                "object.kind != 'BackendTLSPolicy' || size(object.spec.validation.?caCertificateRefs.orValue([])) > 0",
                "a component inside is trusted by an authority of ours, not by every public one",
            ),
            AdmissionCheck(
                "object.kind != 'Ingress' || size(object.spec.?tls.orValue([])) > 0", "an Ingress lacks a certificate"
            ),
            AdmissionCheck(
                f"object.kind != 'Cluster' || {parameters}[?'ssl'].orValue('on') != 'off' && "
                f"{parameters}[?'ssl_min_protocol_version'].orValue('TLSv1.3') in ['TLSv1.2', 'TLSv1.3']",
                "a database speaks TLS 1.2 or newer",
            ),
            AdmissionCheck(
                "object.kind != 'Cluster' || object.spec.?postgresql.?pg_hba.orValue([])"
                ".all(line, line.matches('^(local|hostssl|hostgssenc)[ \\\\t]') || line.matches('[ \\\\t]reject$'))",
                "a database admits no connection without TLS",
            ),
        ),
        in_edge=True,
    )


def _secret_source() -> AdmissionPolicy:
    name_pattern = "entry.name.matches('(?i)(token|password|passwd|secret|private.?key|api.?key)s?$')"
    credential = "://[^/:@ ]+:[^/@ $]+@"
    return AdmissionPolicy(
        "secret-source",
        {**_WORKLOADS, "": ("configmaps",)},
        (
            AdmissionCheck(
                f"variables.containers.all(one, one.?env.orValue([]).all(entry, !({name_pattern}) || "
                "entry.?value.orValue('') == '' || entry.value.startsWith('$(')))",
                "a secret in the environment comes from a reference",
            ),
            AdmissionCheck(
                "variables.containers.all(one, one.?env.orValue([]).all(entry, "
                f"!entry.?value.orValue('').matches('{credential}')) && "
                "(one.?command.orValue([]) + one.?args.orValue([])).all(text, "
                f"!text.matches('{credential}')))",
                "an address holds a password",
            ),
            AdmissionCheck(
                "object.kind != 'ConfigMap' || object.?data.orValue({}).all(key, "
                f"!object.data[key].contains('PRIVATE KEY-----') && !object.data[key].matches('{credential}'))",
                "a ConfigMap holds a secret",
            ),
        ),
        _POD_VARIABLES,
    )


def _pod_hardened() -> AdmissionPolicy:
    own, shared = "one.?securityContext", "variables.pod.?securityContext"
    return AdmissionPolicy(
        "pod-hardened",
        {**_WORKLOADS, "": ("namespaces",)},
        (
            AdmissionCheck(
                f"object.kind != 'Namespace' || object.metadata.?labels[?'{POD_SECURITY_LABEL}'].orValue('') == "
                f"'restricted' && object.metadata.?labels[?'{POD_SECURITY_LABEL}-version'].orValue('latest') != "
                "'latest'",
                "a namespace admits restricted pods of a pinned version only",
            ),
            AdmissionCheck(
                "!variables.pod.?hostNetwork.orValue(false) && !variables.pod.?hostPID.orValue(false) && "
                "!variables.pod.?hostIPC.orValue(false)",
                "a pod shares nothing with its host",
            ),
            AdmissionCheck(
                "object.kind == 'Namespace' || !variables.pod.?automountServiceAccountToken.orValue(true) || "
                f"({_QUEUE})",
                "a pod mounts no token of the cluster",
            ),
            AdmissionCheck(
                "variables.pod.?volumes.orValue([]).all(volume, !has(volume.hostPath))",
                "a pod mounts no path of its host",
            ),
            AdmissionCheck(
                f"variables.containers.all(one, !{own}.?privileged.orValue(false) && "
                f"!{own}.?allowPrivilegeEscalation.orValue(true) && "
                f"{own}.?readOnlyRootFilesystem.orValue(false) && "
                f"'ALL' in {own}.?capabilities.?drop.orValue([]))",
                "a container has no privileges, no capabilities and a read-only root",
            ),
            AdmissionCheck(
                f"variables.containers.all(one, {own}.?runAsNonRoot.orValue("
                f"{shared}.?runAsNonRoot.orValue(false)) && "
                f"{own}.?seccompProfile.?type.orValue({shared}.?seccompProfile.?type.orValue('')) in "
                "['RuntimeDefault', 'Localhost'])",
                "a container runs as a user, with a seccomp profile",
            ),
            AdmissionCheck(
                "variables.containers.all(one, 'memory' in one.?resources.?limits.orValue({}) && "
                "one.?ports.orValue([]).all(port, port.?hostPort.orValue(0) == 0))",
                "a container has a limit of memory and no port of its host",
            ),
        ),
        _POD_VARIABLES,
    )


def _image_pinned(stage: str) -> AdmissionPolicy:
    digest = "image.matches('^.+@sha256:[0-9a-f]{64}$')"
    tag = "image.matches('^.+:[A-Za-z0-9_][A-Za-z0-9_.-]*$') && !image.endsWith(':latest')"
    good, problem = (
        (digest, "an image is pinned by its digest")
        if stage == "prod"
        else (f"({digest} || {tag})", "an image has a version")
    )
    images = (
        "object.kind == 'Cluster' ? (has(object.spec.imageName) ? [object.spec.imageName] : []) : "
        "variables.containers.map(one, one.image)"
    )
    return AdmissionPolicy(
        "image-pinned",
        {**_WORKLOADS, **_DATABASES},
        (AdmissionCheck(f"variables.images.all(image, {good})", problem),),
        {**_POD_VARIABLES, "images": images},
    )


def _exception_dated(others: Iterable[AdmissionPolicy], exceptions: Iterable[str]) -> AdmissionPolicy:
    """Return the policy over the labels by which objects are left out of the other rules.

    The declared exceptions stand in it: without a ConfigMap of parameters the server would refuse every object, or
    none. An object that only its operator's labels change is let pass: what an exception allowed must go on to run.
    """
    resources: dict[str, set[str]] = {}
    for policy in others:
        for group, names in policy.resources.items():
            resources.setdefault(group, set()).update(names)
    is_exception = f"key.startsWith('{EXCEPTION_PREFIX}')"
    labels, component = "object.metadata.labels", f"object.metadata.labels[?'{COMPONENT_LABEL}']"
    written_by_then = f"string(entry.?time.orValue('0000-00-00')).substring(0, 10) <= {labels}[key]"
    return AdmissionPolicy(
        "exception-dated",
        {group: tuple(sorted(names)) for group, names in resources.items()},
        (
            AdmissionCheck(
                "variables.held.all(one, one in variables.declared)", "an exception that nobody declared for its place"
            ),
            AdmissionCheck(
                f"{labels}.all(key, !{is_exception} || "
                f"object.metadata.?managedFields.orValue([]).all(entry, {written_by_then}))",
                "the last day of an exception has passed",
            ),
        ),
        {
            "place": (
                f"object.kind == 'Namespace' ? object.metadata.name + '.{NAMESPACE_PART}' : "
                f"object.metadata.namespace + {component}.optMap(one, '.' + one).orValue('')"
            ),
            "held": (
                f"{labels}.filter(key, {is_exception}).map(key, "
                f"key.substring({len(EXCEPTION_PREFIX)}) + '.' + {labels}[key] + '.' + variables.place)"
            ),
            "declared": f"[{', '.join(repr(key) for key in sorted(exceptions))}]",
        },
        in_edge=True,
        conditions={
            "excepted": f"object.metadata.?labels.orValue({{}}).exists(key, {is_exception})",
            "edited": (
                f"request.operation == 'CREATE' || {labels}.exists(key, {is_exception} && "
                f"{labels}[key] != oldObject.metadata.?labels[?key].orValue('')) || "
                "object.?spec.orValue({}) != oldObject.?spec.orValue({})"
            ),
        },
    )
