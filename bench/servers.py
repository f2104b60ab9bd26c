"""Starts mosquitto and InfluxDB 2 for a measurement, with limits that allow a backlog. It must not measure."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.sandbox import free_port, is_listening
from infra.host import mosquitto as generated

if TYPE_CHECKING:
    from bench.sandbox import BenchProcess, Sandbox

BUILDER = Path(__file__).resolve().parent.parent / "scripts" / "influxd" / "build"
TOKEN = "benchmark-operator-token"
ORG, BUCKET = "motcua", "motcua"

IN_FLIGHT_LIMIT = "max_inflight_messages 200"
"""Replaced by 0: MQTT 3.1.1 has no Receive Maximum, so this limit alone would starve Telegraf. MQTT 5 clients send
their own, so ingest is not affected."""


@dataclass
class MosquittoProcess:
    """A running mosquitto."""

    port: int
    process: BenchProcess

    @property
    def url(self) -> str:
        """Return its MQTT URL."""
        return f"mqtt://127.0.0.1:{self.port}"


def start_mosquitto(sandbox: Sandbox) -> MosquittoProcess:
    """Start mosquitto with persistence in the sandbox; it ends with the sandbox."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    program = shutil.which("mosquitto", path=path)
    if program is None:
        raise SystemExit("mosquitto is missing: install Debian package mosquitto")
    folder, port = sandbox.folder / "mosquitto", free_port()
    folder.mkdir()
    conf = folder / "mosquitto.conf"
    conf.write_text(mosquitto_config(folder, port), encoding="utf-8")
    process = sandbox.start("mosquitto", [program, "-c", str(conf)])
    sandbox.wait_until_ready(process, lambda: is_listening(port), "mosquitto listens")
    return MosquittoProcess(port, process)


def mosquitto_config(folder: Path, port: int) -> str:
    """Return the operators' configuration, without TLS, and with space for any backlog."""
    options = generated.MosquittoSettings(
        str(folder), getpass.getuser(), port, "127.0.0.1", generated.MosquittoLimits(0, 0, connections=20_000)
    )
    text = generated.render_loopback_configuration(options)
    if IN_FLIGHT_LIMIT not in text:
        raise SystemExit(f"the generated mosquitto.conf no longer says {IN_FLIGHT_LIMIT!r}: adapt bench/servers.py")
    return text.replace(IN_FLIGHT_LIMIT, "max_inflight_messages 0")


@dataclass
class InfluxdProcess:
    """A running InfluxDB 2 that is set up; `token` may do everything."""

    port: int
    process: BenchProcess
    token: str = TOKEN

    @property
    def url(self) -> str:
        """Return the store's URL."""
        return f"influxdb+http://127.0.0.1:{self.port}?org={ORG}&bucket={BUCKET}"

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> bytes:
        """Call its API; any answer but 2xx ends the benchmark."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            headers = {"Authorization": f"Token {self.token}", "Content-Type": content_type}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise SystemExit(f"influxd {method} {path}: {answer.status} {text[:500]!r}")
            return text
        finally:
            connection.close()

    def is_healthy(self) -> bool:
        """Return whether it answers."""
        try:
            answer: Any = json.loads(self.request("GET", "/health"))
        except (OSError, http.client.HTTPException, SystemExit):
            return False
        return bool(answer["status"] == "pass")

    def written_points(self) -> int:
        """Return how many points have been written since it started, by its own metrics."""
        name = b"storage_writer_ok_points_sum{"
        lines = [line for line in self.request("GET", "/metrics").splitlines() if line.startswith(name)]
        return sum(int(float(line.rsplit(b" ", 1)[1])) for line in lines)

    def count_points(self, bucket: str, condition: str) -> int:
        """Return how many points of a bucket have this field (`of` is a Flux condition on `r`)."""
        flux = f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => {condition}) |> group() |> count()'
        text = self.request("POST", f"/api/v2/query?org={ORG}", flux.encode(), "application/vnd.flux").decode()
        rows = [line.split(",") for line in text.splitlines() if line.strip()]
        return sum(int(row[rows[0].index("_value")]) for row in rows[1:])

    def create_bucket(self, name: str) -> None:
        """Create a bucket with infinite retention."""
        org_id = json.loads(self.request("GET", f"/api/v2/orgs?org={ORG}"))["orgs"][0]["id"]
        self.request("POST", "/api/v2/buckets", {"orgID": org_id, "name": name, "retentionRules": []})


def find_influxd() -> str | None:
    """Return where InfluxDB 2.7 is: on PATH or in the cache of `make influxd`."""
    result = subprocess.run([str(BUILDER), "--path"], capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


def start_influxd(sandbox: Sandbox) -> InfluxdProcess:
    """Start InfluxDB in a fresh folder of the sandbox and set it up; it ends with the sandbox."""
    program = find_influxd()
    if program is None:
        raise SystemExit("influxd is missing: put InfluxDB 2.7 on PATH, or run `make influxd`")
    folder, port = sandbox.folder / "influxd", free_port()
    folder.mkdir()
    files = {"bolt-path": "influxd.bolt", "engine-path": "engine", "sqlite-path": "influxd.sqlite"}
    paths = [argument for name, file in files.items() for argument in (f"--{name}", str(folder / file))]
    options = ["--http-bind-address", f"127.0.0.1:{port}", "--reporting-disabled", "--log-level", "error"]
    process = sandbox.start("influxd", [program, *paths, *options])
    server = InfluxdProcess(port, process)
    sandbox.wait_until_ready(process, server.is_healthy, "influxd answers")
    setup = {"username": "bench", "password": "only-for-benchmarks", "org": ORG, "bucket": BUCKET, "token": TOKEN}
    server.request("POST", "/api/v2/setup", setup)
    return server
