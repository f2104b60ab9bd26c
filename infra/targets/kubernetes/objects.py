"""The plain objects that every part is made of: metadata, pods, volumes, services. Pure; it decides no part's content.

A manifest is a dict as Kubernetes takes it. Secret values are never in it: `SecretValue` stands in their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from telemetry import __version__
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config.options import Options
    from infra.plan import Plan

Manifest = dict[str, Any]
MOST_BYTES = 1_048_576
"""What etcd takes in one object; a ConfigMap's metadata counts too."""
ROOM_BYTES = 32_768
_DNS = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True, slots=True)
class SecretValue:
    """The place of a secret value, by its name among the stack's secrets."""

    name: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """What all parts are made from: the plan, the options, and the inventory's files, name → text."""

    plan: Plan
    options: Options
    inventory: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Return the stack's namespace."""
        return self.options.kubernetes.namespace


def name_of(*parts: str) -> str:
    """Return a DNS-1123 label; what does not fit keeps its beginning and gets its digest, so names stay apart."""
    wanted = "-".join(parts)
    if _DNS.fullmatch(wanted):
        return wanted
    kept = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:52].strip("-")
    return f"{kept or 'x'}-{digest(wanted)[:10]}"


def digest(*texts: str) -> str:
    """Return a digest of texts; their borders count."""
    return sha256("\0".join(texts).encode()).hexdigest()


def label(value: str) -> str:
    """Return a label's value; one that Kubernetes would refuse gives way to its digest."""
    return value if _LABEL.fullmatch(value) else digest(value)[:40]


def selector(cluster: Cluster, component: str) -> dict[str, str]:
    """Return the labels that pick a component's pods; they never change."""
    return {
        "app.kubernetes.io/name": "motcua",
        "app.kubernetes.io/instance": cluster.namespace,
        "app.kubernetes.io/component": component,
    }


def labels(cluster: Cluster, component: str) -> dict[str, str]:
    """Return every label of an object."""
    own = {name: label(value) for name, value in cluster.plan.labels.items()}
    return {**own, **selector(cluster, component), "app.kubernetes.io/version": label(__version__)}


def made(cluster: Cluster, kind: str, name: str, component: str, **body: Any) -> Manifest:  # noqa: ANN401 - JSON
    """Return an object of a kind (`group/version Kind`) in the stack's namespace."""
    version, _, what = kind.rpartition(" ")
    meta = {"name": name, "namespace": cluster.namespace, "labels": labels(cluster, component)}
    return {"apiVersion": version, "kind": what, "metadata": meta, **body}


def config(cluster: Cluster, name: str, component: str, files: Mapping[str, str], folder: str = "") -> Manifest:
    """Return a ConfigMap; `folder` is where its files come from. Raises ConfigError when it is too large to be one."""
    size = sum(len(key) + len(text.encode()) for key, text in files.items())
    if size > MOST_BYTES - ROOM_BYTES:
        largest = max(files, key=lambda key: len(files[key]))
        remedy = "split the stack (one per province), or put the inventory into an image of your own"
        problem = f"has {size} bytes, and Kubernetes takes {MOST_BYTES - ROOM_BYTES} in ConfigMap {name}"
        raise ConfigError([Fault(folder + largest, 0, "file", problem, remedy)])
    return made(cluster, "v1 ConfigMap", name, component, data=dict(sorted(files.items())))


def secret(cluster: Cluster, name: str, component: str, values: Mapping[str, str]) -> Manifest:
    """Return a Secret whose values are named, key → name among the stack's secrets."""
    held = {key: SecretValue(value) for key, value in values.items()}
    return made(cluster, "v1 Secret", name, component, type="Opaque", stringData=held)


def account(cluster: Cluster, component: str) -> Manifest:
    """Return a service account that holds no token: no pod talks to the cluster's API."""
    return made(cluster, "v1 ServiceAccount", component, component, automountServiceAccountToken=False)


def service(cluster: Cluster, name: str, component: str, ports: Mapping[str, int], **more: Any) -> Manifest:  # noqa: ANN401
    """Return a Service; its ports are the pods' ports of the same names."""
    listed = [{"name": one, "port": port, "targetPort": one, "protocol": "TCP"} for one, port in ports.items()]
    spec = {"type": "ClusterIP", "selector": selector(cluster, component), "ports": listed, **more}
    return made(cluster, "v1 Service", name, component, spec=spec)


def disruption(cluster: Cluster, component: str) -> Manifest:
    """Return how many pods may be away for maintenance: one; of a single one too, else no node could be drained."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(cluster, component)}}
    return made(cluster, "policy/v1 PodDisruptionBudget", component, component, spec=spec)


def claim(cluster: Cluster, gigabytes: int) -> Manifest:
    """Return what a volume must be."""
    storage = cluster.options.kubernetes.storage_class
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{gigabytes}Gi"}}}
    return spec | ({"storageClassName": storage} if storage else {})


def volume(cluster: Cluster, name: str, component: str, gigabytes: int) -> Manifest:
    """Return a PersistentVolumeClaim of its own."""
    return made(cluster, "v1 PersistentVolumeClaim", name, component, spec=claim(cluster, gigabytes))


def from_secret(name: str, value: str, key: str) -> Manifest:
    """Return an environment variable that a Secret holds."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": value, "key": key}}}


def environment(values: Mapping[str, str]) -> list[Manifest]:
    """Return plain environment variables."""
    return [{"name": name, "value": value} for name, value in values.items()]


def scratch(name: str, megabytes: int = 64) -> Manifest:
    """Return a volume that lives as long as its pod."""
    return {"name": name, "emptyDir": {"sizeLimit": f"{megabytes}Mi"}}


def mounted_secret(name: str, value: str) -> Manifest:
    """Return a volume with a Secret's keys as files that only the pod's group may read."""
    return {"name": name, "secret": {"secretName": value, "defaultMode": 0o440}}


def mounted_config(name: str, *maps: str) -> Manifest:
    """Return a volume with the files of some ConfigMaps."""
    return _projected(name, [{"name": one} for one in maps])


def mounted_paths(name: str, paths: Mapping[str, str]) -> Manifest:
    """Return a volume with one file of each ConfigMap, map → path in the volume; a key has no folder, a path may."""
    return _projected(
        name,
        [{"name": one, "items": [{"key": path.rpartition("/")[2], "path": path}]} for one, path in paths.items()],
    )


def _projected(name: str, maps: Sequence[Manifest]) -> Manifest:
    sources = [{"configMap": one} for one in maps]
    return {"name": name, "projected": {"defaultMode": 0o444, "sources": sources}}


def mounts(paths: Mapping[str, str], *, writable: Sequence[str] = ()) -> list[Manifest]:
    """Return where volumes appear, volume → path; all but the writable ones for reading only."""
    return [
        {"name": name, "mountPath": path, **({} if name in writable else {"readOnly": True})}
        for name, path in paths.items()
    ]
