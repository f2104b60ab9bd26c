"""The fault matrix: whatever dies, is cut, lies or says things twice, each event is stored exactly once.

`ROUNDS` (10) rounds of seed `SEED` (1), from round `FIRST` (0) on, are played against running processes: agents
that take posts and follow a file, mosquitto with certificates and access rules, two ingest workers in a shared
subscription, rollup, InfluxDB.  After each round all events must be in the store, once and as they were said,
the totals must equal a fold from scratch, and completeness must say so.  `make chaos` plays 300.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.flow.faults.cell import Cell, mounted, unmount
from tests.flow.faults.plan import STRIDE_MS, first_start, plan
from tests.flow.faults.rounds import Drill
from tests.flow.faults.surroundings import Embedded, Guarded, Influx, Sqlite
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from telemetry.core.inventory import Inventory
    from tests.flow.faults.plan import Kind
    from tests.flow.faults.surroundings import Broker, Kept

pytestmark = [pytest.mark.flow, pytest.mark.chaos, pytest.mark.slow]
ROUNDS, SEED, FIRST = (
    int(os.environ.get(name, default)) for name, default in (("ROUNDS", 10), ("SEED", 1), ("FIRST", 0))
)
ENOUGH_ROUNDS = 10
TAIL = 3_000
FEWER = min(ROUNDS, max(4, ROUNDS // 5))
NO_DISK = "a full disk needs a small tmpfs, which only root may mount: run the fault matrix as root"
AGAIN = "again: SEED={seed} ROUNDS={rounds} make chaos ARGS='-k {name}'; this round alone: FIRST={first} ROUNDS=1"


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> bool:
    """Whether a small disk can be mounted; under CI it must."""
    folder = tmp_path_factory.mktemp("disk")
    if mounted(folder):
        unmount(folder)
        return True
    if os.environ.get("CI") == "true":
        pytest.fail(NO_DISK)
    return False


class Play(Protocol):
    """Plays rounds on a broker and a store that it makes, and ends everything with the test."""

    def __call__(self, broker: Callable[[], Broker], store: Callable[[], Kept], rounds: int) -> None: ...


@pytest.fixture
def play(
    tmp_path: Path,
    small_disk: bool,
    world: Inventory,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Iterator[Play]:
    with ExitStack() as stack:

        def play_on(broker: Callable[[], Broker], store: Callable[[], Kept], rounds: int) -> None:
            around = broker()
            stack.callback(around.end)
            kept = store()
            stack.callback(kept.end)
            cell = Cell(tmp_path, around, kept, small_disk=small_disk)
            stack.callback(cell.close)
            drill = Drill(cell, stack.enter_context(closing(kept.open())), world, request.node.name)
            stack.callback(drill.hands.close)
            with capsys.disabled(), shown(cell, request.node):
                for line in progress(drill, rounds):
                    request.config.get_terminal_writer().write(f"{line}\n", flush=True)

        yield play_on


def progress(drill: Drill, rounds: int) -> Iterator[str]:
    """Play all rounds, telling of each."""
    cell = drill.cell
    yield f"\n{drill.name}: seed {SEED}, rounds {FIRST} to {FIRST + rounds - 1}, logs in {cell.folder}"
    absent: set[Kind] = {*cell.broker.absent, *cell.store.absent}
    if not cell.small_disk:
        absent.add("disk_full")
        yield f"  without disk_full: {NO_DISK}"
    cell.start()
    drill.warm_up()
    for number in range(FIRST, FIRST + rounds):
        yield one_round(drill, number, rounds, absent)
    finish(drill, rounds)
    yield f"  {drill.summary()}"


@contextmanager
def shown(cell: Cell, node: pytest.Item) -> Iterator[None]:
    """Show what the roles wrote last when something is wrong."""
    try:
        yield
    except BaseException:
        for log in sorted(cell.folder.rglob("*.log")):
            node.add_report_section("call", log.name, log.read_text(errors="replace")[-TAIL:])
        raise


def one_round(drill: Drill, number: int, rounds: int, absent: Collection[Kind]) -> str:
    """Play a round; returns how it went."""
    start = first_start(drill.began, FIRST + rounds) + number * STRIDE_MS
    planned = plan(SEED, number, start, absent)
    began = time.monotonic()
    try:
        drill.play(planned, start)
    except (Exception, pytest.fail.Exception) as wrong:  # noqa: BLE001 - every failure is told with its plan
        again = AGAIN.format(seed=SEED, rounds=number + 1, first=number, name=drill.name)
        pytest.fail(f"round {number} of seed {SEED}: {planned}\n{wrong!s}\n{again}\nlogs in {drill.cell.folder}")
    return f"  round {number:3}  {time.monotonic() - began:5.1f} s  {planned}"


def finish(drill: Drill, rounds: int) -> None:
    """With all agents stopped, judge all once more: every row of every outbox, and the hours of the run itself."""
    drill.stop_agents()
    drill.judge_all()
    if rounds >= ENOUGH_ROUNDS:
        assert drill.ledger.retries > 0, "no post was ever repeated: the faults never met one"
        assert drill.ledger.repeated > 0, "no post was ever repeated after it had been taken"


def test_faults_on_mosquitto_and_influxdb(
    tmp_path: Path, require: Callable[[str], str], influxd_program: str, play: Play
) -> None:
    program = require("mosquitto")
    store = lambda: Influx(InfluxServer(influxd_program, tmp_path / "influx"))  # noqa: E731
    play(lambda: Guarded(program, tmp_path / "broker"), store, ROUNDS)


def test_faults_on_mosquitto_and_sqlite(tmp_path: Path, require: Callable[[str], str], play: Play) -> None:
    program = require("mosquitto")
    play(lambda: Guarded(program, tmp_path / "broker"), lambda: Sqlite(tmp_path / "store.db"), FEWER)


def test_faults_on_the_embedded_default(tmp_path: Path, play: Play) -> None:
    play(lambda: Embedded(tmp_path), lambda: Sqlite(tmp_path / "store.db"), FEWER)
