"""What a stack `local` is deployed on: an empty InfluxDB and a mosquitto, looked after by `scripts/servers.py`."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[2]
READY_S = 60.0
Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str, within_s: float = READY_S) -> Found:
    """Wait for a condition; fails when it does not come."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.1)
    return found


class World:
    """Two servers and, once the stack has written their settings, the roles."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "local"
        self.influx_port, self.broker_port, self.api_port, self.ingest_port = (free_port() for _ in range(4))
        self._log = folder / "servers.log"
        folder.mkdir(parents=True, exist_ok=True)
        words = ["--folder", str(self.folder), "--no-stack", "--influx-port", str(self.influx_port)]
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "scripts/servers.py", *words], cwd=CHECKOUT, stdout=out, stderr=out
            )
        until(self._ready, f"the servers are up\n{self._log.read_text()}")

    def _ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        return self.listens(self.influx_port) and self._healthy()

    def _healthy(self) -> bool:
        try:
            return str(self.call("GET", "/health", token="")["status"]) == "pass"
        except (OSError, http.client.HTTPException, ValueError):
            return False

    @staticmethod
    def listens(port: int) -> bool:
        with socket.socket() as asker:
            asker.settimeout(0.5)
            return asker.connect_ex(("127.0.0.1", port)) == 0

    @property
    def secrets(self) -> dict[str, str]:
        return {"influxToken": (self.folder / "run" / "influx-token").read_text()}

    def settings(self, **more: object) -> dict[str, object]:
        """The stack's configuration for this world."""
        return {
            "stage": "dev",
            "target": "local",
            "influx": {"url": f"http://127.0.0.1:{self.influx_port}"},
            "broker": {"port": self.broker_port},
            "local": {
                "folder": str(self.folder), "apiListen": f"127.0.0.1:{self.api_port}", "brokerUser": "root",
                "ingestMetrics": f"127.0.0.1:{self.ingest_port}",
            },
            **more,
        }  # fmt: skip

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> dict[str, Any]:
        """Ask InfluxDB as the operator, past the stack; fails on any answer but a good one."""
        status, text = self.ask(method, path, body, token)
        assert status < 300, f"{method} {path}: {status} {text!r}"
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, bytes]:
        """Ask InfluxDB as the operator; returns the status and the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.influx_port, timeout=60)
        operator = self.secrets["influxToken"] if token is None else token
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {operator}"} if operator else {})
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def names(self, what: str) -> set[str]:
        """Names of organisations or buckets, InfluxDB's own left out."""
        key = "orgs" if what == "orgs" else "buckets"
        return {one["name"] for one in self.call("GET", f"/api/v2/{what}?limit=100")[key] if one["name"][0] != "_"}

    def bucket(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/api/v2/buckets?org=motcua&name={name}")["buckets"][0]
        return found

    def api(self, path: str) -> dict[str, Any]:
        """Ask the API that the roles serve."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, f"{path}: {answer.status} {text!r}"
            found: dict[str, Any] = json.loads(text)
            return found
        finally:
            connection.close()

    def ingest_is_ready(self) -> bool:
        """Ask the first ingest worker for its health."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ingest_port, timeout=60)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
