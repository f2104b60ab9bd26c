"""The plain objects and shared names of all components: metadata, volumes, services. Pure; it decides no content.

A manifest is a dict as Kubernetes accepts it. It never contains secret values: `SecretValue` is their placeholder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from infra.plan.pki import INTERNAL_SERVICE
from infra.targets.kubernetes.images import OWN_IMAGES, PINNED_IMAGES
from telemetry import __version__
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.plan.values import Workload

Manifest = dict[str, Any]
MAX_OBJECT_BYTES = 1_048_576
"""The largest object that etcd accepts, metadata included."""
METADATA_BYTES = 32_768
BROKER_CONFIG, BROKER_TLS = "broker-config", "broker-tls"
BROKER_NODES = "broker-nodes"
INFLUX_SETUP_SECRET, API_TLS_SECRET = "influxdb-setup", "api-tls"
RECEIVER_SECRET, WEBHOOK_KEY = "alertmanager-receiver", "webhook"
"""The Secret, and its key, with the address that alerts are posted to; anyone who has it can post there."""
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True, slots=True)
class SecretValue:
    """The placeholder of a secret value, by its name among the stack's secrets."""

    name: str


class Placement(Protocol):
    """Where the components are in a cluster, and what the place adds to their objects; a part may be no component."""

    def namespace_of(self, part: str) -> str:
        """Return the namespace of a part's objects."""

    def labels_of(self, part: str) -> dict[str, str]:
        """Return every label of a part's objects and pods."""

    def selector_of(self, component: str) -> dict[str, str]:
        """Return the labels that select a component's pods in its namespace; they never change."""

    def image_of(self, workload: Workload) -> str:
        """Return the reference of a workload's image."""

    def storage_class_of(self, component: str) -> str:
        """Return the class of a component's volumes, "" for the cluster's own."""

    def scheduling_of(self, component: str, *, spread: bool) -> Manifest:
        """Return the fields of a pod that say on which hosts it runs; `spread` pods on several."""


@dataclass(frozen=True, slots=True)
class OneNamespace:
    """All components in the one namespace of a stack of its own."""

    plan: StackPlan
    options: StackOptions

    def namespace_of(self, _part: str) -> str:
        """Return the stack's namespace."""
        return self.options.kubernetes.namespace

    def labels_of(self, part: str) -> dict[str, str]:
        """Return the stack's labels and those of the part."""
        own = {name: label_value(value) for name, value in self.plan.labels.items()}
        return {**own, **self.selector_of(part), "app.kubernetes.io/version": label_value(__version__)}

    def selector_of(self, component: str) -> dict[str, str]:
        """Return name, instance and component."""
        return {
            "app.kubernetes.io/name": "motcua",
            "app.kubernetes.io/instance": self.options.kubernetes.namespace,
            "app.kubernetes.io/component": component,
        }

    def image_of(self, workload: Workload) -> str:
        """Return an image by its exact version, and by digest where the stack sets one."""
        name = workload.image
        own = f"{self.options.kubernetes.registry}/{name}"
        tagged = ":".join(PINNED_IMAGES.get(name) or (own, OWN_IMAGES[name]))
        digest = self.options.kubernetes.image_digests.get(name)
        return f"{tagged}@{digest}" if digest else tagged

    def storage_class_of(self, _component: str) -> str:
        """Return the class that the options name."""
        return self.options.kubernetes.storage_class

    def scheduling_of(self, component: str, *, spread: bool) -> Manifest:
        """Return the constraint that spreads pods over hosts where there are enough."""
        constraint = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": self.selector_of(component)},
        }
        return {"topologySpreadConstraints": [constraint]} if spread else {}


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The input of all manifests: the plan, the options, the inventory's files (name → text), where everything is.

    Without `zones` all of it is in the one namespace of the options.
    """

    plan: StackPlan
    options: StackOptions
    inventory_files: Mapping[str, str] = field(default_factory=dict)
    zones: Placement | None = None

    @property
    def placement(self) -> Placement:
        """Return where the components are."""
        return self.zones or OneNamespace(self.plan, self.options)

    def has(self, component: str) -> bool:
        """Return whether the plan has a component."""
        return any(workload.name == component for workload in self.plan.workloads)


def service_host(cluster: ClusterSpec, component: str, caller: str, service: str = "") -> str:
    """Return the host name at which a caller reaches a component's Service, by default the one of its own name."""
    name, namespace = service or component, cluster.placement.namespace_of(component)
    return name if namespace == cluster.placement.namespace_of(caller) else f"{name}.{namespace}.svc"


def broker_service_host(cluster: ClusterSpec) -> str:
    """Return the broker's host name for services; it must be in the broker's certificate."""
    return f"{INTERNAL_SERVICE}.{cluster.placement.namespace_of('broker')}.svc"


def config_map_of(file: str) -> str:
    """Return the ConfigMap of a file of the inventory."""
    return "inventory-" + file.replace(".", "-").replace("_", "-").replace("/", "-").lower()


def dns_name(*parts: str) -> str:
    """Return a DNS-1123 label; a name that is not one is shortened and gets its digest, so names stay unique."""
    joined = "-".join(parts)
    if _DNS_LABEL.fullmatch(joined):
        return joined
    shortened = re.sub(r"[^a-z0-9]+", "-", joined.lower()).strip("-")[:52].strip("-")
    return f"{shortened or 'x'}-{sha256_of(joined)[:10]}"


def sha256_of(*texts: str) -> str:
    """Return a digest of texts; their boundaries count."""
    return sha256("\0".join(texts).encode()).hexdigest()


def label_value(value: str) -> str:
    """Return a label's value, or its digest when Kubernetes would refuse it."""
    return value if _LABEL_VALUE.fullmatch(value) else sha256_of(value)[:40]


