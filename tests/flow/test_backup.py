"""The backup that the host bundle brings: what was saved comes back with the same figures, from both stores."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from infra.host import server_setup
from motcua.system import wall_ms
from telemetry import wiring
from telemetry.core.calendar.windows import Window
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import TicketIssued
from telemetry.core.protocol.topics import Topic
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.flow.conftest import House
    from tests.flow.device import Until, Wire

pytestmark = pytest.mark.flow
KIOSK = Topic("vn83-83", "vn83-83-kiosk1", "up")
COUNT = 400
LONG_AGO = 1_600_000_000
SYSTEMCTL = """#!/bin/sh
# Stands for systemctl: ends the processes named in `pids` and waits for them, as `systemctl stop` does.
echo "$*" >>"{folder}/asked"
[ "$1" = stop ] || exit 0
for pid in $(cat "{folder}/pids"); do
  kill "$pid" 2>/dev/null || continue
  while [ -d "/proc/$pid" ] && ! grep -q ') Z ' "/proc/$pid/stat" 2>/dev/null; do sleep 0.02; done
done
"""


class Machine:
    """A folder that stands for the server's disk, with the backup command and a systemctl of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = [folder / "influxdb", folder / "motcua", folder / "never-made"]
        self.program, self._systemctl = folder / "motcua-backup", folder / "systemctl"
        self.program.write_text(server_setup.backup_files("# head")[server_setup.BACKUP_COMMAND])
        self._systemctl.write_text(SYSTEMCTL.format(folder=folder))
        for path in (self.program, self._systemctl):
            path.chmod(0o755)
        self.runs()

    def runs(self, *pids: int) -> None:
        (self.folder / "pids").write_text(" ".join(map(str, pids)))

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "MOTCUA_BACKUP_PARTS": " ".join(map(str, self.parts)),
            "MOTCUA_BACKUP_SYSTEMCTL": str(self._systemctl),
        }
        return subprocess.run([self.program, *words], capture_output=True, text=True, check=False, env=env, timeout=60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def influx(influxd_program: str, machine: Machine) -> Iterator[InfluxServer]:
    server = InfluxServer(influxd_program, machine.parts[0]).start()
    yield server
    server.end()


def post(server: InfluxServer, path: str, kind: str, body: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    with closing(connection):
        connection.request("POST", path, body, {"Authorization": f"Token {server.token}", "Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status < 300, text
    return text


def written(server: InfluxServer) -> None:
    lines = "\n".join(f"total,centre=c{n % 7} served={n}i {(LONG_AGO + n) * 10**9}" for n in range(COUNT))
    post(server, f"/api/v2/write?org={server.org}&bucket=kept&precision=ns", "text/plain", lines)


def figures(server: InfluxServer) -> list[str]:
    """Count and sum of every centre."""
    flux = """data = from(bucket: "kept") |> range(start: 0) |> filter(fn: (r) => r._measurement == "total")
        union(tables: [data |> count(), data |> sum()]) |> keep(columns: ["centre", "_value"]) |> sort()"""
    answer = post(server, f"/api/v2/query?org={server.org}", "application/vnd.flux", flux)
    return sorted(re.findall(r"\d+,c\d", answer) or re.findall(r"c\d,\d+", answer))


def test_influxdb_comes_back_with_the_same_figures(machine: Machine, influx: InfluxServer) -> None:
    influx.make_bucket("kept")
    written(influx)
    before = figures(influx)
    assert len(before) == 14
    machine.runs(influx.pid)
    saved = machine.call("save", str(machine.folder / "saved"))
    assert saved.returncode == 0, saved.stderr
    assert not influx.running
    assert machine.asked() == ["stop motcua.target influxdb.service", "start influxdb.service motcua.target"]
    shutil.rmtree(machine.parts[0])
    back = machine.call("restore", str(machine.folder / "saved"))
    assert back.returncode == 0, back.stderr
    influx.gone()
    influx.start()
    assert figures(influx) == before


def test_what_came_after_the_backup_is_moved_aside_and_not_deleted(machine: Machine, influx: InfluxServer) -> None:
    influx.make_bucket("kept")
    machine.runs(influx.pid)
    assert machine.call("save", str(machine.folder / "saved")).returncode == 0
    influx.gone()
    influx.start()
    written(influx)
    machine.runs(influx.pid)
    back = machine.call("restore", str(machine.folder / "saved"))
    assert back.returncode == 0, back.stderr
    influx.gone()
    influx.start()
    assert figures(influx) == []
    influx.end()
    machine.parts[0].rename(machine.folder / "restored")
    aside = next(machine.folder.glob("influxdb.before-restore-*"))
    aside.rename(machine.parts[0])
    influx.gone()
    influx.start()
    assert len(figures(influx)) == 14


def frames(count: int) -> Iterator[bytes]:
    now = wall_ms() - 3_600_000
    for n in range(1, count, 20):
        events = [TicketIssued(n=m, t=now + m, ticket=f"k{m}", queue="land", service="land") for m in range(n, n + 20)]
        yield codec.encode_frame("spool", "boot", now, [codec.encode_event(event) for event in events])


def all_events(url: str) -> list[tuple[int, str]]:
    with closing(wiring.open_store(url)) as store:
        now = wall_ms()
        known = store.events(KIOSK.centre, Window(now - 10**8, now + 10**8))
    return sorted((s.event.n, s.device) for s in known if s.outbox_id == "spool")


def test_the_embedded_store_comes_back_with_the_same_figures(
    house: House, wire: Callable[[str, Topic], Wire], until: Until
) -> None:
    machine = Machine(house.folder)
    machine.parts[1].mkdir()
    house.store_url = f"sqlite:///{machine.parts[1]}/store.db"
    house.start("broker")
    roles = [house.start("ingest"), house.start("rollup")]
    house.linked(roles[0])
    kiosk = wire(house.mqtt, KIOSK)
    for frame in frames(COUNT):
        kiosk.publish(frame, codec.CONTENT_TYPE)
    until(lambda: house.store.count_events() == COUNT, "all events are stored")
    until(lambda: house.totals(None), "they are folded")
    machine.runs(*(role.process.pid for role in roles))
    saved = machine.call("save", str(house.folder / "saved"))
    assert saved.returncode == 0, saved.stderr
    assert [role.exit_code(5) for role in roles] == [0, 0]
    events, totals = all_events(house.store_url), house.totals(None)
    shutil.rmtree(machine.parts[1])
    assert machine.call("restore", str(house.folder / "saved")).returncode == 0
    assert (all_events(house.store_url), house.totals(None)) == (events, totals)
    assert len(events) == COUNT


def test_a_copy_of_the_running_embedded_store_is_whole(
    house: House, wire: Callable[[str, Topic], Wire], until: Until
) -> None:
    """The same call as `sqlite3 store.db ".backup copy.db"`, while ingest writes."""
    house.start("broker")
    house.linked(house.start("ingest"))
    kiosk = wire(house.mqtt, KIOSK)
    copy = house.folder / "copy.db"
    for n, frame in enumerate(frames(COUNT)):
        kiosk.publish(frame, codec.CONTENT_TYPE)
        if n == COUNT // 40:
            until(lambda: house.store.count_events() >= 20, "some events are stored")
            source = sqlite3.connect(house.store_url.removeprefix("sqlite:///"))
            with closing(source), closing(sqlite3.connect(copy)) as target:
                source.backup(target)
                assert target.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = [n for n, _ in all_events(f"sqlite:///{copy}")]
    assert rows == list(range(1, len(rows) + 1))
    assert len(rows) >= 20


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("save",), "usage"),
        (("destroy", "/x"), "usage"),
        (("save", "relative"), "absolute path"),
        (("restore", "{folder}/nothing"), "not a finished backup"),
        (("restore", "{folder}/damaged"), "is damaged"),
        (("save", "{folder}/damaged"), "exists already"),
    ],
)
def test_wrong_calls_stop_nothing(machine: Machine, words: tuple[str, ...], says: str) -> None:
    damaged = machine.folder / "damaged"
    damaged.mkdir()
    (damaged / "SHA256SUMS").write_text("0" * 64 + "  ./gone\n")
    answer = machine.call(*(word.format(folder=machine.folder) for word in words))
    assert answer.returncode == 1
    assert says in answer.stderr
    assert not (machine.folder / "asked").exists()


def test_roles_are_started_again_when_the_copy_fails(machine: Machine) -> None:
    machine.parts[1].mkdir()
    (machine.folder / "file").write_text("in the way")
    answer = machine.call("save", str(machine.folder / "file" / "saved"))
    assert answer.returncode != 0
    assert machine.asked()[-1] == "start influxdb.service motcua.target"
