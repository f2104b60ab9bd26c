"""Objects for the admission policies: for each check a good object and a bad one that differs in that point only.

It must not talk to a server: `tests/kube` sends them to one.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.policy.cloud.admission_checks import DRILL_LABEL
from infra.policy.cloud.exceptions import NAMESPACE_PART, UNEXCEPTED_RULES, exception_label

Json = dict[str, Any]
TODAY = datetime.now(UTC).date()
UNTIL, ENDED = ((TODAY + timedelta(days=days)).isoformat() for days in (30, -2))
"""Last days of exceptions: the API server compares them with its own clock."""
IMAGE = "registry.example/onestop-app@sha256:" + "a" * 64
LEVEL_2, LEVEL_3, LEVEL_4, EDGE = "vn83-docs-server", "vn83-onestop-server", "vn83-identity-server", "gateways"


@dataclass(frozen=True)
class AdmissionExample:
    """A good and a bad object; `problem` is a part of the sentence by which the bad one is refused."""

    rule: str
    problem: str
    good: Json
    bad: Json

    def __str__(self) -> str:
        """Return the name of its test."""
        return f"{self.rule}: {self.problem}"


def namespace(name: str, level: int, system: str, data: str = "personal", **labels: str) -> Json:
    """Return the namespace of a system's zone `server`; the policies are bound by its labels."""
    own = {
        "app.kubernetes.io/part-of": "motcua",
        "motcua.org/level": str(level),
        "motcua.org/system": system,
        "motcua.org/zone": "server",
        "motcua.org/data": data,
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "v1.31",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": own | labels}}


DRILL = "vn83-onestop-server-drill"
NAMESPACES = (
    namespace(LEVEL_2, 2, "vn83-docs", "private"),
    namespace(LEVEL_3, 3, "vn83-onestop"),
    namespace(LEVEL_4, 4, "vn83-identity"),
    namespace(DRILL, 3, "vn83-onestop", **{DRILL_LABEL: "true"}),
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": EDGE, "labels": {"motcua.org/zone": "edge"}}},
)
"""To be created before any example: a policy that is bound to no namespace refuses nothing."""


def edited(base: Json, path: str, value: object) -> Json:
    """Return a copy with the value at a dotted path replaced, or removed if it is None; numbers index lists."""
    copy = deepcopy(base)
    *folders, last = path.split(".")
    place: Any = copy
    for name in folders:
        place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
    key: Any = int(last) if last.isdigit() else last
    if value is None:
        del place[key]
    else:
        place[key] = value
    return copy


def named(kind: str, name: str, where: str = LEVEL_3, **body: object) -> Json:
    """Return an object of `group/version Kind` in a namespace."""
    version, _, kind_name = kind.rpartition(" ")
    return {
        "apiVersion": version,
        "kind": kind_name,
        "metadata": {"name": name, "namespace": where, "labels": {"app.kubernetes.io/part-of": "motcua"}},
        **body,
    }


def pod_template() -> Json:
    """Return the template of a hardened pod."""
    container = {
        "name": "app",
        "image": IMAGE,
        "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
        "resources": {"limits": {"memory": "64Mi", "cpu": "1"}, "requests": {"memory": "64Mi", "cpu": "50m"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "app"}},
            }
        ],
    }
    return {"metadata": {"labels": {"app.kubernetes.io/component": "app"}}, "spec": spec}


