"""What the tests on the real API server apply beside the rendered objects, and what they derive from these.

CloudNativePG publishes its definitions in no package registry. `DATABASE_DEFINITIONS` has its kinds with any content:
with them the server proves names and references, and nothing about the fields of a `Cluster`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]
_DATABASE_KINDS = (
    ("postgresql.cnpg.io", "Cluster", "clusters"),
    ("postgresql.cnpg.io", "ScheduledBackup", "scheduledbackups"),
    ("postgresql.cnpg.io", "Pooler", "poolers"),
    ("postgresql.cnpg.io", "Database", "databases"),
)
_OBJECT_STORE = ("barmancloud.cnpg.io", "ObjectStore", "objectstores")


def _definition_of_any_content(group: str, kind: str, plural: str) -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


DATABASE_DEFINITIONS = tuple(_definition_of_any_content(*one) for one in (*_DATABASE_KINDS, _OBJECT_STORE))


def namespace(name: str, **labels: str) -> Json:
    """Return a namespace with labels; in their keys `__` stands for `/` and `_` for `-`."""
    written = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": written}}


def default_account(space: str) -> Json:
    """Return the service account that the absent controller makes in each namespace; pods without one need it."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": space}}


def restricted_pod_spec(**changes: object) -> Json:
    """Return a pod that Pod Security `restricted` admits, with changed fields."""
    container = {
        "name": "main",
        "image": "registry.test/main@sha256:" + "0" * 64,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"},
        },
    }  # fmt: skip
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"securityContext": security, "containers": [container], **changes}


def deployment(name: str, space: str, spec: Json, replicas: int = 1, **labels: str) -> Json:
    """Return a Deployment of a pod's spec."""
    wanted = {"app": name, **labels}
    template = {"metadata": {"labels": wanted}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": space, "labels": wanted},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def pods_of(objects: Iterable[Json]) -> Iterator[Json]:
    """Yield a Pod for each pod template among objects, as the absent controllers would create it."""
    for one in objects:
        if one["kind"] not in {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}:
            continue
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        name, template = f"{one['metadata']['name']}-0", spec["template"]
        disks = [
            {"name": wanted["metadata"]["name"],
             "persistentVolumeClaim": {"claimName": f"{wanted['metadata']['name']}-{name}"}}
            for wanted in spec.get("volumeClaimTemplates", ())
        ]  # fmt: skip
        volumes = [*template["spec"].get("volumes", ()), *disks]
        yield pod(name, one["metadata"]["namespace"], {**template, "spec": {**template["spec"], "volumes": volumes}})


def pod(name: str, space: str, template: Json) -> Json:
    """Return a pod of a template."""
    meta = {**template.get("metadata", {}), "name": name, "namespace": space}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def claim(name: str, space: str, gigabytes: int, storage_class: str) -> Json:
    """Return a claim of a volume."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": f"{gigabytes}Gi"}},
        },
    }
