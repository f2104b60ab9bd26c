"""Writes the systemd units of the roles, hardened alike. It must not read files or talk to systemd.

For systemd 252 (Debian 12) and later. Every unit stays at or below an exposure of 3.0 in
`systemd-analyze security`.
"""

from __future__ import annotations

from dataclasses import dataclass

ETC = "/etc/motcua"
STATE_FOLDER = "/var/lib/motcua"
UNITS_FOLDER = "etc/systemd/system"

_SERVICE_UNIT = """[Unit]
Description={description}
Documentation=https://www.freedesktop.org/software/systemd/man/systemd.exec.html
Wants=network-online.target
After=network-online.target{after}
{part_of}# It is started again for ever: what it cannot do now it must do when the cause is gone.
StartLimitIntervalSec=0

[Service]
Type={type}
ExecStart={command}
Restart=always
RestartSec=5
TimeoutStopSec=30
User=motcua
Group=motcua
{own}
# What it may reach: its own folder to write, nothing of other users, no devices.
{state}UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectProc=invisible
{proc}ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RemoveIPC=yes
# What it may ask the kernel for.
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
{network}
[Install]
WantedBy={wanted_by}
"""

_LOOPBACK_ONLY = """# Broker, store and reverse proxy are on this machine; nothing else is reachable.
IPAddressDeny=any
IPAddressAllow=localhost
"""

_SERVER_SETTINGS = """EnvironmentFile={etc}/motcua.env
# Holds MOTCUA_STORE_TOKEN, mode 0600; systemd reads it as root.
EnvironmentFile=-{etc}/secrets/{role}.env
MemoryMax={memory}
TasksMax=64
"""

_CERTIFICATE_SETTINGS = """LoadCredential=mqtt.key:{etc}/tls/{name}.key
Environment=MOTCUA_MQTT_CERT={etc}/tls/{name}.pem
Environment=MOTCUA_MQTT_KEY=%d/mqtt.key
"""

_AGENT_SETTINGS = """NotifyAccess=main
# The agent reports only while its loop and its outbox move on; a stuck one is ended and started again.
WatchdogSec=120
# The device's own program comes first.
Nice=5
CPUWeight=20
IOWeight=20
MemoryMax=128M
TasksMax=64
"""

_TARGET_UNIT = """[Unit]
Description=Motcua: ingest, rollup and API
Wants=network-online.target{wants}

[Install]
WantedBy=multi-user.target
"""

_PRINTER_DROP_IN = """[Service]
# For a printer on a serial line or USB: copy to motcua-agent.service.d/printer.conf, keep the lines
# that this device needs, then `systemctl daemon-reload` and restart the agent.
PrivateDevices=no
# With PrivateUsers the groups below would not count.
PrivateUsers=no
DevicePolicy=closed
DeviceAllow=char-ttyS rw
DeviceAllow=char-ttyUSB rw
DeviceAllow=char-ttyACM rw
DeviceAllow=/dev/usb/lp0 rw
SupplementaryGroups=dialout lp
"""


@dataclass(frozen=True, slots=True)
class HostLayout:
    """Where the program is on the host, and how many ingest workers run there."""

    program: str = "/opt/motcua/bin/motcua"
    workers: tuple[str, ...] = ("1",)


def metrics_port(worker: str) -> int:
    """Return where a worker shows its figures: 9101 for worker 1."""
    return 9100 + int(worker)


def server_units(layout: HostLayout) -> dict[str, str]:
    """Return {path: text} of the server's units."""
    shared = " --shared" if len(layout.workers) > 1 else ""
    ingest = f"{layout.program} ingest --name %i --metrics 127.0.0.1:910%i{shared}"
    certificate = _CERTIFICATE_SETTINGS.format(etc=ETC, name="motcua-ingest-%i")
    return {
        f"{UNITS_FOLDER}/motcua.target": _target_unit(layout),
        f"{UNITS_FOLDER}/motcua-ingest@.service": _server_unit(
            "ingest", "worker %i: frames to the store", ingest, "512M", certificate
        ),
        f"{UNITS_FOLDER}/motcua-rollup.service": _server_unit(
            "rollup", "changes to totals and live rows; one per store", f"{layout.program} rollup", "1G",
            _CERTIFICATE_SETTINGS.format(etc=ETC, name="motcua-rollup"),
        ),
        f"{UNITS_FOLDER}/motcua-api.service": _server_unit(
            "api", "API, pages and /metrics", f"{layout.program} api", "1G",
        ),
        **_two_digit_worker_ports(layout),
    }  # fmt: skip


def _two_digit_worker_ports(layout: HostLayout) -> dict[str, str]:
    """Return what gives later workers a port: the unit only puts the name behind 910."""
    command = f"{layout.program} ingest --name %i --shared --metrics 127.0.0.1"
    return {
        f"{UNITS_FOLDER}/motcua-ingest@{name}.service.d/metrics.conf": (
            f"[Service]\nExecStart=\nExecStart={command}:{metrics_port(name)}\n"
        )
        for name in layout.workers
        if len(name) > 1
    }


def _target_unit(layout: HostLayout) -> str:
    names = [*(f"motcua-ingest@{name}.service" for name in layout.workers), "motcua-rollup.service"]
    return _TARGET_UNIT.format(wants="".join(f"\nWants={name}" for name in [*names, "motcua-api.service"]))


def _server_unit(role: str, what: str, command: str, memory: str, certificate: str = "") -> str:
    return _SERVICE_UNIT.format(
        description=f"Motcua {role}: {what}",
        after=" influxdb.service mosquitto.service",
        part_of="PartOf=motcua.target\n",
        type="exec",
        command=command,
        own=_SERVER_SETTINGS.format(etc=ETC, role=role, memory=memory) + certificate,
        state="StateDirectory=motcua\nStateDirectoryMode=0750\n",
        proc="ProcSubset=pid\n",
        network=_LOOPBACK_ONLY,
        wanted_by="motcua.target",
    )


def device_units(layout: HostLayout) -> dict[str, str]:
    """Return {path: text} of a device's unit and of an example that opens a printer's line to it."""
    agent = _SERVICE_UNIT.format(
        description="Motcua agent: this device's events, kept until they are stored",
        after="",
        part_of="",
        type="notify",
        command=f"{layout.program} agent --config {ETC}/agent.toml",
        own=_AGENT_SETTINGS,
        state="StateDirectory=motcua\nStateDirectoryMode=0750\n",
        proc="# The host source reads /proc/stat and /proc/meminfo, so the whole of /proc stays visible.\n",
        network="",
        wanted_by="multi-user.target",
    )
    return {
        f"{UNITS_FOLDER}/motcua-agent.service": agent,
        f"{UNITS_FOLDER}/motcua-agent.service.d/printer.conf.example": _PRINTER_DROP_IN,
    }


def system_users() -> dict[str, str]:
    """Return {path: text} of the system user that the roles run as."""
    return {"etc/sysusers.d/motcua.conf": f'u motcua - "Motcua" {STATE_FOLDER}\n'}
