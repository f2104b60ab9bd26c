"""Writes the systemd units of the roles, hardened alike. It must not read files or talk to systemd.

For systemd 252 (Debian 12) and later. Every unit stays at or below an exposure of 3.0 in
`systemd-analyze security`.
"""

from __future__ import annotations

from dataclasses import dataclass

ETC = "/etc/motcua"
STATE = "/var/lib/motcua"
UNITS = "etc/systemd/system"

_SERVICE = """[Unit]
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

_LOCAL = """# Broker, store and reverse proxy are on this machine; nothing else is reachable.
IPAddressDeny=any
IPAddressAllow=localhost
"""

_SERVER = """EnvironmentFile={etc}/motcua.env
# Holds MOTCUA_STORE_TOKEN, mode 0600; systemd reads it as root.
EnvironmentFile=-{etc}/secrets/{role}.env
MemoryMax={memory}
TasksMax=64
"""

_CERTIFICATE = """LoadCredential=mqtt.key:{etc}/tls/{name}.key
Environment=MOTCUA_MQTT_CERT={etc}/tls/{name}.pem
Environment=MOTCUA_MQTT_KEY=%d/mqtt.key
"""

_AGENT = """NotifyAccess=main
# The agent reports only while its loop and its outbox move on; a stuck one is ended and started again.
WatchdogSec=120
# The device's own program comes first.
Nice=5
CPUWeight=20
IOWeight=20
MemoryMax=128M
TasksMax=64
"""

_TARGET = """[Unit]
Description=Motcua: ingest, rollup and API
Wants=network-online.target{wants}

[Install]
WantedBy=multi-user.target
"""

_PRINTER = """[Service]
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
class Layout:
    """Where the program is on the host, and how many ingest workers run there."""

    motcua: str = "/opt/motcua/bin/motcua"
    workers: tuple[str, ...] = ("1",)


def metrics_port(worker: str) -> int:
    """Return where a worker shows its figures: 9101 for worker 1."""
    return 9100 + int(worker)


def server_units(layout: Layout) -> dict[str, str]:
    """Return {path: text} of the server's units."""
    shared = " --shared" if len(layout.workers) > 1 else ""
    ingest = f"{layout.motcua} ingest --name %i --metrics 127.0.0.1:910%i{shared}"
    certificate = _CERTIFICATE.format(etc=ETC, name="motcua-ingest-%i")
    return {
        f"{UNITS}/motcua.target": _target(layout),
        f"{UNITS}/motcua-ingest@.service": _server(
            "ingest", "worker %i: frames to the store", ingest, "512M", certificate
        ),
        f"{UNITS}/motcua-rollup.service": _server(
            "rollup", "changes to totals and live rows; one per store", f"{layout.motcua} rollup", "1G",
            _CERTIFICATE.format(etc=ETC, name="motcua-rollup"),
        ),
        f"{UNITS}/motcua-api.service": _server("api", "API, pages and /metrics", f"{layout.motcua} api", "1G"),
        **_beyond_nine(layout),
    }  # fmt: skip


def _beyond_nine(layout: Layout) -> dict[str, str]:
    """Return what gives later workers a port: the unit only puts the name behind 910."""
    command = f"{layout.motcua} ingest --name %i --shared --metrics 127.0.0.1"
    return {
        f"{UNITS}/motcua-ingest@{name}.service.d/metrics.conf": (
            f"[Service]\nExecStart=\nExecStart={command}:{metrics_port(name)}\n"
        )
        for name in layout.workers
        if len(name) > 1
    }


def _target(layout: Layout) -> str:
    names = [*(f"motcua-ingest@{name}.service" for name in layout.workers), "motcua-rollup.service"]
    return _TARGET.format(wants="".join(f"\nWants={name}" for name in [*names, "motcua-api.service"]))


def _server(role: str, what: str, command: str, memory: str, certificate: str = "") -> str:
    return _SERVICE.format(
        description=f"Motcua {role}: {what}",
        after=" influxdb.service mosquitto.service",
        part_of="PartOf=motcua.target\n",
        type="exec",
        command=command,
        own=_SERVER.format(etc=ETC, role=role, memory=memory) + certificate,
        state="StateDirectory=motcua\nStateDirectoryMode=0750\n",
        proc="ProcSubset=pid\n",
        network=_LOCAL,
        wanted_by="motcua.target",
    )


def device_units(layout: Layout) -> dict[str, str]:
    """Return {path: text} of a device's unit and of an example that opens a printer's line to it."""
    agent = _SERVICE.format(
        description="Motcua agent: this device's events, kept until they are stored",
        after="",
        part_of="",
        type="notify",
        command=f"{layout.motcua} agent --config {ETC}/agent.toml",
        own=_AGENT,
        state="StateDirectory=motcua\nStateDirectoryMode=0750\n",
        proc="# The host source reads /proc/stat and /proc/meminfo, so the whole of /proc stays visible.\n",
        network="",
        wanted_by="multi-user.target",
    )
    return {
        f"{UNITS}/motcua-agent.service": agent,
        f"{UNITS}/motcua-agent.service.d/printer.conf.example": _PRINTER,
    }


def users() -> dict[str, str]:
    """Return {path: text} of the system user that the roles run as."""
    return {"etc/sysusers.d/motcua.conf": f'u motcua - "Motcua" {STATE}\n'}
