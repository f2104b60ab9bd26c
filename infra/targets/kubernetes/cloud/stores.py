"""Buckets, queues and copies of objects: what existing services of the platform keep for a system. Pure.

The program runs no object store and no broker: a bucket is described for the platform, a queue is its operator's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.plan.cloud.platform_stores import store_port_fault, unserved_components
from infra.policy.cloud.admission_checks import ZONE_LABEL
from infra.targets.kubernetes.cloud.encryption import certificate_name, has_certificate
from infra.targets.kubernetes.cloud.objects import (
    DATABASE_CLUSTER_LABEL,
    SEPARATED_LEVEL,
    component_manifest,
    image_reference,
    object_labels,
    object_name,
    policy_selector,
)
from infra.targets.kubernetes.cloud.pods import bucket_name, credentials_name, resources
from infra.targets.kubernetes.cloud.secrets import external_secret, secret_path, with_filled_files
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
MOST_FREE_DISK_MB = 2000
FIRST_USER = "default_user = {{ .username }}\ndefault_pass = {{ .password }}\n"
"""The file by which a queue makes its first user, at its first start only; External Secrets fills it in."""


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
    if component.declared.kind not in {"objects", "queue"}:
        return
    secret = external_secret(
        spec, component.namespace, component.labels, credentials_name(component), secret_path(component)
    )
    if component.declared.kind == "objects":
        yield _bucket(component)
        yield secret
    else:
        yield with_filled_files(secret, {"default_user.conf": FIRST_USER})
        yield _queue(spec, system, zone, component)
        if component.declared.least > 1:
            # Its operator makes none: hosts that drain at once would take the queue's quorum away.
            budget = {"maxUnavailable": 1, "selector": {"matchLabels": policy_selector(component.declared)}}
            yield component_manifest(component, "policy/v1 PodDisruptionBudget", spec=budget)


def _bucket(component: ComponentPlan) -> Manifest:
    """Return the description of a bucket by which the platform makes it; its credentials are in the vault."""
    bucket = bucket_name(component)
    wanted = {"bucket": bucket, "quotaGb": component.declared.disk_gb, "lockDays": LOCK_DAYS, "encrypted": True}
    data = {"bucket": bucket, "claim.json": json.dumps(wanted, indent=2, sort_keys=True) + "\n"}
    name = f"{object_name(component.declared)}-bucket"
    return component_manifest(component, "v1 ConfigMap", name, data=data)


def _queue(spec: HostedSpec, system: SystemPlan, zone: ZonePlan, component: ComponentPlan) -> Manifest:
    """Return a queue of the operator of RabbitMQ: its first user is the vault's, and its volumes outlive it."""
    disk_gb = max(component.declared.disk_gb, 1)
    persistence: Manifest = {"storage": f"{disk_gb}Gi"}
    storage_class = storage_class_of(spec, system, zone)
    if storage_class:
        persistence["storageClassName"] = storage_class
    retention = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    body: Manifest = {
        "replicas": component.declared.least,
        "image": image_reference(spec, component),
        "persistence": persistence,
        "resources": resources(component),
        "affinity": _apart(component, strict=system.declared.level >= SEPARATED_LEVEL),
        "rabbitmq": {"additionalConfig": f"disk_free_limit.absolute = {_free_disk_mb(disk_gb)}MB\n"},
        "secretBackend": {"externalSecret": {"name": credentials_name(component)}},
        "override": {"statefulSet": {"spec": {"persistentVolumeClaimRetentionPolicy": retention}}},
    }
    if has_certificate(spec, component):
        body["tls"] = {"secretName": certificate_name(component), "disableNonTLSListeners": True}
    return component_manifest(component, "rabbitmq.com/v1beta1 RabbitmqCluster", spec=body)


def _free_disk_mb(disk_gb: int) -> int:
    """Return the free space below which a queue takes no more messages.

    The operator's own 2 GB would stop a queue with a small disk at once.
    """
    return min(MOST_FREE_DISK_MB, disk_gb * 200)


def _apart(component: ComponentPlan, *, strict: bool) -> Manifest:
    """Return that instances of a queue are at different hosts, and at those of its zone where there are such."""
    match = {"key": ZONE_LABEL, "operator": "In", "values": [component.declared.zone]}
    pool = {"weight": 100, "preference": {"matchExpressions": [match]}}
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": policy_selector(component.declared)},
    }
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    return {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [pool]},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]} if strict else preferred,
    }


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
