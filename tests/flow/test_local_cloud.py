"""The loopback servers of the target `local`: who answers what while something is stopped, and who may stop it."""

from __future__ import annotations

import os
import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import msgspec
import pytest

from motcua.local_cloud.control import CloudControl, LocalServer, control_folder
from motcua.local_cloud.probes import local_probes, probe_all
from motcua.local_cloud.servers import LocalCloud
from telemetry.core.fold.live_state import system_now
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.hosted.database_figures import judge_figures
from telemetry.core.inventory import System
from telemetry.core.protocol.events import DatabaseFigures, ProbeResult
from telemetry.errors import MotcuaError
from tests.cloud_examples import ONESTOP, base_declaration
from tests.hosted_network import INSIDE, hosting
from tests.program.network import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from telemetry.core.fold.live_row_types import DatabaseNow
    from telemetry.core.protocol.events import Event
    from tests.flow.device import Until

pytestmark = pytest.mark.flow
DATABASE = next(one for one in base_declaration().components if one.kind == "database")
WEB, APP, DB = (f"{ONESTOP}/{part}" for part in ("web", "app", "db"))


class Running:
    """The servers of the one-stop system and their control folder."""

    def __init__(self, folder: Path) -> None:
        self.cloud, self.control = LocalCloud(base_declaration(), lambda: NOW), CloudControl(folder)
        self.servers = self.cloud.servers
        self.control.open_as_server("http://127.0.0.1:1", self.servers)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.cloud.run, args=(self.control, self.ended))
        self.thread.start()

    def order(self, path: str, *, is_stopped: bool) -> None:
        self.control.set_stopped(os.getpid(), self.servers[path], is_stopped=is_stopped)

    def ask(self, path: str, address: str = "/healthz") -> tuple[int, str]:
        """Return the status and the body of a component's answer, 0 when it refuses the connection."""
        try:
            with urllib.request.urlopen(f"http://{self.servers[path].address}{address}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def connects(self, path: str) -> bool:
        host, _, port = self.servers[path].address.partition(":")
        with socket.socket() as client:
            return client.connect_ex((host, int(port))) == 0

    def end(self) -> None:
        self.ended.set()
        self.thread.join(10)
        self.control.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    built = Running(tmp_path / "cloud")
    yield built
    built.end()


def test_a_component_answers_its_health_path_alone(running: Running) -> None:
    assert set(running.servers) == {WEB, APP, DB}
    assert running.ask(WEB) == (200, '{"status":"ok"}')
    assert running.ask(WEB, "/healthz?deep=1")[0] == 200
    assert running.ask(WEB, "/admin")[0] == 404
    assert running.connects(DB)


def test_what_calls_a_stopped_database_fails_and_says_why(running: Running, until: Until) -> None:
    running.order(DB, is_stopped=True)
    until(lambda: not running.connects(DB), "the database is stopped")
    failing = (503, f'{{"status":"failing","because":"{ONESTOP}--db does not answer"}}')
    assert (running.ask(APP), running.ask(WEB)) == (failing, failing)
    address = running.servers[DB].address
    running.order(DB, is_stopped=False)
    until(lambda: running.connects(DB), "the database runs again")
    assert running.ask(WEB)[0] == 200
    assert running.servers[DB].address == address


def test_probes_are_reported_by_every_vantage_point(running: Running, until: Until) -> None:
    probes = local_probes(hosting(), running.servers, lambda: NOW, 2.0)
    events = probe_all(probes)
    figures = [e for rows in events.values() for e in rows if isinstance(e, DatabaseFigures)]
    assert [(e.system, e.instances, e.archive_waiting) for e in figures] == [(f"{ONESTOP}--db", 3, 0)]
    assert {one.state for one in judge_figures(base_declaration(), DATABASE, shown(figures[0]), NOW)} == {"good"}
    seen = {device: {(e.system, e.kind, e.ok) for e in probes_of(rows)} for device, rows in events.items()}
    outer = {(ONESTOP, "http", True)}
    inner = {(f"{ONESTOP}--{c}", kind, True) for c, kind in (("web", "http"), ("app", "http"), ("db", "tcp"))}
    assert seen == {"vn83-a-gateway1": outer, "vn83-b-gateway1": outer, INSIDE: inner}
    assert {e.every_ms for rows in events.values() for e in rows} == {30_000}  # type: ignore[attr-defined]
    running.order(APP, is_stopped=True)
    until(lambda: not running.connects(APP), "the application is stopped")
    results = {(e.system, e.ok, e.error) for rows in probe_all(probes).values() for e in probes_of(rows)}
    assert results == {
        (ONESTOP, False, "status"), (f"{ONESTOP}--web", False, "status"), (f"{ONESTOP}--app", False, "refused"),
        (f"{ONESTOP}--db", True, None),
    }  # fmt: skip


def test_a_stopped_database_has_no_instance_and_no_figure(running: Running, until: Until) -> None:
    probes = local_probes(hosting(), running.servers, lambda: NOW, 2.0)
    running.order(DB, is_stopped=True)
    until(lambda: not running.connects(DB), "the database is stopped")
    (figures,) = (e for rows in probe_all(probes).values() for e in rows if isinstance(e, DatabaseFigures))
    states = {one.id: one.state for one in judge_figures(base_declaration(), DATABASE, shown(figures), NOW)}
    assert states.pop("instances") == "bad"
    assert set(states.values()) == {"unknown"}


def probes_of(rows: Iterable[Event]) -> list[ProbeResult]:
    return [event for event in rows if isinstance(event, ProbeResult)]


def shown(figures: DatabaseFigures) -> DatabaseNow | None:
    system = System(figures.system, "", "", "component")
    return system_now(system, [SourcedEvent(INSIDE, "s", figures)], NOW).database


def test_only_one_running_demo_is_found_and_only_by_its_owner(tmp_path: Path) -> None:
    control = CloudControl(control_folder(tmp_path))
    with pytest.raises(MotcuaError, match="start `motcua demo`"):
        control.table()
    control.open_as_server("http://127.0.0.1:1", {})
    assert control.table().servers == {}
    control.folder.chmod(0o755)
    with pytest.raises(MotcuaError, match="only you may enter"):
        control.table()
    control.folder.chmod(0o700)
    control.close()
    control.close()
    with pytest.raises(MotcuaError, match="start `motcua demo`"):
        control.table()


def test_a_demo_that_died_is_not_running_and_its_orders_end_with_it(tmp_path: Path) -> None:
    control, server = CloudControl(tmp_path / "cloud"), LocalServer("a--b", "web", "127.0.0.1:1")
    control.open_as_server("http://127.0.0.1:1", {"a/b": server})
    control.set_stopped(os.getpid(), server, is_stopped=True)
    assert control.stopped_nodes(os.getpid()) == {"a--b"}
    file = control.folder / f"servers-{os.getpid()}.json"
    table = msgspec.json.decode(file.read_bytes())
    file.write_bytes(msgspec.json.encode(table | {"pid": 2**22 + 1}))
    with pytest.raises(MotcuaError, match="start `motcua demo`"):
        control.table()
    control.close()
    control.open_as_server("http://127.0.0.1:1", {"a/b": server})
    assert control.stopped_nodes(os.getpid()) == frozenset()
    assert CloudControl(tmp_path / "none").stopped_nodes(os.getpid()) == frozenset()


def test_a_second_demo_that_ended_does_not_hide_the_first(tmp_path: Path) -> None:
    control, server = CloudControl(tmp_path / "cloud"), LocalServer("a--b", "web", "127.0.0.1:1")
    control.open_as_server("http://127.0.0.1:1", {"a/b": server})
    own = control.folder / f"servers-{os.getpid()}.json"
    os.utime(own, ns=(1, 1))
    for pid, is_ended in ((os.getppid(), False), (2**22 + 1, True)):
        second = {"pid": pid, "url": "http://127.0.0.1:2", "servers": {}}
        file = control.folder / f"servers-{pid}.json"
        file.write_bytes(msgspec.json.encode(second))
        assert control.table().pid == (os.getpid() if is_ended else pid), "the one that started last is meant"
        if not is_ended:
            file.unlink()
    control.set_stopped(os.getpid(), server, is_stopped=True)
    assert control.stopped_nodes(os.getppid()) == frozenset(), "each demo has orders of its own"
    control.open_as_server("http://127.0.0.1:1", {"a/b": server})
    assert [path.name for path in control.folder.glob("servers-*")] == [own.name], "what a dead one left is removed"
    assert control.stopped_nodes(os.getpid()) == frozenset()
    control.close()


def test_a_client_that_sends_nothing_delays_nobody(running: Running) -> None:
    host, _, port = running.servers[WEB].address.partition(":")
    with socket.create_connection((host, int(port))):
        assert running.ask(WEB)[0] == 200


def test_the_default_folder_is_the_users_own() -> None:
    name: Callable[[], str] = lambda: control_folder(None).name  # noqa: E731
    assert name().startswith("motcua-cloud-")
