"""Renders the commands of a server: first boot, certificate requests, backup with its timer. It must not run any.

Keys are made on the machine and never leave it; only requests leave it, which the authority signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.systemd_units import ETC, STATE_FOLDER, UNITS_FOLDER
from infra.templates import render_template

if TYPE_CHECKING:
    from infra.plan.values import StackPlan

REQUEST_COMMAND = "usr/local/sbin/motcua-request-certificates"
FIRST_BOOT_COMMAND = "usr/local/sbin/motcua-first-boot"
BACKUP_COMMAND = "usr/local/sbin/motcua-backup"
STORE_DISK_LABEL = "motcua-store"
BACKUP_FOLDER = "/var/backups/motcua"
MAX_BACKUPS = 7
"""Nightly backups that are kept."""


def certificate_requests(head: str, plan: StackPlan) -> dict[str, str]:
    """Return {path: text} of the command that makes keys and requests, and installs the signed certificates."""
    certificates = plan.pki.certificates
    hosts = next(certificate.hosts for certificate in certificates if certificate.use == "server")
    names = ",".join(f"{'IP' if ':' in host or host.replace('.', '').isdigit() else 'DNS'}:{host}" for host in hosts)
    clients = " ".join(certificate.name for certificate in certificates if certificate.use == "client")
    return {
        REQUEST_COMMAND: render_template(
            "motcua-request-certificates.sh.j2", head=head, etc=ETC, names=f"subjectAltName={names}", clients=clients
        )
    }


def first_boot_files(head: str, package: str, disk: str) -> dict[str, str]:
    """Return {path: text} of the first boot's command; `disk` is the store's device, empty for none of its own."""
    return {
        FIRST_BOOT_COMMAND: render_template(
            "motcua-first-boot.sh.j2", head=head, etc=ETC, package=package, disk=disk, label=STORE_DISK_LABEL
        )
    }


def backup_files(head: str, store: str = "/var/lib/influxdb") -> dict[str, str]:
    """Return {path: text} of command, unit and timer; `head` is the script's comment, `store` InfluxDB's folder.

    Roles and store are stopped while files are copied; agents and the broker hold new data meanwhile.
    """
    parts = " ".join((store, STATE_FOLDER, f"{ETC}/inventory"))
    service = {"program": BACKUP_COMMAND, "folder": BACKUP_FOLDER, "count": MAX_BACKUPS}
    return {
        BACKUP_COMMAND: render_template("motcua-backup.sh.j2", head=head, parts=parts),
        f"{UNITS_FOLDER}/motcua-backup.service": render_template("motcua-backup.service.j2", **service),
        f"{UNITS_FOLDER}/motcua-backup.timer": render_template("motcua-backup.timer"),
    }
