"""Collects the files of one server and its devices; each begins with its origin. It must not write them.

Paths below `server/` and `device/` are paths on the machine: copy a folder's content to `/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboards.files import provisioned_files
from infra.config.options import StackOptions
from infra.host import monitoring, mosquitto, server_setup
from infra.host.grafana import host_grafana_files
from infra.host.systemd_units import (
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
from infra.plan.influx import store_url
from infra.templates import render_template, render_yaml
from telemetry.errors import ConfigError, Fault
from telemetry.inventory.agent_config import AgentCertificates, render_agent_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import StackPlan
    from telemetry.core.inventory import Inventory

HEADER_PREFIX = "# Written by `motcua render --target host` from inventory "
DEVICE_HEADER = "# Written by `motcua render --target host`."
BROKER_FOLDER = f"{ETC}/broker"
PERSISTENCE_FOLDER = "/var/lib/mosquitto"
COMMAND_PATHS = (
    server_setup.BACKUP_COMMAND,
    server_setup.INFLUX_COMMAND,
    server_setup.REQUEST_COMMAND,
    server_setup.FIRST_BOOT_COMMAND,
)
EXECUTABLE_FILES = tuple(f"server/{path}" for path in COMMAND_PATHS)
"""Files that must be executable."""
CLOUD_INIT_FILE = "cloud-init.yaml"
PACKAGE = "motcua[server]"
PROXY_PORTS = (80, 443)
"""Ports of nginx."""
PACKAGES = (
    "mosquitto", "nginx", "prometheus", "prometheus-alertmanager", "curl", "openssl", "python3-venv",
    "unattended-upgrades",
)  # fmt: skip
"""Packages of the machine's distribution that cloud-init installs."""


@dataclass(frozen=True, slots=True)
class NginxSettings:
    """Where nginx listens and which API is behind it; addresses `host:port` or ports, paths on the host."""

    api: str = "127.0.0.1:8080"
    http: str = "80"
    https: str = "443"
    certificate: str = f"{ETC}/tls/api.pem"
    key: str = f"{ETC}/tls/api.key"
    user: str = "www-data"
    pid: str = "/run/nginx.pid"
    log: str = "/var/log/nginx"


@dataclass(frozen=True, slots=True)
class MachineSetup:
    """Motcua's requirement for pip, and the store's disk, of a new machine."""

    package: str = PACKAGE
    disk: str = ""


def render_bundle(
    inventory: Inventory,
    layout: HostLayout,
    broker: str = "",
    stack_plan: StackPlan | None = None,
    machine: MachineSetup | None = None,
) -> dict[str, str]:
    """Return {path: text} of the whole host target; with a `broker` URL also every device's agent.toml.

    Without a `stack_plan` it is that of one machine in production, with the defaults of a stack file. Raises
    ConfigError when another program on the machine uses the broker's port.
    """
    head = f"{HEADER_PREFIX}{inventory.version}."
    effective_plan = stack_plan or default_plan(inventory, layout)
    _check_port_conflicts(effective_plan, layout)
    server_files = _server_files(head, effective_plan, layout, machine or MachineSetup())
    server = {path: _with_header(head, text) for path, text in server_files.items()}
    files = {f"server/{path}": text for path, text in server.items()}
    files |= {f"device/{path}": text for path, text in (device_units(layout) | system_users()).items()}
    files |= host_grafana_files(effective_plan, head)
    files[CLOUD_INIT_FILE] = render_user_data(head, server, COMMAND_PATHS)
    files = {path: _with_header(head, text) for path, text in files.items()}
    return files | (device_files(inventory, DEVICE_HEADER, broker) if broker else {})


def device_files(inventory: Inventory, head: str, broker: str) -> dict[str, str]:
    """Return {path: text} of every device's agent.toml, with its sources, for the broker at this URL.

    A file differs only when the device's own settings do: its head must not name the inventory's version.
    """
    certificates, outbox = AgentCertificates(), f"{STATE_FOLDER}/outbox.db"
    return {
        f"devices/{id_}.toml": f"{head}\n"
        + render_agent_settings(inventory, id_, mqtt=broker, outbox=outbox, certificates=certificates)
        for id_, device in inventory.devices.items()
        if device.kind != "replay"
    }


def default_plan(inventory: Inventory, layout: HostLayout) -> StackPlan:
    """Return the plan of one machine; certificates are dated from the first epoch, since none is issued here."""
    options = StackOptions(stage="prod", target="local", workers=len(layout.workers))
    return build_plan(inventory, options, options.pki.epoch, provisioned_files(inventory))


