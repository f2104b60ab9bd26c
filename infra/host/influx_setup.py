"""Renders InfluxDB's settings and the command that sets it up on the machine. It must not talk to the server.

For InfluxDB 2.7. Secrets are made on the machine. The command may run any number of times: it leaves what exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.systemd_units import ETC, UNITS_FOLDER
from infra.templates import render_template

if TYPE_CHECKING:
    from infra.plan.values import InfluxPlan

COMMAND_PATH = "usr/local/sbin/motcua-set-up-influxdb"
INFLUXD_SETTINGS = {
    "INFLUXD_HTTP_BIND_ADDRESS": ("127.0.0.1:8086", "Only the roles on this machine connect to it."),
    "INFLUXD_STORAGE_WAL_FSYNC_DELAY": ("0s", "A write is acknowledged when it is on the disk: receipts depend on it."),
    "INFLUXD_REPORTING_DISABLED": ("true", "Nothing is sent to the vendor."),
    "INFLUXD_UI_DISABLED": ("true", "The API serves the pages."),
    "INFLUXD_LOG_LEVEL": ("warn", "Its journal has only what needs attention."),
}
"""Setting: (value, why)."""


def influxdb_drop_in() -> dict[str, str]:
    """Return {path: text} of the drop-in for `influxdb.service`."""
    text = render_template("influxdb.service.d.conf.j2", settings=INFLUXD_SETTINGS)
    return {f"{UNITS_FOLDER}/influxdb.service.d/motcua.conf": text}


def influx_setup_files(head: str, influx: InfluxPlan) -> dict[str, str]:
    """Return {path: text} of the command, which makes the newest generation's active tokens; `head` is its comment."""
    newest = max(token.generation for token in influx.tokens)
    tokens = [token for token in influx.tokens if token.active and token.generation == newest]
    raw = next(bucket.name for bucket in influx.buckets if bucket.tier == "raw")
    text = render_template("motcua-set-up-influxdb.sh.j2", head=head, etc=ETC, influx=influx, raw=raw, tokens=tokens)
    return {COMMAND_PATH: text}
