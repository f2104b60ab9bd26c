"""mosquitto as `make servers` runs it: on the files that the stack `local` writes, begun anew when they change."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.config.options import StackOptions
from infra.plan import build_plan
from infra.providers.files import FilesKind
from infra.targets.local.documents import broker_files
from telemetry import inventory
from tests.mosquitto import START_S, _listens
from tests.pki import Pki
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "servers.py"
NOTIFY = {"pid_file": "mosquitto.pid", "signal": "TERM", "program": "mosquitto"}


@pytest.fixture(scope="module")
def servers() -> Any:  # noqa: ANN401 - a script, no package
    spec = importlib.util.spec_from_file_location("trial_servers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def broker(servers: Any, require: Callable[[str], str], tmp_path: Path) -> Iterator[Any]:  # noqa: ANN401 - likewise
    """The supervised process; it has not begun."""
    program, pid_file = require("mosquitto"), tmp_path / "broker" / "mosquitto.pid"
    child = servers.Child(
        "mosquitto", tmp_path / "log", lambda: servers.mosquitto(program, tmp_path), pid_file=pid_file
    )
    yield child
    child.end()


FAKE_PULUMI = """#!/bin/sh
echo "$*" >>"$0.calls"
case "$*" in "config get "*" {name}") echo "{value}" ;; esac
"""


@pytest.mark.parametrize(
    ("port", "configured", "expected"),
    [
        (9555, "", ["http://127.0.0.1:9555"]),
        (9555, "http://127.0.0.1:9555", []),
        (8086, "", []),
        (8086, "http://127.0.0.1:9555", ["http://127.0.0.1:8086"]),
    ],
)
def test_the_port_of_the_trial_reaches_the_stack(
    servers: Any,  # noqa: ANN401 - likewise
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    port: int,
    configured: str,
    expected: list[str],
) -> None:
    pulumi, folder = tmp_path / "bin" / "pulumi", tmp_path / "local"
    (folder / "run").mkdir(parents=True)
    pulumi.parent.mkdir()
    pulumi.write_text(FAKE_PULUMI.format(name="motcua:influx.url", value=configured))
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{pulumi.parent}{os.pathsep}{os.environ['PATH']}")
    servers.make_stack(folder, port, {"influxToken": "t"})
    calls = (pulumi.parent / "pulumi.calls").read_text().splitlines()
    start = "config set --path -s local "
    assert [
        call.removeprefix(f"{start}motcua:influx.url ") for call in calls if "set --path" in call and "url" in call
    ] == expected
    assert f"{start}motcua:local.folder {folder}" in calls, "the stack writes where the trial looks"


def tended(broker: Any, condition: Callable[[], bool]) -> None:  # noqa: ANN401 - likewise
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline, broker.log.read_text()
        broker.supervise()
        time.sleep(0.05)


def pid(broker: Any) -> int:  # noqa: ANN401 - likewise
    return broker.process.pid if broker.process else 0


def inputs(folder: Path, pki: Pki, port: int, workers: int) -> dict[str, object]:
    """Return what the target `local` declares for the broker, with this test's certificates."""
    user = "root" if os.geteuid() == 0 else "nobody"
    told = {"stage": "dev", "target": "local", "workers": workers, "broker": {"port": port, "bind": "127.0.0.1"}}
    wanted = StackOptions.model_validate(told)
    found = build_plan(inventory.load(inventory.default_path()), wanted, date(2026, 6, 1))
    certificates = {"ca.pem": pki.ca, "crl.pem": pki.crl, "server.pem": pki.server.cert}
    files = {**broker_files(found, wanted, str(folder), user), **{n: p.read_text() for n, p in certificates.items()}}
    hidden = {"server.key": pki.server.key.read_text()}
    given = {"folder": str(folder), "files": files, "secret_files": hidden, "notify": NOTIFY}
    checked, failures = FilesKind("local").check({}, given)
    assert failures == []
    return dict(checked)


def test_mosquitto_runs_on_the_access_file_that_the_stack_wrote(broker: Any, tmp_path: Path) -> None:  # noqa: ANN401
    kind, folder, pki, port = FilesKind("local"), tmp_path / "broker", Pki(tmp_path / "pki"), free_port()
    broker.supervise()
    assert pid(broker) == 0, "there is nothing to run it on yet"
    ident, outputs = kind.create(inputs(folder, pki, port, workers=1))
    tended(broker, lambda: _listens(port))
    first = pid(broker)
    assert "user motcua-ingest-2" not in (folder / "acl").read_text()
    outputs = kind.update(ident, outputs, inputs(folder, pki, port, workers=2))
    assert outputs["notified"] is True
    tended(broker, lambda: pid(broker) not in {0, first} and _listens(port))
    assert "user motcua-ingest-2" in (folder / "acl").read_text()
    kind.delete(ident, outputs)
    tended(broker, lambda: pid(broker) == 0)
