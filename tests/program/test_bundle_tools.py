"""The rendered server, taken by the real programs: broker, Prometheus, Alertmanager, nginx, cloud-init."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from dashboards.files import provisioned_files
from infra.config.options import SECRET_NAMES, StackOptions, parse_options
from infra.host.bundle import BROKER_FOLDER, CLOUD_INIT_FILE, NginxSettings, render_bundle, render_nginx
from infra.host.monitoring import AlertReceiver, alertmanager_configuration
from infra.host.systemd_units import UNITS_FOLDER, HostLayout
from infra.plan import build_plan
from infra.targets.openstack import document
from infra.templates import render_yaml
from telemetry import inventory
from telemetry.store.sqlite import SqliteStore
from tests.pki import Pki
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_S = 60.0
WORLD = inventory.load(inventory.default_path())


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return render_bundle(WORLD, HostLayout(workers=("1", "2")))


def told(*words: str) -> str:
    """Run a program that must be content; returns what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


@contextlib.contextmanager
def running(words: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def listens(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as one,
    ):
        one.connect()
        return True
    return False


def test_mosquitto_starts_on_the_bundle(files: dict[str, str], require: Callable[[str], str], tmp_path: Path) -> None:
    pki, port = Pki(tmp_path / "pki"), free_port()
    (tmp_path / "acl").write_text(files[f"server{BROKER_FOLDER}/acl"])
    text = files[f"server{BROKER_FOLDER}/mosquitto.conf"]
    places = {"ca.pem": pki.ca, "server.pem": pki.server.cert, "server.key": pki.server.key, "crl.pem": pki.crl}
    for name, path in {**places, "acl": tmp_path / "acl"}.items():
        text = text.replace(f"{BROKER_FOLDER}/{name}", str(path))
    text = text.replace("/var/lib/mosquitto", str(tmp_path)).replace("listener 8883", f"listener {port} 127.0.0.1")
    text = re.sub(r"^user .*$", "user root" if os.geteuid() == 0 else "user nobody", text, flags=re.MULTILINE)
    (tmp_path / "conf").write_text(text)
    log = tmp_path / "log"
    with running([require("mosquitto"), "-c", str(tmp_path / "conf")], log) as process:
        until(lambda: listens(port), process, log)
    # A fault of the configuration begins so; OpenSSL's own errors are of the connection that tried the port.
    assert "Error: " not in log.read_text()


def test_promtool_takes_configuration_and_rules(
    files: dict[str, str], require: Callable[[str], str], tmp_path: Path
) -> None:
    rules = tmp_path / "motcua.yaml"
    rules.write_text(files["server/etc/prometheus/rules/motcua.yaml"])
    config = tmp_path / "prometheus.yml"
    config.write_text(files["server/etc/prometheus/motcua.yml"].replace("/etc/prometheus/rules", str(tmp_path)))
    assert "1 rule files found" in told(require("promtool"), "check", "config", str(config))
    assert "SUCCESS" in told(require("promtool"), "check", "rules", str(rules))


def command(files: dict[str, str], unit: str, **places: str) -> list[str]:
    """The unit's command as the drop-in has it, with paths and addresses of this test."""
    line = re.search(r"^ExecStart=(/.*)$", files[f"server/{UNITS_FOLDER}/{unit}.service.d/motcua.conf"], re.MULTILINE)
    assert line is not None
    given = dict(word.removeprefix("--").split("=", 1) for word in line[1].split()[1:])
    return [f"--{name}={places.get(name, value)}" for name, value in given.items()]


def answered(port: int, path: str) -> bytes:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as one:
        one.request("GET", path)
        answer = one.getresponse()
        return answer.read() if answer.status == 200 else b""


@pytest.mark.parametrize("unit", ["prometheus", "prometheus-alertmanager"])
def test_prometheus_and_alertmanager_start_on_the_bundle(
    files: dict[str, str], require: Callable[[str], str], tmp_path: Path, unit: str
) -> None:
    (tmp_path / "motcua.yaml").write_text(files["server/etc/prometheus/rules/motcua.yaml"])
    name, port, log = (
        unit.replace("prometheus-", "motcua-").replace("prometheus", "motcua"),
        free_port(),
        tmp_path / "log",
    )
    text = files[f"server/etc/prometheus/{name}.yml"].replace("/etc/prometheus/rules", str(tmp_path))
    (tmp_path / "config").write_text(text)
    places = {"config.file": str(tmp_path / "config"), "web.listen-address": f"127.0.0.1:{port}"}
    kept = {"storage.tsdb.path": str(tmp_path / "kept"), "storage.path": str(tmp_path / "kept")}
    words = [require(unit), *command(files, unit, **places, **kept)]
    with running(words, log) as process:
        until(lambda: listens(port) and bool(answered(port, "/-/ready")), process, log)
        if unit == "prometheus":
            assert b"MotcuaIngestNotReady" in answered(port, "/api/v1/rules")


def test_amtool_takes_the_routes_and_a_centres_alert_goes_with_the_centre(
    files: dict[str, str], require: Callable[[str], str], tmp_path: Path
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(files["server/etc/prometheus/motcua-alertmanager.yml"])
    amtool = require("amtool")
    told(amtool, "check-config", str(path))
    route = [amtool, "config", "routes", "test", f"--config.file={path}"]
    assert told(*route, "alertname=MotcuaDevicesDown", "centre=vn83-83").split()[0] == "centres"
    assert told(*route, "alertname=MotcuaIngestNotReady").split()[0] == "ops"
    burning = ["alertname=MotcuaAvailability", "severity=page"]
    assert told(*route, *burning, "scope=centre:vn83-83", "centre=vn83-83").split()[0] == "centres"
    assert told(*route, *burning, "scope=system:vn83-portal").split()[0] == "centres"
    assert told(*route, "alertname=MotcuaObjectiveBurns", "severity=page", "scope=centre:a").split()[0] == "centres"
    assert told(*route, "alertname=MotcuaTargetMissed", "severity=warning", "kpi=DG-01").split()[0] == "ops"
    weekly = next(r for r in yaml.safe_load(path.read_text())["route"]["routes"] if "MotcuaTarget" in r["matchers"][0])
    assert weekly["repeat_interval"] == "168h"
    for unseen in ("MotcuaWatchdog", "MotcuaClosed"):
        assert told(*route, f"alertname={unseen}", "severity=none", "centre=vn83-83").split()[0] == "nobody"


def test_amtool_takes_the_way_to_an_outside_watcher(require: Callable[[str], str], tmp_path: Path) -> None:
    wanted = StackOptions.model_validate({"stage": "prod", "target": "local"})
    found = build_plan(WORLD, wanted, wanted.pki.epoch, provisioned_files(WORLD))
    text = render_yaml(alertmanager_configuration(found, AlertReceiver(watchdog_file="/secrets/watchdog")))
    path = tmp_path / "alertmanager.yml"
    # Debian's amtool 0.25 does not know url_file, which Alertmanager has since 0.26.
    path.write_text(text.replace("url_file: /secrets/watchdog", "url: http://127.0.0.1/"))
    amtool = require("amtool")
    told(amtool, "check-config", str(path))
    route = [amtool, "config", "routes", "test", f"--config.file={path}"]
    assert told(*route, "alertname=MotcuaWatchdog", "severity=none").split()[0] == "watchdog"
    assert told(*route, "alertname=MotcuaClosed", "severity=none").split()[0] == "nobody"


def test_rollup_of_the_bundle_is_told_where_alertmanager_listens(files: dict[str, str]) -> None:
    drop_in = files[f"server/{UNITS_FOLDER}/prometheus-alertmanager.service.d/motcua.conf"]
    listen = re.search(r"--web.listen-address=(\S+)", drop_in)
    assert listen is not None
    settings = files["server/etc/motcua/motcua.env"]
    assert f"MOTCUA_ALERTMANAGER=http://{listen[1]}\n" in settings
    state = re.search(r"^MOTCUA_STATE=/var/lib/(\w+)/", settings, re.MULTILINE)
    assert state is not None
    assert f"StateDirectory={state[1]}\n" in files[f"server/{UNITS_FOLDER}/motcua-rollup.service"]


def test_cloud_init_takes_both_user_data(files: dict[str, str], require: Callable[[str], str], tmp_path: Path) -> None:
    cloud = {"stage": "dev", "target": "openstack", "openstack": {"deviceSources": ["10.0.0.0/8"]}}
    wanted = StackOptions.model_validate(cloud)
    packed = document.user_data(build_plan(WORLD, wanted, wanted.pki.epoch, provisioned_files(WORLD)), wanted, WORLD)
    for name, text in (("host", files[CLOUD_INIT_FILE]), ("openstack", packed)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        assert "Valid cloud-config" in told(require("cloud-init"), "schema", "-c", str(path))


def test_shell_takes_every_command(files: dict[str, str], require: Callable[[str], str], tmp_path: Path) -> None:
    programs = {path: text for path, text in files.items() if text.startswith("#!/bin/sh")}
    assert len(programs) == 4
    for text in programs.values():
        path = tmp_path / "program"
        path.write_text(text)
        assert told(require("sh"), "-n", str(path)) == ""


def test_keys_and_requests_are_made_once_and_certificates_go_to_their_places(
    files: dict[str, str], require: Callable[[str], str], tmp_path: Path
) -> None:
    require("openssl")
    program, folder, etc = tmp_path / "request", tmp_path / "requests", tmp_path / "etc"
    text = files["server/usr/local/sbin/motcua-request-certificates"].replace("/etc/motcua", str(etc))
    program.write_text(text.replace(" -g mosquitto", ""))
    assert "still to come" in told("sh", str(program), str(folder))
    keys = {path.name: path.read_text() for path in folder.glob("*.key")}
    assert set(keys) == {"server.key", "motcua-ingest-1.key", "motcua-ingest-2.key", "motcua-rollup.key"}
    asked = told("openssl", "req", "-in", str(folder / "server.csr"), "-noout", "-text", "-verify")
    assert "DNS:localhost, IP Address:127.0.0.1" in asked
    for name in ("ca", "crl", *(key.removesuffix(".key") for key in keys)):
        (folder / f"{name}.pem").write_text(name)
    assert "installed" in told("sh", str(program), str(folder))
    assert {path.name: path.read_text() for path in folder.glob("*.key")} == keys
    assert (etc / "tls/motcua-rollup.key").read_text() == keys["motcua-rollup.key"]
    assert (etc / "tls/motcua-rollup.key").stat().st_mode & 0o777 == 0o600


class Front:
    """nginx on the bundle's configuration before a real API, both on free ports of the loopback."""

    def __init__(self, folder: Path, api: int) -> None:
        self.pki, self.https, self.http = Pki(folder / "pki"), free_port(), free_port()
        user = "root" if os.geteuid() == 0 else "nobody"
        site = NginxSettings(
            f"127.0.0.1:{api}", f"127.0.0.1:{self.http}", f"127.0.0.1:{self.https}",
            str(self.pki.server.cert), str(self.pki.server.key), user, str(folder / "pid"), str(folder),
        )  # fmt: skip
        self.conf = folder / "nginx.conf"
        self.conf.write_text(render_nginx(site))

    @contextlib.contextmanager
    def ask(
        self, path: str, context: ssl.SSLContext | None = None, source: str = "127.0.0.1"
    ) -> Iterator[http.client.HTTPResponse]:
        trust = context or ssl.create_default_context(cafile=str(self.pki.ca))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.https, timeout=START_S, context=trust, source_address=(source, 0)
        )
        with contextlib.closing(connection):
            connection.request("GET", path)
            with contextlib.closing(connection.getresponse()) as answer:
                yield answer


@pytest.fixture
def front(require: Callable[[str], str], tmp_path: Path) -> Iterator[Front]:
    api = free_port()
    one = Front(tmp_path, api)
    told(require("nginx"), "-t", "-q", "-c", str(one.conf))
    SqliteStore(tmp_path / "store.db").close()
    env = {**os.environ, "MOTCUA_STORE": f"sqlite:///{tmp_path}/store.db", "MOTCUA_LOG": "warning"}
    words = [sys.executable, "-m", "motcua", "api", "--listen", f"127.0.0.1:{api}"]
    nginx = [require("nginx"), "-c", str(one.conf), "-g", "daemon off;"]
    log = tmp_path / "log"
    with running(words, tmp_path / "api.log", env) as process, running(nginx, log) as proxy:
        until(lambda: listens(api), process, tmp_path / "api.log")
        until(lambda: listens(one.https), proxy, log)
        yield one


def test_nginx_serves_the_api_by_tls_and_streams_at_once(front: Front) -> None:
    with front.ask("/healthz") as page:
        assert (page.status, json.loads(page.read())["status"]) == (200, "ok")
        assert page.headers["strict-transport-security"] == "max-age=31536000"
    with front.ask("/api/v1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = stream.readline()  # the stream does not end: it is here because nothing holds it back
        assert first.startswith((b"event:", b"id:", b"data:", b"retry:"))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", front.http, timeout=START_S)) as plain:
        plain.request("GET", "/api/v1/status", headers={"Host": "motcua.example"})
        moved = plain.getresponse()
        assert (moved.status, moved.headers["location"]) == (308, "https://motcua.example/api/v1/status")


FIGURES = {
    "/metrics": 200,
    "/metrics/devices?centre=vn83-83": 200,
    "/metrics/centre?centre=vn83-83": 200,
    "/metrics/slos?slo=nobodys": 404,
}
"""Pages of figures, and what the API itself answers: so they are there to be closed."""
STRANGER = "127.0.0.2"
"""Not one of the addresses by which this machine asks itself."""


def test_nginx_shows_figures_to_its_own_machine_alone(front: Front) -> None:
    for path, status in FIGURES.items():
        with front.ask(path) as page:
            assert (path, page.status) == (path, status)
    disguised = ("//metrics", "/metrics/", "/%6detrics", "/x/../metrics", "/api/..%2fmetrics", "/metrics%2fdevices")
    for path in (*FIGURES, *disguised, "/metrics/devices/", "/metrics/anything"):
        with front.ask(path, source=STRANGER) as page:
            assert (path, page.status) == (path, 403)
    with front.ask("/healthz", source=STRANGER) as page:
        assert page.status == 200


def test_nginx_speaks_no_old_tls_and_logs_no_address(front: Front) -> None:
    old = ssl.create_default_context(cafile=str(front.pki.ca))
    old.set_ciphers("DEFAULT@SECLEVEL=0")  # without it this side would refuse
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"), front.ask("/healthz", old):
        pass
    with front.ask("/healthz") as page:
        page.read()
    log = front.conf.parent / "access.log"
    deadline = time.monotonic() + START_S
    while "/healthz 200" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "127.0.0.1" not in log.read_text()


PLANTED = {name: f"planted-{name}" for name in SECRET_NAMES}


def test_no_file_holds_a_secret_of_the_stack_or_one_of_its_own(files: dict[str, str]) -> None:
    cloud = {"stage": "dev", "target": "openstack", "openstack": {"deviceSources": ["10.0.0.0/8"]}}
    wanted = parse_options({**cloud, **PLANTED}, "Pulumi.try.yaml")  # as the engine gives them, decrypted
    found = build_plan(WORLD, wanted, wanted.pki.epoch, provisioned_files(WORLD))
    made = {
        **files,
        **render_bundle(WORLD, HostLayout(), stack_plan=found),
        "user-data": document.user_data(found, wanted, WORLD),
    }
    opened = {path: text + "".join(unpacked(text)) for path, text in made.items()}
    assert "motcua-set-up-influxdb" in opened[CLOUD_INIT_FILE]
    secret = re.compile(r"planted-|PRIVATE KEY|MOTCUA_STORE_TOKEN=\S*[0-9a-f]{16}|Token [0-9A-Za-z_=-]{20}")
    assert [path for path, text in opened.items() if secret.search(text)] == []


def unpacked(text: str) -> Iterator[str]:
    """Yield what user data carries compressed."""
    if text.startswith("#cloud-config"):
        for one in yaml.safe_load(text)["write_files"]:
            if one.get("encoding") == "gz+b64":
                yield gzip.decompress(base64.b64decode(one["content"])).decode()
