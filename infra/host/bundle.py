"""Joins the files of one server and its devices; every file says who wrote it. It must not write them.

Paths below `server/` and `device/` are those on the machine: copy a folder's content over `/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboards.files import load_provisioned_files
from infra.config.options import StackOptions
from infra.host import backup, first_boot, influx_setup, influxdb, monitoring, mosquitto
from infra.host.cloud_init import render_user_data
from infra.host.nginx import nginx_files
from infra.host.units import (
    ETC,
    STATE_FOLDER,
    UNITS_FOLDER,
    HostLayout,
    device_units,
    metrics_port,
    server_units,
    system_users,
)
from infra.plan import build_plan
from infra.plan.addresses import store_url
from telemetry.errors import ConfigError, Fault
from telemetry.inventory.agent_config import AgentCertificates, render_agent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import StackPlan
    from telemetry.core.inventory import Device, Inventory

HEADER_PREFIX = "# Written by `motcua render --target host` from inventory "
BROKER_FOLDER = f"{ETC}/broker"
PERSISTENCE_FOLDER = "/var/lib/mosquitto"
COMMAND_PATHS = (
    backup.COMMAND_PATH,
    influx_setup.COMMAND_PATH,
    first_boot.REQUEST_COMMAND,
    first_boot.FIRST_BOOT_COMMAND,
)
EXECUTABLE_FILES = tuple(f"server/{path}" for path in COMMAND_PATHS)
"""Files that must be executable."""
CLOUD_INIT_FILE = "cloud-init.yaml"
PACKAGE = "motcua[server]"
PROXY_PORTS = (80, 443)
"""What nginx listens on."""

_MOSQUITTO_DROP_IN = """[Unit]
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
class MachineSetup:
    """What a new machine needs besides files: Motcua as pip takes it, the store's disk, more files (path: text)."""

    package: str = PACKAGE
    disk: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def render_bundle(
    inventory: Inventory,
    layout: HostLayout,
    broker: str = "",
    stack_plan: StackPlan | None = None,
    machine: MachineSetup | None = None,
) -> dict[str, str]:
    """Return {path: text} of everything the host target has; with a `broker` URL every device's agent.toml too.

    Without a plan it is that of one machine in production, with the defaults of a stack file. Raises ConfigError
    when the broker's port is another program's on the machine.
    """
    head = f"{HEADER_PREFIX}{inventory.version}."
    effective_plan = stack_plan or default_plan(inventory, layout)
    _check_port_conflicts(effective_plan, layout)
    setup = machine or MachineSetup()
    server = {
        path: _with_header(head, text) for path, text in _server_files(head, effective_plan, layout, setup).items()
    }
    device = {**device_units(layout), **system_users()}
    files = {f"server/{path}": text for path, text in server.items()}
    files |= {f"device/{path}": text for path, text in device.items()}
    files[CLOUD_INIT_FILE] = render_user_data(head, {**server, **setup.files}, COMMAND_PATHS)
    if broker:
        files |= {
            f"devices/{agent_device.id}.toml": _agent_config(inventory, agent_device.id, broker)
            for agent_device in _agent_devices(inventory)
        }
    return {path: _with_header(head, text) for path, text in files.items()}


def default_plan(inventory: Inventory, layout: HostLayout) -> StackPlan:
    """Return the plan of one machine; certificates are reckoned from the first epoch, since none is made here."""
    options = StackOptions(stage="prod", target="local", workers=len(layout.workers))
    return build_plan(inventory, options, options.pki.epoch, load_provisioned_files())


def _check_port_conflicts(stack_plan: StackPlan, layout: HostLayout) -> None:
    """Refuse a port of the broker that nginx, the store, the roles or what watches them listen on."""
    port = stack_plan.broker.listeners[0].port
    other_ports = {
        workload.ports[name] for workload in stack_plan.workloads for name in workload.ports if name != "mqtts"
    }
    if port in {*PROXY_PORTS, *other_ports, *(metrics_port(name) for name in layout.workers)}:
        problem, remedy = f"{port} is another program's on this machine", "write another, as 8883"
        raise ConfigError([Fault("stack configuration", 0, "motcua:broker.port", problem, remedy)])


def _with_header(head: str, text: str) -> str:
    return text if head in text else f"{head}\n{text}"


def _server_files(head: str, stack_plan: StackPlan, layout: HostLayout, machine: MachineSetup) -> dict[str, str]:
    broker = stack_plan.broker.listeners[0].port
    return {
        f"{BROKER_FOLDER.lstrip('/')}/mosquitto.conf": _broker_config(stack_plan),
        f"{BROKER_FOLDER.lstrip('/')}/acl": mosquitto.render_acl_file(layout.workers),
        f"{UNITS_FOLDER}/mosquitto.service.d/motcua.conf": _MOSQUITTO_DROP_IN.format(
            broker=BROKER_FOLDER, files=stack_plan.broker.connections + 256
        ),
        f"{ETC.lstrip('/')}/motcua.env": _SETTINGS.format(
            etc=ETC, port=broker, store=store_url(stack_plan, "http://127.0.0.1:8086")
        ),
        **influxdb.influxdb_drop_in(),
        **influx_setup.influx_setup_files(head, stack_plan.influx),
        **nginx_files(),
        **monitoring.host_monitoring_files(stack_plan, layout.workers),
        **server_units(layout),
        **system_users(),
        **first_boot.certificate_requests(head, stack_plan),
        **first_boot.first_boot_files(head, machine.package, machine.disk),
        **backup.backup_files(head),
    }


def _agent_devices(inventory: Inventory) -> list[Device]:
    return [device for device in inventory.devices.values() if device.kind != "replay"]


def _agent_config(inventory: Inventory, device: str, broker: str) -> str:
    return render_agent(
        inventory, device, mqtt=broker, outbox=f"{STATE_FOLDER}/outbox.db", certificates=AgentCertificates()
    )


def _broker_config(stack_plan: StackPlan) -> str:
    tls = mosquitto.TlsFiles(*(f"{BROKER_FOLDER}/{name}" for name in ("ca.pem", "server.pem", "server.key", "crl.pem")))
    limits = mosquitto.MosquittoLimits(connections=stack_plan.broker.connections)
    listener = stack_plan.broker.listeners[0]
    broker = mosquitto.MosquittoSettings(PERSISTENCE_FOLDER, port=listener.port, bind=listener.bind, limits=limits)
    # The roles on this machine come by the loopback, which one address of its own does not take in.
    loopback_port = listener.port if listener.bind not in {"", "0.0.0.0", "127.0.0.1", "localhost"} else 0  # noqa: S104 - compared
    return mosquitto.render_configuration(broker, tls, f"{BROKER_FOLDER}/acl", loopback_port, "127.0.0.1")
