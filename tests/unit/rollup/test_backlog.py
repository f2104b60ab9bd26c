"""What waits to be folded: recent hours first, units in turn, nothing lost by a restart, no pass above its budget."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, floor
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.errors import StoreUnavailable
from telemetry.mqtt.link import Message
from telemetry.queries.readiness import read_readiness
from telemetry.rollup import fold_pace, service
from telemetry.rollup.backlog import FoldBacklog, WaitingFold
from telemetry.rollup.fold_job import FoldJob
from telemetry.rollup.presence_limit import MAX_STATUSES_PER_HOUR, PresenceLimit
from telemetry.rollup.service import Rollup
from telemetry.store import BACKLOG_HOURS_CHECKPOINT, Batch, ChangeRecord, DeadLetter, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.rollup.test_rollup import START, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = START + 4 * HOUR
HOUR_START = floor(NOW, HOUR)


def change(entity: str, start: int, hours: int = 1, written_at: int = 1) -> ChangeRecord:
    return ChangeRecord(entity, start, start + hours * HOUR, written_at)


def drain(backlog: FoldBacklog, following: Callable[[], WaitingFold | None]) -> list[tuple[str, int, int]]:
    """Return entity, start and end (hours from HOUR_START) of the folds in their order."""
    out: list[tuple[str, int, int]] = []
    while (fold := following()) is not None:
        w = fold.window
        out.append((fold.entity, (w.start - HOUR_START) // HOUR, (w.end - HOUR_START) // HOUR))
        backlog.remove(fold)
    return out


def declared(entity: str) -> bool:
    return entity.startswith("c")


def test_recent_hours_of_declared_units_come_first_and_older_ones_take_turns() -> None:
    backlog = FoldBacklog()
    changes = [change("c1", HOUR_START - 1_000 * HOUR, 30), change("c2", HOUR_START - 500 * HOUR), change("x", NOW)]
    backlog.add([*changes, change("c1", HOUR_START - 24 * HOUR, 25), change("c2", HOUR_START)], NOW, declared)
    assert backlog.count_hours() == 30 + 1 + 1 + 25 + 1 + (1 if NOW % HOUR else 0)
    assert drain(backlog, backlog.next_recent) == [("c1", -23, 1), ("c2", 0, 1)]
    older = drain(backlog, backlog.next_older)
    assert older == [("c1", -1_000, -976), ("c2", -500, -499), ("x", 0, 1), ("c1", -976, -970), ("c1", -24, -23)]
    assert backlog.count_hours() == 0
    assert backlog.oldest_written_at() is None


def test_what_arrives_during_a_round_waits_for_the_next_so_that_the_cursor_moves_on() -> None:
    backlog = FoldBacklog()
    backlog.add([change("c1", HOUR_START - 100 * HOUR, 48, written_at=5)], NOW, declared)
    first = backlog.next_older()
    assert first is not None
    backlog.remove(first)
    backlog.add([change("c1", HOUR_START - 300 * HOUR, 2, written_at=9)], NOW, declared)
    assert backlog.oldest_written_at() == 5
    second = backlog.next_older()
    assert second is not None
    assert second.window == Window(HOUR_START - 76 * HOUR, HOUR_START - 52 * HOUR)
    backlog.remove(second)
    assert backlog.oldest_written_at() == 9
    assert drain(backlog, backlog.next_older) == [("c1", -300, -298)]


class Burden:
    """A store whose rollup has a stopwatch: every fold takes `fold_s` seconds of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, fold_s: float) -> None:
        self.now, self.seconds, self.row, self.folded = NOW, 0.0, 0, list[tuple[str, Window]]()
        self.store, self.broken_fold = SqliteStore(folder / "store.db"), 0
        fold = FoldJob.fold

        def slow_fold(job: FoldJob, entity: str, window: Window) -> None:
            self.seconds += fold_s
            self.folded.append((entity, window))
            if len(self.folded) == self.broken_fold:
                raise StoreUnavailable("away")
            fold(job, entity, window)

        monkeypatch.setattr(FoldJob, "fold", slow_fold)
        self.rollup = self.new_rollup()

    def new_rollup(self) -> Rollup:
        return Rollup(self.store, world, lambda: self.now, stopwatch=lambda: self.seconds)

    def report(self, entity: str, *times: int) -> None:
        events: list[ev.Event] = []
        for t in times:
            self.row += 1
            probe = ev.ProbeResult(n=self.row, t=t, system=entity, kind="http", ok=True)
            events.append(ev.KioskState(n=self.row, t=t, state="in_service") if entity == "c1" else probe)
        stored = [StoredEvent("c1", "c1-gateway1", "01S", event) for event in events]
        windows = dirty_hours((entity, event) for event in events)
        self.store.append(Batch(self.now * 1000, stored, [ChangeRecord(*w) for w in windows]))

    def run_pass(self) -> float:
        """Return how long the next pass takes on the stopwatch, in the next second."""
        self.now, began = self.now + 1_000, self.seconds
        self.rollup.run_once()
        return self.seconds - began

    def run_until_folded(self) -> list[float]:
        goal, took = self.now * 1000, list[float]()
        while self.store.cursor() <= goal:
            took.append(self.run_pass())
        return took

    def totals(self) -> Counter[str]:
        window = Window(0, self.now + DAY)
        return Counter(str(t) for e in ("c1", "vn83-portal") for t in self.store.totals([e], "5m", window))


