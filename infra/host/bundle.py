"""Joins the files of one server and its devices; every file says who wrote it. It must not write them.

Paths below `server/` and `device/` are those on the machine: copy a folder's content over `/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host import backup, influxdb, mosquitto
from infra.host.units import ETC, STATE, UNITS, Layout, device_units, server_units, users
from telemetry.inventory.render import Certificates, render_agent

if TYPE_CHECKING:
    from telemetry.core.inventory import Device, Inventory

MARK = "# Written by `motcua render --target host` from inventory "
BROKER = f"{ETC}/broker"
PERSISTENCE = "/var/lib/mosquitto"
LEAST_CONNECTIONS = 1024
PROGRAMS = (f"server/{backup.PROGRAM}",)
"""Files that must be executable."""

_MOSQUITTO = """[Unit]
StartLimitIntervalSec=0

[Service]
ExecStart=
ExecStart=/usr/sbin/mosquitto -c {broker}/mosquitto.conf
Restart=always
RestartSec=2
# systemd's 1024 would end before max_connections does.
LimitNOFILE={files}
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=full
RestrictSUIDSGID=yes
"""

_SETTINGS = """# Settings of ingest, rollup and API on this machine; tokens are in secrets/ROLE.env (mode 0600).
MOTCUA_INVENTORY={etc}/inventory
MOTCUA_STORE=influxdb+http://127.0.0.1:8086?org=motcua&bucket=motcua
MOTCUA_MQTT=mqtts://localhost:{port}
MOTCUA_MQTT_CA={etc}/tls/ca.pem
MOTCUA_STATE=/var/lib/motcua/state.db
MOTCUA_API_LISTEN=127.0.0.1:8080
MOTCUA_LOG=info-json
"""


def bundle(inventory: Inventory, layout: Layout, broker: str = "") -> dict[str, str]:
    """Return {path: text} of everything the host target has; with a `broker` URL every device's agent.toml too."""
    head = f"{MARK}{inventory.version}."
    server = {
        f"{BROKER.lstrip('/')}/mosquitto.conf": _broker(inventory),
        f"{BROKER.lstrip('/')}/acl": mosquitto.access(layout.workers),
        f"{UNITS}/mosquitto.service.d/motcua.conf": _MOSQUITTO.format(
            broker=BROKER, files=_connections(inventory) + 256
        ),
        f"{ETC.lstrip('/')}/motcua.env": _SETTINGS.format(etc=ETC, port=mosquitto.PORT),
        **influxdb.drop_in(),
        **server_units(layout),
        **users(),
        **backup.backup(head),
    }
    device = {**device_units(layout), **users()}
    files = {f"server/{path}": text for path, text in server.items()}
    files |= {f"device/{path}": text for path, text in device.items()}
    if broker:
        files |= {f"devices/{one.id}.toml": _agent(inventory, one.id, broker) for one in _devices(inventory)}
    return {path: text if head in text else f"{head}\n{text}" for path, text in files.items()}


def _devices(inventory: Inventory) -> list[Device]:
    return [device for device in inventory.devices.values() if device.kind != "replay"]


def _agent(inventory: Inventory, device: str, broker: str) -> str:
    return render_agent(inventory, device, mqtt=broker, outbox=f"{STATE}/outbox.db", certificates=Certificates())


def _broker(inventory: Inventory) -> str:
    tls = mosquitto.Tls(*(f"{BROKER}/{name}" for name in ("ca.pem", "server.pem", "server.key", "crl.pem")))
    limits = mosquitto.Limits(connections=_connections(inventory))
    return mosquitto.configuration(mosquitto.Broker(PERSISTENCE, limits=limits), tls, f"{BROKER}/acl")


def _connections(inventory: Inventory) -> int:
    return max(LEAST_CONNECTIONS, 2 * len(_devices(inventory)) + 64)