DEPLOYMENT = named(
    "apps/v1 Deployment",
    "app",
    spec={
        "replicas": 2,
        "selector": {"matchLabels": {"app.kubernetes.io/component": "app"}},
        "template": pod_template(),
    },
)
QUEUE = edited(
    named(
        "apps/v1 StatefulSet",
        "mail-server",
        spec={
            "serviceName": "mail-nodes",
            "selector": {"matchLabels": {"app.kubernetes.io/component": "app"}},
            "template": edited(
                edited(pod_template(), "spec.automountServiceAccountToken", True),
                "spec.serviceAccountName", "mail-server",
            ),
        },
    ),
    "metadata.ownerReferences",
    [{"apiVersion": "rabbitmq.com/v1beta1", "kind": "RabbitmqCluster", "name": "mail", "controller": True,
      "uid": "5a0bbd1e-6e7c-4f4c-9d5c-0d1e4d4a0f57"}],
)  # fmt: skip
"""What the operator of RabbitMQ makes: with the token of the account that it made for this queue."""
CRON_JOB = named(
    "batch/v1 CronJob",
    "nightly",
    spec={
        "schedule": "0 1 * * *",
        "jobTemplate": {
            "spec": {"template": edited(edited(pod_template(), "spec.restartPolicy", "Never"), "metadata", {})}
        },
    },
)
AUTOSCALER = named(
    "autoscaling/v2 HorizontalPodAutoscaler",
    "app",
    spec={
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
        "minReplicas": 2,
        "maxReplicas": 4,
    },
)
PG_HBA = ["hostssl all all all scram-sha-256", "hostnossl all all all reject"]
CLUSTER = named(
    "postgresql.cnpg.io/v1 Cluster",
    "db",
    spec={
        "instances": 3,
        "imageName": "registry.example/postgresql:17.6@sha256:" + "b" * 64,
        "storage": {"size": "200Gi", "storageClass": LEVEL_3},
        "postgresql": {
            "parameters": {"ssl_min_protocol_version": "TLSv1.2"},
            "pg_hba": PG_HBA,
        },
    },
)
FLOW_IN = named(
    "networking.k8s.io/v1 NetworkPolicy",
    "web-to-app-8081-in",
    spec={
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "app"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "namespaceSelector": {
                            "matchLabels": {
                                "kubernetes.io/metadata.name": "vn83-onestop-dmz",
                                "motcua.org/system": "vn83-onestop",
                            }
                        },
                        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "web"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 8081}],
            }
        ],
    },
)
FLOW_OUT = named(
    "networking.k8s.io/v1 NetworkPolicy",
    "app-to-tslcd-443-out",
    spec={
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "app"}},
        "policyTypes": ["Egress"],
        "egress": [
            {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"protocol": "TCP", "port": 443}]},
        ],
    },
)
PLATFORM_OUT = named(
    "networking.k8s.io/v1 NetworkPolicy",
    "platform",
    spec={
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.84.0.10/32"}}], "ports": [{"protocol": "UDP", "port": 123}]}],
    },
)
DENY_ALL = named(
    "networking.k8s.io/v1 NetworkPolicy",
    "default-deny",
    spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
)
SERVICE = named(
    "v1 Service",
    "app",
    spec={
        "selector": {"app.kubernetes.io/component": "app"},
        "ports": [{"name": "service", "port": 8081}, {"name": "metrics", "port": 9100}],
    },
)
CLAIM = named(
    "v1 PersistentVolumeClaim",
    "files",
    spec={
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": LEVEL_3,
        "resources": {"requests": {"storage": "1Gi"}},
    },
)
OWN_TLS = {"mode": "Terminate", "options": {"vendor.example/own": "yes"}}
"""How a listener of the Gateway API may do without a certificate."""
GATEWAY = named(
    "gateway.networking.k8s.io/v1 Gateway",
    "internet",
    EDGE,
    spec={
        "gatewayClassName": "envoy",
        "listeners": [
            {
                "name": "onestop",
                "port": 443,
                "protocol": "HTTPS",
                "hostname": "onestop.example",
                "tls": {"mode": "Terminate", "certificateRefs": [{"name": "onestop"}]},
            }
        ],
    },
)
LISTENERS = named(
    "gateway.networking.k8s.io/v1 ListenerSet",
    "app",
    spec={
        "parentRef": {"name": "internet", "namespace": EDGE},
        "listeners": deepcopy(GATEWAY["spec"]["listeners"]),
    },
)
BACKEND = named(
    "gateway.networking.k8s.io/v1 BackendTLSPolicy",
    "app",
    spec={
        "targetRefs": [{"group": "", "kind": "Service", "name": "app"}],
        "validation": {
            "hostname": "app.vn83-onestop-server.svc",
            "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "internal-authority"}],
        },
    },
)
INGRESS = named(
    "networking.k8s.io/v1 Ingress",
    "app",
    spec={
        "tls": [{"hosts": ["onestop.example"], "secretName": "onestop"}],
        "defaultBackend": {"service": {"name": "app", "port": {"number": 8081}}},
    },
)
CONFIG_MAP = named("v1 ConfigMap", "settings", data={"database": "postgresql://db.example:5432/onestop"})
_POD = "spec.template.spec"
_CONTAINER = f"{_POD}.containers.0"
_PEER = "spec.ingress.0.from.0"