def pod_selector(cluster: ClusterSpec, component: str) -> dict[str, str]:
    """Return the labels that select a component's pods; they never change."""
    return cluster.placement.selector_of(component)


def object_labels(cluster: ClusterSpec, component: str) -> dict[str, str]:
    """Return every label of an object."""
    return cluster.placement.labels_of(component)


def manifest(cluster: ClusterSpec, kind: str, name: str, component: str, **body: Any) -> Manifest:  # noqa: ANN401 - JSON
    """Return an object of a kind (`group/version Kind`) in the component's namespace."""
    version, _, kind_name = kind.rpartition(" ")
    namespace = cluster.placement.namespace_of(component)
    meta = {"name": name, "namespace": namespace, "labels": object_labels(cluster, component)}
    return {"apiVersion": version, "kind": kind_name, "metadata": meta, **body}


def config_map(cluster: ClusterSpec, name: str, component: str, files: Mapping[str, str], folder: str = "") -> Manifest:
    """Return a ConfigMap; `folder` is the origin of its files. Raises ConfigError when it is too large."""
    size = sum(len(key) + len(text.encode()) for key, text in files.items())
    if size > MAX_OBJECT_BYTES - METADATA_BYTES:
        largest = max(files, key=lambda key: len(files[key]))
        remedy = "split the stack (one per province), or build an image with the inventory"
        problem = f"has {size} bytes, and Kubernetes accepts {MAX_OBJECT_BYTES - METADATA_BYTES} in ConfigMap {name}"
        raise ConfigError([Fault(folder + largest, 0, "file", problem, remedy)])
    return manifest(cluster, "v1 ConfigMap", name, component, data=dict(sorted(files.items())))


def secret_manifest(cluster: ClusterSpec, name: str, component: str, values: Mapping[str, str]) -> Manifest:
    """Return a Secret with placeholders; `values`: key → name among the stack's secrets."""
    placeholders = {key: SecretValue(value) for key, value in values.items()}
    return manifest(cluster, "v1 Secret", name, component, type="Opaque", stringData=placeholders)


def service_account(cluster: ClusterSpec, component: str) -> Manifest:
    """Return a service account without a token: no pod uses the cluster's API."""
    return manifest(cluster, "v1 ServiceAccount", component, component, automountServiceAccountToken=False)


def service_manifest(
    cluster: ClusterSpec,
    name: str,
    component: str,
    ports: Mapping[str, int],
    **more: Any,  # noqa: ANN401
) -> Manifest:
    """Return a Service; its ports are the pods' ports of the same names."""
    port_entries = [
        {"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}
        for port_name, port in ports.items()
    ]
    spec = {"type": "ClusterIP", "selector": pod_selector(cluster, component), "ports": port_entries, **more}
    return manifest(cluster, "v1 Service", name, component, spec=spec)


def disruption_budget(cluster: ClusterSpec, component: str) -> Manifest:
    """Return the disruption budget: one pod may be evicted, also a single one, else no node could be drained."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": pod_selector(cluster, component)}}
    return manifest(cluster, "policy/v1 PodDisruptionBudget", component, component, spec=spec)


def volume_claim_spec(cluster: ClusterSpec, component: str, gigabytes: int) -> Manifest:
    """Return the spec of a claim of a component's volume."""
    storage = cluster.placement.storage_class_of(component)
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{gigabytes}Gi"}}}
    return spec | ({"storageClassName": storage} if storage else {})


def volume_claim(cluster: ClusterSpec, name: str, component: str, gigabytes: int) -> Manifest:
    """Return a PersistentVolumeClaim."""
    spec = volume_claim_spec(cluster, component, gigabytes)
    return manifest(cluster, "v1 PersistentVolumeClaim", name, component, spec=spec)


def secret_variable(name: str, value: str, key: str) -> Manifest:
    """Return an environment variable with its value from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": value, "key": key}}}


def plain_variables(values: Mapping[str, str]) -> list[Manifest]:
    """Return plain environment variables."""
    return [{"name": name, "value": value} for name, value in values.items()]


def empty_dir(name: str, megabytes: int = 64) -> Manifest:
    """Return a volume with the lifetime of its pod."""
    return {"name": name, "emptyDir": {"sizeLimit": f"{megabytes}Mi"}}


def secret_volume(name: str, value: str) -> Manifest:
    """Return a volume with a Secret's keys as files that only the pod's user and group may read."""
    return {"name": name, "secret": {"secretName": value, "defaultMode": 0o440}}


def config_volume(name: str, *maps: str) -> Manifest:
    """Return a volume with the files of some ConfigMaps."""
    return _projected_volume(name, [{"name": config_name} for config_name in maps])


def config_paths_volume(name: str, paths: Mapping[str, str]) -> Manifest:
    """Return a volume with one file of each ConfigMap, map → path in the volume; a key has no folder, a path may."""
    return _projected_volume(
        name,
        [
            {"name": config_name, "items": [{"key": path.rpartition("/")[2], "path": path}]}
            for config_name, path in paths.items()
        ],
    )


def _projected_volume(name: str, maps: Sequence[Manifest]) -> Manifest:
    sources = [{"configMap": source} for source in maps]
    return {"name": name, "projected": {"defaultMode": 0o444, "sources": sources}}


def volume_mounts(paths: Mapping[str, str], *, writable: Sequence[str] = ()) -> list[Manifest]:
    """Return the mounts of volumes, volume → path; all but the `writable` ones are read-only."""
    return [
        {"name": name, "mountPath": path, **({} if name in writable else {"readOnly": True})}
        for name, path in paths.items()
    ]
