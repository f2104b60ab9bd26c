"""The SQLite store's file over its versions: it is brought forward, loses nothing, and ends as a new one begins."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.fold.event_spans import SAME_ENTRY_MS, SERVICE_LEVEL_REACH_MS, TICKET_LOOKBACK_MS
from telemetry.core.fold.totals import Total
from telemetry.core.protocol import events as ev
from telemetry.store import Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

T = 1_767_225_600_000
CENTRE = "vn83-1"
AROUND = Window(T - DAY, T + DAY)


def issued(n: int, t: int = T) -> StoredEvent:
    return StoredEvent(CENTRE, f"{CENTRE}-kiosk1", "s1", ev.TicketIssued(n=n, t=t, ticket="k", queue="l", service="l"))


def put(store: SqliteStore, *events: StoredEvent) -> None:
    store.append(Batch(1, events, [ChangeRecord(CENTRE, T, T + HOUR)]))


def test_a_file_of_the_first_schema_is_brought_up_to_date_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(SqliteStore(path)) as store:
        dropped = ev.OutboxDropped(n=9, t=T, ranges=((5, 6), (8, 8), (3, 1)), count=3)
        lost = StoredEvent(CENTRE, f"{CENTRE}-kiosk1", "s1", dropped)
        put(store, issued(1), issued(2), issued(4), lost)
        store.set_checkpoint("a", 7)
        before = (store.events(CENTRE, AROUND), store.row_ranges(), store.changes_since(0))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            """DROP TRIGGER raw_moved; CREATE TRIGGER raw_moved AFTER UPDATE OF t ON raw WHEN old.t <> new.t BEGIN
            INSERT INTO change (unit, start, "end", written_at) VALUES (old.unit, old.t, old.t + 1260000, 0); END;
            CREATE TABLE rows (
            device INTEGER NOT NULL, spool INTEGER NOT NULL, stored TEXT NOT NULL, refused TEXT NOT NULL,
            dropped TEXT NOT NULL, PRIMARY KEY (device, spool)) WITHOUT ROWID;
            INSERT INTO rows SELECT device, spool,
            json_group_array(json_array(low, high)) FILTER (WHERE outcome = 'stored'),
            json_group_array(json_array(low, high)) FILTER (WHERE outcome = 'refused'),
            json_group_array(json_array(low, high)) FILTER (WHERE outcome = 'dropped')
            FROM row_range GROUP BY device, spool;
            DROP TABLE row_range; DROP TABLE document; PRAGMA user_version=1"""
        )
    for _ in range(2):  # opening it again changes nothing
        with closing(SqliteStore(path)) as store:
            assert (store.events(CENTRE, AROUND), store.row_ranges(), store.changes_since(0)) == before
            assert store.checkpoint("a") == 7
    with closing(SqliteStore(tmp_path / "new.db")):
        assert made(path) == made(tmp_path / "new.db")


def made(path: Path) -> tuple[object, ...]:
    """Return a file's version and all that it was made of."""
    with closing(sqlite3.connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return version, sorted(db.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def test_what_a_moved_event_leaves_is_folded_as_far_as_any_event_reaches(tmp_path: Path) -> None:
    late = T + 10 * HOUR
    with closing(SqliteStore(tmp_path / "s.db")) as store:
        put(store, issued(1, late))
        put(store, issued(1, T))
        (moved,) = [c for c in store.changes_since(0) if c.end % HOUR]
    assert moved.start <= late - TICKET_LOOKBACK_MS
    assert moved.end >= late + SAME_ENTRY_MS + SERVICE_LEVEL_REACH_MS + 1


def test_ever_new_names_of_sums_take_a_bounded_part_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.store.sqlite.MAX_CACHED_SUM_NAMES", 3)
    totals = [Total(CENTRE, f"service:{i}", "5m", T, "vn83", {"calls": 1, f"wait_{i}": i}) for i in range(10)]
    with closing(SqliteStore(tmp_path / "s.db")) as store:
        for _ in range(2):
            store.replace_totals(CENTRE, "5m", AROUND, totals)
            assert store.totals([CENTRE], "5m", AROUND) == totals
            assert max(len(store._sum_keys), len(store._names_by_key)) <= 3
