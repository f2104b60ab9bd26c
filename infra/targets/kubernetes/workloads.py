"""Ingest, rollup and API in the cluster, with the inventory as ConfigMaps. Pure; sizes come from the plan.

Every ingest pod is a worker by its own name in the shared subscription; all of them have one certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.addresses import store_url
from infra.plan.workloads import ALERTMANAGER
from infra.targets.kubernetes.names import API_TLS, SERVICES_PORT, broker_host, files_of
from infra.targets.kubernetes.objects import (
    account,
    config,
    disruption,
    environment,
    from_secret,
    made,
    mounted_paths,
    mounted_secret,
    mounts,
    scratch,
    secret,
    service,
    volume,
)
from infra.targets.kubernetes.pods import Pod, deployment, probe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import Workload
    from infra.targets.kubernetes.objects import Cluster, Manifest

INVENTORY, TLS, STATE = "/inventory", "/tls", "/state"
LAG = "motcua_ingest_lag_seconds"
MOST_LAG_S = 30
"""A longer mean lag calls for another worker, seconds."""


def inventory(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return a ConfigMap for each file of the inventory: so each published month has a megabyte of its own."""
    found = []
    for path, text in sorted(cluster.inventory.items()):
        folder, slash, key = path.rpartition("/")
        found.append(config(cluster, files_of(path), "inventory", {key: text}, folder + slash))
    return tuple(found)


def roles(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the roles' workloads and what belongs to them."""
    return (*inventory(cluster), *ingest(cluster), *rollup(cluster), *api(cluster))


def ingest(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the workers and what scales them: by lag, and by processor time while no metric is to be had."""
    workload = cluster.plan.workload("ingest")
    words = ("ingest", "--shared", "--name", "$(POD_NAME)", "--metrics", f"0.0.0.0:{workload.ports['metrics']}")
    pod = _pod(cluster, workload, words, "metrics")
    return (
        account(cluster, "ingest"),
        _secret(cluster, "ingest", mqtt=True),
        service(cluster, "ingest", "ingest", workload.ports),
        disruption(cluster, "ingest"),
        deployment(cluster, pod, replicas=None),
        _scaled(cluster, workload, [_lag(), _processor(80)]),
    )


def rollup(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the one rollup; the next begins when it has ended."""
    workload = cluster.plan.workload("rollup")
    pod = _pod(cluster, workload, ("rollup",))
    return (
        account(cluster, "rollup"),
        _secret(cluster, "rollup", mqtt=True),
        volume(cluster, "rollup-state", "rollup", 1),
        disruption(cluster, "rollup"),
        deployment(cluster, pod, replicas=1, recreate=True),
    )


def api(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the API behind TLS."""
    workload = cluster.plan.workload("api")
    pod = _pod(cluster, workload, ("api", "--listen", f"0.0.0.0:{workload.ports['http']}"), "http")
    return (
        account(cluster, "api"),
        _secret(cluster, "api"),
        service(cluster, "api", "api", workload.ports),
        disruption(cluster, "api"),
        deployment(cluster, pod, replicas=None),
        _scaled(cluster, workload, [_processor(70)]),
        _ingress(cluster),
        _no_figures(cluster),
    )


def _pod(cluster: Cluster, workload: Workload, words: tuple[str, ...], health: str = "") -> Pod:
    """Return a role's pod; `health` is the port of its health pages, rollup has none."""
    role, mqtt = workload.name, bool(workload.certificate)
    volumes = [_inventory(cluster), *([mounted_secret("tls", role)] if mqtt else [])]
    kept = {"name": "state", "persistentVolumeClaim": {"claimName": "rollup-state"}}
    paths = {"inventory": INVENTORY, **({"tls": TLS} if mqtt else {}), "state": STATE}
    return Pod(
        workload,
        command=("motcua",),
        args=words,
        env=_environment(cluster, role, mqtt=mqtt),
        volumes=(*volumes, kept if role == "rollup" else scratch("state")),
        mounts=tuple(mounts(paths, writable=("state",))),
        ports=workload.ports,
        probes=_probes(health, "/healthz", "/readyz") if health else {},
        lifecycle=_LAST_CALLS if role == "api" else {},
        annotations=_generations(cluster, workload),
        spread=role != "rollup",
    )


def _inventory(cluster: Cluster) -> Manifest:
    return mounted_paths("inventory", {files_of(path): path for path in sorted(cluster.inventory)})


def _environment(cluster: Cluster, role: str, *, mqtt: bool) -> tuple[Manifest, ...]:
    values = {
        "MOTCUA_INVENTORY": INVENTORY,
        "MOTCUA_STORE": store_url(cluster.plan, "http://influxdb:8086"),
        "MOTCUA_STATE": f"{STATE}/state.db",
        "MOTCUA_LOG": "info-json",
    }
    if role == "rollup":
        values |= {"MOTCUA_ALERTMANAGER": f"http://alertmanager:{ALERTMANAGER}"}
    if mqtt:
        values |= {"MOTCUA_MQTT": f"mqtts://{broker_host(cluster)}:{SERVICES_PORT}"}
        values |= {f"MOTCUA_MQTT_{what}": f"{TLS}/{file}" for what, file in _TLS.items()}
    return (
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *environment(values),
        from_secret("MOTCUA_STORE_TOKEN", role, "token"),
    )


# The ingress still sends it requests while it learns that the pod ends.
_LAST_CALLS: Manifest = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
_TLS = {"CA": "ca.pem", "CERT": "client.pem", "KEY": "client.key"}


def _secret(cluster: Cluster, role: str, *, mqtt: bool = False) -> Manifest:
    values = {"token": f"{role}Token"}
    if mqtt:
        values |= {"ca.pem": "caBundle", "client.pem": f"{role}Certificate", "client.key": f"{role}Key"}
    return secret(cluster, role, role, values)


def _generations(cluster: Cluster, workload: Workload) -> dict[str, str]:
    """Return what makes a role start anew: another token or certificate. The inventory is read again by itself."""
    own = next((one for one in cluster.plan.pki.certificates if one.name == workload.certificate), None)
    found = {"motcua.org/token": workload.token}
    if own is not None:
        found["motcua.org/certificate"] = f"{own.name}-g{own.generation}"
        found["motcua.org/authorities"] = "-".join(f"g{one.generation}" for one in cluster.plan.pki.authorities)
    return found


def _probes(port: str, alive: str, ready: str) -> dict[str, Manifest]:
    return {
        "startupProbe": probe("httpGet", port, alive, every_s=5, failures=60),
        "livenessProbe": probe("httpGet", port, alive, every_s=20),
        "readinessProbe": probe("httpGet", port, ready),
    }


def _scaled(cluster: Cluster, workload: Workload, metrics: list[Manifest]) -> Manifest:
    """Return an autoscaler: up at once, down slowly, for every change of workers moves subscriptions."""
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
        "minReplicas": workload.replicas,
        "maxReplicas": workload.most,
        "metrics": metrics,
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 30},
            "scaleDown": {
                "stabilizationWindowSeconds": 600,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
            },
        },
    }
    return made(cluster, "autoscaling/v2 HorizontalPodAutoscaler", workload.name, workload.name, spec=spec)