def _flow_examples() -> tuple[AdmissionExample, ...]:
    whole = {"ipBlock": {"cidr": "0.0.0.0/0"}}
    foreign = edited(FLOW_IN, f"{_PEER}.namespaceSelector.matchLabels", {"motcua.org/system": "vn83-portal"})
    hidden = {"kubernetes.io/metadata.name": "vn83-portal-server"}
    scraped = {"kubernetes.io/metadata.name": "platform-metrics"}
    to_gateway = edited(foreign, "spec.podSelector.matchLabels", {"motcua.org/kind": "gateway"})
    level_4 = edited(FLOW_OUT, "metadata.namespace", LEVEL_4)
    cases = (
        ("flow-declared", "without peers", FLOW_IN, edited(FLOW_IN, "spec.ingress.0.from", None)),
        ("flow-declared", "without peers", FLOW_OUT, edited(FLOW_OUT, "spec.egress.0.to", [])),
        ("flow-declared", "single ports", FLOW_IN, edited(FLOW_IN, "spec.ingress.0.ports", None)),
        ("flow-declared", "single ports", FLOW_OUT, edited(FLOW_OUT, "spec.egress.0.ports.0.endPort", 65535)),
        ("flow-declared", "whole Internet", FLOW_OUT, edited(FLOW_OUT, "spec.egress.0.to", [whole])),
        ("flow-declared", "whole Internet", FLOW_OUT, edited(FLOW_OUT, "spec.egress.0.to.0.ipBlock.cidr", "::/0")),
        (
            "flow-declared", "every namespace", FLOW_OUT,
            edited(FLOW_OUT, "spec.egress.0.to", [{"namespaceSelector": {}}]),
        ),
        (
            "egress-closed", "default-deny closes", DENY_ALL,
            edited(DENY_ALL, "spec.policyTypes", ["Ingress"]),
        ),
        (
            "egress-closed", "default-deny closes", DENY_ALL,
            edited(DENY_ALL, "spec.egress", deepcopy(FLOW_OUT["spec"]["egress"])),
        ),
        (
            "egress-closed", "single address", PLATFORM_OUT,
            edited(PLATFORM_OUT, "spec.egress.0.to.0.ipBlock.cidr", "10.84.0.0/24"),
        ),
        (
            "egress-closed", "proxy only", edited(level_4, "spec.egress.0.to.0.ipBlock.cidr", "10.84.0.40/32"),
            level_4,
        ),
        ("system-apart", "of kind gateway", FLOW_IN, foreign),
        ("system-apart", "of kind gateway", to_gateway, foreign),
        (
            "system-apart", "of kind gateway",
            edited(FLOW_IN, f"{_PEER}.namespaceSelector.matchLabels", scraped),
            edited(FLOW_IN, f"{_PEER}.namespaceSelector.matchLabels", hidden),
        ),
    )  # fmt: skip
    return tuple(AdmissionExample(*case) for case in cases)


def _store_and_service_examples() -> tuple[AdmissionExample, ...]:
    cases = (
        ("system-apart", "storage class", CLAIM, edited(CLAIM, "spec.storageClassName", "standard")),
        ("system-apart", "storage class", CLAIM, edited(CLAIM, "spec.storageClassName", None)),
        ("system-apart", "storage class", CLUSTER, edited(CLUSTER, "spec.storage.storageClass", "vn83-portal-server")),
        ("admin-port", "open outside", SERVICE, edited(SERVICE, "spec.type", "NodePort")),
        ("admin-port", "open outside", SERVICE, edited(SERVICE, "spec.externalIPs", ["10.84.0.50"])),
        (
            "admin-port", "port of its own", SERVICE,
            edited(SERVICE, "spec.ports.1.targetPort", 8081),
        ),
        (
            "admin-port", "port of its own", edited(SERVICE, "spec.ports.1.name", "health"),
            edited(edited(SERVICE, "spec.ports.1.name", "health"), "spec.ports.1.targetPort", 8081),
        ),
        ("tls", "protocol without TLS", GATEWAY, edited(edited(GATEWAY, "spec.listeners.0.protocol", "HTTP"),
                                              "spec.listeners.0.tls", None)),
        ("tls", "ends TLS without", GATEWAY, edited(GATEWAY, "spec.listeners.0.tls", OWN_TLS)),
        ("tls", "protocol without TLS", LISTENERS, edited(edited(LISTENERS, "spec.listeners.0.protocol", "HTTP"),
                                              "spec.listeners.0.tls", None)),
        ("tls", "ends TLS without", LISTENERS, edited(LISTENERS, "spec.listeners.0.tls", OWN_TLS)),
        (
            "tls", "not by every public one", BACKEND,
            edited(BACKEND, "spec.validation", {"hostname": "app.example", "wellKnownCACertificates": "System"}),
        ),
        ("tls", "Ingress lacks", INGRESS, edited(INGRESS, "spec.tls", None)),
        (
            "tls", "TLS 1.2 or newer", CLUSTER,
            edited(CLUSTER, "spec.postgresql.parameters.ssl_min_protocol_version", "TLSv1"),
        ),
        ("tls", "TLS 1.2 or newer", CLUSTER, edited(CLUSTER, "spec.postgresql.parameters.ssl", "off")),
        (
            "tls", "connection without TLS", CLUSTER,
            edited(CLUSTER, "spec.postgresql.pg_hba", ["host all all all md5"]),
        ),
        (
            "secret-source", "ConfigMap holds", CONFIG_MAP,
            edited(CONFIG_MAP, "data.database", "postgresql://app:hunter2@db.example:5432/onestop"),
        ),
        (
            "secret-source", "ConfigMap holds", CONFIG_MAP,
            edited(CONFIG_MAP, "data.key", "-----BEGIN PRIVATE KEY-----"),
        ),
    )  # fmt: skip
    return tuple(AdmissionExample(*case) for case in cases)


