"""The workloads of hosted components: deployments, jobs, caches, with their services, budgets and autoscalers. Pure.

Databases, buckets and queues are other operators': see `databases` and `stores`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.policy.cloud.admission_checks import AUTOSCALED_LABEL
from infra.targets.kubernetes.cloud.objects import (
    component_manifest,
    has_own_pods,
    keeps_volumes,
    object_name,
    pod_selector,
)
from infra.targets.kubernetes.cloud.pods import DATA_VOLUME, container_ports, pod_template, volume_claim_spec
from infra.targets.kubernetes.cloud.storage import storage_class_of
from infra.targets.kubernetes.cloud.tenancy import hardening_exception
from infra.targets.kubernetes.objects import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest

SERVER_KINDS = ("web", "app", "gateway")
CPU_TARGET_PERCENT = 70
JOB_TIME_ZONE, JOB_HOUR = "Asia/Ho_Chi_Minh", 1
LEAST_FOR_BUDGET = 2


def workload_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return the workloads of a zone, in order of the components."""
    return tuple(
        manifest for component in zone.components for manifest in _component_manifests(spec, system, zone, component)
    )


def _component_manifests(
    spec: HostedSpec, system: SystemPlan, zone: ZonePlan, component: ComponentPlan
) -> Iterator[Manifest]:
    kind = component.declared.kind
    if not has_own_pods(component.declared):
        return
    hardened = hardening_exception(spec, component) is None
    storage_class = storage_class_of(spec, system, zone)
    template = pod_template(spec, system, component, storage_class=storage_class, hardened=hardened)
    stores = keeps_volumes(component.declared)
    if stores:
        yield _store(component, template, storage_class)
        yield from _budget(component)
    elif kind in SERVER_KINDS:
        yield _deployment(component, template)
        yield from _budget(component)
        if component.declared.most > component.declared.least:
            yield _autoscaler(component)
    elif kind == "job":
        yield _cron_job(component, template)
    elif kind == "cache":
        yield _cache(component, template)
        yield from _budget(component)
    if kind != "job" and component.declared.port:
        yield _service(component, headless=stores or kind == "cache")


def _deployment(component: ComponentPlan, template: Manifest) -> Manifest:
    """Return the Deployment; the autoscaler, where there is one, owns the number of replicas."""
    declared = component.declared
    spec: Manifest = {
        "selector": {"matchLabels": pod_selector(declared)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "revisionHistoryLimit": 5,
        "template": template,
    }
    deployment = component_manifest(component, "apps/v1 Deployment", spec=spec)
    if declared.most == declared.least:
        spec["replicas"] = declared.least
    else:
        deployment["metadata"]["labels"][AUTOSCALED_LABEL] = "true"
    return deployment


def _service(component: ComponentPlan, *, headless: bool) -> Manifest:
    ports = [
        {"name": port["name"], "port": port["containerPort"], "targetPort": port["name"], "protocol": "TCP"}
        for port in container_ports(component)
    ]
    spec: Manifest = {"type": "ClusterIP", "selector": pod_selector(component.declared), "ports": ports}
    if headless:
        spec["clusterIP"] = "None"
    return component_manifest(component, "v1 Service", spec=spec)


def _budget(component: ComponentPlan) -> Iterator[Manifest]:
    """Yield the disruption budget: one instance may be evicted; a single one has none, to let hosts drain."""
    if component.declared.least >= LEAST_FOR_BUDGET:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": pod_selector(component.declared)}}
        yield component_manifest(component, "policy/v1 PodDisruptionBudget", spec=spec)


def _autoscaler(component: ComponentPlan) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT}
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": object_name(component.declared)},
        "minReplicas": component.declared.least,
        "maxReplicas": component.declared.most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
    }
    return component_manifest(component, "autoscaling/v2 HorizontalPodAutoscaler", spec=spec)


def _cron_job(component: ComponentPlan, template: Manifest) -> Manifest:
    """Return the nightly job; its minute follows from its name, so that the jobs of a province do not begin at once."""
    minute = int(sha256_of(component.namespace, object_name(component.declared))[:8], 16) % 60
    template["spec"]["restartPolicy"] = "Never"
    spec: Manifest = {
        "schedule": f"{minute} {JOB_HOUR} * * *",
        "timeZone": JOB_TIME_ZONE,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": {"backoffLimit": 2, "template": template}},
    }
    return component_manifest(component, "batch/v1 CronJob", spec=spec)


def _cache(component: ComponentPlan, template: Manifest) -> Manifest:
    """Return a cache: stable names, no volume that outlives its pod."""
    spec: Manifest = {
        "serviceName": object_name(component.declared),
        "replicas": component.declared.least,
        "selector": {"matchLabels": pod_selector(component.declared)},
        "template": template,
    }
    return component_manifest(component, "apps/v1 StatefulSet", spec=spec)


def _store(component: ComponentPlan, template: Manifest, storage_class: str) -> Manifest:
    """Return a store that no operator runs: one volume for each instance, which stays when it is deleted."""
    store = _cache(component, template)
    claim = {"metadata": {"name": DATA_VOLUME}, "spec": volume_claim_spec(component, storage_class)}
    store["spec"] |= {
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "volumeClaimTemplates": [claim],
    }
    return store