@pytest.fixture
def burden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Burden:
    return Burden(tmp_path, monkeypatch, 0.1)


def test_old_days_of_one_unit_make_no_pass_long_and_others_are_folded_in_each(burden: Burden) -> None:
    burden.run_until_folded()
    burden.report("c1", *(NOW - (40 + day) * DAY for day in range(120)))
    burden.folded.clear()
    for _ in range(5):
        burden.report("vn83-portal", burden.now)
        assert burden.run_pass() <= service.PASS_BUDGET_S + service.CATCH_UP_BUDGET_S + 0.2
        ordered = [entity for entity, _ in burden.folded]
        assert ordered[0] == "vn83-portal", "live rows do not wait for old days"
        assert "c1" in ordered, "old days are not forgotten"
        burden.folded.clear()
    assert read_readiness(burden.store, burden.now).backlog_hours > 0


def test_a_long_backlog_is_no_delay_of_current_figures_and_ends_in_readiness(burden: Burden) -> None:
    burden.run_until_folded()
    cursor = burden.store.cursor()
    burden.report("c1", *(NOW - (40 + day) * DAY for day in range(60)))
    burden.now += 10 * MINUTE
    burden.run_pass()
    assert burden.store.cursor() < burden.now * 1000
    readiness = read_readiness(burden.store, burden.now)
    assert readiness.reasons == ()
    assert readiness.rollup_age_ms == 0
    assert readiness.backlog_hours == burden.store.checkpoint(BACKLOG_HOURS_CHECKPOINT) == 40
    burden.run_until_folded()
    assert burden.store.cursor() > cursor
    assert read_readiness(burden.store, burden.now).backlog_hours == 0


def test_a_restart_and_a_failed_fold_lose_no_waiting_hour(burden: Burden, tmp_path: Path) -> None:
    days = [NOW - (40 + day) * DAY for day in range(60)]
    burden.report("c1", *days, NOW)
    burden.broken_fold = 8
    with pytest.raises(StoreUnavailable):
        burden.run_pass()
    burden.run_pass()
    burden.rollup = burden.new_rollup()
    burden.run_until_folded()
    folded_hours = burden.totals()
    other = SqliteStore(tmp_path / "again.db")
    first, burden.store = burden.store, other
    burden.row, burden.rollup = 0, burden.new_rollup()
    burden.report("c1", *days, NOW)
    burden.rollup.rebuild()
    assert burden.totals() == folded_hours
    first.close()


def test_a_device_that_connects_a_thousand_times_is_stored_up_to_a_limit_and_another_one_always(burden: Burden) -> None:
    limit = PresenceLimit()
    births = [StoredEvent("c1", "c1-gateway1", "status", ev.DeviceStatus(n=n, t=NOW, online=True, sid=f"s{n}"))
              for n in range(1, 1_001)]  # fmt: skip
    other = StoredEvent("c1", "c1-kiosk1", "status", ev.DeviceStatus(n=1, t=NOW, online=True, sid="s"))
    admitted, letters = limit.apply([*births, other], NOW)
    assert admitted == [*births[:MAX_STATUSES_PER_HOUR], other]
    assert letters == [DeadLetter(NOW, "c1-gateway1", "too_many_births", 1_000 - MAX_STATUSES_PER_HOUR)]
    assert limit.apply(births[:1], NOW + HOUR) == (births[:1], [])
    topic = "motcua/v1/c1/c1-gateway1/state"
    sids = (encode_presence(Presence(online=True, sid=f"01S{n}")) for n in range(1_000))
    burden.rollup.store_presence(Message(topic, payload, "") for payload in sids)
    stored = burden.store.events("c1", Window(NOW - HOUR, NOW + HOUR), ["device.status"])
    assert len(stored) == MAX_STATUSES_PER_HOUR
    assert burden.store.dead_letter_counts() == {"too_many_births": 1_000 - MAX_STATUSES_PER_HOUR}


def test_a_unit_whose_hours_take_long_rests_while_others_are_folded(burden: Burden) -> None:
    burden.run_until_folded()
    heavy = fold_pace.SLOW_TURN_S + 0.5
    burden.report("c1", NOW)
    burden.folded.clear()
    backlog_fold = burden.rollup.fold

    def fold(entity: str, window: Window) -> None:
        burden.seconds += heavy if entity == "c1" else 0.0
        backlog_fold(entity, window)

    burden.rollup.fold = fold  # type: ignore[method-assign]
    burden.run_pass()
    for _ in range(3):
        burden.report("c1", burden.now)
        burden.report("vn83-portal", burden.now)
        burden.folded.clear()
        burden.run_pass()
        assert {entity for entity, _ in burden.folded} == {"vn83-portal"}
    burden.seconds += (fold_pace.REST_PER_TURN + 1) * heavy
    burden.folded.clear()
    burden.run_pass()
    assert "c1" in {entity for entity, _ in burden.folded}
