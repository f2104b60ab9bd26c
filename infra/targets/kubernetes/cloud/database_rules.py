"""Alert rules over a declared database's own figures: age of copies and archive, instances, lag, disk. Pure.

It must not trust silence: a figure that is not there is an alert of its own. Figures are CloudNativePG's, and of
copies those of its plugin `barman-cloud`: the operator's own ones stay at 0 where the plugin makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.policy.cloud.alert_rules import RULE_KIND, VOLUME_SIZE, VOLUME_USED, CloudAlert
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

RUNBOOK: Final = "docs/explanation/hosted-systems.md#figures-of-databases"


def database_rules(component: ComponentPlan, limits: DatabaseLimits) -> Manifest:
    """Return the rules of one database, beside its PodMonitor."""
    name = object_name(component.declared)
    pods = f'namespace="{component.namespace}",pod=~"{name}-[0-9]+"'
    claims = f'namespace="{component.namespace}",persistentvolumeclaim=~"{name}-[0-9]+(-wal)?"'
    share = f"{VOLUME_USED}{{{claims}}} / {VOLUME_SIZE}{{{claims}}}"
    alerts = [
        _unseen(pods, limits),
        CloudAlert("HostedDatabaseInstances", f"count({IS_UP}{{{pods}}} == 1) < {limits.instances}", "instance",
                   f"has fewer than {limits.instances} instances that answer"),
        CloudAlert("HostedDatabaseReplicaBehind", f"max({LAG}{{{pods}}}) > {LAG_LIMIT_S}", "replica",
                   f"has a replica that is more than {LAG_LIMIT_S} s behind"),
        CloudAlert("HostedDatabaseDiskFull", f"max({share}) >= {DISK_LIMIT}", "disk",
                   f"has a disk of which {DISK_LIMIT:.0%} or more is used", minutes=15),
    ]  # fmt: skip
    if limits.copy_age_s:
        alerts.append(_archive(pods))
        alerts.append(
            CloudAlert("HostedDatabaseCopyOld", f"time() - max({LAST_COPY}{{{pods}}}) > {limits.copy_age_s}", "copy",
                       f"has no whole copy of the last {limits.copy_age_s} s", minutes=15, severity="critical")
        )  # fmt: skip
    labels = {"system": component.declared.system, "component": component.declared.id}
    rules = [alert.rule(component.declared.path, labels, RUNBOOK) for alert in alerts]
    groups = [{"name": f"{component.namespace}-{name}", "rules": rules}]
    return component_manifest(component, RULE_KIND, spec={"groups": groups})


def _unseen(pods: str, limits: DatabaseLimits) -> CloudAlert:
    """Return the alert of missing figures: without them no other can fire, and nothing is known."""
    wanted = [IS_UP, *([LAST_COPY, ARCHIVE_AGE] if limits.copy_age_s else [])]
    missing = " or ".join(f"absent({figure}{{{pods}}})" for figure in wanted)
    return CloudAlert("HostedDatabaseUnseen", missing, "unseen", "gives no figures, so nothing is known of it")


def _archive(pods: str) -> CloudAlert:
    """Return the alert of a stalled archive: the newest age of all instances, while segments wait.

    A database in which nothing changes ends no segment. Who was primary once has an old age, so the least counts.
    """
    age = f"{ARCHIVE_AGE}{{{pods}}}"
    is_old = f"(min({age} >= 0) > {ARCHIVE_LIMIT_S} or max({age}) < 0)"
    waiting = f'max({ARCHIVE_STATUS}{{{pods},value="ready"}}) > 0'
    problem = f"has changes that wait for the archive, which got none for {ARCHIVE_LIMIT_S} s"
    return CloudAlert("HostedDatabaseArchiveStalled", f"{is_old} and {waiting}", "archive", problem, 5, "critical")
