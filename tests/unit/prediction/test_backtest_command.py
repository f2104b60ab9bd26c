from __future__ import annotations

import csv
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from motcua.cli import backtest
from telemetry.core.calendar.windows import to_ms
from telemetry.core.protocol.events import CentreModeSet
from telemetry.errors import ConfigError, MotcuaError
from telemetry.store import Batch, StoredEvent
from telemetry.wiring import open_store
from tests.unit.queue_days import simulate_days

if TYPE_CHECKING:
    from pathlib import Path

CENTRE = "vn83-83"


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with closing(open_store(url, "")) as opened:
        events = [StoredEvent(CENTRE, f"{CENTRE}-counter1", "01J", event) for event in simulate_days(3, 5, 1, 60)]
        opened.append(Batch(1, events))
    return url


def test_one_row_a_queued_ticket_with_local_times(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "waits.csv"
    backtest.waits("2026-03-04", None, out, CENTRE, store)
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["ticket"] for row in rows}) > 20
    assert all(row["ticket"].startswith("t2-") for row in rows)
    assert all(row["queued_at"].startswith("2026-03-04T") and row["queued_at"].endswith("+07:00") for row in rows)
    assert all(0 < float(row["p50_s"]) <= float(row["p90_s"]) for row in rows)
    waits = [float(row["wait_s"]) for row in rows if row["wait_s"]]
    assert min(waits) > 0
    printed = capsys.readouterr().out
    assert f"{len(waits)} called tickets that queued" in printed
    assert "head of line" in printed


def test_events_of_a_much_later_time_hide_no_ticket(store: str, tmp_path: Path) -> None:
    """An import of an old log also stores events of the present: the contact of the importing device."""
    alone, beside = tmp_path / "alone.csv", tmp_path / "beside.csv"
    backtest.waits("2026-03-04", None, alone, CENTRE, store)
    later = CentreModeSet(n=9_999_999, t=to_ms(datetime(2031, 1, 1, tzinfo=UTC)), mode="normal")
    with closing(open_store(store, "")) as opened:
        opened.append(Batch(2, [StoredEvent(CENTRE, f"{CENTRE}-counter1", "01J", later)]))
    backtest.waits("2026-03-04", None, beside, CENTRE, store)
    assert beside.read_text(encoding="utf-8") == alone.read_text(encoding="utf-8")


def test_the_tested_time_ends_where_it_is_told(store: str, tmp_path: Path) -> None:
    out = tmp_path / "waits.csv"
    backtest.waits("2026-03-04T00:00:00+07:00", "2026-03-04T10:00:00+07:00", out, "", store)
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert rows
    assert max(row["queued_at"] for row in rows) < "2026-03-04T10"


def test_nothing_to_test_is_an_error_that_says_what_lacks(store: str, tmp_path: Path) -> None:
    with pytest.raises(MotcuaError, match="nothing to test"):
        backtest.waits("2026-03-05", None, tmp_path / "waits.csv", "", store)
    with pytest.raises(MotcuaError, match="it has vn83-83"):
        backtest.waits("2026-03-04", None, tmp_path / "waits.csv", "vn83-1", store)
    with pytest.raises(ConfigError, match="--fit-until"):
        backtest.waits("soon", None, tmp_path / "waits.csv", "", store)
    assert not (tmp_path / "waits.csv").exists()
