"""A replay that could not feed its log must never end as done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from edge_agent.mapping import document, importer
from motcua import replay
from telemetry import inventory
from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

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
