"""The tenancy of one zone of a system: namespace, quota, limits, accounts, the owner's view. Pure.

It must not decide what runs in the zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.policy.cloud.exceptions import NAMESPACE_RULE, covers, exception_label, is_valid
from infra.targets.kubernetes.cloud.objects import (
    exposures_of,
    has_own_pods,
    object_labels,
    object_name,
    zone_manifest,
)
from infra.targets.kubernetes.cloud.pods import CPU_BURST
from infra.targets.kubernetes.network import EXPOSURE_LABEL

if TYPE_CHECKING:
    from infra.plan.cloud.values import ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.cloud.values import Ground, PolicyException

POD_SECURITY = "pod-security.kubernetes.io"
EXCEPTION_NOTE = "motcua.org/exception"
DEFAULT_POD_SECURITY_VERSION = "v1.31"
SIDECAR_CPU_MILLICORES, SIDECAR_MEMORY_MB = 100, 256
"""What the backup process beside each instance of a database may use."""


def tenancy_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return the namespace of a zone and what bounds it; the namespace is first."""
    accounts = sorted(
        object_name(component.declared) for component in zone.components if has_own_pods(component.declared)
    )
    return (
        namespace_manifest(spec, system, zone),
        _quota(zone),
        _limit_range(zone),
        _owner_view(system, zone),
        *(
            zone_manifest(zone, "v1 ServiceAccount", name, name, automountServiceAccountToken=False)
            for name in accounts
        ),
    )


def namespace_manifest(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> Manifest:
    """Return the namespace, which admits restricted pods only, but for a dated exception of the declaration."""
    exception = next(filter(None, (hardening_exception(spec, one) for one in zone.components)), None)
    enforced = "privileged" if exception else "restricted"
    labels = {**object_labels(zone.labels, "namespace"), **pod_security_labels(spec.ground, enforced)}
    exposures = {connection.source.name for one in zone.components for connection in exposures_of(spec, one)}
    if exposures:
        labels[EXPOSURE_LABEL] = system.declared.exposure if system.declared.exposure in exposures else min(exposures)
    meta: Manifest = {"name": zone.namespace, "labels": labels}
    if exception:
        labels[exception_label(NAMESPACE_RULE)] = exception.until.isoformat() if exception.until else ""
        notes = {"where": exception.where, "by": exception.by, "why": exception.why}
        meta["annotations"] = {f"{EXCEPTION_NOTE}-{name}": text for name, text in notes.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def pod_security_labels(ground: Ground, enforced: str = "restricted") -> dict[str, str]:
    """Return the labels of Pod Security with a pinned version, so that an upgrade of the cluster changes no rule."""
    engine = ground.engines.get("kubernetes", "")
    version = "v" + ".".join(engine.removeprefix("v").split(".")[:2]) if engine else DEFAULT_POD_SECURITY_VERSION
    levels = {"enforce": enforced, "audit": "restricted", "warn": "restricted"}
    return {
        **{f"{POD_SECURITY}/{mode}": level for mode, level in levels.items()},
        **{f"{POD_SECURITY}/{mode}-version": version for mode in levels},
    }


def hardening_exception(spec: HostedSpec, component: ComponentPlan) -> PolicyException | None:
    """Return the dated exception from hardened pods that holds for a component, None without one."""
    declaration, day = spec.plan.declaration, spec.plan.today
    held = (
        exception
        for exception in declaration.exceptions
        if covers(exception, NAMESPACE_RULE, component.declared.path) and is_valid(declaration, exception, day)
    )
    return next(held, None)


def _quota(zone: ZonePlan) -> Manifest:
    """Return the quota: the plan's, with the backup processes beside databases, and no door to the outside."""
    quota, sidecars = zone.quota, _backup_processes(zone)
    memory_mb = quota.memory_mb + sidecars * SIDECAR_MEMORY_MB
    hard = {
        "requests.cpu": f"{quota.cpu_millicores + sidecars * SIDECAR_CPU_MILLICORES}m",
        "requests.memory": f"{memory_mb}Mi",
        "limits.memory": f"{memory_mb}Mi",
        "requests.storage": f"{quota.disk_gb}Gi",
        "pods": str(quota.instances),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    return zone_manifest(zone, "v1 ResourceQuota", "zone", "quota", spec={"hard": hard})


def _backup_processes(zone: ZonePlan) -> int:
    """Return how many there are: one beside each instance of a database, and beside the one of a roll-out."""
    kinds = [one.declared.kind for one in zone.components]
    others = sum(one.declared.most for one in zone.components if one.declared.kind not in {"database", "objects"})
    return zone.quota.instances - others if "database" in kinds else 0


def _limit_range(zone: ZonePlan) -> Manifest:
    """Return what a container gets that names no limits, and the most that one may have."""
    cpu_millicores = max((one.size.cpu_millicores for one in zone.components), default=500) * CPU_BURST
    memory_mb = max((one.size.memory_mb for one in zone.components), default=512)
    limit = {
        "type": "Container",
        "default": {"cpu": "500m", "memory": f"{SIDECAR_MEMORY_MB}Mi"},
        "defaultRequest": {"cpu": f"{SIDECAR_CPU_MILLICORES}m", "memory": f"{SIDECAR_MEMORY_MB}Mi"},
        "max": {"cpu": f"{max(cpu_millicores, 500)}m", "memory": f"{max(memory_mb, SIDECAR_MEMORY_MB)}Mi"},
    }
    return zone_manifest(zone, "v1 LimitRange", "zone", "quota", spec={"limits": [limit]})


def _owner_view(system: SystemPlan, zone: ZonePlan) -> Manifest:
    """Return the owner's right to look: the role `view`, which shows no secrets."""
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": f"motcua:{system.declared.owner}"}
    role = {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": "view"}
    return zone_manifest(
        zone, "rbac.authorization.k8s.io/v1 RoleBinding", "owner-view", "owner", roleRef=role, subjects=[group]
    )
