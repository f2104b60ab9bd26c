"""A replay that could not feed its log must never end as done."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from rich.console import Console

from edge_agent.mapping import document, importer
from motcua import replay, system
from telemetry import inventory
from telemetry.core.calendar.windows import Window
from telemetry.core.scope import Scope
from telemetry.errors import MotcuaError
from telemetry.store import BACKLOG_HOURS_CHECKPOINT, STALE_HOURS_CHECKPOINT, ChangeRecord

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

WIDTHS: tuple[BucketWidth, ...] = ("5m", "1h", "1d")
HEADER = "case,channel,department,started,ended,planned_end,deadline,events,first_event,last_event\n"
ROW = "c-1,Desk,General,2010-10-01T00:00:00+02:00,,2010-11-26T00:00:00+01:00,2010-11-26T00:00:00+01:00,1,,\n"


def job(folder: Path) -> replay.ReplayJob:
    (folder / "log.csv").write_text(HEADER + ROW)
    return replay.parse_job(folder / "log.csv", "coselog-receipt", "", (f"sqlite:///{folder / 's.db'}", None), "max")


def world() -> Inventory:
    imports = [importer.import_centre(document.load_mapping("coselog-receipt"))]
    return inventory.load(inventory.default_path(), imports=imports)


def test_replay_whose_feed_fails_before_the_first_row_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr(replay.ReplaySource, "run", broken)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    with pytest.raises(OSError, match="disk gone"):
        replay.run_replay(job(tmp_path), world, Console(quiet=True))


def test_replay_that_was_not_fed_whole_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay.ReplaySource, "run", lambda *_: None)
    with pytest.raises(MotcuaError, match="only 0 of 1"):
        replay.run_replay(job(tmp_path), world, Console(quiet=True))


def test_replay_reports_what_was_fed(tmp_path: Path) -> None:
    report = replay.run_replay(job(tmp_path), world, Console(quiet=True)).as_json("sqlite:///s.db", "127.0.0.1:8080")
    assert (report["rows"], report["new"], report["refused"]) == (1, 1, 0)


def test_an_ingest_that_does_not_know_the_centre_ends_the_replay_at_once(tmp_path: Path) -> None:
    undeclared = inventory.load(inventory.default_path())
    with pytest.raises(MotcuaError, match="deferred 1 rows: declare replay-coselog-receipt in the inventory"):
        replay.run_replay(job(tmp_path), lambda: undeclared, Console(quiet=True))


BANK_LOG = """\
vru+line\tcall_id\tpriority\ttype\tdate\tvru_entry\tvru_exit\tvru_time\tq_start\tq_exit\tq_time\toutcome\tser_start\tser_exit\tser_time\tserver
AA0101\t34536\t0\tPS\t990201\t7:02:47\t7:02:56\t9\t0:00:00\t0:00:00\t0\tAGENT\t7:02:55\t7:05:41\t166\tA01
AA0101\t34539\t2\tPS\t990201\t8:09:16\t8:09:22\t6\t8:09:22\t8:09:27\t5\tHANG\t0:00:00\t0:00:00\t0\tNO_SERVER
"""
LAST_EVENT = 917_849_367_000
"""1999-02-01 08:09:27 in Israel, Unix ms."""


@pytest.mark.parametrize("later_s", [10, 3600], ids=["within-the-last-five-minutes", "an-hour-later"])
def test_a_second_replay_adds_and_changes_no_total(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later_s: int
) -> None:
    (tmp_path / "log.tsv").write_text(BANK_LOG)
    job = replay.parse_job(tmp_path / "log.tsv", "bank-1999", "", (f"sqlite:///{tmp_path / 's.db'}", None), "max")
    imports = [importer.import_centre(document.load_mapping("bank-1999"))]
    declared = inventory.load(inventory.default_path(), imports=imports)
    by_run = []
    for run in range(2):
        began, start = system.monotonic_ms(), LAST_EVENT + 10_000 + run * later_s * 1000
        monkeypatch.setattr(system, "wall_ms", lambda began=began, start=start: start + system.monotonic_ms() - began)
        result = replay.run_replay(job, lambda: declared, Console(quiet=True))
        store = job.open_store()
        by_run.append([t for width in WIDTHS for t in store.totals([job.centre], width, Window(0, 1 << 45))])
        store.close()
        assert result.log.new_count == (0 if run else 5)
    assert by_run[0] == by_run[1] != []
    assert {Scope(total.scope).kind for total in by_run[0]} == {"desk", "counters"}


class FoldingStore:
    """A store whose rollup is at another position at each reading; the clock goes on a minute with it."""

    def __init__(self, positions: list[tuple[int, int, int]]) -> None:
        """`positions` are the cursor, the hours of the backlog and the stale ones."""
        self.positions, self.minutes = positions, 0

    def changes_since(self, _: int) -> list[ChangeRecord]:
        return [ChangeRecord("c1", 0, 1, CHANGED_AT)]

    def cursor(self) -> int:
        self.minutes += 1
        return self._position()[0]

    def checkpoint(self, name: str) -> int:
        return self._position()[1 + (BACKLOG_HOURS_CHECKPOINT, STALE_HOURS_CHECKPOINT).index(name)]

    def _position(self) -> tuple[int, int, int]:
        return self.positions[min(max(self.minutes - 1, 0), len(self.positions) - 1)]


CHANGED_AT = 1 << 52
"""When the last change was written, Unix µs: later than now."""


def wait_folded(store: FoldingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what the bar showed."""
    clock = SimpleNamespace(monotonic=lambda: 60.0 * store.minutes, sleep=lambda _: None)
    monkeypatch.setattr(replay, "time", clock)
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    replay._wait_folded(job(tmp_path), cast("Store", store), console)
    return cast("io.StringIO", console.file).getvalue()


def test_an_import_waits_for_hours_whose_service_period_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FoldingStore([(5, 0, 0), (5, 300, 0), (CHANGED_AT + 1, 0, 120), (CHANGED_AT + 2, 0, 0)])
    shown = wait_folded(store, tmp_path, monkeypatch)
    assert store.minutes == 4
    assert "fold hours" in shown
    assert "300/300" in shown


def test_a_long_fold_that_goes_on_is_no_failure_and_one_that_stops_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts and folds have ten minutes each to go on: an hour of folding is no failure."""
    store = FoldingStore([*((5, hours, 0) for hours in range(60, 0, -1)), (CHANGED_AT + 1, 0, 0)])
    wait_folded(store, tmp_path, monkeypatch)
    assert store.minutes == 61
    with pytest.raises(MotcuaError, match="motcua rollup"):
        wait_folded(FoldingStore([(5, 60, 0), (5, 59, 0)]), tmp_path, monkeypatch)
