"""Roles in their own processes on free ports, a device on the wire, and waiting without luck. Fixtures only.

A `House` is one store with the roles around it.  Every wait has a condition and a deadline, only processes
that a house started are ended, each by its id, and a failed test shows what the roles wrote.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.mapping import document, importer
from telemetry import inventory, wiring
from tests.flow.device import Wire, wait_until
from tests.mosquitto import Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.core.protocol.topics import Topic
    from telemetry.store import Store
    from tests.flow.device import Until

MOTCUA = str(Path(sys.executable).with_name("motcua"))
BANK = "bank-1999-02-first-half.tsv"
BANK_EVENTS = 49_031
LOG_MS = (917_733_600_000, 919_116_000_000)
"""[1999-01-31, 1999-02-16) in Israel: all totals of the bank's log, none of the present connections'."""
TAIL = 8_000
_houses: list[House] = []


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listening(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(0.5)
        return caller.connect_ex(("127.0.0.1", port)) == 0


class Role:
    """One process of ours and its log."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.command, self.log, self._env = tuple(command), log, dict(env)
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as out:
            return subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._env)

    def start_again(self) -> None:
        assert not self.running, "it still runs"
        self.process = self._spawn()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait(60)

    def exit_code(self, within: float = 180.0) -> int:
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not within {within:g} s: {' '.join(self.command)} ends")

    def end(self) -> None:
        if self.running:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def text(self) -> str:
        return self.log.read_text(errors="replace")


class House:
    """One store and the roles around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.mqtt = f"mqtt://127.0.0.1:{self.port}"
        self.store_url = f"sqlite:///{folder}/store.db"
        self.roles: list[Role] = []
        (folder / "tmp").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        self._env = {**kept, "TMPDIR": str(folder / "tmp"), "COLUMNS": "200"}

    @cached_property
    def store(self) -> Store:
        """A second reader of the roles' store."""
        return wiring.open_store(self.store_url)

    def run(self, *command: str, label: str = "") -> Role:
        log = self.folder / f"{len(self.roles):02}-{label or Path(command[0]).name}.log"
        self.roles.append(Role(command, log, self._env))
        return self.roles[-1]

    def start(self, name: str, *words: str) -> Role:
        """Start a role of ours and, when it listens, wait until it does."""
        where = ("--mqtt", self.mqtt) if name != "broker" else ("--listen", f"127.0.0.1:{self.port}")
        store = () if name == "broker" else ("--store", self.store_url)
        role = self.run(MOTCUA, name, *words, *store, *where, label=name)
        if name == "broker":
            self.listens(role, self.port)
        return role

    def listens(self, role: Role, port: int) -> None:
        wait_until(lambda: _listening(port) or not role.running, f"{role.command[:2]} listens on {port}")
        assert role.running, role.text()

    def serve_api(self) -> str:
        """Start the API over the store; returns its root."""
        port = _free_port()
        where = ("--store", self.store_url, "--listen", f"127.0.0.1:{port}")
        self.listens(self.run(MOTCUA, "api", *where, label="api"), port)
        return f"http://127.0.0.1:{port}/api/v1"

    def linked(self, role: Role, times: int = 1) -> None:
        """Wait until a role has said so often that its connection stands."""
        wait_until(lambda: role.text().count("linked  ") >= times, f"{role.command[1]} linked {times} times")

    def ends(self, *words: str, within: float = 60.0) -> str:
        """Run a command of ours to its good end; returns what it wrote."""
        role = self.run(MOTCUA, *words, label=words[0])
        assert role.exit_code(within) == 0, role.text()
        return role.text()

    def totals(self, between: tuple[int, int] | None = LOG_MS) -> list[Any]:
        """Every total there is, as rows; `between` leaves out those that start elsewhere."""
        low, high = between or (0, 1 << 62)
        sql = """SELECT unit.text, width, start, scope, province, fields.text, json_remove(sums, '$[0]')
            FROM total JOIN name unit ON unit.id = total.unit JOIN name fields ON fields.id = json_extract(sums, '$[0]')
            WHERE start >= ? AND start < ? ORDER BY 1, 2, 3, 4"""
        with closing(sqlite3.connect(self.store_url.removeprefix("sqlite:///"))) as db:
            return db.execute(sql, (low, high)).fetchall()

    def bytes_written(self) -> bytes:
        """All bytes of the store's files and of the roles' logs."""
        paths = [*self.folder.glob("store.db*"), *self.folder.glob("*.log")]
        return b"".join(path.read_bytes() for path in paths)

    def close(self) -> None:
        for role in reversed(self.roles):
            role.end()
        if "store" in self.__dict__:
            self.store.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the roles wrote when a test failed."""
    report = yield
    if report.failed:
        for role in [role for house in _houses for role in house.roles]:
            report.sections.append((f"log of {' '.join(role.command[1:3])} ({role.log.name})", role.text()[-TAIL:]))
    return report


def _open_house(folder: Path) -> Iterator[House]:
    house = House(folder)
    _houses.append(house)
    try:
        yield house
    finally:
        house.close()
        _houses.remove(house)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    yield from _open_house(tmp_path)


@pytest.fixture(scope="module")
def lasting_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that all tests of a module share."""
    yield from _open_house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def until() -> Until:
    """Return the function that waits for a condition and fails at its deadline."""
    return wait_until


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    """Return a function that opens a device's connection; all are closed at the end."""
    opened: list[Wire] = []

    def make(url: str, topic: Topic, ident: str = "") -> Wire:
        opened.append(Wire(url, topic, ident))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def world() -> Inventory:
    """The sample inventory with the centres of the shipped mappings."""
    imports = tuple(importer.import_centre(document.load_mapping(name)) for name in document.shipped_mappings())
    return inventory.load(inventory.default_path(), imports=imports)


@pytest.fixture(scope="session")
def bank(data_dir: Path) -> str:
    """The path of the bank's call log."""
    path = data_dir / BANK
    if not path.is_file():
        path = data_dir / "queue" / BANK
    assert path.is_file(), f"{path} is missing"
    return str(path)


@pytest.fixture(scope="session")
def replayed(bank: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A store into which the bank's log was replayed once, in one process; tests must leave it as it is."""
    for one in _open_house(tmp_path_factory.mktemp("replayed")):
        one.ends("replay", bank, "--mapping", "bank-1999", "--store", one.store_url, "--json", f"{one.folder}/1.json")
        assert one.store.count_events() == BANK_EVENTS
        yield one


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """Return an authority of the test's own."""
    return Pki(tmp_path / "pki")


@pytest.fixture
def broker(require: Callable[[str], str], tmp_path: Path, pki: Pki) -> Iterator[Mosquitto]:
    """Run a mosquitto with mutual TLS."""
    with Mosquitto(require("mosquitto"), tmp_path / "broker", pki) as one:
        yield one
