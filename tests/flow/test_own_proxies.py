"""The proxies of Motcua as a hosted system in a real nginx: people's requests to stand-ins, devices' to a broker."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from infra.targets.kubernetes.proxies import CONFIG_FILE, mqtt_configuration, web_configuration
from telemetry.core.protocol.topics import Topic, topic_filter
from telemetry.mqtt.link import FAILED, LinkSettings
from tests.flow.guests import Door, Room
from tests.mosquitto import Mosquitto
from tests.own_objects import shipped_own_objects
from tests.pki import Identity, Pki
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


MINE = Topic("vn83-28756", "vn83-28756-kiosk1", "up")
READ = threading.Event()
"""Set when a test has read the first message of a stream."""


class Echo(BaseHTTPRequestHandler):
    """Answers with its name, the path, and the headers that a proxy sets."""

    def do_GET(self) -> None:
        """Answer; a stream goes on when the test has read its first message, and a websocket returns a line."""
        if self.path == "/api/v1/events":
            return self.stream()
        if self.headers["Upgrade"] == "websocket":
            return self.return_line()
        names = ("Host", "X-Forwarded-For", "X-Forwarded-Proto")
        text = " ".join([self.server.title, self.path, *(str(self.headers[name]) for name in names)])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
        return None

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        assert READ.wait(60), "nobody has read the first message: something holds it back"
        self.wfile.write(b"data: second\n\n")

    def return_line(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", self.headers["Connection"])
        self.end_headers()
        self.wfile.write(self.path.encode() + b" " + self.rfile.readline())
        self.close_connection = True

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


@contextlib.contextmanager
def nginx(program: str, folder: Path, text: str, port: int) -> Iterator[None]:
    """Run nginx with a configuration as long as the block lasts; it listens when the block begins."""
    (folder / CONFIG_FILE).write_text(in_folder(text, folder))
    words = [program, "-e", str(folder / "log"), "-c", str(folder / CONFIG_FILE)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not listens(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield
        process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def people(require: Callable[[str], str], tmp_path: Path) -> Iterator[int]:
    """Return the port of the proxy of people."""
    port = free_port()
    with echoing("api") as api, echoing("grafana") as grafana:
        text = web_configuration(port, {"api": f"127.0.0.1:{api}", "grafana": f"127.0.0.1:{grafana}"})
        with nginx(require("nginx"), tmp_path, text, port):
            yield port


@pytest.fixture
def ask(people: int) -> Callable[..., tuple[int, str, str]]:
    def get(path: str, **headers: str) -> tuple[int, str, str]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", people, timeout=60)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers.get("Location", "")

    return get


def test_people_reach_pages_and_grafana_and_never_the_figures(ask: Callable[..., tuple[int, str, str]]) -> None:
    given = {"Host": "motcua.example", "X-Forwarded-For": "198.51.100.9, 203.0.113.5"}
    assert ask("/vi/centres?x=1", **given) == (200, "api /vi/centres?x=1 motcua.example 203.0.113.5 https", "")
    assert ask("/grafana/d/hosted?x=1", **given) == (200, "grafana /d/hosted?x=1 motcua.example 203.0.113.5 https", "")
    assert ask("/grafana", **given)[::2] == (301, "/grafana/")
    for path in ("/metrics", "/metrics/kpis", "/metricsx", "//metrics", "/%6detrics"):
        assert ask(path, **given)[0] == 404, path


def test_live_data_come_message_by_message(people: int) -> None:
    READ.clear()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", people, timeout=30)) as connection:
        connection.request("GET", "/api/v1/events")
        answer = connection.getresponse()
        assert answer.readline() == b"data: first\n"
        READ.set()
        assert answer.read() == b"\ndata: second\n\n"


def test_grafanas_websocket_passes(people: int) -> None:
    lines = ("GET /grafana/api/live/ws HTTP/1.1", "Host: motcua.example", "Upgrade: websocket", "Connection: Upgrade")
    with socket.create_connection(("127.0.0.1", people), timeout=60) as caller, caller.makefile("rwb") as stream:
        stream.write("\r\n".join([*lines, "", ""]).encode())
        stream.flush()
        assert b" 101 " in stream.readline()
        assert {b"Upgrade: websocket\r\n", b"Connection: upgrade\r\n"} <= set(iter(stream.readline, b"\r\n"))
        stream.write(b"a line\n")
        stream.flush()
        assert stream.readline() == b"/api/live/ws a line\n"


@pytest.fixture
def devices(require: Callable[[str], str], nginx_stream_module: Path, tmp_path: Path) -> Iterator[tuple[Room, Room]]:
    """Return the broker as devices reach it, by the proxy, and as workers do, directly."""
    program, port, pki = require("nginx"), free_port(), Pki(tmp_path / "pki")
    broker = Mosquitto(require("mosquitto"), tmp_path / "broker", pki)
    inside, outside = Room(broker, pki), Room(Door(broker, port), pki)  # type: ignore[arg-type] # a port of the same broker
    text = f"load_module {nginx_stream_module};\n" + mqtt_configuration(port, f"127.0.0.1:{broker.port}")
    with nginx(program, tmp_path, text, port):
        yield outside, inside
        outside.close()
        inside.close()


def test_behind_the_proxy_the_broker_decides_by_the_devices_certificate(
    devices: tuple[Room, Room], tmp_path: Path
) -> None:
    outside, inside = devices
    stranger = Pki(tmp_path / "stranger", "Another authority").client(MINE.device)
    for identity in (None, Identity(outside.pki.ca, stranger.cert, stranger.key)):
        assert outside.knock(identity, LinkSettings(MINE.device)).links == 0
    ingest = inside.enter("motcua-ingest-1", topic_filter("up", "ingest"))
    device = outside.enter_device(MINE)
    assert device.publish(MINE.path, b"measured") < FAILED
    inside.until(lambda: ingest.has(b"measured"), "the frame has come to the worker")
    other = Topic(MINE.centre, "vn83-28756-kiosk2", "up")
    assert device.publish(other.path, b"as another") >= FAILED, "its name is that of its certificate"
    assert ingest.publish(MINE.with_channel("receipt").path, b"stored") < FAILED
    outside.until(lambda: device.has(b"stored"), "the receipt has come to the device")


def test_the_rendered_files_are_those_of_the_templates_with_the_addresses_of_the_zones() -> None:
    found = shipped_own_objects().hosted
    maps = {name: found.one("ConfigMap", f"vn83-motcua-dmz/{name}-config") for name in ("web", "mqtt")}
    files = {name: one["data"][CONFIG_FILE] for name, one in maps.items()}
    hosts = {"api": "api.vn83-motcua-server.svc:8000", "grafana": "grafana.vn83-motcua-server.svc:3000"}
    assert files["web"] == web_configuration(8080, hosts)
    assert files["mqtt"] == mqtt_configuration(8883, "broker.vn83-motcua-server.svc:8883")
    assert "ssl" not in re.sub("#.*", "", files["mqtt"]), "the broker's TLS passes through"
