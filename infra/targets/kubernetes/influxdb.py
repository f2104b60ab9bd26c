"""InfluxDB in the cluster: one replica on a volume, set up once, and its nightly backup. Pure.

The Pulumi program creates buckets and tokens through its API, not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.server_setup import INFLUXD_SETTINGS
from infra.plan.workloads import BACKUP, INFLUX_PORT
from infra.targets.kubernetes.component_tls import (
    AUTHORITY_PATH,
    CERTIFICATE_PATH,
    KEY_PATH,
    inside_tls_paths,
    inside_tls_volumes,
    probe_scheme,
    scheme_of,
    serves_tls,
)
from infra.targets.kubernetes.objects import (
    INFLUX_SETUP_SECRET,
    disruption_budget,
    empty_dir,
    manifest,
    plain_variables,
    secret_manifest,
    secret_variable,
    service_account,
    service_host,
    service_manifest,
    volume_claim,
    volume_claim_spec,
    volume_mounts,
)
from infra.targets.kubernetes.pods import PodSpec, pod_template, probe, stateful_set
from infra.templates import render_template

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

DATA_FOLDER, ETC_FOLDER = "/var/lib/influxdb2", "/etc/influxdb2"
OPERATORS_ORG = "motcua-operators"
"""The organisation that set-up creates for the operator token; it is otherwise empty (see components.database)."""
SERVER_COMMAND = "/entrypoint.sh influxd"
"""What the image runs."""
RENEWAL_CHECK_S = 60
"""How often the script looks whether the certificate was renewed, s: it is 30 days before the old one's end."""
MAX_BACKUPS = 14
"""The most backups that are retained, one per night; fewer when the volume is too small."""


def influxdb_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return InfluxDB's manifests."""
    workload, scheme = cluster.plan.workload("influxdb"), probe_scheme(cluster, "influxdb")
    paths = {"data": DATA_FOLDER, "etc": ETC_FOLDER, **inside_tls_paths(cluster, "influxdb")}
    pod = PodSpec(
        workload,
        command=("/bin/sh", "-c", restarting_script()) if workload.tls else (),
        env=_influxdb_environment(tls=workload.tls),
        volumes=(empty_dir("etc", 16), *inside_tls_volumes(cluster, "influxdb")),
        mounts=tuple(volume_mounts(paths, writable=("data", "etc"))),
        ports=workload.ports,
        probes={
            # After a crash it replays its write-ahead log before it responds.
            "startupProbe": probe("httpGet", "http", "/health", scheme=scheme, failures=180),
            "livenessProbe": probe("httpGet", "http", "/ping", scheme=scheme, every_s=20),
            "readinessProbe": probe("httpGet", "http", "/health", scheme=scheme),
        },
        # It closes its shards before it exits.
        grace_s=120,
    )
    setup = {"password": "influxPassword", "token": "influxToken"}
    return (
        service_account(cluster, "influxdb"),
        secret_manifest(cluster, INFLUX_SETUP_SECRET, "influxdb", setup),
        service_manifest(cluster, "influxdb", "influxdb", workload.ports),
        disruption_budget(cluster, "influxdb"),
        stateful_set(cluster, pod, "influxdb", {"data": volume_claim_spec(cluster, "influxdb", workload.volume_gb)}),
    )


def restarting_script() -> str:
    """Return what starts the server, and starts it anew when its certificate was renewed."""
    return render_template(
        "influxd-until-renewed.sh.j2", command=SERVER_COMMAND, certificate=CERTIFICATE_PATH, every_s=RENEWAL_CHECK_S
    )


def _influxdb_environment(*, tls: bool) -> tuple[Manifest, ...]:
    """Return the host target's settings, and those of the first set-up, which takes place on an empty volume only."""
    settings = {name: value for name, (value, _) in INFLUXD_SETTINGS.items()}
    settings["INFLUXD_HTTP_BIND_ADDRESS"] = f":{INFLUX_PORT}"
    if tls:
        settings |= {"INFLUXD_TLS_CERT": CERTIFICATE_PATH, "INFLUXD_TLS_KEY": KEY_PATH}
    first = {
        "DOCKER_INFLUXDB_INIT_MODE": "setup",
        "DOCKER_INFLUXDB_INIT_USERNAME": "motcua",
        "DOCKER_INFLUXDB_INIT_ORG": OPERATORS_ORG,
        "DOCKER_INFLUXDB_INIT_BUCKET": OPERATORS_ORG,
    }
    return (
        *plain_variables({**settings, **first}),
        secret_variable("DOCKER_INFLUXDB_INIT_PASSWORD", INFLUX_SETUP_SECRET, "password"),
        secret_variable("DOCKER_INFLUXDB_INIT_ADMIN_TOKEN", INFLUX_SETUP_SECRET, "token"),
    )


def backup_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the nightly backup of metadata and data to a separate volume; the newest ones are retained."""
    workload, host = cluster.plan.workload(BACKUP), service_host(cluster, "influxdb", BACKUP)
    script = render_template(
        "influx-backup.sh.j2", url=f"{scheme_of(cluster, 'influxdb')}://{host}:{INFLUX_PORT}", count=MAX_BACKUPS
    )
    variables = {"INFLUX_CONFIGS_PATH": "/tmp/influx-configs", "HOME": "/tmp"}  # noqa: S108 - an emptyDir
    if serves_tls(cluster, "influxdb"):
        variables["SSL_CERT_FILE"] = AUTHORITY_PATH
    pod = PodSpec(
        workload,
        command=("/bin/sh", "-c", script),
        env=(
            *plain_variables(variables),
            secret_variable("INFLUX_TOKEN", BACKUP, "token"),
        ),
        volumes=(
            {"name": "backup", "persistentVolumeClaim": {"claimName": BACKUP}},
            *inside_tls_volumes(cluster, BACKUP, ("influxdb",)),
        ),
        mounts=tuple(
            volume_mounts(
                {"backup": "/backup", **inside_tls_paths(cluster, BACKUP, ("influxdb",))}, writable=("backup",)
            )
        ),
    )
    template_spec = pod_template(cluster, pod)
    template_spec["spec"]["restartPolicy"] = "Never"
    job = {"backoffLimit": 2, "activeDeadlineSeconds": 4 * 3600, "template": template_spec}
    spec: Manifest = {
        # Outside opening hours.
        "schedule": "30 2 * * *",
        "timeZone": "Asia/Ho_Chi_Minh",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3 * 3600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": job},
    }
    return (
        service_account(cluster, BACKUP),
        secret_manifest(cluster, BACKUP, BACKUP, {"token": "influxToken"}),
        volume_claim(cluster, BACKUP, BACKUP, workload.volume_gb),
        manifest(cluster, "batch/v1 CronJob", BACKUP, BACKUP, spec=spec),
    )
