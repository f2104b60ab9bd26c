"""Runs a real InfluxDB and mosquitto for the stack `local`, and the roles once the stack has written their settings.

It does what systemd does on a server: a process that ends is restarted, and a process whose files have changed
is restarted with them. mosquitto starts when the stack has written its configuration, access file and certificates.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parent.parent
PAUSE_S = 0.3
FAILED_PAUSE_S = 2.0


@dataclass(frozen=True)
class Start:
    """How a process is started, and the files whose change requires a restart."""

    command: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@dataclass
class Child:
    """One process that is restarted when it ends; `how` returns None while it cannot be started yet."""

    name: str
    log: Path
    how: Callable[[], Start | None]
    process: subprocess.Popen[bytes] | None = None
    started_with: tuple[object, ...] = ()
    not_before: float = 0.0
    pid_file: Path | None = None

    def supervise(self) -> None:
        """Start it, restart it, or stop it because its files have changed."""
        start = self.how()
        now = None if start is None else (start.command, tuple(_stamp(path) for path in start.files))
        if self.process and self.process.poll() is not None:
            print(f"servers: {self.name} ended ({self.process.returncode}); see {self.log}", flush=True)
            self.process = None
        if self.process and now != self.started_with:
            self.end()
        if self.process is None and start and now and time.monotonic() >= self.not_before:
            self._start(start, now)

    def _start(self, start: Start, now: tuple[object, ...]) -> None:
        with self.log.open("ab") as out:
            env = {**os.environ, **start.settings}
            self.process = subprocess.Popen(start.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        self.started_with, self.not_before = now, time.monotonic() + FAILED_PAUSE_S
        if self.pid_file is not None and self.pid_file.parent.is_dir():
            self.pid_file.write_text(f"{self.process.pid}\n")
        print(f"servers: {self.name} runs ({self.process.pid})", flush=True)

    def end(self) -> None:
        """Stop it and wait until it has ended."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process, self.not_before = None, 0.0


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _load_or_create_secret(path: Path, length: int) -> str:
    """Return the secret stored in a file, created at the first call."""
    if not path.exists():
        path.write_text(secrets.token_urlsafe(length))
        path.chmod(0o600)
    return path.read_text()


def influxd(program: str, folder: Path, port: int) -> Start:
    """Return how InfluxDB is started: every write is synced to disk before its answer."""
    paths = {"bolt": "influxd.bolt", "engine": "engine", "sqlite": "influxd.sqlite"}
    words = [word for name, file in paths.items() for word in (f"--{name}-path", str(folder / "influxdb" / file))]
    where = ("--http-bind-address", f"127.0.0.1:{port}", "--storage-wal-fsync-delay", "0s", "--reporting-disabled")
    return Start((program, *words, *where, "--log-level", "warn"))


def mosquitto(program: str, folder: Path) -> Start | None:
    """Return how mosquitto is started with the files written by the stack, or None before they exist."""
    names = ("mosquitto.conf", "acl", "ca.pem", "crl.pem", "server.pem", "server.key")
    files = tuple(folder / "broker" / name for name in names)
    if not all(path.exists() for path in files):
        return None
    return Start((program, "-c", str(files[0])), files=files)


def role(folder: Path, name: str) -> Start | None:
    """Return how a role is started with the settings written by the stack, or None before they exist."""
    roles = folder / "roles"
    files = (roles / "motcua.env", roles / f"{name}.env")
    if not all(path.exists() for path in files):
        return None
    settings = dict(line.split("=", 1) for path in files for line in path.read_text().splitlines() if "=" in line)
    program = str(Path(sys.executable).parent / "motcua")
    kind, _, worker = name.partition("-")
    command = (program, kind, *(("--name", worker) if worker else ()))
    identity = tuple(sorted((roles / "tls").glob(f"motcua-{name}.*")))
    return Start(command, settings, (*files, roles / "tls" / "ca.pem", *identity))


def role_names(folder: Path) -> Iterable[str]:
    """Return the roles that the stack has settings for."""
    return sorted(path.stem for path in (folder / "roles").glob("*.env") if path.stem != "motcua")


def prepare(folder: Path) -> dict[str, str]:
    """Create the folder and its secrets once; returns the stack's secrets."""
    for name in ("run", "influxdb"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "run").chmod(0o700)
    return {"influxToken": _load_or_create_secret(folder / "run" / "influx-token", 32)}


