"""Renders the systemd units of the roles, all hardened alike. It must not read files or call systemd.

For systemd 252 (Debian 12) and later. Every unit has an exposure of at most 3.0 in `systemd-analyze security`.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.templates import render_template

ETC = "/etc/motcua"
STATE_FOLDER = "/var/lib/motcua"
UNITS_FOLDER = "etc/systemd/system"


@dataclass(frozen=True, slots=True)
class HostLayout:
    """Where the program is on the host, and how many ingest workers run there."""

    program: str = "/opt/motcua/bin/motcua"
    workers: tuple[str, ...] = ("1",)


def metrics_port(worker: str) -> int:
    """Return the port of a worker's metrics: 9101 for worker 1."""
    return 9100 + int(worker)


def server_units(layout: HostLayout) -> dict[str, str]:
    """Return {path: text} of the server's units."""
    shared = " --shared" if len(layout.workers) > 1 else ""
    ingest = f"{layout.program} ingest --name %i --metrics 127.0.0.1:910%i{shared}"
    workers = [f"motcua-ingest@{name}.service" for name in layout.workers]
    target = render_template("motcua.target.j2", units=[*workers, "motcua-rollup.service", "motcua-api.service"])
    return {
        f"{UNITS_FOLDER}/motcua.target": target,
        f"{UNITS_FOLDER}/motcua-ingest@.service": _role_unit(
            "ingest", "worker %i: frames to the store", ingest, "512M", "motcua-ingest-%i"
        ),
        f"{UNITS_FOLDER}/motcua-rollup.service": _role_unit(
            "rollup",
            "changes to totals and live rows; one per store",
            f"{layout.program} rollup",
            "1G",
            "motcua-rollup",
        ),
        f"{UNITS_FOLDER}/motcua-api.service": _role_unit(
            "api", "API, pages and /metrics", f"{layout.program} api", "1G"
        ),
        **_two_digit_worker_ports(layout),
    }


def _two_digit_worker_ports(layout: HostLayout) -> dict[str, str]:
    """Return the drop-ins that set the port of workers from 10 on: the unit can only append the name to 910."""
    command = f"{layout.program} ingest --name %i --shared --metrics 127.0.0.1"
    return {
        f"{UNITS_FOLDER}/motcua-ingest@{name}.service.d/metrics.conf": (
            f"[Service]\nExecStart=\nExecStart={command}:{metrics_port(name)}\n"
        )
        for name in layout.workers
        if len(name) > 1
    }


def _role_unit(role: str, purpose: str, command: str, memory: str, certificate: str = "") -> str:
    """Return the unit of a role; `certificate` names its client certificate, empty for a role without MQTT."""
    return render_template(
        "motcua.service.j2",
        role=role, purpose=purpose, command=command, memory=memory, certificate=certificate, etc=ETC,
    )  # fmt: skip


def device_units(layout: HostLayout) -> dict[str, str]:
    """Return {path: text} of a device's unit, and of examples: access to a printer's line, a local source."""
    command = f"{layout.program} agent --config {ETC}/agent.toml"
    return {
        f"{UNITS_FOLDER}/motcua-agent.service": _role_unit(
            "agent", "this device's events, in its outbox until they are stored", command, "128M"
        ),
        f"{UNITS_FOLDER}/motcua-agent.service.d/printer.conf.example": render_template("printer.conf"),
        f"{ETC.lstrip('/')}/agent.d/local.toml.example": render_template("agent-drop-in.toml"),
    }


def system_users() -> dict[str, str]:
    """Return {path: text} of the system user that the roles run as."""
    return {"etc/sysusers.d/motcua.conf": f'u motcua - "Motcua" {STATE_FOLDER}\n'}
