"""Prometheus with its rules, Alertmanager and Grafana in the cluster. Pure; scrape jobs and dashboards are the plan's.

Nothing here uses the cluster's API: pods are discovered by DNS of a headless Service.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from infra.host.grafana import prometheus_source, providers_file, sources_file
from infra.host.monitoring import AlertReceiver, PrometheusPaths, alertmanager_configuration, prometheus_configuration
from infra.plan.workloads import ALERTMANAGER_PORT, PROMETHEUS_PORT
from infra.targets.kubernetes.component_tls import (
    AUTHORITY_PATH,
    inside_tls_paths,
    inside_tls_volumes,
    scheme_of,
    serves_tls,
    web_configuration,
)
from infra.targets.kubernetes.objects import (
    RECEIVER_SECRET,
    WEBHOOK_KEY,
    config_map,
    config_volume,
    disruption_budget,
    empty_dir,
    plain_variables,
    secret_manifest,
    secret_volume,
    service_account,
    service_host,
    service_manifest,
    sha256_of,
    volume_claim_spec,
    volume_mounts,
)
from infra.targets.kubernetes.pods import PodSpec, deployment, probe, stateful_set
from infra.templates import render_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan import StackPlan
    from infra.plan.values import ScrapeJob, Workload
    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

RULES_FOLDER, CONFIG_FOLDER, DATA_FOLDER = "/etc/prometheus/rules", "/etc/prometheus/config", "/prometheus"
GRAFANA_FOLDER = "/etc/grafana/provisioning"
SECRETS_FOLDER = "/secrets"
DASHBOARDS_FOLDER = "/etc/grafana/dashboards"
GRAFANA_PATH = "/grafana/"
SCALED_COMPONENTS = ("api", "ingest")
"""Components with several pods, each of which is scraped."""
# The metric is constant while nothing is written, and must not scale then. It is the age of a write's newest event,
# which is high for a device that was offline: a backlog is a lag that stays high for two minutes.
LAG_QUERY = (
    "avg(min_over_time(<<.Series>>{<<.LabelMatchers>>}[2m]) * on (kubernetes_namespace, kubernetes_service, instance) "
    "(rate(motcua_ingest_events_stored_total{<<.LabelMatchers>>}[2m]) > bool 0)) by (<<.GroupBy>>)"
)
STORED_BOARD = "stored.json"
RULES_FILE = "renewal.yaml"
WEB_FILE = "web.yml"
"""How Prometheus and Alertmanager serve."""
RUNBOOK = "docs/how-to/rotate-certificates-and-tokens.md"
RETENTION_DAYS = 90


def monitoring_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the manifests of the stack's monitoring."""
    return (
        *prometheus_manifests(cluster),
        *alertmanager_manifests(cluster),
        *grafana_manifests(cluster),
        adapter_rule(cluster),
    )


