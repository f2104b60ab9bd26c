"""Databases as objects of CloudNativePG, with their copies and credentials. Pure; the operator runs them.

Copies are made by the plugin `barman-cloud` alone: the form within the operator is deprecated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.platform_connections import DATABASE_PORT
from infra.policy.cloud.admission_checks import ZONE_LABEL
from infra.targets.kubernetes.cloud.database_rules import database_rules
from infra.targets.kubernetes.cloud.encryption import certificate_name, has_certificate
from infra.targets.kubernetes.cloud.objects import (
    DATABASE_CLUSTER_LABEL,
    PART_OF_LABEL,
    SEPARATED_LEVEL,
    component_labels,
    component_manifest,
    image_reference,
    object_name,
    platform_url,
)
from infra.targets.kubernetes.cloud.pods import credentials_name, resources
from infra.targets.kubernetes.cloud.secrets import external_secret, secret_path
from infra.targets.kubernetes.cloud.storage import storage_class_of
from infra.targets.kubernetes.cloud.tenancy import SIDECAR_CPU_MILLICORES, SIDECAR_MEMORY_MB
from infra.targets.kubernetes.objects import sha256_of
from telemetry.core.hosted.database_figures import (
    METRICS_PORT,
    copy_interval_hours,
    database_limits,
    has_copies,
    wanted_instances,
)
from telemetry.core.hosted.inside_probes import figures_service
from telemetry.errors import declaration_fault

if TYPE_CHECKING:
    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.errors import Fault

CLUSTER_KIND = "postgresql.cnpg.io/v1 Cluster"
PLUGIN = "barman-cloud.cloudnative-pg.io"
HOURS_OF_DAY = 24
COPY_RETENTION_DAYS = 30
MIN_TLS = "TLSv1.2"
DATABASE, OWNER = "app", "app"


def database_images(plan: CloudPlan) -> dict[str, str]:
    """Return image → component of every image of a database."""
    components = (one.declared for system in reversed(plan.systems) for one in reversed(system.components))
    return {one.image: one.path for one in components if one.kind == "database"}


def database_faults(system: SystemPlan) -> tuple[Fault, ...]:
    """Return a fault for each database with a port that its operator does not open."""
    databases = (one.declared for one in system.components if one.declared.kind == "database")
    problem = f"CloudNativePG opens {DATABASE_PORT} alone"
    remedy = f"write {DATABASE_PORT} as its port, and in the rows of flows.csv that call it"
    return tuple(
        declaration_fault(one.declared_at, "components.csv", one.path, f"has port {one.port}, and {problem}", remedy)
        for one in databases
        if one.port not in {0, DATABASE_PORT}
    )


def database_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return the objects of a zone's databases."""
    databases = [component for component in zone.components if component.declared.kind == "database"]
    return tuple(manifest for component in databases for manifest in _database_objects(spec, system, zone, component))


def _database_objects(
    spec: HostedSpec, system: SystemPlan, zone: ZonePlan, component: ComponentPlan
) -> tuple[Manifest, ...]:
    owner = external_secret(
        spec, component.namespace, component.labels, credentials_name(component), secret_path(component),
        kind="kubernetes.io/basic-auth",
    )  # fmt: skip
    copies = _copy_objects(spec, component) if has_copies(spec.plan.declaration) else ()
    rules = database_rules(component, database_limits(spec.plan.declaration, component.declared))
    return (owner, *copies, _cluster(spec, system, zone, component), *_figures_objects(component), rules)


def _cluster(spec: HostedSpec, system: SystemPlan, zone: ZonePlan, component: ComponentPlan) -> Manifest:
    declared, name = component.declared, object_name(component.declared)
    separated = system.declared.level >= SEPARATED_LEVEL
    instances = wanted_instances(system.declared.level, declared.least)
    storage: Manifest = {"size": f"{max(declared.disk_gb, 1)}Gi"}
    storage_class = storage_class_of(spec, system, zone)
    if storage_class:
        storage["storageClass"] = storage_class
    body: Manifest = {
        "instances": instances,
        "imageName": image_reference(spec, component),
        "enableSuperuserAccess": False,
        # Its operator would let no host drain on which the only instance runs.
        "enablePDB": instances > 1,
        "primaryUpdateStrategy": "unsupervised",
        "storage": storage,
        "resources": resources(component),
        "inheritedMetadata": {"labels": _inherited_labels(component)},
        "bootstrap": {
            "initdb": {"database": DATABASE, "owner": OWNER, "secret": {"name": credentials_name(component)}}
        },
        "postgresql": {
            "parameters": {"ssl_min_protocol_version": MIN_TLS},
            "pg_hba": ["hostssl all all all scram-sha-256", "hostnossl all all all reject"],
        },
        "affinity": {
            "enablePodAntiAffinity": True,
            "topologyKey": "kubernetes.io/hostname",
            "podAntiAffinityType": "required" if separated else "preferred",
            "nodeAffinity": _pool_preference(component),
        },
    }
    if has_certificate(spec, component):
        secret = certificate_name(component)
        body["certificates"] = {"serverTLSSecret": secret, "serverCASecret": secret}
    if system.declared.rpo_s == 0 and instances > 1:
        body["postgresql"]["synchronous"] = {"method": "any", "number": 1, "dataDurability": "required"}
    if has_copies(spec.plan.declaration):
        parameters = {"barmanObjectName": name, "serverName": name}
        body["plugins"] = [{"name": PLUGIN, "isWALArchiver": True, "parameters": parameters}]
    return component_manifest(component, CLUSTER_KIND, spec=body)


