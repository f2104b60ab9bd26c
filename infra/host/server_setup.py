"""Renders a server's set-up commands, its InfluxDB settings (2.7) and its backup. It must not run any command.

Keys and tokens are created and remain on the machine; only certificate requests are sent out, to be signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.systemd_units import ETC, STATE_FOLDER, UNITS_FOLDER
from infra.templates import render_template

if TYPE_CHECKING:
    from infra.plan.values import InfluxPlan, StackPlan

REQUEST_COMMAND = "usr/local/sbin/motcua-request-certificates"
FIRST_BOOT_COMMAND = "usr/local/sbin/motcua-first-boot"
INFLUX_COMMAND = "usr/local/sbin/motcua-set-up-influxdb"
BACKUP_COMMAND = "usr/local/sbin/motcua-backup"
STORE_DISK_LABEL = "motcua-store"
BACKUP_FOLDER = "/var/backups/motcua"
MAX_BACKUPS = 7
"""Nightly backups to retain."""
INFLUXD_SETTINGS = {
    "INFLUXD_HTTP_BIND_ADDRESS": ("127.0.0.1:8086", "Only the roles on this machine connect to it."),
    "INFLUXD_STORAGE_WAL_FSYNC_DELAY": ("0s", "A write is acknowledged when it is on the disk: receipts depend on it."),
    "INFLUXD_REPORTING_DISABLED": ("true", "Nothing is sent to the vendor."),
    "INFLUXD_UI_DISABLED": ("true", "The API serves the pages."),
    "INFLUXD_LOG_LEVEL": ("warn", "Its journal has only what needs attention."),
}
"""Setting: (value, why)."""


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


def influxdb_drop_in() -> dict[str, str]:
    """Return {path: text} of the drop-in for `influxdb.service`."""
    text = render_template("influxdb.service.d.conf.j2", settings=INFLUXD_SETTINGS)
    return {f"{UNITS_FOLDER}/influxdb.service.d/motcua.conf": text}


def influx_setup_files(head: str, influx: InfluxPlan) -> dict[str, str]:
    """Return {path: text} of the command, which makes the newest generation's active tokens; `head` is its comment.

    It may run any number of times: it does not change what exists.
    """
    newest = max(token.generation for token in influx.tokens)
    tokens = [token for token in influx.tokens if token.active and token.generation == newest]
    raw = next(bucket.name for bucket in influx.buckets if bucket.tier == "raw")
    text = render_template("motcua-set-up-influxdb.sh.j2", head=head, etc=ETC, influx=influx, raw=raw, tokens=tokens)
    return {INFLUX_COMMAND: text}


def backup_files(head: str, store: str = "/var/lib/influxdb") -> dict[str, str]:
    """Return {path: text} of command, unit and timer; `head` is the script's comment, `store` InfluxDB's folder.

    Roles and store are stopped while files are copied; agents and the broker store new data meanwhile.
    """
    parts = " ".join((store, STATE_FOLDER, f"{ETC}/inventory"))
    service = {"program": BACKUP_COMMAND, "folder": BACKUP_FOLDER, "count": MAX_BACKUPS}
    return {
        BACKUP_COMMAND: render_template("motcua-backup.sh.j2", head=head, parts=parts),
        f"{UNITS_FOLDER}/motcua-backup.service": render_template("motcua-backup.service.j2", **service),
        f"{UNITS_FOLDER}/motcua-backup.timer": render_template("motcua-backup.timer"),
    }
