"""Rollup over a real SQLite store: what changed is folded, folding again changes nothing, no change is missed."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import time
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import CentreNow
from telemetry.core.fold.totals import FORMER_QUEUE_FIELDS, add_sums
from telemetry.core.inventory import Centre, Device, Inventory, System
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.mqtt.link import Message
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z, 07:00 in the centre
WEEK = tuple((((time(7), time(11, 30)),)) for _ in range(7))


def world() -> Inventory:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    centre = Centre("c1", "u", "commune", "C", "C", "vn83", "", 2, WEEK, ("land",), zone)
    devices = {"c1-gateway1": Device("c1-gateway1", "c1", "gateway")}
    system = System("vn83-portal", "P", "P", "portal", vantage=("c1-gateway1",))
    return Inventory(
        version="v",
        province="vn83",
        name_vi="T",
        name_en="T",
        zone=zone,
        units=MappingProxyType({}),
        centres=MappingProxyType({"c1": centre}),
        devices=MappingProxyType(devices),
        services=MappingProxyType({}),
        systems=MappingProxyType({"vn83-portal": system}),
    )


class Place:
    """A store, its rollup and a clock that the test turns."""

    def __init__(self, folder: Path) -> None:
        self.now = START + 4 * HOUR
        self.path = folder / "store.db"
        self.store = SqliteStore(self.path)
        self.rollup = Rollup(self.store, world, lambda: self.now, stopwatch=lambda: 0.0)

    def write(self, *events: ev.Event) -> None:
        stored = [StoredEvent("c1", "c1-gateway1", "01S", event) for event in events]
        units = (("vn83-portal" if isinstance(e, ev.ProbeResult) else "c1", e) for e in events)
        self.store.append(Batch(self.now * 1000, stored, [ChangeRecord(*cell) for cell in dirty_hours(units)]))

    def totals(self) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.path) as db:
            return db.execute("SELECT name.text, width, start, scope, sums FROM total JOIN name ON name.id = unit "
                              "ORDER BY 1, 2, 3, 4").fetchall()  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def beat(n: int, t: int) -> ev.DeviceHeartbeat:
    return ev.DeviceHeartbeat(n=n, t=t)


def test_changes_are_folded_into_all_three_widths(place: Place) -> None:
    place.write(*(beat(i + 1, START + i * MINUTE) for i in range(60)))
    assert place.rollup.run_once() == 1
    hour = place.store.totals(["c1"], "1h", Window(START, START + HOUR), "device")[0]
    assert hour.sums["up_ms"] == HOUR
    assert hour.sums["open_up_ms"] == HOUR
    day = place.store.totals(["c1"], "1d", Window(START - 24 * HOUR, START + HOUR), "device")[0]
    assert day.sums["up_ms"] == HOUR + 90_000


def test_rebuild_gives_the_totals_of_the_passes_before_it(place: Place) -> None:
    place.write(beat(1, START + 59 * MINUTE + 30_000))
    place.write(ev.ProbeResult(n=2, t=START, system="vn83-portal", kind="http", ok=True, latency_ms=10.0))
    place.rollup.run_once()
    before = place.totals()
    assert place.rollup.rebuild() == 2
    assert place.totals() == before
    assert any(start == START + HOUR for _, width, start, *_ in before if width == "1h")


def test_rebuild_of_a_window_leaves_the_fold_version_alone(place: Place) -> None:
    place.write(beat(1, START))
    assert place.rollup.rebuild(Window(START + 10 * MINUTE, START + 20 * MINUTE)) == 1
    assert place.store.checkpoint("fold_version") == 0


def test_a_pass_without_changes_folds_nothing(place: Place) -> None:
    place.write(beat(1, START))
    place.rollup.run_once()
    place.now += 1_000
    assert place.rollup.run_once() == 0


def test_an_event_that_comes_again_with_an_earlier_time_moves_in_the_totals(place: Place) -> None:
    place.write(*(beat(i + 1, START + i * MINUTE) for i in range(230)))
    place.rollup.run_once()
    place.now += 1_000
    place.write(beat(230, START + 20 * MINUTE + 433))
    place.rollup.run_once()
    found = place.totals()
    place.rollup.rebuild()
    assert place.totals() == found


def test_equal_changes_of_two_workers_are_both_folded(place: Place) -> None:
    place.write(beat(1, START))
    place.rollup.run_once()
    place.write(beat(2, START + MINUTE))
    assert place.rollup.run_once() == 1
    five = place.store.totals(["c1"], "5m", Window(START, START + 1), "device")[0]
    assert five.sums["up_ms"] == 210_000


def test_a_new_rollup_goes_on_where_the_last_one_stopped(place: Place) -> None:
    place.write(beat(1, START))
    place.rollup.run_once()
    place.now += 120_000
    place.write(beat(2, START + MINUTE))
    again = Rollup(place.store, world, lambda: place.now, stopwatch=lambda: 0.0)
    assert again.run_once() == 1


def test_live_rows_show_the_queue_of_the_day(place: Place) -> None:
    issued = ev.TicketIssued(n=1, t=place.now - MINUTE, ticket="t1", queue="land", service="land")
    place.write(issued, beat(2, place.now - 1_000))
    place.rollup.run_once()
    rows = {row.entity: row.body for row in place.store.live_rows()}
    found = msgspec.json.decode(rows["c1"], type=CentreNow)
    assert [(s.service, s.waiting) for s in found.services] == [("land", 1)]
    assert found.state == "up"
    assert "vn83-portal" in rows


def test_births_and_deaths_are_stored_once_by_our_clock(place: Place) -> None:
    topic = "motcua/v1/c1/c1-gateway1/state"
    born = Message(topic, encode_presence(Presence(online=True, sid="s1")))
    place.rollup.store_presence([born, Message(topic, b"?"), Message("motcua/v1/c1/stranger/state", born.payload)])
    place.now += 5_000
    place.rollup.store_presence([born, Message(topic, encode_presence(Presence(online=False, sid="s1")))])
    found = place.store.events("c1", Window(0, place.now + 1), ["device.status"])
    assert [(s.event.t, getattr(s.event, "online", None)) for s in found] == [
        (place.now - 5_000, True),
        (place.now, False),
    ]


def test_units_nobody_declares_are_passed_over(place: Place) -> None:
    stored = StoredEvent("ghost", "ghost-kiosk1", "01S", beat(1, START))
    place.store.append(Batch(place.now * 1000, [stored], [ChangeRecord("ghost", START, START + HOUR)]))
    assert place.rollup.run_once() == 1
    assert place.store.totals(["ghost"], "1h", Window(0, place.now)) == []


def test_a_newer_fold_retains_the_totals_whose_raw_events_are_deleted(place: Place) -> None:
    tickets = [called(n + 1, START + n * 10 * MINUTE) for n in range(6 * 30)]
    place.now = START + 31 * HOUR
    place.write(*tickets)
    place.rollup.run_once()
    whole, cut = Window(START - HOUR, START + 31 * HOUR), START + 24 * HOUR
    before = to_former_totals(place, whole)
    with sqlite3.connect(place.path) as db:
        db.execute("DELETE FROM raw WHERE t < ?", (cut,))
    place.store.set_checkpoint("fold_version", 3)
    place.rollup.run_once()
    now = desk_sums(place, "5m", whole)
    folded_from = cut + 2 * HOUR
    assert {t: sums for t, sums in now.items() if t < folded_from} == {
        t: sums for t, sums in before.items() if t < folded_from
    }
    assert all("wait_histogram" in sums for t, sums in now.items() if t >= folded_from)
    figures = queue_figures(add_sums(desk_sums(place, "1d", Window(START - 24 * HOUR, whole.end)).values()))
    assert (figures.called, figures.wait.count) == (len(tickets), len(tickets))
    assert figures.wait.within_threshold(120).count == len(tickets)
    assert figures.wait.percentile_s(0.5) == pytest.approx(90, rel=0.34)


def called(n: int, t: int) -> ev.TicketCalled:
    return ev.TicketCalled(
        n=n, t=t, ticket=f"k{n}", queue="land", service="land", counter="c1", entered=t - 90_000, call=1
    )


def desk_sums(place: Place, width: BucketWidth, window: Window) -> dict[int, Mapping[str, int]]:
    return {total.start: total.sums for total in place.store.totals(["c1"], width, window, "desk")}


def to_former_totals(place: Place, window: Window) -> dict[int, Mapping[str, int]]:
    """Give the desk's 5-minute totals the fields that they had before fold version 5; returns them."""
    rows = []
    for total in place.store.totals(["c1"], "5m", window):
        sums = dict(total.sums)
        if "wait_histogram" in sums:
            waits = queue_figures(sums).wait
            del sums["wait_histogram"]
            sums |= dict.fromkeys(FORMER_QUEUE_FIELDS, 0) | {"wait_le_120": waits.count}
        rows.append(replace(total, sums=sums))
    place.store.replace_totals("c1", "5m", window, rows)
    return desk_sums(place, "5m", window)