def prometheus_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return Prometheus: scrape configuration, rules, volume."""
    workload = cluster.plan.workload("prometheus")
    settings = config_map(
        cluster,
        "prometheus-config",
        "prometheus",
        {"prometheus.yml": scrape_configuration(cluster), **_web_files(workload)},
    )
    texts = {**files_in_folder(cluster.plan.files, "rules/"), **expiry_rule_files(cluster.plan)}
    rules = config_map(cluster, "prometheus-rules", "prometheus", texts)
    arguments = (
        f"--config.file={CONFIG_FOLDER}/prometheus.yml",
        f"--storage.tsdb.path={DATA_FOLDER}",
        f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
        # What is being compacted needs the rest.
        f"--storage.tsdb.retention.size={workload.volume_gb * 800}MB",
        *_web_arguments(workload, CONFIG_FOLDER),
    )
    callees = ["alertmanager", *(job.workload for job in cluster.plan.scrape_jobs)]
    paths = {
        "config": CONFIG_FOLDER, "rules": RULES_FOLDER, "data": DATA_FOLDER,
        **inside_tls_paths(cluster, "prometheus", callees),
    }  # fmt: skip
    files = (config_volume("config", "prometheus-config"), config_volume("rules", "prometheus-rules"))
    pod = _monitoring_pod(
        workload, arguments, (settings, rules), paths,
        (*files, *inside_tls_volumes(cluster, "prometheus", callees)), "/-/",
    )  # fmt: skip
    volumes = {"data": volume_claim_spec(cluster, "prometheus", workload.volume_gb)}
    # A pod that is not ready needs attention: it must be scraped too.
    headless = {"clusterIP": "None", "publishNotReadyAddresses": True}
    pod_services = (
        service_manifest(cluster, f"{name}-pods", name, cluster.plan.workload(name).ports, **headless)
        for name in SCALED_COMPONENTS
    )
    return (
        *pod_services,
        *_service_objects(cluster, workload),
        settings,
        rules,
        stateful_set(cluster, pod, "prometheus", volumes),
    )


def expiry_rule_files(plan: StackPlan) -> dict[str, str]:
    """Return {name: text} of the rules on certificates and the revocation list.

    `pulumi up` renews them, and only when an operator runs it. The days are the plan's, so no exporter is needed: after
    each run the rules are about what that run has issued.
    """
    rules = [rule for what, due, end in _expiries(plan) for rule in _expiry_rules(what, due, end)]
    return {RULES_FILE: render_yaml({"groups": [{"name": "motcua-renewal", "rules": rules}]})}


def _expiries(plan: StackPlan) -> Iterator[tuple[str, date, date]]:
    """Yield what expires: its name, the first day on which it can be renewed, its end."""
    pki = plan.pki
    # A list is renewed after half of its life.
    yield "the revocation list", pki.crl_from + (pki.crl_until - pki.crl_from) / 2, pki.crl_until
    for certificate in (*pki.authorities[:1], *pki.certificates):
        yield (
            f"the certificate of {certificate.name}",
            min(certificate.renew_on, certificate.not_after),
            certificate.not_after,
        )


def _expiry_rules(what: str, due: date, end: date) -> Iterator[dict[str, object]]:
    """Yield a warning half way between `due` and `end`, and a critical alert at three quarters."""
    for severity, share in (("warning", 2), ("critical", 4)):
        yield {
            "alert": "MotcuaRenewalDue",
            "expr": f"vector(time()) > {_unix_seconds(end) - (_unix_seconds(end) - _unix_seconds(due)) // share}",
            "labels": {"severity": severity, "what": what},
            "annotations": {
                "summary": f"On {end} {what} expires, and with it the connections that depend on it: run pulumi up.",
                "runbook": RUNBOOK,
            },
        }


def _unix_seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def alertmanager_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return Alertmanager; it posts to the webhook whose address the operator puts into a Secret."""
    workload = cluster.plan.workload("alertmanager")
    where, data = "/etc/alertmanager", "/alertmanager"
    routing = alertmanager_configuration(cluster.plan, AlertReceiver(webhook_file=f"{SECRETS_FOLDER}/{WEBHOOK_KEY}"))
    texts = {"alertmanager.yml": render_yaml(routing), **_web_files(workload)}
    settings = config_map(cluster, "alertmanager-config", "alertmanager", texts)
    arguments = (
        f"--config.file={where}/alertmanager.yml", f"--storage.path={data}", "--cluster.listen-address=",
        *_web_arguments(workload, where),
    )  # fmt: skip
    webhook = secret_volume("secrets", RECEIVER_SECRET)
    # Without it alerts are visible, but sent nowhere.
    webhook["secret"]["optional"] = True
    volumes = (
        config_volume("config", "alertmanager-config"), webhook, *inside_tls_volumes(cluster, "alertmanager"),
    )  # fmt: skip
    paths = {
        "config": where, "secrets": SECRETS_FOLDER, "data": data, **inside_tls_paths(cluster, "alertmanager"),
    }  # fmt: skip
    pod = _monitoring_pod(workload, arguments, (settings,), paths, volumes, "/-/")
    claims = {"data": volume_claim_spec(cluster, "alertmanager", workload.volume_gb)}
    return (*_service_objects(cluster, workload), settings, stateful_set(cluster, pod, "alertmanager", claims))


