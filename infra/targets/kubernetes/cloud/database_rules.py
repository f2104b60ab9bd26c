"""Alert rules over a declared database's own figures: age of copies and archive, instances, lag, disk. Pure.

It must not trust silence: a figure that is not there is an alert of its own. Figures are CloudNativePG's, and of
copies those of its plugin `barman-cloud`: the operator's own ones stay at 0 where the plugin makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.targets.kubernetes.cloud.objects import component_manifest, object_name
from telemetry.core.hosted.database_figures import (
    ARCHIVE_AGE,
    ARCHIVE_LIMIT_S,
    ARCHIVE_STATUS,
    DISK_LIMIT,
    IS_UP,
    LAG,
    LAG_LIMIT_S,
    LAST_COPY,
)

if TYPE_CHECKING:
    from infra.plan.cloud.values import ComponentPlan
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.hosted.database_figures import DatabaseLimits

RULE_KIND: Final = "monitoring.coreos.com/v1 PrometheusRule"
DISK_USED, DISK_SIZE = "kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"
RUNBOOK: Final = "docs/explanation/hosted-systems.md#figures-of-databases"


@dataclass(frozen=True, slots=True)
class _DatabaseAlert:
    """One alert: the end of its name, when it fires and for how many minutes that must hold, and what it says."""

    name: str
    expression: str
    cause: str
    problem: str
    minutes: int = 10
    severity: str = "warning"

    def rule(self, component: ComponentPlan) -> dict[str, Any]:
        """Return the alert as Prometheus takes it."""
        declared = component.declared
        return {
            "alert": f"HostedDatabase{self.name}",
            "expr": self.expression,
            "for": f"{self.minutes}m",
            "labels": {
                "severity": self.severity, "cause": self.cause, "system": declared.system, "component": declared.id,
            },
            "annotations": {"summary": f"{declared.path} {self.problem}.", "runbook": RUNBOOK},
        }  # fmt: skip


def database_rules(component: ComponentPlan, limits: DatabaseLimits) -> Manifest:
    """Return the rules of one database, beside its PodMonitor."""
    name = object_name(component.declared)
    pods = f'namespace="{component.namespace}",pod=~"{name}-[0-9]+"'
    claims = f'namespace="{component.namespace}",persistentvolumeclaim=~"{name}-[0-9]+(-wal)?"'
    alerts = [
        _unseen(pods, limits),
        _DatabaseAlert("Instances", f"count({IS_UP}{{{pods}}} == 1) < {limits.instances}", "instance",
                       f"has fewer than {limits.instances} instances that answer"),
        _DatabaseAlert("ReplicaBehind", f"max({LAG}{{{pods}}}) > {LAG_LIMIT_S}", "replica",
                       f"has a replica that is more than {LAG_LIMIT_S} s behind"),
        _DatabaseAlert("DiskFull", f"max({DISK_USED}{{{claims}}} / {DISK_SIZE}{{{claims}}}) >= {DISK_LIMIT}", "disk",
                       f"has a disk of which {DISK_LIMIT:.0%} or more is used", minutes=15),
    ]  # fmt: skip
    if limits.copy_age_s:
        alerts.append(_archive(pods))
        alerts.append(
            _DatabaseAlert("CopyOld", f"time() - max({LAST_COPY}{{{pods}}}) > {limits.copy_age_s}", "copy",
                           f"has no whole copy of the last {limits.copy_age_s} s", minutes=15, severity="critical")
        )  # fmt: skip
    groups = [{"name": f"{component.namespace}-{name}", "rules": [alert.rule(component) for alert in alerts]}]
    return component_manifest(component, RULE_KIND, spec={"groups": groups})


def _unseen(pods: str, limits: DatabaseLimits) -> _DatabaseAlert:
    """Return the alert of missing figures: without them no other can fire, and nothing is known."""
    wanted = [IS_UP, *([LAST_COPY, ARCHIVE_AGE] if limits.copy_age_s else [])]
    missing = " or ".join(f"absent({figure}{{{pods}}})" for figure in wanted)
    return _DatabaseAlert("Unseen", missing, "unseen", "gives no figures, so nothing is known of it")


def _archive(pods: str) -> _DatabaseAlert:
    """Return the alert of a stalled archive: the newest age of all instances, while segments wait.

    A database in which nothing changes ends no segment. Who was primary once has an old age, so the least counts.
    """
    age = f"{ARCHIVE_AGE}{{{pods}}}"
    is_old = f"(min({age} >= 0) > {ARCHIVE_LIMIT_S} or max({age}) < 0)"
    waiting = f'max({ARCHIVE_STATUS}{{{pods},value="ready"}}) > 0'
    problem = f"has changes that wait for the archive, which got none for {ARCHIVE_LIMIT_S} s"
    return _DatabaseAlert("ArchiveStalled", f"{is_old} and {waiting}", "archive", problem, 5, "critical")
