"""Storage of the systems: a class of its own for each zone with volumes from level 3 on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.cloud.objects import SEPARATED_LEVEL, object_labels

if TYPE_CHECKING:
    from infra.plan.cloud.values import SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest


def storage_class_of(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> str:
    """Return the storage class of a zone's volumes, "" for the cluster's own."""
    if system.declared.level < SEPARATED_LEVEL:
        return spec.options.kubernetes.storage_class
    return zone.namespace


def has_volumes(zone: ZonePlan) -> bool:
    """Return whether components of a zone have volumes."""
    return any(component.declared.disk_gb for component in zone.components)


def storage_classes(spec: HostedSpec) -> tuple[Manifest, ...]:
    """Return the classes of all systems from level 3 on: encrypted, and kept when their claims are deleted."""
    return tuple(
        zone_storage_class(spec, zone)
        for system, zone in spec.placed_zones
        if system.declared.level >= SEPARATED_LEVEL and has_volumes(zone)
    )


def zone_storage_class(spec: HostedSpec, zone: ZonePlan) -> Manifest:
    """Return the class of a zone's volumes, of the zone's physical name."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": zone.namespace, "labels": object_labels(zone.labels, "storage")},
        "provisioner": spec.options.cloud.storage_provisioner,
        "parameters": dict(sorted(spec.options.cloud.storage_parameters.items())),
        "reclaimPolicy": "Retain",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer",
    }
