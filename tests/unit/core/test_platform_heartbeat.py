"""Our own outages: proved by the beats around them, by nothing else; ingest beats only while it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.fold.platform_heartbeat import (
    HEARTBEAT_INTERVAL_MS,
    HEARTBEAT_TTL_MS,
    PLATFORM_ENTITY,
    RECONNECT_GRACE_MS,
    alive_windows,
    gaps_between,
    outages_with_reconnect,
)
from telemetry.errors import StoreUnavailable
from telemetry.ingest.service import HEARTBEAT_RETRY_MS, PlatformHeartbeatWriter
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

T = 1_767_225_600_000
DAY = Window(T, T + 24 * HOUR)


def gaps_of(beats: list[int], window: Window = DAY) -> list[Window]:
    return gaps_between(alive_windows(beats), window)


def test_silence_between_two_beats_is_an_outage_from_where_belief_ends() -> None:
    beats = [T, T + MINUTE, T + HOUR, T + HOUR + MINUTE]
    assert gaps_of(beats) == [Window(T + MINUTE + HEARTBEAT_TTL_MS, T + HOUR)]


def test_beats_a_minute_apart_leave_no_gap_and_one_that_is_lost_neither() -> None:
    assert gaps_of([T, T + MINUTE, T + 3 * MINUTE]) == []


def test_nothing_is_proved_before_the_first_beat_ever_nor_after_the_last() -> None:
    assert gaps_of([]) == []
    assert gaps_of([T + HOUR]) == []


def test_a_gap_is_cut_to_the_window() -> None:
    assert gaps_of([T, T + HOUR], Window(T + 10 * MINUTE, T + 20 * MINUTE)) == [
        Window(T + 10 * MINUTE, T + 20 * MINUTE)
    ]


def test_agents_on_their_way_back_are_excused_and_neighbouring_gaps_are_one() -> None:
    found = [Window(T, T + HOUR), Window(T + HOUR + MINUTE, T + 2 * HOUR)]
    assert outages_with_reconnect(found) == [Window(T, T + 2 * HOUR + RECONNECT_GRACE_MS)]
    assert outages_with_reconnect([]) == []


@given(st.lists(st.integers(0, 600), max_size=30), st.integers(0, 600))
def test_order_does_not_count_and_parts_add_up_to_the_whole(minutes: list[int], cut: int) -> None:
    beats = [T + m * MINUTE for m in minutes]
    whole = Window(T, T + 10 * HOUR)
    middle = T + cut * MINUTE
    found = gaps_of(beats, whole)
    assert gaps_of(sorted(beats, reverse=True), whole) == found
    parts = gaps_of(beats, Window(whole.start, middle)) + gaps_of(beats, Window(middle, whole.end))
    assert sum(w.length for w in parts) == sum(w.length for w in found)


def beaten(store: SqliteStore) -> list[int]:
    return [s.event.t for s in store.events(PLATFORM_ENTITY, DAY)]


def test_ingest_beats_once_a_minute_and_says_what_changed(tmp_path: Path) -> None:
    store, now = SqliteStore(tmp_path / "s.db"), [T + 20_000]
    beats = PlatformHeartbeatWriter(store, lambda: now[0])
    assert beats.is_due()
    assert beats.write_heartbeat()
    assert not beats.is_due()
    now[0] = T + HEARTBEAT_INTERVAL_MS
    assert beats.is_due()
    assert beats.write_heartbeat()
    assert beaten(store) == [T + 20_000, T + HEARTBEAT_INTERVAL_MS]
    assert [(c.entity, c.start, c.end) for c in store.changes_since(0)] == [(PLATFORM_ENTITY, T, T + HOUR)] * 2
    assert store.count_events() == 0
    assert store.row_ranges() == []


def test_two_workers_in_one_minute_are_one_beat(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    assert PlatformHeartbeatWriter(store, lambda: T + 9_000).write_heartbeat()
    assert PlatformHeartbeatWriter(store, lambda: T + 5_000).write_heartbeat()
    assert beaten(store) == [T + 5_000]


def test_a_store_that_is_away_is_no_beat_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = SqliteStore(tmp_path / "s.db"), [T]
    beats = PlatformHeartbeatWriter(store, lambda: now[0])

    def away(_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(store, "append", away)
        assert not beats.write_heartbeat()
        assert not beats.is_due()
    now[0] += HEARTBEAT_RETRY_MS
    assert beats.is_due()
    assert beats.write_heartbeat()


def test_a_clock_that_is_set_back_does_not_silence_the_beats(tmp_path: Path) -> None:
    store, now = SqliteStore(tmp_path / "s.db"), [T + HOUR]
    beats = PlatformHeartbeatWriter(store, lambda: now[0])
    beats.write_heartbeat()
    now[0] = T
    assert beats.is_due()
