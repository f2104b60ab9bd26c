"""The proxies of Motcua as a hosted system: people's requests through a real nginx to stand-ins."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from infra.targets.kubernetes.proxies import CONFIG_FILE, mqtt_configuration, web_configuration
from tests.own_objects import shipped_own_objects
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Echo(BaseHTTPRequestHandler):
    """Answers with its name, the path, and the headers that a proxy sets."""

    def do_GET(self) -> None:
        """Answer."""
        names = ("Host", "X-Forwarded-For", "X-Forwarded-Proto")
        text = " ".join([self.server.title, self.path, *(str(self.headers[name]) for name in names)])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Do not log."""


@contextlib.contextmanager
def echoing(title: str) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.title = title  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def in_folder(text: str, folder: Path) -> str:
    """Return a configuration with its own folder in place of /tmp, for a user that may not write there."""
    user = "user root;\n" if os.geteuid() == 0 else ""
    return user + text.replace("/tmp/", f"{folder}/").replace("/dev/stdout", f"{folder}/access.log")


@pytest.fixture
def ask(require: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., tuple[int, str, str]]]:
    program, port = require("nginx"), free_port()
    with echoing("api") as api, echoing("grafana") as grafana:
        text = web_configuration(port, {"api": f"127.0.0.1:{api}", "grafana": f"127.0.0.1:{grafana}"})
        (tmp_path / CONFIG_FILE).write_text(in_folder(text, tmp_path))
        words = [program, "-e", str(tmp_path / "log"), "-c", str(tmp_path / CONFIG_FILE)]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:

            def get(path: str, **headers: str) -> tuple[int, str, str]:
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                    connection.request("GET", path, headers=headers)
                    answer = connection.getresponse()
                    return answer.status, answer.read().decode(), answer.headers.get("Location", "")

            def answers() -> bool:
                with contextlib.suppress(OSError):
                    return get("/")[0] == 200
                assert process.poll() is None, (tmp_path / "log").read_text()
                return False

            deadline = time.monotonic() + 60
            while not answers():
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.02)
            yield get
            process.terminate()


def test_people_reach_pages_and_grafana_and_never_the_figures(ask: Callable[..., tuple[int, str, str]]) -> None:
    given = {"Host": "motcua.example", "X-Forwarded-For": "198.51.100.9, 203.0.113.5"}
    assert ask("/vi/centres?x=1", **given) == (200, "api /vi/centres?x=1 motcua.example 203.0.113.5 https", "")
    assert ask("/grafana/d/hosted?x=1", **given) == (200, "grafana /d/hosted?x=1 motcua.example 203.0.113.5 https", "")
    assert ask("/grafana", **given)[::2] == (301, "/grafana/")
    for path in ("/metrics", "/metrics/kpis", "/metricsx", "//metrics", "/%6detrics"):
        assert ask(path, **given)[0] == 404, path


def test_the_rendered_files_are_those_of_the_templates_with_the_addresses_of_the_zones() -> None:
    found = shipped_own_objects().hosted
    maps = {name: found.one("ConfigMap", f"vn83-motcua-dmz/{name}-config") for name in ("web", "mqtt")}
    files = {name: one["data"][CONFIG_FILE] for name, one in maps.items()}
    hosts = {"api": "api.vn83-motcua-server.svc:8000", "grafana": "grafana.vn83-motcua-server.svc:3000"}
    assert files["web"] == web_configuration(8080, hosts)
    assert files["mqtt"] == mqtt_configuration(8883, "broker.vn83-motcua-server.svc:8883")
    assert "ssl" not in re.sub("#.*", "", files["mqtt"]), "the broker's TLS passes through"