def _inherited_labels(component: ComponentPlan) -> dict[str, str]:
    """Return the labels that the operator puts on everything of a database; the common ones are its own."""
    labels = component_labels(component)
    return {name: value for name, value in labels.items() if name == PART_OF_LABEL or name.startswith("motcua.org/")}


def _pool_preference(component: ComponentPlan) -> Manifest:
    match = {"key": ZONE_LABEL, "operator": "In", "values": [component.declared.zone]}
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchExpressions": [match]}}
        ]
    }


def _copy_objects(spec: HostedSpec, component: ComponentPlan) -> tuple[Manifest, ...]:
    """Return the store of copies, its credentials, and when a whole copy is made."""
    name, credentials = object_name(component.declared), f"{object_name(component.declared)}-copies"
    reference = {key: {"name": credentials, "key": key} for key in ("access-key", "secret-key", "ca.crt")}
    configuration = {
        "destinationPath": f"s3://{component.namespace}-copies/",
        "endpointURL": platform_url(spec, "backup"),
        "endpointCA": reference["ca.crt"],
        "s3Credentials": {"accessKeyId": reference["access-key"], "secretAccessKey": reference["secret-key"]},
        "wal": {"compression": "gzip", "encryption": "AES256"},
        "data": {"compression": "gzip", "encryption": "AES256"},
    }
    sidecar = {"cpu": f"{SIDECAR_CPU_MILLICORES}m", "memory": f"{SIDECAR_MEMORY_MB}Mi"}
    store = {
        "configuration": configuration,
        "retentionPolicy": f"{COPY_RETENTION_DAYS}d",
        "instanceSidecarConfiguration": {
            "resources": {"requests": sidecar, "limits": {"cpu": "500m", "memory": sidecar["memory"]}}
        },
    }
    schedule = {
        "schedule": copy_schedule(spec, component),
        "backupOwnerReference": "none",
        "cluster": {"name": name},
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
    }
    return (
        external_secret(spec, component.namespace, component.labels, credentials, f"{secret_path(component)}/copies"),
        component_manifest(component, "barmancloud.cnpg.io/v1 ObjectStore", spec=store),
        component_manifest(component, "postgresql.cnpg.io/v1 ScheduledBackup", spec=schedule),
    )


def copy_schedule(spec: HostedSpec, component: ComponentPlan) -> str:
    """Return when whole copies are made, in six fields: as often as the store says, at least once a day."""
    minute = int(sha256_of(component.namespace, component.declared.id)[:8], 16) % 60
    hours = copy_interval_hours(spec.plan.declaration)
    hour_field = "2" if hours == HOURS_OF_DAY else f"*/{hours}"
    return f"0 {minute} {hour_field} * * *"


def _figures_objects(component: ComponentPlan) -> tuple[Manifest, Manifest]:
    """Return what Prometheus reads figures by, and the name under which the agent finds every instance.

    That name has also instances that are not ready: their figures say why.
    """
    selected = {DATABASE_CLUSTER_LABEL: object_name(component.declared)}
    monitor = {
        "selector": {"matchLabels": selected},
        "podMetricsEndpoints": [{"port": "metrics", "interval": "60s"}],
    }
    service = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": selected,
        "ports": [{"name": "metrics", "port": METRICS_PORT, "targetPort": METRICS_PORT, "protocol": "TCP"}],
    }
    name = figures_service(component.declared)
    return (
        component_manifest(component, "monitoring.coreos.com/v1 PodMonitor", spec=monitor),
        component_manifest(component, "v1 Service", name, spec=service),
    )
