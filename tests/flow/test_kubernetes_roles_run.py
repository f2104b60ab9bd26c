"""The roles run with exactly the command, words and environment of their pods; only paths and addresses are put."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.inventory import default_path
from tests.flow.test_kubernetes_broker import Shipped
from tests.kubernetes import container, stack
from tests.pki import Pki
from tests.servers import InfluxServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes import Stack

pytestmark = pytest.mark.flow
READY_S = 60.0
PODS = {"ingest": "ingest-7d9c6b5f4-abcde", "rollup": "rollup-5c6d7-xyz12", "api": "api-66f7d-qwert"}
MOTCUA = str(Path(sys.executable).with_name("motcua"))


class World:
    """A cluster's broker and store on this machine, and its roles as processes."""

    def __init__(self, folder: Path, mosquitto: str, influxd: str) -> None:
        self.stack: Stack = stack()
        self.folder, self.pki = folder, Pki(folder / "pki")
        self.ports = {"services": free_port(), "metrics": free_port(), "http": free_port()}
        files = self.stack.one("ConfigMap", "broker-config")["data"]
        self.broker = Shipped(mosquitto, folder / "broker", self.pki, files, self.ports["services"])
        self.store = InfluxServer(influxd, folder / "influx").start()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._prepare()

    def _prepare(self) -> None:
        """Make the plan's buckets and its tokens, with the plan's rights and no others."""
        plan = self.stack.plan.influx
        for bucket in plan.buckets:
            self.store.make_bucket(bucket.name)
        self.tokens = {}
        for token in plan.tokens:
            named = {way: [one.bucket for one in token.permissions if one.action == way] for way in ("read", "write")}
            _, self.tokens[token.role] = self.store.make_token(**named)

    def begin(self, role: str) -> None:
        inside = container(self.stack.one("Deployment", role)["spec"]["template"])
        environment = {one["name"]: self._value(role, one) for one in inside["env"]}
        words = [word.replace("$(POD_NAME)", environment["POD_NAME"]) for word in inside["args"]]
        words = [self._put(role, word) for word in words]
        assert inside["command"] == ["motcua"]
        environment |= {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        with (self.folder / f"{role}.log").open("wb") as log:
            self.running[role] = subprocess.Popen([MOTCUA, *words], env=environment, stdout=log, stderr=log, cwd="/")

    def _value(self, role: str, one: dict[str, Any]) -> str:
        if one["name"] == "POD_NAME":
            return PODS[role]
        return self._put(role, one["value"]) if "value" in one else str(self.tokens[role])

    def _put(self, role: str, text: str) -> str:
        name = {"ingest": "motcua-ingest-1", "rollup": "motcua-rollup", "api": "motcua-api"}[role]
        own = self.pki.client(name)
        state = self.folder / role
        state.mkdir(exist_ok=True)
        places = {
            "http://influxdb:8086": self.store.url, "/tls/ca.pem": own.ca, "/tls/client.pem": own.cert,
            "/tls/client.key": own.key, "/state/": f"{state}/",
            "broker-internal.motcua.svc:8884": f"127.0.0.1:{self.ports['services']}",
            "0.0.0.0:9101": f"127.0.0.1:{self.ports['metrics']}", "0.0.0.0:8080": f"127.0.0.1:{self.ports['http']}",
        }  # fmt: skip
        for before, after in places.items():
            text = text.replace(before, str(after))
        return str(default_path()) if text == "/inventory" else text

    def page(self, port: str, path: str) -> str:
        """Return a page once it answers well; fails with the role's log after a minute."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=60) as answer:
                    return str(answer.read().decode())
            except OSError:
                time.sleep(0.1)
        logs = [one.read_text() for one in sorted(self.folder.glob("*.log"))]
        raise AssertionError(f"{port}{path} does not answer\n" + "\n".join(logs))

    def end(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(60)
        self.store.kill()
        self.broker.end()


@pytest.fixture
def world(require: Callable[[str], str], influxd_program: str, tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path, require("mosquitto"), influxd_program)
    yield found
    found.end()


def probes(one: Stack, role: str) -> set[str]:
    inside = container(one.one("Deployment", role)["spec"]["template"])
    kinds = ("startupProbe", "livenessProbe", "readinessProbe")
    return {inside[kind]["httpGet"]["path"] for kind in kinds if kind in inside}


def test_every_role_starts_with_what_its_pod_gives_it_and_answers_its_probes(world: World) -> None:
    for role in PODS:
        world.begin(role)
    for role, port in (("ingest", "metrics"), ("api", "http")):
        for path in probes(world.stack, role):
            world.page(port, path)
    figures = world.page("metrics", "/metrics")
    assert "\nmotcua_ingest_lag_seconds 0.0\n" in figures
    assert "\nmotcua_ingest_events_stored_total 0.0\n" in figures
    assert "motcua_build_info" in world.page("http", "/metrics")
    folded(world)
    assert all(process.poll() is None for process in world.running.values())


def folded(world: World) -> None:
    """Wait until rollup has folded, as the API shows it."""
    deadline = time.monotonic() + READY_S
    name = "motcua_rollup_cursor_timestamp_seconds "
    while time.monotonic() < deadline:
        told = [line for line in world.page("http", "/metrics").splitlines() if line.startswith(name)]
        if told and float(told[0].removeprefix(name)) > 0:
            return
        time.sleep(0.2)
    raise AssertionError((world.folder / "rollup.log").read_text())