def grafana_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return Grafana; all its content is in files, so it needs no volume."""
    workload = cluster.plan.workload("grafana")
    sources = config_map(
        cluster,
        "grafana-sources",
        "grafana",
        {"prometheus.yaml": sources_file(_metrics_source(cluster))},
    )
    providers = config_map(
        cluster,
        "grafana-providers",
        "grafana",
        {"files.yaml": providers_file(DASHBOARDS_FOLDER)},
    )
    boards = _dashboard_maps(cluster)
    maps = {"sources": ("grafana-sources",), "providers": ("grafana-providers",), "boards": tuple(boards)}
    paths = {
        "sources": f"{GRAFANA_FOLDER}/datasources", "providers": f"{GRAFANA_FOLDER}/dashboards",
        "boards": DASHBOARDS_FOLDER,
        "secret": SECRETS_FOLDER, "data": "/var/lib/grafana",
    }  # fmt: skip
    pod = PodSpec(
        workload,
        env=tuple(plain_variables(_grafana_settings(cluster))),
        volumes=(
            *(config_volume(name, *config_names) for name, config_names in maps.items()),
            secret_volume("secret", "grafana"),
            empty_dir("data", 256),
        ),
        mounts=tuple(volume_mounts(paths, writable=("data",))),
        ports=workload.ports,
        probes=_http_probes("/api/health", "/api/health"),
        annotations=_configuration_annotation(sources, providers, *boards.values()),
    )
    password = secret_manifest(cluster, "grafana", "grafana", {"password": "grafanaPassword"})
    return (
        *_service_objects(cluster, workload), password, sources, providers, *boards.values(),
        deployment(cluster, pod, replicas=1),
    )  # fmt: skip


def _metrics_source(cluster: ClusterSpec) -> dict[str, object]:
    """Return Grafana's data source; it holds the authority's text, so that another authority restarts Grafana."""
    url = f"{scheme_of(cluster, 'prometheus')}://{service_host(cluster, 'prometheus', 'grafana')}:{PROMETHEUS_PORT}"
    return prometheus_source(url, cluster.options.cloud.internal_authority if serves_tls(cluster, "prometheus") else "")


def _web_files(workload: Workload) -> dict[str, str]:
    return {WEB_FILE: render_yaml(web_configuration())} if workload.tls else {}


def _web_arguments(workload: Workload, folder: str) -> tuple[str, ...]:
    return (f"--web.config.file={folder}/{WEB_FILE}",) if workload.tls else ()


def _dashboard_maps(cluster: ClusterSpec) -> dict[str, Manifest]:
    """Return a ConfigMap per dashboard by its name, so that the size limits apply to each of them alone.

    That of the stored figures is left out: Grafana has no token of InfluxDB here.
    """
    boards = sorted(files_in_folder(cluster.plan.files, "grafana/").keys() - {STORED_BOARD})
    names = {f"grafana-{name.removesuffix('.json')}": name for name in boards}
    return {
        map_name: config_map(cluster, map_name, "grafana", {name: cluster.plan.files[f"grafana/{name}"]})
        for map_name, name in names.items()
    }


def _grafana_settings(cluster: ClusterSpec) -> dict[str, str]:
    """Return Grafana's settings; behind the proxy `web` people see it below a path of Motcua's own host."""
    if not cluster.has("web"):
        return _GRAFANA_SETTINGS
    return {**_GRAFANA_SETTINGS, "GF_SERVER_ROOT_URL": f"https://{cluster.options.kubernetes.api_host}{GRAFANA_PATH}"}


_GRAFANA_SETTINGS = {
    "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS_FOLDER}/password",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    "GF_USERS_ALLOW_SIGN_UP": "false",
}


def adapter_rule(cluster: ClusterSpec) -> Manifest:
    """Return the rule by which prometheus-adapter serves the lag to the autoscaler.

    The adapter (one per cluster, https://github.com/kubernetes-sigs/prometheus-adapter) is the operator's: add
    this rule to its own, and point it at http://prometheus.NAMESPACE.svc:9090. Without it the autoscaler uses
    CPU alone and reports that in its conditions.
    """
    overrides = {f"kubernetes_{what}": {"resource": what} for what in ("namespace", "service")}
    rule = {
        "seriesQuery": 'motcua_ingest_lag_seconds{kubernetes_namespace!="",kubernetes_service!=""}',
        "resources": {"overrides": overrides},
        "metricsQuery": LAG_QUERY,
    }
    return config_map(cluster, "prometheus-adapter-rule", "prometheus", {"rule.yaml": render_yaml({"rules": [rule]})})


def scrape_configuration(cluster: ClusterSpec) -> str:
    """Return prometheus.yml as every target has it; here all pods behind a Service are scraped by their addresses."""
    discovery = {
        scrape.name: {**_service_discovery(cluster, scrape), **_scrape_encryption(cluster, scrape.workload)}
        for scrape in cluster.plan.scrape_jobs
    }
    alertmanager = service_host(cluster, "alertmanager", "prometheus")
    paths = PrometheusPaths(
        f"{RULES_FOLDER}/*.yaml",
        (f"{alertmanager}:{ALERTMANAGER_PORT}",),
        _scrape_encryption(cluster, "alertmanager"),
    )
    return render_yaml(prometheus_configuration(cluster.plan, discovery, paths))


def _scrape_encryption(cluster: ClusterSpec, component: str) -> Manifest:
    """Return the keys by which a component is called by TLS; pods are called by address, and checked by this name."""
    if not serves_tls(cluster, component):
        return {}
    return {"scheme": "https", "tls_config": {"ca_file": AUTHORITY_PATH, "server_name": component}}


def _service_discovery(cluster: ClusterSpec, job: ScrapeJob) -> Manifest:
    """Return a job's discovery of targets.

    The adapter identifies the Service by the labels of scaled components; no metric has labels of these
    names.
    """
    if job.workload not in SCALED_COMPONENTS:
        host = "localhost" if job.workload == "prometheus" else service_host(cluster, job.workload, "prometheus")
        return {"static_configs": [{"targets": [f"{host}:{job.port}"]}]}
    names = {"kubernetes_namespace": cluster.placement.namespace_of(job.workload), "kubernetes_service": job.workload}
    host = service_host(cluster, job.workload, "prometheus", f"{job.workload}-pods")
    dns_query = {"names": [host], "type": "A", "port": job.port}
    return {
        "dns_sd_configs": [dns_query],
        "relabel_configs": [{"target_label": name, "replacement": value} for name, value in names.items()],
    }


def files_in_folder(files: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the files below a folder, name in it → text."""
    return {name.removeprefix(folder): text for name, text in files.items() if name.startswith(folder)}


def _monitoring_pod(
    workload: Workload, arguments: tuple[str, ...], files: tuple[Manifest, ...], paths: Mapping[str, str],
    volumes: tuple[Manifest, ...], health: str,
) -> PodSpec:  # fmt: skip
    return PodSpec(
        workload,
        args=arguments,
        volumes=volumes,
        mounts=tuple(volume_mounts(paths, writable=("data",))),
        ports=workload.ports,
        probes=_http_probes(f"{health}healthy", f"{health}ready", "HTTPS" if workload.tls else ""),
        annotations=_configuration_annotation(*files),
        grace_s=60,
    )


def _service_objects(cluster: ClusterSpec, workload: Workload) -> tuple[Manifest, ...]:
    name = workload.name
    return (
        service_account(cluster, name),
        service_manifest(cluster, name, name, workload.ports),
        disruption_budget(cluster, name),
    )


def _http_probes(alive: str, ready: str, scheme: str = "") -> dict[str, Manifest]:
    return {
        "startupProbe": probe("httpGet", "http", alive, scheme=scheme, failures=60),
        "livenessProbe": probe("httpGet", "http", alive, scheme=scheme, every_s=20),
        "readinessProbe": probe("httpGet", "http", ready, scheme=scheme),
    }


def _configuration_annotation(*maps: Manifest) -> dict[str, str]:
    """Return the annotation whose change restarts a pod: a digest of its files."""
    pairs = (pair for config_map_manifest in maps for pair in config_map_manifest["data"].items())
    return {"motcua.org/configuration": sha256_of(*(text for pair in pairs for text in pair))}
