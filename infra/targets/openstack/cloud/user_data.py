"""The user data of a machine with data: a timer that calls the image's own backup and notes when it ended. Pure.

It must not contain a secret, nor install a database; a machine without data gets no user data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.systemd_units import UNITS_FOLDER
from infra.templates import render_template, render_yaml
from telemetry.core.cloud.values import DATA_ZONE_KINDS

if TYPE_CHECKING:
    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan

HEADER = "# Written by `pulumi up` for a hosted system."
BACKUP_COMMAND = "usr/local/sbin/motcua-hosted-backup"
BACKUP_HOOK = "/usr/lib/motcua/backup"
"""What the vendor's image brings: called with `system/component` and the backup store's address."""
BACKUP_REPORT = "/var/lib/prometheus/node-exporter/motcua-hosted-backup.prom"
DAY_S = 86_400
LEAST_INTERVAL_S = 300
"""A timer calls a whole backup no more often; less needs the database's own streaming of changes."""


def backup_interval_s(plan: CloudPlan, system: SystemPlan) -> int:
    """Return the seconds between backups: the stores' schedule; without streaming the promised loss, if shorter."""
    stores = plan.declaration.backups
    schedule = min((store.every_s for store in stores), default=DAY_S)
    is_streamed = any(store.wal for store in stores)
    return max(LEAST_INTERVAL_S, schedule if is_streamed else min(schedule, system.declared.rpo_s))


def has_backup_timer(component: ComponentPlan) -> bool:
    """Return whether machines of a component call a backup: they have a disk of data that would be lost."""
    return component.declared.kind in DATA_ZONE_KINDS and component.declared.disk_gb > 0


def machine_user_data(plan: CloudPlan, system: SystemPlan, component: ComponentPlan) -> str:
    """Return cloud-init's configuration of a component's machines; empty where no data would be lost."""
    declared = component.declared
    if not has_backup_timer(component):
        return ""
    store = plan.declaration.platform.get("backup")
    script = render_template(
        "motcua-hosted-backup.sh.j2", head=HEADER, hook=BACKUP_HOOK, report=BACKUP_REPORT, component=declared.path,
        store=store.address if store else "", system=system.id, component_id=declared.id,
    )  # fmt: skip
    timer = render_template("motcua-hosted-backup.timer.j2", every_s=backup_interval_s(plan, system))
    files = {
        BACKUP_COMMAND: script,
        f"{UNITS_FOLDER}/motcua-hosted-backup.service": render_template("motcua-hosted-backup.service"),
        f"{UNITS_FOLDER}/motcua-hosted-backup.timer": timer,
    }
    config = {
        "write_files": [
            {"path": f"/{path}", "permissions": "0755" if path == BACKUP_COMMAND else "0644", "content": text}
            for path, text in files.items()
        ],
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "motcua-hosted-backup.timer"],
        ],
    }
    return f"#cloud-config\n{HEADER}\n{render_yaml(config)}"
