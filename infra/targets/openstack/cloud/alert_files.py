"""Rule files for the Prometheus that scrapes machines of hosted systems: age of copies, disks, room of logs. Pure.

On machines nothing but node_exporter gives figures, with what the backup's timer writes for it; so lag, archive and
instances of a vendor's database have no rule. They must not trust silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.policy.cloud.alert_rules import FREE_BYTES, ON_DISK, SIZE_BYTES, CloudAlert
from infra.policy.cloud.log_room_alerts import log_room_rules
from infra.targets.openstack.cloud.document import DOCUMENT_HEADERS
from infra.targets.openstack.cloud.tenancy import components_with_machines
from infra.targets.openstack.cloud.user_data import backup_interval_s, has_backup_timer
from infra.templates import render_yaml
from telemetry.core.hosted.database_figures import COPY_TIME_S, DISK_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan

FOLDER: Final = "alerts"
LAST_BACKUP: Final = "motcua_hosted_backup_last_success_seconds"
"""Unix s of the last backup of a machine that ended well, by `system` and `component`: its timer writes it."""
RUNBOOK: Final = "docs/explanation/hosted-systems.md#figures-of-databases"


def alert_files(plan: CloudPlan, part: str) -> Mapping[str, str]:
    """Return {path: text}: `alerts/platform.yaml` of the ground, else `alerts/SYSTEM.yaml` of those with databases."""
    if part == "ground":
        rules = {"platform": log_room_rules(plan.declaration, in_cluster=False)}
    else:
        rules = {system.id: _system_rules(plan, system) for system in plan.systems}
    head = DOCUMENT_HEADERS[part]
    groups = {name: {"groups": [{"name": name, "rules": listed}]} for name, listed in sorted(rules.items()) if listed}
    return {f"{FOLDER}/{name}.yaml": f"{head}\n{render_yaml(body)}" for name, body in groups.items()}


def _system_rules(plan: CloudPlan, system: SystemPlan) -> list[dict[str, Any]]:
    return [
        rule
        for zone in system.zones
        for component in components_with_machines(zone)
        if has_backup_timer(component)
        for rule in _database_rules(component, backup_interval_s(plan, system) + COPY_TIME_S)
    ]


def _database_rules(component: ComponentPlan, copy_age_s: int) -> list[dict[str, Any]]:
    """Return the rules of a database: its machines are those that report a backup of it."""
    declared = component.declared
    last = f'{LAST_BACKUP}{{system="{declared.system}",component="{declared.id}"}}'
    full = f"max((1 - {FREE_BYTES}{{{ON_DISK}}} / {SIZE_BYTES}{{{ON_DISK}}}) and on (instance) {last}) >= {DISK_LIMIT}"
    alerts = (
        CloudAlert("HostedDatabaseCopyOld", f"time() - max({last}) > {copy_age_s}", "copy",
                   f"has no copy of the last {copy_age_s} s", 15, "critical"),
        CloudAlert("HostedDatabaseDiskFull", full, "disk",
                   f"has a disk of which {DISK_LIMIT:.0%} or more is used", 15),
        CloudAlert("HostedDatabaseUnseen", f"absent({last})", "unseen",
                   "reports no copy, so nothing is known of its copies and disks"),
    )  # fmt: skip
    labels = {"system": declared.system, "component": declared.id}
    return [one.rule(declared.path, labels, RUNBOOK) for one in alerts]
