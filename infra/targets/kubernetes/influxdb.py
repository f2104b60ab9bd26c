"""InfluxDB in the cluster: one replica on a volume, set up once, and its nightly backup. Pure.

Buckets and tokens are made through its API by the Pulumi program, not here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.host.influxdb import SETTINGS
from infra.plan.workloads import INFLUX
from infra.targets.kubernetes.names import BACKUP, INFLUX_SETUP
from infra.targets.kubernetes.objects import (
    account,
    claim,
    disruption,
    environment,
    from_secret,
    made,
    mounts,
    scratch,
    secret,
    service,
    volume,
)
from infra.targets.kubernetes.pods import Pod, probe, stateful, template

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import Cluster, Manifest

DATA, ETC = "/var/lib/influxdb2", "/etc/influxdb2"
OPERATORS = "motcua-operators"
"""The organisation that set-up makes for the operator token; nothing else lies in it (see components.database)."""
KEPT = 14
"""Backups that are kept at most, one a night; fewer when the volume is too small for them."""

_BACKUP = """set -eu
now=$(date -u +%Y%m%dT%H%M%SZ)
rm -rf /backup/*.part
old() {{ ls -1d /backup/2*Z 2>/dev/null | sort; }}
free() {{ df -Pk /backup/ | tail -n 1 | sed 's/  */ /g' | cut -d' ' -f4; }}
# Each is whole: the oldest goes when there is no room for another one like the last, and a quarter more.
last=$(old | tail -n 1)
wanted=$([ -z "$last" ] || du -sk "$last" | cut -f1)
while [ $(old | wc -l) -gt 1 ] && [ "$(free)" -lt $((${{wanted:-0}} * 5 / 4)) ]; do rm -r "$(old | head -n 1)"; done
influx backup "/backup/$now.part" --host http://influxdb:{port}
mv "/backup/$now.part" "/backup/$now"
for past in $(old | head -n -{kept}); do rm -r "$past"; done
"""


def store(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return everything that InfluxDB is made of."""
    workload = cluster.plan.workload("influxdb")
    pod = Pod(
        workload,
        env=_environment(),
        volumes=(scratch("etc", 16),),
        mounts=tuple(mounts({"data": DATA, "etc": ETC}, writable=("data", "etc"))),
        ports=workload.ports,
        probes={
            # After an unclean end it reads its log again before it answers.
            "startupProbe": probe("httpGet", "http", "/health", failures=180),
            "livenessProbe": probe("httpGet", "http", "/ping", every_s=20),
            "readinessProbe": probe("httpGet", "http", "/health"),
        },
        # It closes its shards before it ends.
        grace_s=120,
    )
    setup = {"password": "influxPassword", "token": "influxToken"}
    return (
        account(cluster, "influxdb"),
        secret(cluster, INFLUX_SETUP, "influxdb", setup),
        service(cluster, "influxdb", "influxdb", workload.ports),
        disruption(cluster, "influxdb"),
        stateful(cluster, pod, "influxdb", {"data": claim(cluster, workload.volume_gb)}),
    )


def _environment() -> tuple[Manifest, ...]:
    """Return the settings of the host target and the first set-up, which happens on an empty volume only."""
    settings = {name: value for name, (value, _) in SETTINGS.items()}
    settings["INFLUXD_HTTP_BIND_ADDRESS"] = f":{INFLUX}"
    first = {
        "DOCKER_INFLUXDB_INIT_MODE": "setup",
        "DOCKER_INFLUXDB_INIT_USERNAME": "motcua",
        "DOCKER_INFLUXDB_INIT_ORG": OPERATORS,
        "DOCKER_INFLUXDB_INIT_BUCKET": OPERATORS,
    }
    return (
        *environment({**settings, **first}),
        from_secret("DOCKER_INFLUXDB_INIT_PASSWORD", INFLUX_SETUP, "password"),
        from_secret("DOCKER_INFLUXDB_INIT_ADMIN_TOKEN", INFLUX_SETUP, "token"),
    )


def backup(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the nightly backup: metadata and data into a volume of its own, the last ones are kept."""
    workload = replace(
        cluster.plan.workload("influxdb"), name=BACKUP, cpu_m=100, memory_mb=512, ports={}, replicas=1, most=1
    )
    pod = Pod(
        workload,
        command=("/bin/sh", "-c", _BACKUP.format(port=INFLUX, kept=KEPT)),
        env=(
            *environment({"INFLUX_CONFIGS_PATH": "/tmp/influx-configs", "HOME": "/tmp"}),  # noqa: S108 - an emptyDir
            from_secret("INFLUX_TOKEN", INFLUX_SETUP, "token"),
        ),
        volumes=({"name": "backup", "persistentVolumeClaim": {"claimName": BACKUP}},),
        mounts=tuple(mounts({"backup": "/backup"}, writable=("backup",))),
    )
    inside = template(cluster, pod)
    inside["spec"]["restartPolicy"] = "Never"
    job = {"backoffLimit": 2, "activeDeadlineSeconds": 4 * 3600, "template": inside}
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
    size = 2 * cluster.plan.workload("influxdb").volume_gb
    return (
        account(cluster, BACKUP),
        volume(cluster, BACKUP, BACKUP, size),
        made(cluster, "batch/v1 CronJob", BACKUP, BACKUP, spec=spec),
    )
