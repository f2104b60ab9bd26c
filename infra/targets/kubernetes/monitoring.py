"""Prometheus with its rules, Alertmanager and Grafana in the cluster. Pure; what is asked and shown is the plan's.

Nothing here asks the cluster's API: pods are found by the addresses behind a Service without one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from infra.host.monitoring import Places, Receiver, alertmanager as told, prometheus as configured
from infra.plan.workloads import ALERTMANAGER, PROMETHEUS
from infra.targets.kubernetes.expiry_alerts import renewals
from infra.targets.kubernetes.names import RECEIVER, WEBHOOK
from infra.targets.kubernetes.objects import (
    account,
    claim,
    config,
    digest,
    disruption,
    environment,
    mounted_config,
    mounted_secret,
    mounts,
    scratch,
    secret,
    service,
)
from infra.targets.kubernetes.pods import Pod, deployment, probe, stateful

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import ScrapeJob, Workload
    from infra.targets.kubernetes.objects import Cluster, Manifest

RULES, CONFIG, DATA = "/etc/prometheus/rules", "/etc/prometheus/config", "/prometheus"
GRAFANA = "/etc/grafana/provisioning"
SECRETS = "/secrets"
BOARDS = "/etc/grafana/dashboards"
SCALED = ("api", "ingest")
"""Components with several pods, each of which is asked."""
# The figure stands still when nothing is written, and then calls for nobody. It is the age of a write's newest event,
# which is high for a device that was away: a backlog is what stays high for two minutes.
LAG_QUERY = (
    "avg(min_over_time(<<.Series>>{<<.LabelMatchers>>}[2m]) * on (kubernetes_namespace, kubernetes_service, instance) "
    "(rate(motcua_ingest_events_stored_total{<<.LabelMatchers>>}[2m]) > bool 0)) by (<<.GroupBy>>)"
)
RETENTION = ("--storage.tsdb.retention.time=90d", "--storage.tsdb.retention.size=8GB")


def watching(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return everything that watches the stack."""
    return (*prometheus(cluster), *alertmanager(cluster), *grafana(cluster), adapter(cluster))


