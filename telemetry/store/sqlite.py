"""The store in one SQLite file: the embedded default. It must not compute anything but sums of rows."""

from __future__ import annotations

import sqlite3
import sys
import threading
from contextlib import closing, contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import msgspec

from telemetry.core.calendar.windows import DAY, Window, merge
from telemetry.core.figures import completeness
from telemetry.core.fold.totals import StoredSum, Total, decode_sums, encode_sums
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import OutboxDropped, OutboxRefused, entity_of, event_type_of
from telemetry.core.scope import Scope
from telemetry.errors import StoreTooNew, StoreUnavailable
from telemetry.sqlite_file import open_file, split_statements
from telemetry.store import (
    MAX_VERSION,
    SERVER_OUTBOX_IDS,
    STATUS_OUTBOX_ID,
    ChangeRecord,
    LiveRow,
    StoredEvent,
    row_range_table,
)
from telemetry.store.unreadable import UnreadableRows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.figures.chart_points import EntityChart
    from telemetry.core.figures.completeness import OutboxRowRanges
    from telemetry.core.scope import ScopeKind
    from telemetry.store import Batch, DeadLetter

_MOVED_EVENTS = (
    "DROP TRIGGER IF EXISTS raw_moved",
    """CREATE TRIGGER raw_moved AFTER UPDATE OF t ON raw WHEN old.t <> new.t BEGIN
  INSERT INTO change (unit, start, "end", written_at)
  VALUES (old.unit, max(old.t - 14400000, 0), old.t + 3790000, coalesce((SELECT max(written_at) FROM change), 0));
END""",
)
"""Version 2: the hours that a repeat with a smaller t moves its event from are folded again.

A ticket that moves also affects a wait that is decided up to an hour later.
"""
_ENCODED_SUMS: tuple[str, ...] = ()
"""Version 3: new totals are lists, `[key of their names, value, …]`, in which histograms are texts.

Totals of earlier versions, objects of numbers by name, are read as they are.
"""
_DOCUMENTS = ("CREATE TABLE document (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",)
"""Version 5: named documents."""
CHANGES_RETENTION_US = 86_400_000_000
"""Retention of changes behind the cursor; folded ones are read again for a minute only."""
MAX_DEAD_LETTERS = 10_000
"""Dead letters that are retained; their counts by reason are permanent."""
MAX_EVENT_TIME = 1 << 53
"""The latest time of an event, Unix ms, by its type."""
MAX_CACHED_NAMES = 50_000
"""Names of which the keys are remembered: a device may have 50 new outbox ids a day."""
MAX_CACHED_SUM_NAMES = 10_000
"""Lists of names of sums that are remembered, about 5 MB: one for each combination of sums that a total ever had."""
_SUMS_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(dict[str, StoredSum] | list[StoredSum | str])

_UPSERT_EVENT = """INSERT INTO raw (device, spool, n, unit, centre, t, type, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET unit = excluded.unit, centre = excluded.centre, t = excluded.t, type = excluded.type,
body = excluded.body WHERE excluded.t < raw.t"""


def missing_store(path: Path) -> str:
    """Return why the file is not a store that can be read, empty when it may be one; creates nothing."""
    if not path.is_file():
        return f"there is no store {path}"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            tables = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        return "" if isinstance(error, sqlite3.OperationalError) else f"{path} is no store: {error}"
    return "" if {"raw", "total"} <= tables else f"{path} is no store of Motcua"