def stack_values(folder: Path, influx_port: int) -> dict[str, tuple[str, str]]:
    """Return the keys of the stack file that the options of this script decide: value, and the stack's default."""
    own_folder = "" if folder.is_relative_to(ROOT) else str(folder)
    return {
        "motcua:influx.url": (f"http://127.0.0.1:{influx_port}", "http://127.0.0.1:8086"),
        "motcua:local.folder": (own_folder or str(folder.relative_to(ROOT)), ".local"),
    }


def make_stack(folder: Path, influx_port: int, values: dict[str, str]) -> None:
    """Create the stack `local` with its state below the folder, and set its addresses and secrets."""
    _load_or_create_secret(folder / "run" / "passphrase", 24)
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PULUMI_BACKEND_URL": f"file://{folder}/run",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "run" / "passphrase"),
    }
    lines = [f"export {name}='{value}'" for name, value in settings.items() if name != "PATH"]
    (folder / "env").write_text("\n".join([*lines, f"export PATH='{Path(sys.executable).parent}':\"$PATH\"", ""]))
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        print("servers: pulumi is missing; install its command line (https://www.pulumi.com/docs/install/)", flush=True)
        return
    env = {**os.environ, **settings, "PULUMI_SKIP_UPDATE_CHECK": "1"}
    subprocess.run([pulumi, "stack", "select", "--create", "local"], cwd=ROOT, env=env, check=True, stdout=sys.stderr)
    for name, (value, default) in stack_values(folder, influx_port).items():
        command = [pulumi, "config", "get", "--path", "-s", "local", name]
        configured = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
        if (configured.stdout.strip() or default) != value:
            command = [pulumi, "config", "set", "--path", "-s", "local", name, value]
            subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=sys.stderr)
    for name, value in values.items():
        command = [pulumi, "config", "set", "--secret", "-s", "local", name]
        done = subprocess.run(command, cwd=ROOT, env=env, check=False, input=value.encode(), stdout=sys.stderr)
        if done.returncode:
            sys.exit(
                "servers: the stack file holds secrets of an earlier trial: git checkout infra/stacks/Pulumi.local.yaml"
            )


def _require_program(name: str, command: list[str], advice: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode or not done.stdout.strip():
        sys.exit(f"servers: {name} is missing: {advice}")
    return done.stdout.strip()


def _check_port_free(port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            message = f"servers: port {port} is in use; stop the process that listens there"
            sys.exit(f"{message}, or choose another with --influx-port")


def main() -> None:
    """Keep all processes running until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".local", help="folder of all data and settings")
    parser.add_argument("--influx-port", type=int, default=8086, help="port of InfluxDB on the loopback")
    parser.add_argument("--no-stack", action="store_true", help="do not create the Pulumi stack")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    server = _require_program(
        "influxd", ["scripts/influxd/build", "--path"], "run `make influxd`, or put InfluxDB 2.7 on PATH"
    )
    broker = _require_program(
        "mosquitto", ["sh", "-c", "PATH=$PATH:/usr/sbin command -v mosquitto"], "install package mosquitto"
    )
    _check_port_free(arguments.influx_port)
    values = prepare(folder)
    if not arguments.no_stack:
        make_stack(folder, arguments.influx_port, values)
    run = folder / "run"
    children = {
        "influxdb": Child("influxdb", run / "influxdb.log", lambda: influxd(server, folder, arguments.influx_port)),
        "mosquitto": Child(
            "mosquitto", run / "mosquitto.log", lambda: mosquitto(broker, folder),
            pid_file=folder / "broker" / "mosquitto.pid",
        ),
    }  # fmt: skip
    supervise_all(children, folder)


def supervise_all(children: dict[str, Child], folder: Path) -> None:
    """Supervise every process until stopped; a role starts once its settings exist."""
    going = True

    def stop(*_: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"servers: when InfluxDB runs, in another terminal:  . {folder}/env && pulumi up -s local", flush=True)
    while going:
        for name in role_names(folder):
            if name not in children:
                children[name] = Child(name, folder / "run" / f"{name}.log", lambda name=name: role(folder, name))
        for child in children.values():
            child.supervise()
        time.sleep(PAUSE_S)
    for child in reversed(children.values()):
        child.end()


if __name__ == "__main__":
    main()