def _lag() -> Manifest:
    """Return the workers' mean lag as the custom metrics API gives it; prometheus-adapter answers there (watching).

    It is asked of the Service: by pod, Prometheus would need the right to read pods from the cluster's API.
    """
    asked = {"apiVersion": "v1", "kind": "Service", "name": "ingest"}
    target = {"type": "Value", "value": str(MOST_LAG_S)}
    return {"type": "Object", "object": {"metric": {"name": LAG}, "describedObject": asked, "target": target}}


def _processor(percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _ingress(cluster: Cluster) -> Manifest:
    """Return the way from outside to the API; its certificate is the operator's, public or internal."""
    sources = cluster.options.kubernetes.api_sources
    # Live figures are a stream: they pass as they come.
    notes = {"ssl-redirect": "true", "proxy-buffering": "off", "proxy-read-timeout": "3600"}
    if sources:
        notes["whitelist-source-range"] = ",".join(sources)
    return _way_in(cluster, "api", "/", notes)


def _no_figures(cluster: Cluster) -> Manifest:
    """Return what shuts `/metrics` and all below it to the outside: Prometheus asks the pods themselves.

    Everybody is denied, whatever address a request claims to come from; controllers before 1.4 know only the list of
    who may.
    """
    return _way_in(
        cluster, "api-metrics", "/metrics",
        {"ssl-redirect": "true", "denylist-source-range": "0.0.0.0/0,::/0", "whitelist-source-range": "127.0.0.1/32"},
    )  # fmt: skip


def _way_in(cluster: Cluster, name: str, path: str, notes: Mapping[str, str]) -> Manifest:
    """Return an Ingress to the API for a path and what is below it; `notes` are the controller's settings."""
    host = cluster.options.kubernetes.api_host
    backend = {"service": {"name": "api", "port": {"name": "http"}}}
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": [host], "secretName": API_TLS}],
        "rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}],
    }
    found = made(cluster, "networking.k8s.io/v1 Ingress", name, "api", spec=spec)
    found["metadata"]["annotations"] = {f"nginx.ingress.kubernetes.io/{key}": value for key, value in notes.items()}
    return found
