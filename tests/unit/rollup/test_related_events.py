"""What a fold reads beyond its window for the time of counters: later ends, earlier holds, rosters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.protocol import events as ev
from telemetry.rollup.event_reader import EventReader
from telemetry.store import Batch, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.days import CENTRE, KIOSK, made, ms, ticket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


HOUR_10 = Window(ms(10), ms(11))
NOW = ms(15)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


def put(store: SqliteStore, *events: ev.Event) -> None:
    put.number += 1  # type: ignore[attr-defined]
    spool = f"s{put.number}"  # type: ignore[attr-defined]
    store.append(Batch(put.number, [StoredEvent(CENTRE.id, KIOSK.id, f"{spool}-{i}", e) for i, e in enumerate(events)]))  # type: ignore[attr-defined]


put.number = 0  # type: ignore[attr-defined]


def related(reader: EventReader, window: Window = HOUR_10, now: int = NOW) -> list[str]:
    events = reader.read(CENTRE.id, Window(window.start - HOUR, window.end))
    return sorted(ev.event_type_of(s.event) for s in reader.read_related(CENTRE.id, window, events, now))


def finish(start: int, end: int) -> ev.Event:
    return ticket(ev.TicketFinished, end, entered=start, called=start, counter="c1")


def test_services_that_end_later_are_read_once_the_window_has_passed(store: SqliteStore) -> None:
    put(store, finish(ms(10, 50), ms(11, 20)), ticket(ev.TicketIssued, ms(11, 5)), finish(ms(15), ms(15, 30)))
    reader = EventReader(store)
    assert related(reader) == ["ticket.finished"]
    assert related(reader, now=ms(10, 30)) == []


def test_earlier_holds_are_read_when_a_service_began_before_what_the_fold_reads(store: SqliteStore) -> None:
    put(store, ticket(ev.TicketHeld, ms(8), counter="c1"), finish(ms(10), ms(10, 30)))
    assert related(EventReader(store)) == []
    put(store, finish(ms(7, 30), ms(10, 40)))
    assert related(EventReader(store)) == ["ticket.held"]


def roster(t: int) -> ev.Event:
    return made(ev.SchedulePublished, t, {"counter": "c1", "opens": ms(10), "closes": ms(12)})


def test_rosters_of_a_day_are_read_once_and_late_ones_when_their_hour_is_folded(store: SqliteStore) -> None:
    put(store, roster(ms(7)))
    reader = EventReader(store)
    assert related(reader) == ["schedule.published"]
    put(store, roster(ms(7, 30)))
    assert related(reader) == ["schedule.published"]
    assert related(reader, Window(ms(7), ms(8))) == []
    assert related(reader) == 2 * ["schedule.published"]
    put(store, roster(ms(10, 50)))
    assert related(reader, Window(ms(12), ms(13))) == 3 * ["schedule.published"]
    assert related(reader, Window(ms(10) + 40 * HOUR, ms(10) + 41 * HOUR)) == []
    assert related(reader) == 2 * ["schedule.published"]
    assert related(reader, Window(ms(12), ms(12) + 5 * MINUTE)) == 3 * ["schedule.published"]