def prometheus(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return Prometheus: what it asks, the rules, its volume."""
    workload = cluster.plan.workload("prometheus")
    settings = config(cluster, "prometheus-config", "prometheus", {"prometheus.yml": scraping(cluster)})
    texts = {**below(cluster.plan.files, "rules/"), **renewals(cluster.plan)}
    rules = config(cluster, "prometheus-rules", "prometheus", texts)
    words = (f"--config.file={CONFIG}/prometheus.yml", f"--storage.tsdb.path={DATA}", *RETENTION)
    paths = {"config": CONFIG, "rules": RULES, "data": DATA}
    pod = _pod(
        workload, words, (settings, rules), paths,
        (mounted_config("config", "prometheus-config"), mounted_config("rules", "prometheus-rules")), "/-/",
    )  # fmt: skip
    volumes = {"data": claim(cluster, workload.volume_gb)}
    # A pod that is not ready is the one to look at: it must stay among those that are asked.
    headless = {"clusterIP": "None", "publishNotReadyAddresses": True}
    asked = (service(cluster, f"{name}-pods", name, cluster.plan.workload(name).ports, **headless) for name in SCALED)
    return (*asked, *_around(cluster, workload), settings, rules, stateful(cluster, pod, "prometheus", volumes))


def alertmanager(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return Alertmanager; it tells the webhook whose address the operator has put into a Secret."""
    workload = cluster.plan.workload("alertmanager")
    where, data = "/etc/alertmanager", "/alertmanager"
    routing = told(cluster.plan, Receiver(webhook_file=f"{SECRETS}/{WEBHOOK}"))
    settings = config(cluster, "alertmanager-config", "alertmanager", {"alertmanager.yml": routing})
    words = (f"--config.file={where}/alertmanager.yml", f"--storage.path={data}", "--cluster.listen-address=")
    webhook = mounted_secret("secrets", RECEIVER)
    # Without it alerts are seen, but sent nowhere.
    webhook["secret"]["optional"] = True
    volumes = (mounted_config("config", "alertmanager-config"), webhook)
    pod = _pod(workload, words, (settings,), {"config": where, "secrets": SECRETS, "data": data}, volumes, "/-/")
    claims = {"data": claim(cluster, workload.volume_gb)}
    return (*_around(cluster, workload), settings, stateful(cluster, pod, "alertmanager", claims))


def grafana(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return Grafana; everything it shows comes from files, so it keeps nothing."""
    workload = cluster.plan.workload("grafana")
    sources = config(cluster, "grafana-sources", "grafana", {"prometheus.yaml": _source()})
    providers = config(cluster, "grafana-providers", "grafana", {"files.yaml": _provider()})
    boards = config(cluster, "grafana-dashboards", "grafana", below(cluster.plan.files, "grafana/"))
    maps = {"sources": "grafana-sources", "providers": "grafana-providers", "boards": "grafana-dashboards"}
    paths = {
        "sources": f"{GRAFANA}/datasources", "providers": f"{GRAFANA}/dashboards", "boards": BOARDS,
        "secret": SECRETS, "data": "/var/lib/grafana",
    }  # fmt: skip
    pod = Pod(
        workload,
        env=tuple(environment(_SETTINGS)),
        volumes=(
            *(mounted_config(name, one) for name, one in maps.items()),
            mounted_secret("secret", "grafana"),
            scratch("data", 256),
        ),
        mounts=tuple(mounts(paths, writable=("data",))),
        ports=workload.ports,
        probes=_probes("/api/health", "/api/health"),
        annotations=_changes(sources, providers, boards),
    )
    password = secret(cluster, "grafana", "grafana", {"password": "grafanaPassword"})
    return (
        *_around(cluster, workload), password, sources, providers, boards, deployment(cluster, pod, replicas=1),
    )  # fmt: skip


_SETTINGS = {
    "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS}/password",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    "GF_USERS_ALLOW_SIGN_UP": "false",
}


def adapter(cluster: Cluster) -> Manifest:
    """Return the rule by which prometheus-adapter gives the lag to the autoscaler.

    The adapter (one per cluster, https://github.com/kubernetes-sigs/prometheus-adapter) is the operator's: join
    this rule to its own, and let it ask http://prometheus.NAMESPACE.svc:9090. Without it the autoscaler goes by
    processor time alone and says so in its conditions.
    """
    things = {f"kubernetes_{what}": {"resource": what} for what in ("namespace", "service")}
    rule = {
        "seriesQuery": 'motcua_ingest_lag_seconds{kubernetes_namespace!="",kubernetes_service!=""}',
        "resources": {"overrides": things},
        "metricsQuery": LAG_QUERY,
    }
    return config(cluster, "prometheus-adapter-rule", "prometheus", {"rule.yaml": _yaml({"rules": [rule]})})


def scraping(cluster: Cluster) -> str:
    """Return prometheus.yml as every target has it; here all pods behind a Service are asked, each by its address."""
    targets = {one.name: [_target(one)] for one in cluster.plan.scrapes}
    places = Places(f"{RULES}/*.yaml", (f"alertmanager:{ALERTMANAGER}",))
    found = yaml.safe_load(configured(cluster.plan, targets, places))
    scaled = {one.name: one for one in cluster.plan.scrapes if one.workload in SCALED}
    for job in found["scrape_configs"]:
        if job["job_name"] in scaled:
            del job["static_configs"]
            job.update(_pods(cluster, scaled[job["job_name"]]))
    return _yaml(found)


def _pods(cluster: Cluster, job: ScrapeJob) -> Manifest:
    """Return how pods are found; the labels are those by which the adapter finds the Service, and no figure's own."""
    names = {"kubernetes_namespace": cluster.namespace, "kubernetes_service": job.workload}
    relabelled = [{"target_label": name, "replacement": value} for name, value in names.items()]
    found = {"names": [f"{job.workload}-pods"], "type": "A", "port": job.port}
    return {"dns_sd_configs": [found], "relabel_configs": relabelled}


def _target(job: ScrapeJob) -> str:
    return f"{'localhost' if job.workload == 'prometheus' else job.workload}:{job.port}"


def below(files: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the files of a folder by their names in it."""
    return {name.removeprefix(folder): text for name, text in files.items() if name.startswith(folder)}


def _pod(
    workload: Workload, words: tuple[str, ...], files: tuple[Manifest, ...], paths: Mapping[str, str],
    volumes: tuple[Manifest, ...], health: str,
) -> Pod:  # fmt: skip
    return Pod(
        workload,
        args=words,
        volumes=volumes,
        mounts=tuple(mounts(paths, writable=("data",))),
        ports=workload.ports,
        probes=_probes(f"{health}healthy", f"{health}ready"),
        annotations=_changes(*files),
        grace_s=60,
    )


def _around(cluster: Cluster, workload: Workload) -> tuple[Manifest, ...]:
    name = workload.name
    return (account(cluster, name), service(cluster, name, name, workload.ports), disruption(cluster, name))


def _probes(alive: str, ready: str) -> dict[str, Manifest]:
    return {
        "startupProbe": probe("httpGet", "http", alive, failures=60),
        "livenessProbe": probe("httpGet", "http", alive, every_s=20),
        "readinessProbe": probe("httpGet", "http", ready),
    }


def _changes(*maps: Manifest) -> dict[str, str]:
    """Return what makes a pod start anew: other files."""
    pairs = (pair for one in maps for pair in one["data"].items())
    return {"motcua.org/configuration": digest(*(text for pair in pairs for text in pair))}


def _source() -> str:
    source = {
        "name": "Prometheus", "uid": "prometheus", "type": "prometheus", "access": "proxy",
        "url": f"http://prometheus:{PROMETHEUS}", "isDefault": True, "editable": False,
    }  # fmt: skip
    return _yaml({"apiVersion": 1, "datasources": [source]})


def _provider() -> str:
    files = {"name": "motcua", "type": "file", "disableDeletion": True, "options": {"path": BOARDS}}
    return _yaml({"apiVersion": 1, "providers": [files]})


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=120)
