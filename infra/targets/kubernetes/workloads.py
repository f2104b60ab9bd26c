"""Ingest, rollup and API in the cluster, with the inventory as ConfigMaps. Pure; sizes come from the plan.

Every ingest pod is a worker with its own name in the shared subscription; all of them share one certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.influx import store_url
from infra.plan.workloads import ALERTMANAGER_PORT, INFLUX_PORT, SERVICES_PORT
from infra.targets.kubernetes.component_tls import (
    AUTHORITY_PATH,
    authority_annotation,
    inside_tls_paths,
    inside_tls_volumes,
    scheme_of,
    serves_tls,
)
from infra.targets.kubernetes.objects import (
    broker_service_host,
    config_map,
    config_map_of,
    config_paths_volume,
    disruption_budget,
    empty_dir,
    manifest,
    plain_variables,
    secret_manifest,
    secret_variable,
    secret_volume,
    service_account,
    service_host,
    service_manifest,
    volume_claim,
    volume_mounts,
)
from infra.targets.kubernetes.pods import PodSpec, deployment, fixed_replicas, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.values import Workload
    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

INVENTORY = "inventory"
"""What the roles share: a part of the stack that is no component."""
INVENTORY_FOLDER, TLS_FOLDER, STATE_FOLDER = "/inventory", "/tls", "/state"
LAG_METRIC = "motcua_ingest_lag_seconds"
MAX_LAG_S = 30
"""A longer mean lag starts another worker, seconds."""


def inventory_config_maps(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return a ConfigMap per file of the inventory, so that the size limit applies to each published month alone."""
    config_maps = []
    for path, text in sorted(cluster.inventory_files.items()):
        folder, slash, key = path.rpartition("/")
        config_maps.append(config_map(cluster, config_map_of(path), INVENTORY, {key: text}, folder + slash))
    return tuple(config_maps)


def workload_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the manifests of the roles."""
    return (
        *inventory_config_maps(cluster),
        *ingest_manifests(cluster),
        *rollup_manifests(cluster),
        *api_manifests(cluster),
    )


def ingest_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the workers and their autoscaler: by lag, and by CPU while the lag metric is not available."""
    workload = cluster.plan.workload("ingest")
    arguments = ("ingest", "--shared", "--name", "$(POD_NAME)", "--metrics", f"0.0.0.0:{workload.ports['metrics']}")
    pod = _role_pod(cluster, workload, arguments, "metrics")
    return (
        service_account(cluster, "ingest"),
        _role_secret(cluster, "ingest", mqtt=True),
        service_manifest(cluster, "ingest", "ingest", workload.ports),
        disruption_budget(cluster, "ingest"),
        deployment(cluster, pod, replicas=fixed_replicas(workload)),
        *_autoscaler(cluster, workload, [_lag_metric(), _cpu_metric(80)]),
    )


def rollup_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the one rollup; a new pod starts after the old one has ended."""
    workload = cluster.plan.workload("rollup")
    port = workload.ports.get("metrics", 0)
    pages = ("--metrics", f"0.0.0.0:{port}") if port else ()
    pod = _role_pod(cluster, workload, ("rollup", *pages), "metrics" if port else "")
    return (
        service_account(cluster, "rollup"),
        _role_secret(cluster, "rollup", mqtt=True),
        *((service_manifest(cluster, "rollup", "rollup", workload.ports),) if port else ()),
        volume_claim(cluster, "rollup-state", "rollup", workload.volume_gb),
        disruption_budget(cluster, "rollup"),
        deployment(cluster, pod, replicas=1, recreate=True),
    )


def api_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the API; TLS ends before it."""
    workload = cluster.plan.workload("api")
    pod = _role_pod(cluster, workload, ("api", "--listen", f"0.0.0.0:{workload.ports['http']}"), "http")
    return (
        service_account(cluster, "api"),
        _role_secret(cluster, "api"),
        service_manifest(cluster, "api", "api", workload.ports),
        disruption_budget(cluster, "api"),
        deployment(cluster, pod, replicas=fixed_replicas(workload)),
        *_autoscaler(cluster, workload, [_cpu_metric(70)]),
    )


def _role_pod(cluster: ClusterSpec, workload: Workload, arguments: tuple[str, ...], health: str = "") -> PodSpec:
    """Return a role's pod; `health` is the port of its health endpoints, if the plan has one.

    An API pod receives requests as long as it lives: when rollup is behind, `/readyz` says so to monitors, and the
    pages must still say so to people.
    """
    role, mqtt = workload.name, bool(workload.certificate)
    callees = ("influxdb", *(("alertmanager",) if role == "rollup" else ()))
    volumes = [_inventory_volume(cluster), *([secret_volume("tls", role)] if mqtt else [])]
    volumes += inside_tls_volumes(cluster, role, callees)
    state_volume = {"name": "state", "persistentVolumeClaim": {"claimName": "rollup-state"}}
    paths = {"inventory": INVENTORY_FOLDER, **({"tls": TLS_FOLDER} if mqtt else {}), "state": STATE_FOLDER}
    paths |= inside_tls_paths(cluster, role, callees)
    return PodSpec(
        workload,
        command=("motcua",),
        args=arguments,
        env=_role_environment(cluster, role, mqtt=mqtt),
        volumes=(*volumes, state_volume if role == "rollup" else empty_dir("state")),
        mounts=tuple(volume_mounts(paths, writable=("state",))),
        ports=workload.ports,
        probes=_http_probes(health, "/healthz", "/readyz" if role == "ingest" else "/healthz") if health else {},
        lifecycle=_PRE_STOP if role == "api" else {},
        annotations=_restart_annotations(cluster, workload) | authority_annotation(cluster, callees),
        spread=role != "rollup",
    )


