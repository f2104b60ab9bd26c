"""A real Alertmanager with the rendered routes, and the webhook that receives its messages; both on the loopback."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WAIT_S = 60.0


def until(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    """Wait for a condition, with a deadline; `what` tells what was there instead."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


class Webhook:
    """Keeps every message that Alertmanager sends, in its order."""

    def __init__(self) -> None:
        kept = self.messages = list[dict[str, Any]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def about(self, scope: str, status: str = "") -> list[dict[str, Any]]:
        """Return the messages in which a scope is named, as `firing` or `resolved`."""
        return [
            m
            for m in self.messages
            if any(a["labels"].get("scope") == scope and a["status"].startswith(status) for a in m["alerts"])
        ]


def hurried(text: str, webhook: str, **times: str) -> str:
    """Return a rendered configuration with this webhook for every person, and with its waits shortened."""
    config = yaml.safe_load(text)
    for one in config["receivers"]:
        if "email_configs" in one:
            del one["email_configs"]
            one["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    routes = [config["route"], *config["route"]["routes"]]
    for route in routes:
        route.update(times)
    return yaml.safe_dump(config)


class Alertmanager:
    """One server on its own folder and port; `kill()` forgets what it was told, `end()` keeps what it had sent."""

    def __init__(self, program: str, folder: Path, config: str) -> None:
        self._program, self._folder = program, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        (folder / "config.yml").write_text(config)

    def start(self) -> Alertmanager:
        words = [
            self._program, f"--config.file={self._folder}/config.yml", f"--storage.path={self._folder}/kept",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
        ]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._ready, (self._folder / "log").read_text)
        return self

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            return self._ask("/-/ready")[0] == 200
        except OSError:
            return False

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Return the alerts that go on, by name and scope."""
        found = json.loads(self._ask("/api/v2/alerts")[1])
        return {" ".join([a["labels"]["alertname"], a["labels"].get("scope", "")]).strip(): a for a in found}

    def looked(self) -> float:
        """Return how often it has looked up what it had sent: each group does so once per interval."""
        lines = self._ask("/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("alertmanager_nflog_queries_total"))

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(60)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