def _check_port_conflicts(stack_plan: StackPlan, layout: HostLayout) -> None:
    """Refuse a broker port that nginx, the store, a role or the monitoring uses."""
    port = stack_plan.broker.listeners[0].port
    other_ports = {
        workload.ports[name] for workload in stack_plan.workloads for name in workload.ports if name != "mqtts"
    }
    if port in {*PROXY_PORTS, *other_ports, *(metrics_port(name) for name in layout.workers)}:
        problem, remedy = f"{port} is used by another program on this machine", "write another, as 8883"
        raise ConfigError([Fault("stack configuration", 0, "motcua:broker.port", problem, remedy)])


def _with_header(head: str, text: str) -> str:
    return text if head in text else f"{head}\n{text}"


def _server_files(head: str, stack_plan: StackPlan, layout: HostLayout, machine: MachineSetup) -> dict[str, str]:
    broker = stack_plan.broker.listeners[0].port
    return {
        f"{BROKER_FOLDER.lstrip('/')}/mosquitto.conf": _broker_config(stack_plan),
        f"{BROKER_FOLDER.lstrip('/')}/acl": mosquitto.render_acl_file(layout.workers),
        f"{UNITS_FOLDER}/mosquitto.service.d/motcua.conf": render_template(
            "mosquitto.service.d.conf.j2", broker=BROKER_FOLDER, files=stack_plan.broker.connections + 256
        ),
        f"{ETC.lstrip('/')}/motcua.env": render_template(
            "motcua.env.j2", etc=ETC, port=broker, store=store_url(stack_plan, "http://127.0.0.1:8086")
        ),
        **server_setup.influxdb_drop_in(),
        **server_setup.influx_setup_files(head, stack_plan.influx),
        f"{ETC.lstrip('/')}/nginx/nginx.conf": render_nginx(NginxSettings()),
        f"{UNITS_FOLDER}/nginx.service.d/motcua.conf": render_template(
            "nginx.service.d.conf.j2", folder=f"{ETC}/nginx"
        ),
        **monitoring.host_monitoring_files(stack_plan, layout.workers),
        **server_units(layout),
        **system_users(),
        **server_setup.certificate_requests(head, stack_plan),
        **server_setup.first_boot_files(head, machine.package, machine.disk),
        **server_setup.backup_files(head),
    }


def render_nginx(site: NginxSettings) -> str:
    """Return nginx.conf, for nginx 1.22 (Debian 12) and later: TLS, limits, unbuffered streams.

    It is a complete configuration, so that the package's sites have no effect.
    """
    return render_template("nginx.conf.j2", site=site)


def render_user_data(head: str, files: Mapping[str, str], programs: tuple[str, ...]) -> str:
    """Return cloud-init user data that writes `files` (path below / → text) and runs the first boot's command."""
    write_files = [
        {
            "path": f"/{path}",
            "owner": "root:root",
            "permissions": "0755" if path in programs else "0644",
            # After the packages: one that cannot start without its certificate would fail to install.
            "defer": True,
            "content": text,
        }
        for path, text in files.items()
    ]
    config = {
        "package_update": True,
        "packages": list(PACKAGES),
        "users": ["default"],
        "disable_root": True,
        "ssh_pwauth": False,
        "timezone": "Asia/Ho_Chi_Minh",
        "write_files": write_files,
        "runcmd": [[f"/{server_setup.FIRST_BOOT_COMMAND}"]],
    }
    return f"#cloud-config\n{head}\n{render_yaml(config)}"


def _broker_config(stack_plan: StackPlan) -> str:
    tls = mosquitto.TlsFiles.in_folder(BROKER_FOLDER)
    limits = mosquitto.MosquittoLimits(connections=stack_plan.broker.connections)
    listener = stack_plan.broker.listeners[0]
    broker = mosquitto.MosquittoSettings(PERSISTENCE_FOLDER, port=listener.port, bind=listener.bind, limits=limits)
    # Roles on this machine connect by the loopback, which a broker bound to another address does not serve.
    loopback_port = listener.port if listener.bind not in {"", "0.0.0.0", "127.0.0.1", "localhost"} else 0  # noqa: S104 - compared
    return mosquitto.render_configuration(broker, tls, f"{BROKER_FOLDER}/acl", loopback_port, "127.0.0.1")