def _inventory_volume(cluster: ClusterSpec) -> Manifest:
    return config_paths_volume("inventory", {config_map_of(path): path for path in sorted(cluster.inventory_files)})


def _role_environment(cluster: ClusterSpec, role: str, *, mqtt: bool) -> tuple[Manifest, ...]:
    database = f"{scheme_of(cluster, 'influxdb')}://{service_host(cluster, 'influxdb', role)}:{INFLUX_PORT}"
    values = {
        "MOTCUA_INVENTORY": INVENTORY_FOLDER,
        "MOTCUA_STORE": store_url(cluster.plan, database, AUTHORITY_PATH if serves_tls(cluster, "influxdb") else ""),
        "MOTCUA_STATE": f"{STATE_FOLDER}/state.db",
        "MOTCUA_LOG": "info-json",
    }
    if role == "rollup":
        host = service_host(cluster, "alertmanager", role)
        values["MOTCUA_ALERTMANAGER"] = f"{scheme_of(cluster, 'alertmanager')}://{host}:{ALERTMANAGER_PORT}"
        if serves_tls(cluster, "alertmanager"):
            values["MOTCUA_ALERTMANAGER_CA"] = AUTHORITY_PATH
    if mqtt:
        values |= {"MOTCUA_MQTT": f"mqtts://{broker_service_host(cluster)}:{SERVICES_PORT}"}
        values |= {f"MOTCUA_MQTT_{what}": f"{TLS_FOLDER}/{file}" for what, file in _TLS_VARIABLES.items()}
    return (
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *plain_variables(values),
        secret_variable("MOTCUA_STORE_TOKEN", role, "token"),
    )


# The gateway still sends requests until it has noticed that the pod terminates.
_PRE_STOP: Manifest = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
_TLS_VARIABLES = {"CA": "ca.pem", "CERT": "client.pem", "KEY": "client.key"}


def _role_secret(cluster: ClusterSpec, role: str, *, mqtt: bool = False) -> Manifest:
    values = {"token": f"{role}Token"}
    if mqtt:
        values |= {"ca.pem": "caBundle", "client.pem": f"{role}Certificate", "client.key": f"{role}Key"}
    return secret_manifest(cluster, role, role, values)


def _restart_annotations(cluster: ClusterSpec, workload: Workload) -> dict[str, str]:
    """Return the annotations whose change restarts a role: token, certificate. The inventory is reloaded without it."""
    own = next(
        (certificate for certificate in cluster.plan.pki.certificates if certificate.name == workload.certificate), None
    )
    annotations = {"motcua.org/token": workload.token}
    if own is not None:
        annotations["motcua.org/certificate"] = f"{own.name}-g{own.generation}"
        annotations["motcua.org/authorities"] = "-".join(
            f"g{certificate.generation}" for certificate in cluster.plan.pki.authorities
        )
    return annotations


def _http_probes(port: str, alive: str, ready: str) -> dict[str, Manifest]:
    return {
        "startupProbe": probe("httpGet", port, alive, every_s=5, failures=60),
        "livenessProbe": probe("httpGet", port, alive, every_s=20),
        "readinessProbe": probe("httpGet", port, ready),
    }


def _autoscaler(cluster: ClusterSpec, workload: Workload, metrics: list[Manifest]) -> Iterator[Manifest]:
    """Yield an autoscaler: up at once, down slowly, because every change of workers moves subscriptions."""
    if fixed_replicas(workload):
        return
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
        "minReplicas": workload.min_replicas,
        "maxReplicas": workload.max_replicas,
        "metrics": metrics,
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 30},
            "scaleDown": {
                "stabilizationWindowSeconds": 600,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
            },
        },
    }
    yield manifest(cluster, "autoscaling/v2 HorizontalPodAutoscaler", workload.name, workload.name, spec=spec)


def _lag_metric() -> Manifest:
    """Return the workers' mean lag in the custom metrics API, which prometheus-adapter serves (see monitoring).

    The metric is the Service's: per pod, Prometheus would need the right to read pods from the cluster's API.
    """
    described_object = {"apiVersion": "v1", "kind": "Service", "name": "ingest"}
    target = {"type": "Value", "value": str(MAX_LAG_S)}
    return {
        "type": "Object",
        "object": {"metric": {"name": LAG_METRIC}, "describedObject": described_object, "target": target},
    }


def _cpu_metric(percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
