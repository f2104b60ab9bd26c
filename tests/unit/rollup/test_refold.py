"""After a new version of the fold everything is folded again, newest days first, and no pass waits for it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, floor
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.inventory import Device
from telemetry.core.protocol import events as ev
from telemetry.rollup.fold_job import FoldJob
from telemetry.rollup.service import Rollup
from tests.unit.rollup.test_rollup_calendar import ALWAYS, EVER, START, WIDTHS, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.fold.totals import Total

DAYS = 5


class OutdatedPlace(Place):
    """A site of two devices heard on five days; its stopwatch advances `seconds_per_look` with each look at it."""

    seconds_per_look = 1.0

    def start(self) -> None:
        self.seconds = 0.0
        self.folded: list[Window] = []
        self.rollup = Rollup(self.store, lambda: self.world, lambda: self.now, self, stopwatch=self.look)  # type: ignore[arg-type]

    def look(self) -> float:
        self.seconds += self.seconds_per_look
        return self.seconds

    def fill(self) -> None:
        kiosk = Device("c1-kiosk1", "c1", "kiosk", declared_period=ALWAYS)
        self.world = replace(self.world, devices={**self.world.devices, kiosk.id: kiosk})
        self.seconds_per_look = 0.0
        for day in range(1, DAYS + 1):
            self.now = START + day * DAY + 9 * HOUR
            self.write(ev.DeviceContact(n=day, t=self.now - MINUTE), ev.DeviceHeartbeat(n=100 + day, t=self.now))
            self.passes(3)
        self.seconds_per_look = 1.0

    def make_outdated(self) -> None:
        """Let an earlier version have folded everything: every total is spoiled."""
        for width in WIDTHS:
            spoiled = [replace_sums(t) for t in self.store.totals(["c1"], width, EVER)]
            self.store.replace_totals("c1", width, EVER, spoiled)
        self.store.set_checkpoint("fold_version", FOLD_VERSION - 1)
        self.start()

    def spoiled_days(self) -> set[int]:
        totals = self.store.totals(["c1"], "5m", EVER, "device")
        return {(floor(t.start, DAY) - floor(START, DAY)) // DAY for t in totals if t.sums["link_ms"] == SPOILED}


def known(totals: list[Total]) -> list[tuple[str, str, int, dict[str, int]]]:
    """Return what is known by totals; whether silent hours have a row, and so a possible capacity, does not matter."""
    sums = [(t, {name: value for name, value in t.sums.items() if "cap_high" not in name}) for t in totals]
    names = ("up_ms", "conn_up_ms", "link_ms")
    return [(t.scope, t.width, t.start, s) for t, s in sums if any(s[name] for name in names)]


SPOILED = 7


def replace_sums(total: Total) -> Total:
    return replace(total, sums={**total.sums, "link_ms": SPOILED})


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[OutdatedPlace]:
    with tempfile.TemporaryDirectory() as folder:
        place = OutdatedPlace(Path(folder))
        place.fill()
        fold = FoldJob.fold

        def record(job: FoldJob, entity: str, window: Window) -> None:
            if entity == "c1":
                place.folded.append(window)
            fold(job, entity, window)

        monkeypatch.setattr(FoldJob, "fold", record)
        yield place
        place.store.close()


def test_newest_days_come_first_and_a_present_event_does_not_wait(place: OutdatedPlace) -> None:
    right = place.totals()
    place.make_outdated()
    place.passes(12)
    days = [w.start for w in place.folded if w.end <= START + DAYS * DAY]
    assert place.store.checkpoint("fold_version") < FOLD_VERSION
    assert "c1" in place.unfolded
    assert place.spoiled_days() == set(range(min(place.spoiled_days()), max(place.spoiled_days()) + 1))
    place.now += MINUTE
    place.write(ev.DeviceHeartbeat(n=500, t=place.now))
    place.folded.clear()
    place.passes()
    assert any(w.start <= place.now < w.end for w in place.folded)
    assert days
    place.seconds_per_look = 0.0
    place.now += MINUTE
    place.passes(3)
    assert place.store.checkpoint("fold_version") == FOLD_VERSION
    assert place.spoiled_days() == set()
    before_today = floor(place.now, DAY)
    refolded, expected = ([t for t in known(ts) if t[2] < before_today - DAY] for ts in (place.totals(), right))
    assert refolded == expected


def test_a_restart_goes_on_before_the_last_complete_day(place: OutdatedPlace) -> None:
    right = place.totals()
    place.make_outdated()
    while len(place.spoiled_days()) > 3:
        place.passes()
    while place.store.checkpoint(f"refolded_since:{FOLD_VERSION}") > START + 4 * DAY:
        place.passes()
    refolded_since = place.store.checkpoint(f"refolded_since:{FOLD_VERSION}")
    place.start()
    place.seconds_per_look = 0.0
    place.passes(2)
    older = [w for w in place.folded if w.end <= refolded_since]
    assert {w.start for w in place.folded if refolded_since <= w.start < floor(place.now, DAY)} == set()
    assert older
    assert known(place.totals()) == known(right)
    assert place.store.checkpoint("fold_version") == FOLD_VERSION


def test_silence_before_the_first_contact_is_folded_again_too(place: OutdatedPlace) -> None:
    silent = Window(START, START + DAY)
    place.rollup.fold("c1", silent)
    spoiled = [replace_sums(t) for t in place.store.totals(["c1"], "5m", EVER)]
    place.rollup.fold("c1", Window(START + DAY, START + DAY + 10 * HOUR))
    right = place.totals()
    silent_rows = [t for t in spoiled if START <= t.start < START + DAY + 8 * HOUR]
    place.store.replace_totals("c1", "5m", Window(START, START + DAY + 8 * HOUR), silent_rows)
    place.store.set_checkpoint("fold_version", FOLD_VERSION - 1)
    place.start()
    place.seconds_per_look = 0.0
    place.passes(2)
    assert known(place.totals()) == known(right)


def test_a_store_without_events_is_marked_only() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = OutdatedPlace(Path(folder))
        place.store.set_checkpoint("fold_version", 0)
        place.rollup.fold_outdated()
        assert place.store.checkpoint("fold_version") == FOLD_VERSION
        place.store.close()
