"""Buckets, queues and copies of objects: what existing services of the platform keep for a system. Pure.

The program runs no object store and no broker: a bucket is described for the platform, a queue is its operator's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.plan.cloud.platform_stores import store_port_fault, unserved_components
from infra.targets.kubernetes.cloud.encryption import certificate_name, has_certificate
from infra.targets.kubernetes.cloud.objects import (
    DATABASE_CLUSTER_LABEL,
    component_manifest,
    image_reference,
    object_labels,
    object_name,
)
from infra.targets.kubernetes.cloud.pods import bucket_name, credentials_name, resources
from infra.targets.kubernetes.cloud.secrets import external_secret, secret_path
from infra.targets.kubernetes.cloud.storage import storage_class_of
from infra.targets.kubernetes.objects import dns_name, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.cloud.values import BackupStore
    from telemetry.errors import Fault

SCHEDULE_KIND = "velero.io/v1 Schedule"
COPY_RETENTION_HOURS = 720
DAY_S, HOUR_S = 86_400, 3_600
LOCK_DAYS = 30


def store_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return the objects of a zone's buckets and queues."""
    return tuple(
        manifest for component in zone.components for manifest in _store_objects(spec, system, zone, component)
    )


def store_faults(spec: HostedSpec, system: SystemPlan) -> tuple[Fault, ...]:
    """Return a fault for each queue or bucket that nothing holds, and each call at another port of a bucket."""
    unserved = tuple(one.fault for one in unserved_components(spec.plan, system))
    calls = (one for one in spec.plan.connections if one.source.system == system.id)
    return (*unserved, *(fault for one in calls if (fault := store_port_fault(spec.plan, one))))


def _store_objects(
    spec: HostedSpec, system: SystemPlan, zone: ZonePlan, component: ComponentPlan
) -> Iterator[Manifest]:
    if component.declared.kind == "objects":
        yield _bucket(component)
        yield external_secret(
            spec, component.namespace, component.labels, credentials_name(component), secret_path(component)
        )
    elif component.declared.kind == "queue":
        yield _queue(spec, system, zone, component)


def _bucket(component: ComponentPlan) -> Manifest:
    """Return the description of a bucket by which the platform makes it; its credentials are in the vault."""
    bucket = bucket_name(component)
    wanted = {"bucket": bucket, "quotaGb": component.declared.disk_gb, "lockDays": LOCK_DAYS, "encrypted": True}
    data = {"bucket": bucket, "claim.json": json.dumps(wanted, indent=2, sort_keys=True) + "\n"}
    name = f"{object_name(component.declared)}-bucket"
    return component_manifest(component, "v1 ConfigMap", name, data=data)


def _queue(spec: HostedSpec, system: SystemPlan, zone: ZonePlan, component: ComponentPlan) -> Manifest:
    persistence: Manifest = {"storage": f"{max(component.declared.disk_gb, 1)}Gi"}
    storage_class = storage_class_of(spec, system, zone)
    if storage_class:
        persistence["storageClassName"] = storage_class
    body: Manifest = {
        "replicas": component.declared.least,
        "image": image_reference(spec, component),
        "persistence": persistence,
        "resources": resources(component),
    }
    if has_certificate(spec, component):
        body["tls"] = {"secretName": certificate_name(component), "disableNonTLSListeners": True}
    return component_manifest(component, "rabbitmq.com/v1beta1 RabbitmqCluster", spec=body)


def copy_schedules(spec: HostedSpec, system: SystemPlan) -> tuple[Manifest, ...]:
    """Return when the objects and volumes of a system are copied, to each object store.

    A database's volumes are left out: only its operator's copies can be restored. Secrets are left out: they come from
    the vault.
    """
    stores = sorted(
        (store for store in spec.plan.declaration.backups if store.medium == "objects"), key=lambda one: one.id
    )
    return tuple(_copy_schedule(spec, system, store) for store in stores)


def _copy_schedule(spec: HostedSpec, system: SystemPlan, store: BackupStore) -> Manifest:
    name = dns_name(system.project, store.id)
    template = {
        "includedNamespaces": sorted(zone.namespace for zone in system.zones),
        "excludedResources": ["secrets", "pods", "replicasets.apps", "events"],
        "labelSelector": {"matchExpressions": [{"key": DATABASE_CLUSTER_LABEL, "operator": "DoesNotExist"}]},
        "snapshotVolumes": True,
        "storageLocation": store.id,
        "ttl": f"{COPY_RETENTION_HOURS}h0m0s",
    }
    hours = max(1, min(store.every_s, DAY_S) // HOUR_S)
    minute = int(sha256_of(name)[:8], 16) % 60
    schedule = f"{minute} 3 * * *" if hours == DAY_S // HOUR_S else f"{minute} */{hours} * * *"
    version, _, kind = SCHEDULE_KIND.rpartition(" ")
    meta = {
        "name": name,
        "namespace": spec.options.cloud.copy_operator_namespace,
        "labels": object_labels(system.labels, "copies"),
    }
    return {
        "apiVersion": version, "kind": kind, "metadata": meta, "spec": {"schedule": schedule, "template": template},
    }  # fmt: skip