def drill_of(cluster: Json) -> Json:
    """Return a database with one instance in the namespace of a restore drill, as the program makes it."""
    one = edited(edited(cluster, "spec.instances", 1), "spec.storage.storageClass", DRILL)
    labels = {**one["metadata"]["labels"], DRILL_LABEL: "true"}
    return edited(edited(one, "metadata.namespace", DRILL), "metadata.labels", labels)


def _with_pod_security(base: Json, level: str, version: str) -> Json:
    prefix = "pod-security.kubernetes.io/enforce"
    labels = {**base["metadata"]["labels"], prefix: level, f"{prefix}-version": version}
    return edited(base, "metadata.labels", labels)


def _workload_examples() -> tuple[AdmissionExample, ...]:
    job_pod = "spec.jobTemplate.spec.template.spec"
    good_namespace = namespace("vn83-forms-server", 3, "vn83-forms")
    lone = edited(DEPLOYMENT, "spec.replicas", None)
    autoscaled = edited(lone, "metadata.labels", {"motcua.org/autoscaled": "true"})
    cases = (
        ("replicas", "two instances", DEPLOYMENT, edited(DEPLOYMENT, "spec.replicas", 1)),
        ("replicas", "two instances", autoscaled, lone),
        ("replicas", "spread", DEPLOYMENT, edited(DEPLOYMENT, f"{_POD}.topologySpreadConstraints", None)),
        ("replicas", "autoscaler leaves", AUTOSCALER, edited(AUTOSCALER, "spec.minReplicas", 1)),
        ("replicas", "three instances", CLUSTER, edited(CLUSTER, "spec.instances", 2)),
        ("replicas", "three instances", drill_of(CLUSTER), edited(CLUSTER, "spec.instances", 1)),
        (
            "secret-source", "from a reference", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_CONTAINER}.env", [{"name": "DB_PASSWORD", "value": "hunter2"}]),
        ),
        (
            "secret-source", "holds a password", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_CONTAINER}.args", ["--db", "postgresql://app:hunter2@db/onestop"]),
        ),
        (
            "secret-source", "holds a password", CRON_JOB,
            edited(CRON_JOB, f"{job_pod}.containers.0.env", [{"name": "DB", "value": "amqp://a:hunter2@mq"}]),
        ),
        ("pod-hardened", "pinned version", good_namespace, _with_pod_security(good_namespace, "baseline", "v1.31")),
        ("pod-hardened", "pinned version", good_namespace, _with_pod_security(good_namespace, "restricted", "latest")),
        ("pod-hardened", "shares nothing", DEPLOYMENT, edited(DEPLOYMENT, f"{_POD}.hostNetwork", True)),
        ("pod-hardened", "shares nothing", CRON_JOB, edited(CRON_JOB, f"{job_pod}.hostPID", True)),
        (
            "pod-hardened", "no token", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_POD}.automountServiceAccountToken", None),
        ),
        (
            "pod-hardened", "no token", QUEUE,
            edited(QUEUE, f"{_POD}.serviceAccountName", "other"),
        ),
        ("pod-hardened", "no token", QUEUE, edited(QUEUE, "metadata.ownerReferences", None)),
        (
            "pod-hardened", "no path", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_POD}.volumes", [{"name": "host", "hostPath": {"path": "/var"}}]),
        ),
        (
            "pod-hardened", "read-only root", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_CONTAINER}.securityContext.readOnlyRootFilesystem", None),
        ),
        (
            "pod-hardened", "read-only root", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_CONTAINER}.securityContext.capabilities", None),
        ),
        (
            "pod-hardened", "runs as a user", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_POD}.securityContext.runAsNonRoot", None),
        ),
        (
            "pod-hardened", "runs as a user", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_POD}.securityContext.seccompProfile", None),
        ),
        ("pod-hardened", "limit of memory", DEPLOYMENT, edited(DEPLOYMENT, f"{_CONTAINER}.resources", None)),
        (
            "image-pinned", "pinned by its digest", DEPLOYMENT,
            edited(DEPLOYMENT, f"{_CONTAINER}.image", "registry.example/onestop-app:1.2"),
        ),
        (
            "image-pinned", "pinned by its digest", CRON_JOB,
            edited(CRON_JOB, f"{job_pod}.containers.0.image", "registry.example/onestop-app:1.2"),
        ),
        (
            "image-pinned", "pinned by its digest", CLUSTER,
            edited(CLUSTER, "spec.imageName", "registry.example/postgresql:17"),
        ),
    )  # fmt: skip
    return tuple(AdmissionExample(*case) for case in cases)


