"""What live rows say of a newcomer's wait, and what becomes of it, over a real SQLite store."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import CentreNow
from telemetry.core.fold.totals import add_sums
from telemetry.core.protocol import events as ev
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.wait_model_file import WaitModelFile, encode_model, model_hash, profile_file
from telemetry.rollup.service import Rollup
from telemetry.store import WAIT_MODELS_CHECKPOINT, Batch, ChangeRecord, StoredEvent, wait_model_name
from telemetry.store.sqlite import SqliteStore
from tests.unit.queue_days import S, TicketLog
from tests.unit.rollup.test_rollup import START, world

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.fold.live_row_types import ServiceNow

NOW = START + 4 * HOUR
MODEL = encode_model(
    WaitModelFile(
        centre="c1", fitted_at=NOW - HOUR, trained_from=0, trained_until=NOW - HOUR, rows=400,
        profile=profile_file(QueueProfile((100.0,) * 60, pauses=(10.0,) * 60)),
    )
)  # fmt: skip


class Hall:
    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.store = SqliteStore(folder / "store.db")
        self.log = TicketLog()
        self.written = 0
        self.start_rollup()

    def start_rollup(self) -> None:
        self.rollup = Rollup(self.store, world, lambda: self.now, stopwatch=lambda: 0.0)

    def write(self) -> None:
        events = self.log.events[self.written :]
        self.written = len(self.log.events)
        stored = [StoredEvent("c1", "c1-gateway1", "01S", event) for event in events]
        changes = [ChangeRecord(*cell, self.now * 1000) for cell in dirty_hours(("c1", e) for e in events)]
        self.store.append(Batch(self.now * 1000, stored, changes))

    def run(self, at: int) -> ServiceNow:
        self.now = at
        self.write()
        self.rollup.run_once()
        (row,) = [r for r in self.store.live_rows() if r.entity == "c1"]
        (service,) = msgspec.json.decode(row.body, type=CentreNow).services
        return service

    def busy_hour(self, calls: int = 6) -> None:
        for number in range(calls):
            entered = NOW - (calls - number) * 5 * MINUTE
            self.log.issue(f"t{number}", entered)
            self.log.call(f"t{number}", entered + MINUTE, "c1", entered)
            self.log.finish(f"t{number}", entered + 4 * MINUTE, "c1", (entered, entered + MINUTE))


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


def test_a_live_row_says_what_a_newcomer_may_expect_or_why_it_does_not(hall: Hall) -> None:
    hall.busy_hour(calls=4)
    quiet = hall.run(NOW).expected
    assert quiet is not None
    assert (quiet.p50_ms, quiet.reason) == (None, "too_few_calls")


def test_a_stored_model_is_used_within_a_minute_and_named(hall: Hall) -> None:
    hall.busy_hour()
    expected = hall.run(NOW).expected
    assert expected is not None
    assert expected.method == "head_of_line"
    hall.store.put_document(wait_model_name("c1"), MODEL)
    hall.store.set_checkpoint(WAIT_MODELS_CHECKPOINT, hall.now)
    expected = hall.run(NOW + 61 * S).expected
    assert expected is not None
    assert (expected.method, expected.model) == ("drain", model_hash(MODEL)[:12])


def test_an_unreadable_model_leaves_the_head_of_the_line(hall: Hall) -> None:
    hall.store.put_document(wait_model_name("c1"), b"\x80\x04 no model")
    hall.busy_hour()
    expected = hall.run(NOW).expected
    assert expected is not None
    assert expected.method == "head_of_line"


def test_what_was_shown_is_counted_when_the_ticket_is_called(hall: Hall) -> None:
    """Shown 60 s (the waits of the last hour): one ticket waits 30 s, one 100 s, and one gives up."""
    hall.busy_hour()
    shown = hall.run(NOW).expected
    assert shown is not None
    assert shown.p90_ms == 60_000
    for ticket in ("kept", "broken", "lost"):
        hall.log.issue(ticket, NOW + S)
    hall.run(NOW + 2 * S)
    hall.log.call("kept", NOW + 31 * S, "c1", NOW + S)
    hall.log.abandon("lost", NOW + 40 * S, NOW + S)
    hall.log.call("broken", NOW + 101 * S, "c2", NOW + S)
    hall.run(NOW + 110 * S)
    hall.run(NOW + 111 * S)
    promised = [s.event for s in hall.store.events("c1", Window(0, NOW + HOUR), {"queue.promise"})]
    assert [(e.wait_ms, e.p90_ms) for e in promised if isinstance(e, ev.WaitPromised)] == [
        (30_000, 60_000),
        (100_000, 60_000),
    ]
    totals = hall.store.totals(["c1"], "5m", Window(NOW - HOUR, NOW + HOUR), "desk")
    promise = queue_figures(add_sums(t.sums for t in totals)).promise
    assert (promise.count, promise.within, promise.ratio, promise.mean_error_s) == (2, 1, 0.5, 35.0)


def test_counting_again_changes_nothing_and_a_start_knows_no_earlier_promise(hall: Hall) -> None:
    hall.busy_hour()
    hall.run(NOW)
    hall.log.issue("before-the-start", NOW + S)
    hall.run(NOW + 2 * S)
    hall.start_rollup()
    hall.run(NOW + 3 * S)
    hall.log.call("before-the-start", NOW + 31 * S, "c1", NOW + S)
    hall.run(NOW + 40 * S)
    assert hall.store.events("c1", Window(0, NOW + HOUR), {"queue.promise"}) == []


def test_a_fault_in_a_prediction_leaves_the_rest_of_the_row(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr("telemetry.rollup.expected_waits.expected_waits", fail)
    hall.busy_hour()
    row = hall.run(NOW)
    assert (row.expected, row.today_sums["called"]) == (None, 6)


def test_imported_logs_have_no_newcomers(hall: Hall) -> None:
    inventory = world()
    imported = replace(inventory.centres["c1"], imported=True)
    hall.rollup = Rollup(
        hall.store, lambda: replace(inventory, centres=MappingProxyType({"c1": imported})), lambda: hall.now,
        stopwatch=lambda: 0.0,
    )  # fmt: skip
    hall.busy_hour()
    assert hall.run(NOW).expected is None
