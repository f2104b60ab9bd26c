"""The store in one SQLite file: the embedded default. It must not compute anything but sums of rows."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from telemetry.core.calendar.windows import DAY, Window, merge
from telemetry.core.figures import completeness
from telemetry.core.figures.completeness import RowRanges
from telemetry.core.fold.totals import Total
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import OutboxDropped, OutboxRefused, type_of, unit_of
from telemetry.errors import StoreTooNew, StoreUnavailable
from telemetry.store import SERVER_SPOOLS, Change, Live, Stored
from telemetry.store.migrations import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from telemetry.core.calendar.windows import Width
    from telemetry.store import Batch, DeadLetter

SCHEMA = 2
CHANGES_KEPT_US = 86_400_000_000
"""How long changes are kept behind the cursor; folded ones are only read again for a minute."""
DEAD_KEPT = 10_000
"""Dead letters kept; their counts by reason are kept for ever."""

_PUT = """INSERT INTO raw (device, spool, n, unit, centre, t, type, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET unit = excluded.unit, centre = excluded.centre, t = excluded.t, type = excluded.type,
body = excluded.body WHERE excluded.t < raw.t"""


class SqliteStore:
    """`Store` over one file in WAL mode, synchronous=FULL; safe to share between threads."""

    def __init__(self, path: Path, busy_ms: int = 10_000) -> None:
        """Open or create the file; raises StoreTooNew or StoreUnavailable."""
        self._lock = threading.RLock()
        self._names: dict[str, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_ms / 1000)
            self._prepare(str(path))
        except (sqlite3.Error, OSError) as error:
            msg = f"{path}: {error}; check the path, its permissions and free space"
            raise StoreUnavailable(msg) from error

    def _prepare(self, path: str) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA cache_size=-65536")
        self._db.execute("BEGIN IMMEDIATE")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            self._db.execute("ROLLBACK")
            raise StoreTooNew(path, found, SCHEMA)
        if found == 0:
            for statement in _statements(resources.files("telemetry.store").joinpath("schema.sql").read_text()):
                self._db.execute(statement)
        for version in range(found or SCHEMA, SCHEMA):
            for statement in MIGRATIONS[version]:
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={SCHEMA}")
        self._db.execute("COMMIT")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction; on any error nothing of it stays."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                self._names.clear()
                with suppress(sqlite3.Error):  # SQLite may have rolled back itself, or the file is closed
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise StoreUnavailable(str(error)) from error
                raise

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailable(str(error)) from error

    def _name(self, text: str) -> int:
        """Return the short key of an id, inside a write."""
        key = self._names.get(text)
        if key is None:
            self._db.execute("INSERT OR IGNORE INTO name (text) VALUES (?)", (text,))
            key = int(self._db.execute("SELECT id FROM name WHERE text = ?", (text,)).fetchone()[0])
            self._names[text] = key
        return key

    def append(self, batch: Batch) -> Sequence[Stored]:
        """Store events, changes and dead letters in one write; refuses none."""
        with self._write() as db:
            db.executemany(
                'INSERT INTO change (unit, start, "end", written_at) VALUES (?, ?, ?, ?)',
                [(self._name(c.unit), c.start, c.end, batch.written_at) for c in batch.changes],
            )
            db.executemany(_PUT, [self._row(s) for s in batch.events])
            self._account(batch.events)
            self._bury(batch.dead)
        return ()

    def reconcile(self) -> None:
        """Nothing to do: each write leaves everything right."""

    def _row(self, s: Stored) -> tuple[object, ...]:
        name, event = self._name, s.event
        unit = name(unit_of(s.centre, event))
        key = (name(s.device), name(s.spool), event.n)
        return (*key, unit, name(s.centre), event.t, type_of(event), codec.encode_event(event))

    def _account(self, events: Sequence[Stored]) -> None:
        """Join the batch's row numbers into what is known of each outbox; a union, so repeats change nothing."""
        groups: dict[tuple[str, str], list[Stored]] = {}
        for s in events:
            if s.spool not in SERVER_SPOOLS:
                groups.setdefault((s.device, s.spool), []).append(s)
        for (device, spool), group in groups.items():
            self._join(self._name(device), self._name(spool), group)

    def _join(self, device: int, spool: int, group: list[Stored]) -> None:
        sql = "SELECT stored, refused, dropped FROM rows WHERE device = ? AND spool = ?"
        found = self._db.execute(sql, (device, spool)).fetchone() or ("[]", "[]", "[]")
        stored, refused, dropped = (_ranges(text) for text in found)
        stored = completeness.union(stored, completeness.ranges_of(s.event.n for s in group))
        gone = [s.event for s in group if isinstance(s.event, OutboxDropped | OutboxRefused)]
        refused = completeness.union(refused, ((e.row, e.row) for e in gone if isinstance(e, OutboxRefused)))
        dropped = completeness.union(dropped, *(e.ranges for e in gone if isinstance(e, OutboxDropped)))
        texts = [msgspec.json.encode(r).decode() for r in (stored, refused, dropped)]
        self._db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", (device, spool, *texts))

    def _bury(self, dead: Sequence[DeadLetter]) -> None:
        if not dead:
            return
        sql = "INSERT INTO dead (at, device, reason, rows, size) VALUES (?, ?, ?, ?, ?)"
        self._db.executemany(sql, [(d.at, d.device, d.reason, d.rows, d.size) for d in dead])
        count = "INSERT INTO dead_count VALUES (?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows"
        self._db.executemany(count, [(d.reason, d.rows) for d in dead])
        self._db.execute("DELETE FROM dead WHERE id <= (SELECT max(id) FROM dead) - ?", (DEAD_KEPT,))

    def changes(self, since: int) -> list[Change]:
        """Return changes with written_at ≥ since (µs), oldest first."""
        sql = """SELECT name.text, start, "end", written_at FROM change JOIN name ON name.id = change.unit
            WHERE written_at >= ? ORDER BY written_at, change.id"""
        return [Change(*row) for row in self._read(sql, (since,))]

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded."""
        return self.mark("cursor")

    def set_cursor(self, written_at: int) -> None:
        """Remember how far changes are folded."""
        with self._write() as db:
            db.execute(
                """INSERT INTO meta VALUES ('cursor', ?1) ON CONFLICT DO UPDATE
                SET value = CASE WHEN ?1 = 0 THEN 0 ELSE max(value, ?1) END""",
                (written_at,),
            )
            db.execute("DELETE FROM change WHERE written_at < ?", (written_at - CHANGES_KEPT_US,))

    def mark(self, key: str) -> int:
        """Return a number kept under a name, 0 at first."""
        rows = self._read("SELECT value FROM meta WHERE key = ?", (key,))
        return int(rows[0][0]) if rows else 0

    def set_mark(self, key: str, value: int) -> None:
        """Keep a number under a name."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def events(self, unit: str, window: Window, types: Collection[str] | None = None) -> list[Stored]:
        """Return the unit's events with t in the window, each name once, by t."""
        wanted = f" AND type IN ({','.join('?' * len(types))})" if types is not None else ""
        sql = f"""SELECT c.text, d.text, s.text, body FROM raw JOIN name c ON c.id = centre JOIN name d ON d.id = device
            JOIN name s ON s.id = spool WHERE unit = (SELECT id FROM name WHERE text = ?) AND t >= ? AND t < ?{wanted}
            ORDER BY t, d.text, s.text, n"""  # noqa: S608
        rows = self._read(sql, (unit, window.start, window.end, *(types or ())))
        return [Stored(c, d, s, codec.decode_event(body)) for c, d, s, body in rows]

    def extent(self) -> dict[str, list[Window]]:
        """Return for each unit the whole UTC days in which it has events."""
        sql = "SELECT DISTINCT name.text, t - t % ? FROM raw JOIN name ON name.id = unit"
        days: dict[str, list[Window]] = {}
        for unit, start in self._read(sql, (DAY,)):
            days.setdefault(unit, []).append(Window(start, start + DAY))
        return {unit: merge(found) for unit, found in days.items()}

    def replace_totals(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Put these totals in place of the unit's of that width starting in the window."""
        with self._write() as db:
            key = self._name(unit)
            sql = "DELETE FROM total WHERE unit = ? AND width = ? AND start >= ? AND start < ?"
            db.execute(sql, (key, width, window.start, window.end))
            db.executemany(
                "INSERT INTO total VALUES (?, ?, ?, ?, ?, ?)",
                [(key, width, t.start, t.scope, t.province, msgspec.json.encode(t.sums).decode()) for t in totals],
            )

    def totals(self, units: Sequence[str], width: Width, window: Window, kind: str = "") -> list[Total]:
        """Return totals starting in the window."""
        sql = """SELECT name.text, scope, width, start, province, sums FROM total JOIN name ON name.id = unit
            WHERE unit = (SELECT id FROM name WHERE text = ?) AND width = ? AND start >= ? AND start < ?
            AND scope >= ? AND scope < ? ORDER BY start, scope"""
        low, high = (f"{kind}:", f"{kind};") if kind else ("", "~")
        rows = [r for u in units for r in self._read(sql, (u, width, window.start, window.end, low, high))]
        return [Total(u, s, w, t, p, msgspec.json.decode(sums)) for u, s, w, t, p, sums in rows]

    def put_live(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows and raise their versions."""
        with self._write() as db:
            version = int(db.execute("SELECT coalesce(max(version), 0) + 1 FROM live").fetchone()[0])
            db.executemany("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", [(u, version, b) for u, b in rows.items()])

    def live(self, after: int = 0) -> list[Live]:
        """Return live rows with version > after."""
        sql = "SELECT unit, version, body FROM live WHERE version > ? ORDER BY version, unit"
        return [Live(*row) for row in self._read(sql, (after,))]

    def row_ranges(self, device: str | None = None) -> list[RowRanges]:
        """Return what became of each outbox's rows."""
        sql = """SELECT d.text, s.text, stored, refused, dropped FROM rows JOIN name d ON d.id = device
            JOIN name s ON s.id = spool WHERE ?1 IS NULL OR d.text = ?1 ORDER BY d.text, s.text"""
        return [RowRanges(d, s, *(_ranges(x) for x in parts)) for d, s, *parts in self._read(sql, (device,))]

    def dead_letters(self) -> dict[str, int]:
        """Return how many rows were refused or put off, by reason."""
        return dict(self._read("SELECT reason, rows FROM dead_count ORDER BY reason"))

    def count(self) -> int:
        """Return how many agents' events are stored."""
        marks = ",".join("?" * len(SERVER_SPOOLS))
        sql = f"SELECT count(*) FROM raw WHERE spool NOT IN (SELECT id FROM name WHERE text IN ({marks}))"  # noqa: S608
        return int(self._read(sql, tuple(SERVER_SPOOLS))[0][0])

    def retention(self) -> int | None:
        """Raw events are kept for ever."""
        return None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _ranges(text: str) -> completeness.Ranges:
    return tuple((low, high) for low, high in msgspec.json.decode(text))


def _statements(script: str) -> Iterator[str]:
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
