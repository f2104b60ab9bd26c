"""Starts mosquitto and InfluxDB 2 for a measurement, with limits that let a backlog lie. It must not measure."""

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

from bench.sandbox import free_port, listening
from infra.host import mosquitto as generated

if TYPE_CHECKING:
    from bench.sandbox import Process, Room

BUILDER = Path(__file__).resolve().parent.parent / "scripts" / "influxd" / "build"
TOKEN = "benchmark-operator-token"
ORG, BUCKET = "motcua", "motcua"

IN_FLIGHT = "max_inflight_messages 200"
"""Replaced by 0: MQTT 3.1.1 has no Receive Maximum, so this limit alone would starve Telegraf. MQTT 5 clients say their
own, so ingest sees no difference."""


@dataclass
class Broker:
    """A running mosquitto."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """Return its MQTT URL."""
        return f"mqtt://127.0.0.1:{self.port}"


def mosquitto(room: Room) -> Broker:
    """Start mosquitto with persistence in the room; it ends with it."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    program = shutil.which("mosquitto", path=path)
    if program is None:
        raise SystemExit("mosquitto is missing: install Debian package mosquitto")
    folder, port = room.folder / "mosquitto", free_port()
    folder.mkdir()
    conf = folder / "mosquitto.conf"
    conf.write_text(configuration(folder, port), encoding="utf-8")
    process = room.start("mosquitto", [program, "-c", str(conf)])
    room.wait(process, lambda: listening(port), "mosquitto listens")
    return Broker(port, process)


def configuration(folder: Path, port: int) -> str:
    """Return what operators get, without TLS, and with room for any backlog."""
    told = generated.Broker(
        str(folder), getpass.getuser(), port, "127.0.0.1", generated.Limits(0, 0, connections=20_000)
    )
    text = generated.loopback(told)
    if IN_FLIGHT not in text:
        raise SystemExit(f"the generated mosquitto.conf no longer says {IN_FLIGHT!r}: adapt bench/servers.py")
    return text.replace(IN_FLIGHT, "max_inflight_messages 0")


@dataclass
class Influx:
    """A running InfluxDB 2 that is set up; `token` may do everything."""

    port: int
    process: Process
    token: str = TOKEN

    @property
    def url(self) -> str:
        """Return the store's URL."""
        return f"influxdb+http://127.0.0.1:{self.port}?org={ORG}&bucket={BUCKET}"

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> bytes:
        """Ask its API; ends the benchmark on any answer but a good one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            headers = {"Authorization": f"Token {self.token}", "Content-Type": kind}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise SystemExit(f"influxd {method} {path}: {answer.status} {text[:500]!r}")
            return text
        finally:
            connection.close()

    def healthy(self) -> bool:
        """Tell whether it answers."""
        try:
            answer: Any = json.loads(self.call("GET", "/health"))
        except (OSError, http.client.HTTPException, SystemExit):
            return False
        return bool(answer["status"] == "pass")

    def points(self) -> int:
        """Return how many points have been written since it started, by its own metrics."""
        name = b"storage_writer_ok_points_sum{"
        lines = [line for line in self.call("GET", "/metrics").splitlines() if line.startswith(name)]
        return sum(int(float(line.rsplit(b" ", 1)[1])) for line in lines)

    def count(self, bucket: str, of: str) -> int:
        """Return how many points of a bucket have this field (`of` is a Flux condition on `r`)."""
        flux = f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => {of}) |> group() |> count()'
        text = self.call("POST", f"/api/v2/query?org={ORG}", flux.encode(), "application/vnd.flux").decode()
        rows = [line.split(",") for line in text.splitlines() if line.strip()]
        return sum(int(row[rows[0].index("_value")]) for row in rows[1:])

    def make_bucket(self, name: str) -> None:
        """Make a bucket that keeps for ever."""
        found = json.loads(self.call("GET", f"/api/v2/orgs?org={ORG}"))["orgs"][0]["id"]
        self.call("POST", "/api/v2/buckets", {"orgID": found, "name": name, "retentionRules": []})


def influxd_path() -> str | None:
    """Return where InfluxDB 2.7 is: on PATH or in the cache of `make influxd`."""
    asked = subprocess.run([str(BUILDER), "--path"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def influxd(room: Room) -> Influx:
    """Start InfluxDB on a fresh folder of the room and set it up; it ends with the room."""
    program = influxd_path()
    if program is None:
        raise SystemExit("influxd is missing: put InfluxDB 2.7 on PATH, or run `make influxd`")
    folder, port = room.folder / "influxd", free_port()
    folder.mkdir()
    files = {"bolt-path": "influxd.bolt", "engine-path": "engine", "sqlite-path": "influxd.sqlite"}
    paths = [word for name, file in files.items() for word in (f"--{name}", str(folder / file))]
    where = ["--http-bind-address", f"127.0.0.1:{port}", "--reporting-disabled", "--log-level", "error"]
    process = room.start("influxd", [program, *paths, *where])
    found = Influx(port, process)
    room.wait(process, found.healthy, "influxd answers")
    told = {"username": "bench", "password": "only-for-benchmarks", "org": ORG, "bucket": BUCKET, "token": TOKEN}
    found.call("POST", "/api/v2/setup", told)
    return found
