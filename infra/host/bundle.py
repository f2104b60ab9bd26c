"""Joins the files of one server and its devices; every file says who wrote it. It must not write them.

Paths below `server/` and `device/` are those on the machine: copy a folder's content over `/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboards.files import provisioned
from infra.config.options import Options
from infra.host import backup, first_boot, influx_setup, influxdb, monitoring, mosquitto
from infra.host.cloud_init import user_data
from infra.host.nginx import nginx
from infra.host.units import ETC, STATE, UNITS, Layout, device_units, metrics_port, server_units, users
from infra.plan import plan
from infra.plan.addresses import store_url
from telemetry.errors import ConfigError, Fault
from telemetry.inventory.agent_config import Certificates, render_agent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import Plan
    from telemetry.core.inventory import Device, Inventory

MARK = "# Written by `motcua render --target host` from inventory "
BROKER = f"{ETC}/broker"
PERSISTENCE = "/var/lib/mosquitto"
COMMANDS = (backup.PROGRAM, influx_setup.PROGRAM, first_boot.REQUEST, first_boot.FIRST)
PROGRAMS = tuple(f"server/{path}" for path in COMMANDS)
"""Files that must be executable."""
CLOUD_INIT = "cloud-init.yaml"
PACKAGE = "motcua[server]"
PROXY = (80, 443)
"""What nginx listens on."""

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
MOTCUA_STORE={store}
MOTCUA_MQTT=mqtts://localhost:{port}
MOTCUA_MQTT_CA={etc}/tls/ca.pem
MOTCUA_STATE=/var/lib/motcua/state.db
MOTCUA_ALERTMANAGER=http://127.0.0.1:9093
MOTCUA_API_LISTEN=127.0.0.1:8080
MOTCUA_LOG=info-json
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a new machine needs besides files: Motcua as pip takes it, the store's disk, more files (path: text)."""

    package: str = PACKAGE
    disk: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def bundle(
    inventory: Inventory, layout: Layout, broker: str = "", found: Plan | None = None, machine: Machine | None = None
) -> dict[str, str]:
    """Return {path: text} of everything the host target has; with a `broker` URL every device's agent.toml too.

    Without a plan it is that of one machine in production, with the defaults of a stack file. Raises ConfigError
    when the broker's port is another program's on the machine.
    """
    head = f"{MARK}{inventory.version}."
    wanted = found or default_plan(inventory, layout)
    _free(wanted, layout)
    new = machine or Machine()
    server = {path: _marked(head, text) for path, text in _server(head, wanted, layout, new).items()}
    device = {**device_units(layout), **users()}
    files = {f"server/{path}": text for path, text in server.items()}
    files |= {f"device/{path}": text for path, text in device.items()}
    files[CLOUD_INIT] = user_data(head, {**server, **new.files}, COMMANDS)
    if broker:
        files |= {f"devices/{one.id}.toml": _agent(inventory, one.id, broker) for one in _devices(inventory)}
    return {path: _marked(head, text) for path, text in files.items()}


def default_plan(inventory: Inventory, layout: Layout) -> Plan:
    """Return the plan of one machine; certificates are reckoned from the first epoch, since none is made here."""
    wanted = Options(stage="prod", target="local", workers=len(layout.workers))
    return plan(inventory, wanted, wanted.pki.epoch, provisioned())


def _free(found: Plan, layout: Layout) -> None:
    """Refuse a port of the broker that nginx, the store, the roles or what watches them listen on."""
    port = found.broker.listeners[0].port
    others = {one.ports[name] for one in found.workloads for name in one.ports if name != "mqtts"}
    if port in {*PROXY, *others, *(metrics_port(name) for name in layout.workers)}:
        problem, remedy = f"{port} is another program's on this machine", "write another, as 8883"
        raise ConfigError([Fault("stack configuration", 0, "motcua:broker.port", problem, remedy)])


def _marked(head: str, text: str) -> str:
    return text if head in text else f"{head}\n{text}"


def _server(head: str, found: Plan, layout: Layout, machine: Machine) -> dict[str, str]:
    broker = found.broker.listeners[0].port
    return {
        f"{BROKER.lstrip('/')}/mosquitto.conf": _broker(found),
        f"{BROKER.lstrip('/')}/acl": mosquitto.access(layout.workers),
        f"{UNITS}/mosquitto.service.d/motcua.conf": _MOSQUITTO.format(
            broker=BROKER, files=found.broker.connections + 256
        ),
        f"{ETC.lstrip('/')}/motcua.env": _SETTINGS.format(
            etc=ETC, port=broker, store=store_url(found, "http://127.0.0.1:8086")
        ),
        **influxdb.drop_in(),
        **influx_setup.set_up(head, found.influx),
        **nginx(),
        **monitoring.on_host(found, layout.workers),
        **server_units(layout),
        **users(),
        **first_boot.requests(head, found),
        **first_boot.first_boot(head, machine.package, machine.disk),
        **backup.backup(head),
    }


def _devices(inventory: Inventory) -> list[Device]:
    return [device for device in inventory.devices.values() if device.kind != "replay"]


def _agent(inventory: Inventory, device: str, broker: str) -> str:
    return render_agent(inventory, device, mqtt=broker, outbox=f"{STATE}/outbox.db", certificates=Certificates())


def _broker(found: Plan) -> str:
    tls = mosquitto.Tls(*(f"{BROKER}/{name}" for name in ("ca.pem", "server.pem", "server.key", "crl.pem")))
    limits = mosquitto.Limits(connections=found.broker.connections)
    where = found.broker.listeners[0]
    broker = mosquitto.Broker(PERSISTENCE, port=where.port, bind=where.bind, limits=limits)
    # The roles on this machine come by the loopback, which one address of its own does not take in.
    inside = where.port if where.bind not in {"", "0.0.0.0", "127.0.0.1", "localhost"} else 0  # noqa: S104 - compared
    return mosquitto.configuration(broker, tls, f"{BROKER}/acl", inside, "127.0.0.1")