def _exception_examples() -> tuple[AdmissionExample, ...]:
    def excepted_from(rule: str, until: str, **labels: str) -> Json:
        own = {**DEPLOYMENT["metadata"]["labels"], exception_label(rule): until, **labels}
        return edited(DEPLOYMENT, "metadata.labels", own)

    good = excepted_from("replicas", UNTIL)
    later = (TODAY + timedelta(days=31)).isoformat()
    elsewhere = {"motcua.org/component": "app"}
    cases = (
        ("nobody declared", excepted_from("replicas", later)),
        ("nobody declared", excepted_from("admin-source", UNTIL)),
        ("nobody declared", excepted_from("replicas", UNTIL, **elsewhere)),
        ("nobody declared", excepted_from("exception-dated", UNTIL)),
        ("last day of an exception", excepted_from("replicas", ENDED)),
    )  # fmt: skip
    return tuple(AdmissionExample("exception-dated", problem, good, bad) for problem, bad in cases)


EXAMPLES = (*_flow_examples(), *_store_and_service_examples(), *_workload_examples(), *_exception_examples())
"""To be sent with `dryRun=All` to a cluster with the policies of stage prod: good ones pass, bad ones are refused."""


EXCEPTED_EXAMPLES = tuple(one for one in EXAMPLES if one.rule not in UNEXCEPTED_RULES)
"""The examples of rules that may have exceptions."""


def excepted(example: AdmissionExample) -> Json:
    """Return the bad object with the label of a dated exception from its rule: it must be admitted by the policy."""
    labels = example.bad["metadata"].get("labels", {})
    return edited(example.bad, "metadata.labels", {**labels, exception_label(example.rule): UNTIL})


def _exception_key(example: AdmissionExample) -> str:
    meta = example.bad["metadata"]
    place = f"{meta['name']}.{NAMESPACE_PART}" if example.bad["kind"] == "Namespace" else meta["namespace"]
    return f"{example.rule}.{UNTIL}.{place}"


EXCEPTION_KEYS = frozenset({*map(_exception_key, EXCEPTED_EXAMPLES), f"replicas.{ENDED}.{LEVEL_3}"})
"""The declared exceptions of the examples, one of which has ended."""


AT_LEVEL_2 = tuple(
    edited(example.bad, "metadata.namespace", LEVEL_2)
    for example in EXAMPLES
    if example.rule in {"replicas", "admin-port", "secret-source"}
    and example.bad["metadata"]["namespace"] == LEVEL_3
    and "externalIPs" not in example.bad.get("spec", {})
)
"""Bad objects of rules from level 3, in a namespace of level 2: they must be admitted.

The API server warns of `externalIPs` itself.
"""
