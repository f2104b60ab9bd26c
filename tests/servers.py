"""Real servers that tests start on free loopback ports, kill and start again; they end only what they started."""

from __future__ import annotations

import csv
import http.client
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

READY_S = 60.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def read_page(url: str) -> tuple[int, str]:
    """Return status and text of a page, of a refusal too."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class InfluxServer:
    """An InfluxDB 2 on its own folder and port; `kill()` and `start()` keep both, and so the data."""

    org = "motcua"
    token = "operator-token-of-this-test"

    def __init__(self, program: str, folder: Path, port: int = 0) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def gone(self) -> None:
        """Wait until a process that somebody else has ended is reaped."""
        assert self._process is not None, "it was never started"
        self._process.wait(60)

    def store_url(self, bucket: str = "motcua") -> str:
        return f"influxdb+{self.url}?org={self.org}&bucket={bucket}"

    def start(self, *, set_up: bool = True) -> InfluxServer:
        """Start on the same folder as before, wait until it answers, and set it up once unless told otherwise."""
        assert not self.running, "it still runs"
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_ready()
        if set_up and self.call("GET", "/api/v2/setup")["allowed"]:
            told = {"username": "admin", "password": "only-for-tests", "org": self.org, "bucket": "default"}
            self.call("POST", "/api/v2/setup", {**told, "token": self.token})
        return self

    def _command(self) -> list[str]:
        files = {"bolt": "influxd.bolt", "engine": "engine", "sqlite": "influxd.sqlite"}
        paths = [word for name, file in files.items() for word in (f"--{name}-path", str(self._folder / file))]
        where = ["--http-bind-address", f"127.0.0.1:{self.port}"]
        return [self._program, *paths, *where, "--reporting-disabled", "--log-level", "error", "--store", "disk"]

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                if self.call("GET", "/health")["status"] == "pass":
                    return
            except (OSError, http.client.HTTPException, AssertionError):
                assert self.running, (self._folder / "influxd.log").read_text()[-2000:]
                assert time.monotonic() < deadline, f"influxd does not answer within {READY_S:g} s"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self._process is not None, "it was never started"
        self._process.kill()
        self._process.wait(60)

    def end(self) -> None:
        if self._process is None or not self.running:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def call(self, method: str, path: str, body: object = None, token: str = "") -> dict[str, Any]:
        """Ask the server's API; fails on any answer but a good one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            content = None if body is None else json.dumps(body)
            headers = {"Authorization": f"Token {token or self.token}", "Content-Type": "application/json"}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, f"{method} {path}: {answer.status} {text!r}"
            answered: dict[str, Any] = json.loads(text) if text else {}
            return answered
        finally:
            connection.close()

    def org_id(self) -> str:
        return str(self.call("GET", f"/api/v2/orgs?org={self.org}")["orgs"][0]["id"])

    def bucket_id(self, name: str) -> str:
        return str(self.call("GET", f"/api/v2/buckets?org={self.org}&name={name}")["buckets"][0]["id"])

    def make_bucket(self, name: str, keep_s: int = 0) -> str:
        """Make a bucket; `keep_s` 0 keeps for ever. Returns its id."""
        rules = [{"type": "expire", "everySeconds": keep_s}] if keep_s else []
        body = {"orgID": self.org_id(), "name": name, "retentionRules": rules}
        return str(self.call("POST", "/api/v2/buckets", body)["id"])

    def drop_bucket(self, name: str) -> None:
        self.call("DELETE", f"/api/v2/buckets/{self.bucket_id(name)}")

    def make_token(self, read: Iterable[str] = (), write: Iterable[str] = ()) -> tuple[str, str]:
        """Make a token for these buckets, by name; returns its id and the token."""
        wanted = [("read", name) for name in read] + [("write", name) for name in write]
        org = self.org_id()
        rights = [
            {"action": action, "resource": {"type": "buckets", "orgID": org, "id": self.bucket_id(name)}}
            for action, name in wanted
        ]
        made = self.call("POST", "/api/v2/authorizations", {"orgID": org, "permissions": rights})
        return str(made["id"]), str(made["token"])

    def write(self, bucket: str, lines: str) -> None:
        """Write line protocol past the store, as another program would; times in ns."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = f"/api/v2/write?org={self.org}&bucket={bucket}&precision=ns"
            connection.request("POST", path, lines, {"Authorization": f"Token {self.token}"})
            answer = connection.getresponse()
            assert answer.status == 204, answer.read()
        finally:
            connection.close()

    def flux(self, query: str) -> list[dict[str, str]]:
        """Ask a question in Flux; returns the rows of all tables, values as they are printed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/vnd.flux"}
            connection.request("POST", f"/api/v2/query?org={self.org}", query, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status == 200, text
        finally:
            connection.close()
        tables = [table.strip().splitlines() for table in text.replace("\r\n", "\n").split("\n\n")]
        return [row for table in tables if table for row in csv.DictReader(table)]

    def switch_token(self, ident: str, status: str) -> None:
        """Set a token `active` or `inactive`."""
        self.call("PATCH", f"/api/v2/authorizations/{ident}", {"status": status})