class SqliteStore:
    """`Store` over one file in WAL mode, synchronous=FULL; safe to share between threads."""

    def __init__(self, path: Path, busy_ms: int = 10_000, page_cache_mb: int = 64) -> None:
        """Open or create the file; raises StoreTooNew or StoreUnavailable. `page_cache_mb` bounds its memory."""
        self._lock = threading.RLock()
        self.unreadable = UnreadableRows()
        self._name_keys: dict[str, int] = {}
        self._sum_keys: dict[str, int] = {}
        self._names_by_key: dict[int, tuple[str, ...]] = {}
        tables = split_statements(resources.files("telemetry.store").joinpath("schema.sql").read_text())
        migrations = (tuple(tables), _MOVED_EVENTS, _ENCODED_SUMS, row_range_table.MIGRATION, _DOCUMENTS)
        try:
            self._db = open_file(
                path, migrations, StoreTooNew, busy_ms=busy_ms, pragmas=(f"cache_size=-{page_cache_mb * 1024}",)
            )
        except (sqlite3.Error, OSError) as error:
            msg = f"{path}: {error}; check the path, its permissions and free space"
            raise StoreUnavailable(msg) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; on any error nothing of it is stored."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                self._name_keys.clear()
                self._sum_keys.clear()
                with suppress(sqlite3.Error):  # SQLite may have rolled back itself, or the file is closed
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise StoreUnavailable(str(error)) from error
                raise

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailable(str(error)) from error

    def _name_key(self, text: str) -> int:
        """Return the integer key of an id, inside a write."""
        return self._key_of(text, self._name_keys, MAX_CACHED_NAMES)

    def _key_of(self, text: str, known: dict[str, int], most_known: int) -> int:
        key = known.get(text)
        if key is None:
            if len(known) >= most_known:
                known.clear()
            self._db.execute("INSERT OR IGNORE INTO name (text) VALUES (?)", (text,))
            key = int(self._db.execute("SELECT id FROM name WHERE text = ?", (text,)).fetchone()[0])
            known[text] = key
        return key

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        """Store events, changes and dead letters in one write; accepts every event."""
        with self._transaction() as db:
            db.executemany(
                'INSERT INTO change (unit, start, "end", written_at) VALUES (?, ?, ?, ?)',
                [(self._name_key(c.entity), c.start, c.end, batch.written_at) for c in batch.changes],
            )
            db.executemany(_UPSERT_EVENT, [self._raw_row(s) for s in batch.events])
            self._record_row_ranges(batch.events)
            self._insert_dead_letters(batch.dead_letters)
        return ()

    def reconcile(self) -> None:
        """Do nothing: each write is complete."""

    def _raw_row(self, s: StoredEvent) -> tuple[object, ...]:
        name_key, event = self._name_key, s.event
        entity = name_key(entity_of(s.centre, event))
        key = (name_key(s.device), name_key(s.outbox_id), event.n)
        return (*key, entity, name_key(s.centre), event.t, event_type_of(event), codec.encode_event(event))

    def _record_row_ranges(self, events: Sequence[StoredEvent]) -> None:
        """Merge the batch's row numbers into each outbox's ranges; a union, so repeats change nothing."""
        groups: dict[tuple[str, str], list[StoredEvent]] = {}
        for s in events:
            if s.outbox_id not in SERVER_OUTBOX_IDS:
                groups.setdefault((s.device, s.outbox_id), []).append(s)
        for (device, outbox_id), group in groups.items():
            self._merge_row_ranges(self._name_key(device), self._name_key(outbox_id), group)

    def _merge_row_ranges(self, device: int, outbox_id: int, group: list[StoredEvent]) -> None:
        losses = [s.event for s in group if isinstance(s.event, OutboxDropped | OutboxRefused)]
        merge = row_range_table.merge_range
        for row_range in completeness.ranges_of(s.event.n for s in group):
            merge(self._db, (device, outbox_id, "stored"), row_range)
        for event in losses:
            if isinstance(event, OutboxRefused):
                merge(self._db, (device, outbox_id, "refused"), (event.row, event.row))
            else:
                for row_range in event.ranges:
                    merge(self._db, (device, outbox_id, "dropped"), row_range)

    def _insert_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        sql = "INSERT INTO dead (at, device, reason, rows, size) VALUES (?, ?, ?, ?, ?)"
        self._db.executemany(sql, [(d.at, d.device, d.reason, d.rows, d.size) for d in letters])
        count = "INSERT INTO dead_count VALUES (?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows"
        self._db.executemany(count, [(d.reason, d.rows) for d in letters])
        self._db.execute("DELETE FROM dead WHERE id <= (SELECT max(id) FROM dead) - ?", (MAX_DEAD_LETTERS,))

    def changes_since(self, since: int) -> list[ChangeRecord]:
        """Return changes with written_at ≥ since (µs), oldest first."""
        sql = """SELECT name.text, start, "end", written_at FROM change JOIN name ON name.id = change.unit
            WHERE written_at >= ? ORDER BY written_at, change.id"""
        rows = self._query(sql, (since,))
        if all(type(entity) is str and type(start) is type(end) is type(at) is int for entity, start, end, at in rows):
            return [ChangeRecord(*row) for row in rows]
        return list(
            self.unreadable.read_each(rows, _read_change, lambda row: (_text_or_none(row[0]), f"change {row[3]}"))
        )

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded."""
        return self.checkpoint("cursor")

    def set_cursor(self, written_at: int) -> None:
        """Store how far changes are folded."""
        with self._transaction() as db:
            db.execute(
                """INSERT INTO meta VALUES ('cursor', ?1) ON CONFLICT DO UPDATE
                SET value = CASE WHEN ?1 = 0 OR typeof(value) <> 'integer' THEN ?1 ELSE max(value, ?1) END""",
                (written_at,),
            )
            db.execute("DELETE FROM change WHERE written_at < ?", (written_at - CHANGES_RETENTION_US,))

    def checkpoint(self, key: str) -> int:
        """Return the number stored under a name, 0 at first."""
        rows = self._query("SELECT value FROM meta WHERE key = ?", (key,))
        try:
            return int(rows[0][0]) if rows else 0
        except (ValueError, OverflowError) as error:  # as if it were not stored: what it marks is done again
            self.unreadable.record("", f"meta {key}", error)
            return 0

    def set_checkpoint(self, key: str, value: int) -> None:
        """Store a number under a name."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def events(self, entity: str, window: Window, types: Collection[str] | None = None) -> list[StoredEvent]:
        """Return the entity's events with t in the window, each id once, by t."""
        type_filter = f"AND type IN ({','.join('?' * len(types))})" if types is not None else ""
        sql = f"""SELECT c.text, d.text, s.text, CAST(body AS BLOB), n
            FROM raw JOIN name c ON c.id = centre JOIN name d ON d.id = device
            JOIN name s ON s.id = spool WHERE unit = (SELECT id FROM name WHERE text = ?) AND t >= ? AND t < ?
            {type_filter} ORDER BY t, d.text, s.text, n"""  # noqa: S608
        rows = self._query(sql, (entity, window.start, window.end, *(types or ())))
        try:
            if all(type(c) is type(d) is type(s) is str for c, d, s, _, _ in rows):
                return [StoredEvent(c, d, s, codec.decode_event(body)) for c, d, s, body, _ in rows]
        except Exception:  # noqa: BLE001,S110  # one of them is unreadable: read each alone
            pass
        return list(self.unreadable.read_each(rows, _read_event, lambda row: (entity, _name_of_event(row))))

    def newest_births(self, entity: str, before: Mapping[str, int]) -> list[StoredEvent]:
        """Return each device's last stored birth before a time; the primary key finds a device's few statuses."""
        sql = """SELECT c.text, d.text, s.text, CAST(body AS BLOB), n
            FROM raw JOIN name c ON c.id = centre JOIN name d ON d.id = device JOIN name s ON s.id = spool
            WHERE device = (SELECT id FROM name WHERE text = ?) AND spool = (SELECT id FROM name WHERE text = ?)
            AND unit = (SELECT id FROM name WHERE text = ?) AND t < ?
            AND instr(CAST(body AS TEXT), '"online":true') ORDER BY t DESC, n DESC LIMIT 1"""
        answers = (self._query(sql, (device, STATUS_OUTBOX_ID, entity, t)) for device, t in before.items())
        rows = [row for answer in answers for row in answer]
        return list(self.unreadable.read_each(rows, _read_event, lambda row: (entity, _name_of_event(row))))

    def days_with_events(self) -> dict[str, list[Window]]:
        """Return for each entity the whole UTC days in which it has events."""
        sql = """SELECT DISTINCT name.text, t - t % ?1 FROM raw JOIN name ON name.id = unit
            WHERE typeof(t) = 'integer' AND t BETWEEN 0 AND ?2"""  # times that no version wrote are in no fold either
        days: dict[str, list[Window]] = {}
        for entity, start in self._query(sql, (DAY, MAX_EVENT_TIME)):
            if type(entity) is not str:
                self.unreadable.record("", f"raw of {entity!r}", TypeError("no text"))
                continue
            days.setdefault(entity, []).append(Window(start, start + DAY))
        return {entity: merge(windows) for entity, windows in days.items()}

    has_chart_points = False

    def replace_totals(
        self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total],
        chart: EntityChart | None = None,  # noqa: ARG002  # tools that chart read InfluxDB
    ) -> None:  # fmt: skip
        """Replace the entity's totals of that width that start in the window."""
        with self._transaction() as db:
            sql = """DELETE FROM total WHERE unit = (SELECT id FROM name WHERE text = ?)
                AND width = ? AND start >= ? AND start < ?"""
            db.execute(sql, (entity, width, window.start, window.end))
            if not totals:  # an entity without contact: its name is not written either, so nothing is synced
                return
            key = self._name_key(entity)
            db.executemany(
                "INSERT INTO total VALUES (?, ?, ?, ?, ?, ?)",
                [(key, width, t.start, t.scope, t.province, self._encode_sums(t.sums)) for t in totals],
            )

    def _encode_sums(self, sums: Mapping[str, int]) -> str:
        """Return sums as a list, inside a write: their names are one text of the table of names."""
        values = encode_sums(sums).values()
        key = self._key_of(" ".join(sums), self._sum_keys, MAX_CACHED_SUM_NAMES)
        return msgspec.json.encode((key, *values)).decode()

    def _decode_sums(self, text: str) -> dict[str, int]:
        """Return sums of a list, or of an object as earlier versions wrote it."""
        encoded = _SUMS_DECODER.decode(text)
        if isinstance(encoded, dict):
            return encoded
        key, *values = encoded
        return decode_sums(dict(zip(self._sum_names(key), values, strict=True)))

    def _sum_names(self, key: int) -> tuple[str, ...]:
        """Return the names of sums; rows of names never change."""
        names = self._names_by_key.get(key)
        if names is None:
            ((text,),) = self._query("SELECT text FROM name WHERE id = ?", (key,))
            if len(self._names_by_key) >= MAX_CACHED_SUM_NAMES:
                self._names_by_key.clear()
            names = self._names_by_key[key] = tuple(map(sys.intern, text.split()))  # lists share most of their names
        return names

    def replace_chart(self, width: BucketWidth, window: Window, chart: EntityChart) -> None:
        """Do nothing: tools that chart read InfluxDB."""

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        """Return totals that start in the window."""
        sql = """SELECT name.text, scope, width, start, province, sums FROM total JOIN name ON name.id = unit
            WHERE unit = (SELECT id FROM name WHERE text = ?) AND width = ? AND start >= ? AND start < ?
            AND scope >= ? AND scope < ? ORDER BY start, scope"""
        low, high = (Scope.of(cast("ScopeKind", kind), end) for end in ("", "~")) if kind else ("", "~")
        rows = [r for u in entities for r in self._query(sql, (u, width, window.start, window.end, low, high))]
        decode = self._decode_sums
        try:
            if all(type(p) is type(sums) is str for *_, p, sums in rows):
                return [Total(u, s, w, t, p, decode(sums)) for u, s, w, t, p, sums in rows]
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001,S110  # one of them is unreadable: read each alone
            pass
        return list(self.unreadable.read_each(rows, self._read_total, lambda r: (r[0], f"total {r[2]} {r[3]} {r[1]}")))

    def _read_total(self, row: tuple[Any, ...]) -> Total:
        entity, scope, width, start, province, sums = row
        return Total(entity, scope, width, start, _text(province), self._decode_sums(_text(sums)))

    def put_live_rows(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows and raise their versions."""
        with self._transaction() as db:
            sql = "SELECT coalesce(max(version), 0) + 1 FROM live WHERE typeof(version) = 'integer' AND version < ?"
            version = int(db.execute(sql, (MAX_VERSION,)).fetchone()[0])
            db.executemany("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", [(u, version, b) for u, b in rows.items()])

    def put_document(self, name: str, body: bytes) -> None:
        """Replace a named document."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO document VALUES (?, ?)", (name, body))

    def document(self, name: str) -> bytes | None:
        """Return a named document as it was put."""
        rows = self._query("SELECT CAST(body AS BLOB) FROM document WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        """Return live rows with version > after."""
        sql = "SELECT unit, version, CAST(body AS BLOB) FROM live WHERE version > ? ORDER BY version, unit"
        rows = self._query(sql, (after,))
        return list(
            self.unreadable.read_each(rows, _read_live_row, lambda row: (_text_or_none(row[0]), f"live {row[0]!r}"))
        )

    def row_ranges(self, device: str | None = None) -> list[OutboxRowRanges]:
        """Return each outbox's stored, refused and dropped rows."""
        return row_range_table.outbox_ranges(self._query(row_range_table.SELECT_RANGES, (device,)), self.unreadable)

    def dead_letter_counts(self) -> dict[str, int]:
        """Return how many rows were rejected or deferred, by reason."""
        rows = self._query("SELECT reason, rows FROM dead_count ORDER BY reason")
        read = self.unreadable.read_each(
            rows, lambda row: (_text(row[0]), _count(row[1])), lambda row: ("", f"dead_count {row[0]!r}")
        )
        return dict(read)

    def count_events(self) -> int:
        """Return how many agents' events are stored."""
        placeholders = ",".join("?" * len(SERVER_OUTBOX_IDS))
        sql = f"SELECT count(*) FROM raw WHERE spool NOT IN (SELECT id FROM name WHERE text IN ({placeholders}))"  # noqa: S608
        return int(self._query(sql, tuple(SERVER_OUTBOX_IDS))[0][0])

    def raw_retention_ms(self) -> int | None:
        """Return None: raw events have infinite retention."""
        return None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _text(value: object) -> str:
    """Return a stored text; raises TypeError when it is anything else."""
    if not isinstance(value, str):
        msg = f"{type(value).__name__} instead of a text"
        raise TypeError(msg)
    return value


def _text_or_none(value: object) -> str:
    """Return a stored text as the name of an entity, empty when it is none."""
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    """Return a stored number of rows or version; raises TypeError or ValueError when it is none."""
    if not isinstance(value, int) or not 0 <= value < MAX_VERSION:
        msg = f"{type(value).__name__} instead of a number from 0 to {MAX_VERSION}"
        raise TypeError(msg)
    return value


def _read_change(row: tuple[Any, ...]) -> ChangeRecord:
    return ChangeRecord(_text(row[0]), *(int(number) for number in row[1:]))


def _read_live_row(row: tuple[Any, ...]) -> LiveRow:
    return LiveRow(_text(row[0]), _count(row[1]), row[2])


_EventRow = tuple[str, str, str, bytes, int]
"""Centre, device, outbox, body and row number."""


def _read_event(row: _EventRow) -> StoredEvent:
    centre, device, outbox_id = map(_text, row[:3])
    return StoredEvent(centre, device, outbox_id, codec.decode_event(row[3]))


def _name_of_event(row: _EventRow) -> str:
    return f"raw {row[1]}/{row[2]}/{row[4]}"
