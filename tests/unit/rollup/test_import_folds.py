"""A long imported log: each of its hours is folded about once, whatever waits while its end moves on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import time
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.inventory import Centre, Device, Inventory, replay_device_of
from telemetry.core.protocol import events as ev
from telemetry.rollup.fold_job import FoldJob
from telemetry.rollup.service import Rollup
from telemetry.store import STALE_HOURS_CHECKPOINT, Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.rollup.test_rollup import START

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth

CENTRE = "replay-log"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FOLD_S = 0.3
"""How long a fold takes on the stopwatch: a pass folds two or three of those without a change."""
DAYS_PER_PASS = 4


def world() -> Inventory:
    """Return what an import declares: a centre with the import's device alone."""
    week = tuple(((time(7), time(17)),) for _ in range(7))
    centre = Centre(CENTRE, "", "commune", "L", "L", "replay", "", 0, week, ("ps",), ZONE, imported=True)
    none = MappingProxyType({})  # type: ignore[var-annotated]
    centres = MappingProxyType({CENTRE: centre})
    device = replay_device_of(CENTRE)
    devices = MappingProxyType({device: Device(device, CENTRE, "replay")})
    return Inventory(
        version="v", province="vn83", name_vi="T", name_en="T", zone=ZONE, units=none, centres=centres, devices=devices,
        services=none, systems=none,
    )  # fmt: skip


class Import:
    """A store into which a log is imported, and how often each of its hours was folded."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.seconds, self.rows = START + 800 * DAY, 0.0, 0
        self.folds: Counter[int] = Counter()
        self.store, self.inventory, fold = SqliteStore(folder / "store.db"), world(), FoldJob.fold

        def counted_fold(job: FoldJob, entity: str, window: Window) -> None:
            self.seconds += FOLD_S
            self.folds.update(range(window.start, window.end, HOUR))
            fold(job, entity, window)

        monkeypatch.setattr(FoldJob, "fold", counted_fold)
        self.start()

    def start(self) -> None:
        self.rollup = Rollup(self.store, lambda: self.inventory, lambda: self.now, stopwatch=lambda: self.seconds)

    def write_days(self, first: int, last: int) -> None:
        """Store a ticket at 8, 9, 10 and 11 o'clock, of the days [first, last) after START."""
        times = [START + day * DAY + (1 + hour) * HOUR for day in range(first, last) for hour in range(4)]
        events = [
            ev.TicketIssued(n=n, t=t, ticket=f"t{n}", queue="ps", service="ps")
            for n, t in enumerate(times, self.rows + 1)
        ]
        self.rows += len(events)
        stored = [StoredEvent(CENTRE, replay_device_of(CENTRE), "01S", event) for event in events]
        cells = dirty_hours((CENTRE, event) for event in events)
        self.store.append(Batch(self.now * 1000, stored, [ChangeRecord(*cell) for cell in cells]))

    def run_pass(self) -> None:
        self.now += 1_000
        self.seconds += 1.0
        self.rollup.run_once()

    def run_until_folded(self) -> None:
        for _ in range(2_000):
            self.run_pass()
            if not self.rollup._progress.has_queued() and self.store.cursor() == self.now * 1000:
                return
        pytest.fail("folding does not end")

    def totals(self) -> list[object]:
        widths: tuple[BucketWidth, ...] = ("5m", "1h", "1d")
        return [self.store.totals([CENTRE], width, Window(0, self.now)) for width in widths]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    return Import(tmp_path, monkeypatch)


def import_days(log: Import, days: range) -> None:
    for day in range(days.start, days.stop, DAYS_PER_PASS):
        log.write_days(day, day + DAYS_PER_PASS)
        log.run_pass()
    log.run_until_folded()


def test_folds_grow_with_the_log_and_not_with_its_square(log: Import) -> None:
    import_days(log, range(40))
    hours = 40 * 24
    assert len(log.folds) >= hours - 24
    assert log.folds.total() <= 1.5 * hours
    assert max(log.folds.values()) <= 4
    before = log.totals()
    log.rollup.rebuild()
    assert log.totals() == before


def test_days_put_before_a_log_are_folded_about_once_too(log: Import) -> None:
    import_days(log, range(40, 44))
    log.folds.clear()
    import_days(log, range(40))
    assert log.folds.total() <= 1.5 * 40 * 24
    before = log.totals()
    log.rollup.rebuild()
    assert log.totals() == before


def test_a_restart_folds_what_had_waited(log: Import) -> None:
    for day in range(0, 16, DAYS_PER_PASS):
        log.write_days(day, day + DAYS_PER_PASS)
        log.run_pass()
    assert log.store.checkpoint(STALE_HOURS_CHECKPOINT) == log.rollup._progress.count_stale_hours() > 0
    log.start()
    log.run_until_folded()
    assert log.store.checkpoint(STALE_HOURS_CHECKPOINT) == 0
    before = log.totals()
    log.rollup.rebuild()
    assert log.totals() == before


def test_a_contact_found_by_the_last_fold_of_the_queue_still_moves_the_period(log: Import) -> None:
    """It is recorded between the hours' return and their being marked as folded."""
    for day in range(10, 22, DAYS_PER_PASS):
        log.write_days(day, day + DAYS_PER_PASS)
        log.run_pass()
    assert log.rollup._progress.stale
    log.write_days(2, 3)
    log.rollup._progress.stale.append((CENTRE, Window(START + 2 * DAY, START + 2 * DAY + 3 * HOUR)))
    while log.rollup._progress.has_queued():
        log.rollup._catch_up(log.now)
    stale = log.rollup._contact_log.stale_hours({}, log.now)
    assert [(entity, window.start) for entity, window in stale[:1]] == [(CENTRE, START + 2 * DAY + HOUR)]


def test_an_import_does_not_wait_for_the_elapsed_hours_of_others(log: Import) -> None:
    """They wait in turns with the import's, and are no reason for it to wait longer."""
    others = {f"c{number:02}": replace(log.inventory.centres[CENTRE], id=f"c{number:02}", imported=False)
              for number in range(90)}  # fmt: skip
    log.inventory = replace(log.inventory, centres=MappingProxyType({CENTRE: log.inventory.centres[CENTRE], **others}))
    log.write_days(0, 8)
    stale_counts: list[int] = []
    while not stale_counts or stale_counts[-1]:
        log.run_pass()
        stale_counts.append(log.store.checkpoint(STALE_HOURS_CHECKPOINT))
    assert stale_counts[0] > 0
    waiting = log.rollup._progress.queued_entities()
    assert CENTRE not in waiting
    assert 0 < len(waiting) < 90
    log.run_until_folded()
    before = log.totals()
    log.rollup.rebuild()
    assert log.totals() == before
