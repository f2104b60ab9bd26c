"""Live rows have a budget of time in each pass and of memory for their events; what is left out changes no row."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window
from telemetry.core.in_service import ALL_IN_SERVICE
from telemetry.core.protocol import codec, events as ev
from telemetry.rollup import live_rows
from telemetry.rollup.event_reader import EventReader, to_sourced
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.live_rows import EventCache, LiveRowBuilder, estimate_memory
from telemetry.store import Batch, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.rollup.test_rollup import START, world

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

NOW = START + 4 * HOUR


def tickets(centre: str, count: int) -> list[StoredEvent]:
    return [
        StoredEvent(centre, f"{centre}-kiosk1", "01S", ev.TicketIssued(
            n=n, t=NOW - n * MINUTE, ticket=f"t{n}", queue="land", service="land"))
        for n in range(1, count + 1)
    ]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store.db")


def provinces(count: int) -> Inventory:
    """Return the test's inventory with so many centres, `c1` to `cN`."""
    declared = world()
    centre = declared.centres["c1"]
    return replace(declared, centres={f"c{n}": replace(centre, id=f"c{n}") for n in range(1, count + 1)}, systems={})


def test_the_cache_holds_the_entities_used_last_within_its_bytes(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for centre in ("c1", "c2", "c3"):
        store.append(Batch(NOW * 1000, tickets(centre, 100)))
    one_day = sum(estimate_memory(to_sourced(s)) for s in tickets("c1", 100))
    monkeypatch.setattr(live_rows, "MAX_CACHED_BYTES", 2 * one_day + 100)
    cache, reads = EventCache(EventReader(store)), list[str]()
    read = store.events

    def counted(entity: str, window: Window, types: None = None) -> list[StoredEvent]:
        reads.append(entity)
        return read(entity, window, types)

    monkeypatch.setattr(store, "events", counted)
    for centre in ("c1", "c2", "c1", "c3", "c1", "c2"):
        events = cache.events_for(centre, NOW, NOW - DAY)
        assert [s.event.n for s in events] == list(range(100, 0, -1))
        assert cache.size_bytes() <= 2 * one_day + 100
    assert reads == ["c1", "c2", "c3", "c2"], "c2 was used least recently when c3 came"


def test_a_day_larger_than_the_cache_is_read_for_every_row_and_its_row_is_the_same(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(Batch(NOW * 1000, tickets("c1", 100)))
    expected = EventCache(EventReader(store)).events_for("c1", NOW, NOW - DAY)
    monkeypatch.setattr(live_rows, "MAX_CACHED_BYTES", 10)
    cache = EventCache(EventReader(store))
    assert cache.events_for("c1", NOW, NOW - DAY) == expected
    assert cache.size_bytes() == 0
    cache.update("c1", expected)
    assert cache.size_bytes() == 0


def test_the_bytes_of_events_that_end_to_matter_are_free_again(store: SqliteStore) -> None:
    cache, beats = EventCache(EventReader(store)), list[StoredEvent]()
    for n in range(1, 100):
        beats.append(StoredEvent("c1", "c1-kiosk1", "01S", ev.DeviceHeartbeat(n=n, t=NOW + n * MINUTE)))
    store.append(Batch(NOW * 1000, beats))
    cache.events_for("c1", NOW, NOW - DAY)
    cache.update("c1", [to_sourced(s) for s in (*beats, *beats)])
    assert cache.size_bytes() == sum(estimate_memory(to_sourced(s)) for s in beats)
    last = cache.events_for("c1", NOW + DAY, NOW - DAY)
    assert cache.size_bytes() == sum(map(estimate_memory, last)) < 1_000


def test_rows_beyond_the_budget_are_built_in_the_next_passes_changed_ones_first(store: SqliteStore) -> None:
    declared, seconds = provinces(5), [0.0]

    def stopwatch() -> float:
        seconds[0] += 0.2
        return seconds[0]

    builder = LiveRowBuilder(
        EventCache(EventReader(store)), lambda _: 0, ALL_IN_SERVICE, FoldFaults(store, lambda: NOW), stopwatch
    )
    passes = [set(builder.build_rows(declared, {"c4"}, NOW + second * 1_000)) for second in range(4)]
    assert all("c4" in rows for rows in passes), "the changed one does not wait"
    assert set.union(*passes) == set(declared.centres), "nor do the others for ever"
    assert max(map(len, passes)) <= 4
    slow = LiveRowBuilder(
        EventCache(EventReader(store)), lambda _: 0, ALL_IN_SERVICE, FoldFaults(store, lambda: NOW), lambda: seconds[0]
    )
    assert set(slow.build_rows(declared, set(), NOW)) == set(declared.centres), "within the budget all are built"


def test_changed_rows_take_turns_when_none_fits_into_the_budget(store: SqliteStore) -> None:
    declared, seconds = provinces(3), [0.0]

    def stopwatch() -> float:
        seconds[0] += 10.0
        return seconds[0]

    builder = LiveRowBuilder(
        EventCache(EventReader(store)), lambda _: 0, ALL_IN_SERVICE, FoldFaults(store, lambda: NOW), stopwatch
    )
    changed = [sorted(builder.build_rows(declared, {"c1", "c2"}, NOW + second * 1_000)) for second in range(4)]
    assert {entity for rows in changed for entity in rows} == {"c1", "c2", "c3"}
    assert all(len(rows) <= 2 for rows in changed)


def test_the_estimate_of_memory_is_not_below_what_an_event_takes() -> None:
    bodies = [msgspec.json.encode(s.event) for s in tickets("c1", 2_000)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        events = [to_sourced(StoredEvent("c1", "c1-kiosk1", "01S", codec.decode_event(body))) for body in bodies]
        by_id = {(s.device, s.outbox_id, s.event.n): s for s in events}
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= sum(map(estimate_memory, by_id.values())) <= 3 * taken
