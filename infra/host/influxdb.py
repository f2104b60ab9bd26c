"""Writes InfluxDB's settings on the host, as a drop-in of its unit. It must not talk to the server.

For InfluxDB 2.7; buckets and tokens are made through its API (docs/operate.md), not here.
"""

from __future__ import annotations

from infra.host.units import UNITS_FOLDER

INFLUXD_SETTINGS = {
    "INFLUXD_HTTP_BIND_ADDRESS": ("127.0.0.1:8086", "Only the roles on this machine talk to it."),
    "INFLUXD_STORAGE_WAL_FSYNC_DELAY": ("0s", "A write is answered when it is on the disk: the receipt rests on it."),
    "INFLUXD_REPORTING_DISABLED": ("true", "Nothing is sent to the vendor."),
    "INFLUXD_UI_DISABLED": ("true", "The pages are the API's."),
    "INFLUXD_LOG_LEVEL": ("warn", "Its journal has what needs a look."),
}
"""Setting: (value, why)."""

_INFLUXDB_DROP_IN = """[Unit]
StartLimitIntervalSec=0
# Where the data have a disk of their own: without it InfluxDB would begin an empty store beside them.
RequiresMountsFor=/var/lib/influxdb

[Service]
{settings}Restart=always
RestartSec=5
# It maps every shard's files and keeps them open.
LimitNOFILE=65536
# It closes its shards before it ends.
TimeoutStopSec=120
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectSystem=full
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
"""


def influxdb_drop_in() -> dict[str, str]:
    """Return {path: text} of the drop-in for `influxdb.service`."""
    lines = "".join(f"# {why}\nEnvironment={name}={value}\n" for name, (value, why) in INFLUXD_SETTINGS.items())
    return {f"{UNITS_FOLDER}/influxdb.service.d/motcua.conf": _INFLUXDB_DROP_IN.format(settings=lines)}
