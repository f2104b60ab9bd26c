"""The agents inside the cloud as objects: a namespace each, with one pod, its settings and its outbox. Pure.

It must not write settings: they are those that every device has. Certificate and key are a reference to the vault.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from infra.host.systemd_units import ETC, STATE_FOLDER
from infra.plan.cloud.names import policy_name
from infra.plan.cloud.vantage_points import broker_faults, planned_vantage_points
from infra.policy.cloud.admission_checks import ZONE_LABEL
from infra.targets.kubernetes.cloud.encryption import TLS_VOLUME
from infra.targets.kubernetes.cloud.network import NETWORK_POLICY_KIND, names_rule, peers_of, ports_of
from infra.targets.kubernetes.cloud.objects import (
    AGENT,
    COMPONENT_LABEL,
    HostedSpec,
    digest_reference,
    object_labels,
    object_name,
    platform_labels,
)
from infra.targets.kubernetes.cloud.secrets import external_secret
from infra.targets.kubernetes.cloud.tenancy import pod_security_labels
from infra.targets.kubernetes.component_tls import AUTHORITY_KEY, AUTHORITY_NAME, TLS_FOLDER
from infra.targets.kubernetes.objects import empty_dir, plain_variables, sha256_of, volume_mounts
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint
    from infra.targets.kubernetes.objects import Manifest

AGENT_IMAGE, IMAGE_USER = "motcua-agent", 10_001
"""The image of `containers/agent.Containerfile`, whose program is the agent, and the user that it runs as."""
CERTIFICATE_FILES: Final = ("ca.pem", "device.pem", "device.key")
"""What the vault holds of an agent, and the files below `tls` beside its settings."""
OUTBOX_GB: Final = 1
MEMORY_MB, CPU_MILLICORES, CPU_LIMIT_MILLICORES = 128, 50, 500
STALLED_S: Final = 300
"""An agent whose outbox has got no heartbeat for so long makes no progress and is started again."""


def agent_faults(spec: HostedSpec) -> list[Fault]:
    """Return why no cluster could run the agents inside, or they could not report: broker, image, parties outside."""
    points, faults = planned_vantage_points(spec.plan), list[Fault]()
    for point in points:
        try:
            tuple(_agent_objects(spec, point, ""))
        except ConfigError as error:
            faults += error.faults
    return sorted({*faults, *broker_faults(spec.plan, spec.options.broker.host)})


def vantage_manifests(spec: HostedSpec, settings: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return the objects of the agents, each namespace first; `settings`: device → agent.toml.

    Raises ConfigError naming every party without networks, and an image without a digest.
    """
    points = [point for point in planned_vantage_points(spec.plan) if point.namespace in settings]
    return tuple(one for point in points for one in _agent_objects(spec, point, settings[point.namespace]))


def _agent_objects(spec: HostedSpec, point: Endpoint, settings: str) -> Iterator[Manifest]:
    labels = {**platform_labels(spec), ZONE_LABEL: point.zone}
    namespace_labels = {**object_labels(labels, "namespace"), **pod_security_labels(spec.ground)}
    yield {"apiVersion": "v1", "kind": "Namespace",
           "metadata": {"name": point.namespace, "labels": namespace_labels}}  # fmt: skip
    yield from _policies(spec, point)
    yield _manifest(spec, point, "v1 ServiceAccount", automountServiceAccountToken=False)
    yield external_secret(spec, point.namespace, labels, AGENT, f"{point.namespace}/{AGENT}")
    yield _manifest(spec, point, "v1 ConfigMap", data={"agent.toml": settings})
    if spec.options.cloud.internal_authority:
        data = {AUTHORITY_KEY: spec.options.cloud.internal_authority}
        yield _manifest(spec, point, "v1 ConfigMap", AUTHORITY_NAME, data=data)
    yield _manifest(spec, point, "v1 PersistentVolumeClaim", spec=_outbox_claim(spec))
    yield _manifest(spec, point, "apps/v1 Deployment", spec=_deployment(spec, point, settings))


def _manifest(
    hosted: HostedSpec,
    point: Endpoint,
    kind: str,
    name: str = AGENT,
    /,
    **body: Any,  # noqa: ANN401 - JSON
) -> Manifest:
    version, _, kind_name = kind.rpartition(" ")
    labels = object_labels({**platform_labels(hosted), ZONE_LABEL: point.zone}, AGENT)
    return {"apiVersion": version, "kind": kind_name,
            "metadata": {"name": name, "namespace": point.namespace, "labels": labels}, **body}  # fmt: skip


def _policies(spec: HostedSpec, point: Endpoint) -> Iterator[Manifest]:
    """Yield the policies: deny all, allow names, then what is probed, the broker, and ways to doors that must refuse.

    Nobody calls an agent, and nothing lets it out of the cloud but to a party that its zone may call.
    """
    deny_all: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    yield _manifest(spec, point, NETWORK_POLICY_KIND, "default-deny", spec=deny_all)
    yield _manifest(spec, point, NETWORK_POLICY_KIND, "names", spec=names_rule())
    faults: list[Fault] = []
    for dial in _ways_out(spec.plan, point):
        try:
            allowed = {"to": peers_of(spec, dial.target), "ports": ports_of(dial)}
        except ConfigError as error:
            faults += error.faults
            continue
        body = {"podSelector": {"matchLabels": {COMPONENT_LABEL: AGENT}}, "policyTypes": ["Egress"],
                "egress": [allowed]}  # fmt: skip
        name = policy_name(point, _named_target(spec, dial.target), str(dial.port), "out")
        yield _manifest(spec, point, NETWORK_POLICY_KIND, name, spec=body)
    if faults:
        raise ConfigError(sorted(set(faults)))


