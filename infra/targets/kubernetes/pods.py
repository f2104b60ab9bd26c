"""Pods of all components: hardened, sized, with pinned images. Pure; it must not decide what runs inside.

Everything satisfies Kubernetes' Pod Security Standard `restricted`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.policy.cloud.admission_checks import AUTOSCALED_LABEL
from infra.targets.kubernetes.images import IMAGE_USERS
from infra.targets.kubernetes.objects import manifest, object_labels, pod_selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import Workload
    from infra.targets.kubernetes.objects import ClusterSpec, Manifest


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What differs between components: command, environment, volumes, probes, annotations."""

    workload: Workload
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    probes: Mapping[str, Manifest] = field(default_factory=dict)
    lifecycle: Manifest = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    grace_s: int = 30
    spread: bool = False


def resource_limits(workload: Workload) -> Manifest:
    """Return requests and limits: memory has a hard limit, CPU may burst to four times the request."""
    requests = {"cpu": f"{workload.cpu_millicores}m", "memory": f"{workload.memory_mb}Mi"}
    return {
        "requests": requests,
        "limits": {"cpu": f"{workload.cpu_millicores * 4}m", "memory": f"{workload.memory_mb}Mi"},
    }


def probe(kind: str, port: str, path: str = "", *, scheme: str = "", every_s: int = 10, failures: int = 3) -> Manifest:
    """Return a probe: `httpGet` of a path, by HTTP without a `scheme`, or `tcpSocket`."""
    target: Manifest = {"port": port, **({"path": path} if path else {}), **({"scheme": scheme} if scheme else {})}
    return {kind: target, "periodSeconds": every_s, "timeoutSeconds": 5, "failureThreshold": failures}


def container_spec(cluster: ClusterSpec, pod: PodSpec) -> Manifest:
    """Return the one container of a pod."""
    ports = [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in pod.ports.items()]
    spec: Manifest = {
        "name": pod.workload.name,
        "image": cluster.placement.image_of(pod.workload),
        "imagePullPolicy": "IfNotPresent",
        "command": list(pod.command),
        "args": list(pod.args),
        "env": list(pod.env),
        "ports": ports,
        "resources": resource_limits(pod.workload),
        "volumeMounts": [*pod.mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - an emptyDir
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "lifecycle": pod.lifecycle,
        **pod.probes,
    }
    return {name: value for name, value in spec.items() if value not in ([], {})}


def pod_template(cluster: ClusterSpec, pod: PodSpec) -> Manifest:
    """Return the pod template of a component."""
    component, user = pod.workload.name, IMAGE_USERS[pod.workload.image]
    spec: Manifest = {
        "serviceAccountName": component,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pod.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container_spec(cluster, pod)],
        "volumes": [*pod.volumes, {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    spec |= cluster.placement.scheduling_of(component, spread=pod.spread)
    meta: Manifest = {"labels": object_labels(cluster, component)}
    if pod.annotations:
        meta["annotations"] = dict(pod.annotations)
    return {"metadata": meta, "spec": spec}


def deployment(cluster: ClusterSpec, pod: PodSpec, *, replicas: int | None, recreate: bool = False) -> Manifest:
    """Return a Deployment; without `replicas` an autoscaler sets them. `recreate`: never two pods at a time."""
    name = pod.workload.name
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    spec: Manifest = {
        "selector": {"matchLabels": pod_selector(cluster, name)},
        "strategy": {"type": "Recreate"} if recreate else rolling,
        "revisionHistoryLimit": 5,
        "template": pod_template(cluster, pod),
    }
    made = manifest(cluster, "apps/v1 Deployment", name, name, spec=spec)
    if replicas is None:
        made["metadata"]["labels"][AUTOSCALED_LABEL] = "true"
    else:
        spec["replicas"] = replicas
    return made


def fixed_replicas(workload: Workload) -> int | None:
    """Return the number of pods, None where an autoscaler sets it."""
    return workload.min_replicas if workload.min_replicas == workload.max_replicas else None


def stateful_set(cluster: ClusterSpec, pod: PodSpec, service: str, claims: Mapping[str, Manifest]) -> Manifest:
    """Return a StatefulSet; its volumes remain when it is deleted."""
    name = pod.workload.name
    claim_templates = [{"metadata": {"name": claim_name}, "spec": spec} for claim_name, spec in claims.items()]
    spec: Manifest = {
        "serviceName": service,
        "replicas": pod.workload.min_replicas,
        "selector": {"matchLabels": pod_selector(cluster, name)},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "template": pod_template(cluster, pod),
        "volumeClaimTemplates": claim_templates,
    }
    return manifest(cluster, "apps/v1 StatefulSet", name, name, spec=spec)
