"""A unit's hours are folded in parts, so that a pass ends in time whatever the unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, floor
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, PLATFORM_OUTBOX_ID
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.events import PlatformBeat
from telemetry.rollup import fold_pace, service
from telemetry.rollup.fold_faults import FIRST_RETRY_MS
from telemetry.rollup.fold_job import FoldJob
from telemetry.rollup.fold_pace import FoldPace
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.rollup.test_rollup import START, world

if TYPE_CHECKING:
    from pathlib import Path

NOW = START + 4 * HOUR
SECONDS_PER_HOUR = 0.9
"""How long an hour of the large unit takes to fold: its whole day takes 22 s."""
LONGEST_PART_S = fold_pace.FIRST_PART_MS // HOUR * SECONDS_PER_HOUR
"""Before the pace of a unit is known."""


class LargeUnit:
    """A centre whose every hour takes SECONDS_PER_HOUR to fold, on a stopwatch."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.seconds, self.folded = NOW, 0.0, list[tuple[str, Window]]()
        self.store, fold = SqliteStore(folder / "store.db"), FoldJob.fold
        self.is_failing = False

        def slow_fold(job: FoldJob, entity: str, window: Window) -> None:
            self.seconds += window.length / HOUR * SECONDS_PER_HOUR if entity == "c1" else 0.01
            self.folded.append((entity, window))
            if self.is_failing:
                raise ValueError(entity)
            fold(job, entity, window)

        monkeypatch.setattr(FoldJob, "fold", slow_fold)
        declared = world()
        self.rollup = Rollup(self.store, lambda: declared, lambda: self.now, stopwatch=lambda: self.seconds)

    def change(self, entity: str, window: Window) -> None:
        probe = ev.ProbeResult(n=1 + self.now, t=window.start, system="vn83-portal", kind="http", ok=True)
        beat = ev.DeviceHeartbeat(n=1 + self.now, t=window.start)
        stored = StoredEvent("c1", "c1-gateway1", "01S", beat if entity == "c1" else probe)
        self.store.append(Batch(self.now * 1000, [stored], [ChangeRecord(entity, window.start, window.end)]))

    def run_pass(self) -> float:
        """Return how long the next pass takes, s on the stopwatch, in the next second."""
        self.now, began = self.now + 1_000, self.seconds
        self.rollup.run_once()
        return self.seconds - began

    def run_until_folded(self) -> list[float]:
        goal, took = self.now * 1000, list[float]()
        while self.store.cursor() <= goal:
            took.append(self.run_pass())
            self.seconds += 1.0
            assert len(took) < 200
        return took

    def hours_of(self, entity: str) -> set[int]:
        return {start for e, w in self.folded if e == entity for start in range(w.start, w.end, HOUR)}


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LargeUnit:
    unit = LargeUnit(tmp_path, monkeypatch)
    unit.run_until_folded()
    unit.folded.clear()
    return unit


@pytest.mark.parametrize("start", [NOW - 23 * HOUR, NOW - 40 * DAY], ids=["recent", "older"])
def test_a_large_unit_s_day_is_folded_over_several_passes_and_others_in_each(large: LargeUnit, start: int) -> None:
    day = Window(floor(start, HOUR), floor(start, HOUR) + DAY)
    large.change("c1", day)
    took = list[float]()
    while not set(range(day.start, day.end, HOUR)) <= large.hours_of("c1"):
        large.change("vn83-portal", Window(floor(large.now, HOUR), floor(large.now, HOUR) + HOUR))
        before = len(large.folded)
        took.append(large.run_pass())
        large.seconds += 1.0
        assert "vn83-portal" in {entity for entity, _ in large.folded[before:]}, "nobody else waits"
        if len(took) < 5:
            assert large.store.cursor() < large.now * 1000, "a restart folds the rest"
    assert len(took) > 5
    assert took[0] <= service.PASS_BUDGET_S + service.OLDER_BUDGET_S + service.CATCH_UP_BUDGET_S + LONGEST_PART_S
    assert max(took[1:]) <= service.PASS_BUDGET_S + service.CATCH_UP_BUDGET_S + 2 * SECONDS_PER_HOUR
    large.run_until_folded()


def test_elapsed_hours_of_a_long_absence_are_folded_in_parts(large: LargeUnit) -> None:
    large.now += 5 * DAY
    took = [large.run_pass() for _ in range(130)]
    assert max(took) <= service.CATCH_UP_BUDGET_S + LONGEST_PART_S
    elapsed = set(range(floor(NOW, HOUR) + HOUR, floor(NOW, HOUR) + 5 * DAY, HOUR))
    assert elapsed <= large.hours_of("c1")


def test_what_was_set_aside_is_tried_again_in_parts(large: LargeUnit) -> None:
    large.is_failing = True
    large.change("c1", Window(floor(NOW, HOUR) - 20 * HOUR, floor(NOW, HOUR)))
    large.run_until_folded()
    large.is_failing = False
    large.folded.clear()
    large.now += FIRST_RETRY_MS + MINUTE
    took = [large.run_pass() for _ in range(60)]
    assert max(took) <= service.RETRY_BUDGET_S + service.CATCH_UP_BUDGET_S + 2 * SECONDS_PER_HOUR
    assert len(large.hours_of("c1")) >= 20
    assert large.rollup.run_once() == 0


def test_the_heartbeats_of_an_absence_are_read_once_for_each_day(
    large: LargeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats, reads = [PlatformBeat(n=NOW // MINUTE + n, t=NOW + n * MINUTE) for n in range(2_000)], list[Window]()
    stored = [StoredEvent(PLATFORM_ENTITY, "ingest", PLATFORM_OUTBOX_ID, beat) for beat in beats]
    for one in stored:
        hour = floor(one.event.t, HOUR)
        large.store.append(Batch(one.event.t * 1000, [one], [ChangeRecord(PLATFORM_ENTITY, hour, hour + HOUR)]))
    read = large.store.events

    def counted(entity: str, window: Window, types: None = None) -> list[StoredEvent]:
        reads.append(window) if entity == PLATFORM_ENTITY else None
        return read(entity, window, types)

    monkeypatch.setattr(large.store, "events", counted)
    large.now = NOW + 2_000 * MINUTE
    large.run_pass()
    assert 0 < len(reads) <= 10


def test_parts_follow_the_time_that_they_take() -> None:
    pace, day = FoldPace(), Window(0, DAY)
    assert [part.length // HOUR for part in pace.parts("c1", day)] == [3] * 8
    for _ in range(3):
        pace.record_part("c1", Window(0, pace.part_ms("c1")), 0.01)
    assert pace.part_ms("c1") == DAY, "a small unit's day is one part"
    pace.record_part("c1", Window(0, HOUR), 0.01)
    assert pace.part_ms("c1") == DAY
    pace.record_part("c1", Window(0, 6 * HOUR), 3.0)
    assert pace.part_ms("c1") == 3 * HOUR
    for _ in range(3):
        pace.record_part("c1", Window(0, pace.part_ms("c1")), 3.0)
    assert pace.part_ms("c1") == fold_pace.SHORTEST_PART_MS
    pace.forget_except({"c2"})
    assert pace.part_ms("c1") == fold_pace.FIRST_PART_MS