def _ways_out(plan: CloudPlan, point: Endpoint) -> list[AllowedConnection]:
    """Return what the agent's own side must let through; outside parties that must be closed have no other door."""
    allowed = [
        one
        for one in plan.platform_connections
        if one.source == point and (one.target.kind, one.target.name) != ("platform", "dns")
    ]
    dialled = [one for one in plan.closed_dials if one.source == point and one.target.kind == "component"]
    return sorted({(one.target, one.port): one for one in (*dialled, *allowed)}.values())


def _named_target(spec: HostedSpec, end: Endpoint) -> Endpoint:
    """Return the end as a policy's name has it: a component by its physical names, which a rename keeps."""
    if end.kind != "component":
        return end
    components = (one.declared for system in spec.plan.systems for one in system.components)
    declared = next(one for one in components if (one.system, one.id) == (end.system, end.name))
    return replace(end, name=f"{end.namespace}.{object_name(declared)}")


def _outbox_claim(spec: HostedSpec) -> Manifest:
    claim: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{OUTBOX_GB}Gi"}}}
    storage_class = spec.options.kubernetes.storage_class
    return claim | ({"storageClassName": storage_class} if storage_class else {})


def _deployment(spec: HostedSpec, point: Endpoint, settings: str) -> Manifest:
    """Return the one pod: a second beside it would write the same outbox, so the old one ends before the new begins."""
    labels = object_labels({**platform_labels(spec), ZONE_LABEL: point.zone}, AGENT)
    pool = {"key": ZONE_LABEL, "operator": "In", "values": [point.zone]}
    pod: Manifest = {
        "serviceAccountName": AGENT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": IMAGE_USER, "runAsGroup": IMAGE_USER, "fsGroup": IMAGE_USER,
            "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 100, "preference": {"matchExpressions": [pool]}}
                ]
            }
        },
        "containers": [_container(spec)],
        "volumes": [
            _settings_volume(), *_authority_volumes(spec),
            {"name": "state", "persistentVolumeClaim": {"claimName": AGENT}}, empty_dir("tmp"),
        ],
    }  # fmt: skip
    meta = {"labels": labels, "annotations": {"motcua.org/configuration": sha256_of(settings)[:16]}}
    return {
        "replicas": 1,
        "selector": {"matchLabels": {COMPONENT_LABEL: AGENT}},
        "strategy": {"type": "Recreate"},
        "revisionHistoryLimit": 5,
        "template": {"metadata": meta, "spec": pod},
    }


def _container(spec: HostedSpec) -> Manifest:
    paths = {"settings": ETC, "state": STATE_FOLDER, "tmp": "/tmp"}  # noqa: S108 - an emptyDir
    newest = f"max(entry.stat().st_mtime for entry in os.scandir('{STATE_FOLDER}'))"
    is_stalled = f"import os, sys, time; sys.exit(time.time() - {newest} > {STALLED_S})"
    memory = f"{MEMORY_MB}Mi"
    return {
        "name": AGENT,
        "image": digest_reference(spec, AGENT_IMAGE, "the agents inside the cloud"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--config", f"{ETC}/agent.toml"],
        **_trust(spec),
        "resources": {
            "requests": {"cpu": f"{CPU_MILLICORES}m", "memory": memory},
            "limits": {"cpu": f"{CPU_LIMIT_MILLICORES}m", "memory": memory},
        },
        "volumeMounts": [
            *volume_mounts(paths, writable=("state", "tmp")),
            *({"name": one["name"], "mountPath": TLS_FOLDER, "readOnly": True} for one in _authority_volumes(spec)),
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "livenessProbe": {
            "exec": {"command": ["python3", "-c", is_stalled]},
            "initialDelaySeconds": STALLED_S, "periodSeconds": 60, "timeoutSeconds": 10, "failureThreshold": 3,
        },
    }  # fmt: skip


def _trust(spec: HostedSpec) -> Manifest:
    """Return the variable by which an agent knows components' certificates, beside the system's own authorities."""
    file = f"{TLS_FOLDER}/{AUTHORITY_KEY}"
    return {"env": plain_variables({"SSL_CERT_FILE": file})} if spec.options.cloud.internal_authority else {}


def _authority_volumes(spec: HostedSpec) -> list[Manifest]:
    volume = {"name": TLS_VOLUME, "configMap": {"name": AUTHORITY_NAME}}
    return [volume] if spec.options.cloud.internal_authority else []


def _settings_volume() -> Manifest:
    """Return agent.toml with certificate and key beside it, as on every device; only the pod's group may read them."""
    files = [{"key": name, "path": f"tls/{name}"} for name in CERTIFICATE_FILES]
    sources = [{"configMap": {"name": AGENT}}, {"secret": {"name": AGENT, "items": files}}]
    return {"name": "settings", "projected": {"defaultMode": 0o440, "sources": sources}}
