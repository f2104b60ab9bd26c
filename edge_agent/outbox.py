"""The durable outbox: an event is forgotten only on a receipt. It must not know of MQTT.

SQLite in WAL mode with synchronous=FULL; one transaction holds events and their source's cursor,
so a restart neither loses nor doubles.  Row numbers never restart (AUTOINCREMENT).
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from telemetry.core import codec, completeness, events as ev
from telemetry.errors import OutboxTooNew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SCHEMA = 1
SAMPLE, EVENT, VITAL = 0, 1, 2
"""Priority classes: samples are given up first, vital rows never."""
REFUSED_KEPT = 1_000
KEYS_KEPT_MS = 7 * 86_400_000
FREED_AT_ONCE = 0.01
"""Share of the cap that one clearing frees, so that a full outbox does not clear at every append."""
RANGES_AT_ONCE = 1_000
"""Most ranges one `outbox.dropped` names, so that it fits into a frame."""

_TABLES = (
    """CREATE TABLE rows (n INTEGER PRIMARY KEY AUTOINCREMENT, class INTEGER NOT NULL, size INTEGER NOT NULL,
    body BLOB NOT NULL)""",
    "CREATE TABLE cursor (source TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE refused (n INTEGER PRIMARY KEY, reason TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE posted (key TEXT PRIMARY KEY, at INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (spool TEXT NOT NULL)",
)
_REPORT = b'{"type":"outbox.refused"'
_SAMPLES = (ev.DeviceHeartbeat, ev.ProbeResult, ev.LinkState, ev.DisplayState, ev.ConnectorStats)
_VITAL = (ev.OutboxDropped, ev.OutboxRefused, ev.CentreModeSet)


@dataclass(frozen=True, slots=True)
class Row:
    """One unreceipted row: its number and its event's JSON."""

    n: int
    body: bytes


def class_of(event: ev.Event) -> int:
    """Return the event's priority class."""
    if isinstance(event, _VITAL):
        return VITAL
    return SAMPLE if isinstance(event, _SAMPLES) else EVENT


class Outbox:
    """One device's unreceipted events. Safe to share between threads; one process at a time."""

    def __init__(self, path: Path, new_spool: Callable[[], str], cap_bytes: int = 256 * 1024 * 1024) -> None:
        """Open or create; `new_spool` names a new file for ever. Raises OutboxTooNew, sqlite3.Error."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._cap = cap_bytes
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._prepare(str(path), new_spool)
        self.spool = str(self._db.execute("SELECT spool FROM meta").fetchone()[0])
        self._bytes = int(self._db.execute("SELECT coalesce(sum(size), 0) FROM rows").fetchone()[0])
        self._highest = self._last_number()
        self._dropped = 0
        self._numbers_given = False
        self.appended: Callable[[], None] = _nothing
        """Told after every commit of new rows; set by the agent."""

    def _prepare(self, path: str, new_spool: Callable[[], str]) -> None:
        with self._write() as db:
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found > SCHEMA:
                raise OutboxTooNew(path, found, SCHEMA)
            if found == 0:
                for table in _TABLES:
                    db.execute(table)
                db.execute("INSERT INTO meta VALUES (?)", (new_spool(),))
                db.execute(f"PRAGMA user_version={SCHEMA}")

    def _last_number(self) -> int:
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk makes SQLite roll back by itself
                    self._db.execute("ROLLBACK")
                self._recount()
                raise

    def _recount(self) -> None:
        if hasattr(self, "_highest"):
            self._highest = self._last_number()
            self._bytes = int(self._db.execute("SELECT coalesce(sum(size), 0) FROM rows").fetchone()[0])

    def append(self, events: Sequence[ev.Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Number and keep events, with their source's cursor, in one commit.

        Returns the first and last row number, (0, 0) for none.  When this returns they are on disk.
        """
        with self._write() as db:
            first = self._highest + 1
            self._insert([msgspec.structs.replace(e, n=first + i) for i, e in enumerate(events)])
            if source:
                db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (source, cursor))
        self.appended()
        return (first, first + len(events) - 1) if events else (0, 0)

    def append_numbered(self, events: Sequence[ev.Event]) -> None:
        """Keep events that bring their own rising numbers (replay); those already numbered are skipped."""
        self._numbers_given = True
        with self._write():
            self._insert([e for e in events if e.n > self._highest])
        self.appended()

    def append_once(self, key: str, events: Sequence[ev.Event], now: int) -> tuple[str, bool]:
        """Keep a POST's events unless its Idempotency-Key was seen in 7 days; returns (answer, repeated)."""
        with self._write() as db:
            db.execute("DELETE FROM posted WHERE at < ?", (now - KEYS_KEPT_MS,))
            found = db.execute("SELECT answer FROM posted WHERE key = ?", (key,)).fetchone()
            if found:
                return str(found[0]), True
            first = self._highest + 1
            self._insert([msgspec.structs.replace(e, n=first + i) for i, e in enumerate(events)])
            answer = msgspec.json.encode({"first": first, "last": first + len(events) - 1}).decode()
            db.execute("INSERT INTO posted VALUES (?, ?, ?)", (key, now, answer))
        self.appended()
        return answer, False

    def _insert(self, events: Sequence[ev.Event]) -> None:
        rows = [(e.n, class_of(e), codec.encode_event(e)) for e in events]
        if not rows:
            return
        self._db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", [(n, c, len(b), b) for n, c, b in rows])
        self._bytes += sum(len(b) for _, _, b in rows)
        self._highest = rows[-1][0]
        if self._bytes > self._cap:
            self._clear(rows[-1][0], events[-1].t)

    def _clear(self, newest: int, t: int) -> None:
        """Give up the oldest rows of the lowest class until under the cap, and say which."""
        aim = self._bytes - int(self._cap * (1 - FREED_AT_ONCE))
        for cls, name in ((SAMPLE, "sample"), (EVENT, "event")):
            gone: list[int] = []
            sql = "SELECT n, size FROM rows WHERE class = ? AND n <= ? ORDER BY n"
            for n, size in self._db.execute(sql, (cls, newest)):
                if aim <= 0:
                    break
                gone.append(n)
                aim -= size
                self._bytes -= size
            self._declare(gone, name, t)

    def _declare(self, gone: list[int], name: str, t: int) -> None:
        if not gone:
            return
        self._db.executemany("DELETE FROM rows WHERE n = ?", [(n,) for n in gone])
        self._dropped += len(gone)
        for ranges in _parts(completeness.ranges_of(gone)):
            n = self._highest + 1
            event = ev.OutboxDropped(n=n, t=t, ranges=ranges, count=completeness.size(ranges), cls=name)
            body = codec.encode_event(event)
            self._db.execute("INSERT INTO rows VALUES (?, ?, ?, ?)", (n, VITAL, len(body), body))
            self._bytes += len(body)
            self._highest = n

    def after(self, n: int, limit: int) -> list[Row]:
        """Return up to `limit` rows numbered above `n`, oldest first."""
        with self._lock:
            sql = "SELECT n, body FROM rows WHERE n > ? ORDER BY n LIMIT ?"
            return [Row(*row) for row in self._db.execute(sql, (n, limit))]

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        """Return those of the numbered rows that are still kept."""
        with self._lock:
            marks = ",".join("?" * len(numbers))
            sql = f"SELECT n, body FROM rows WHERE n IN ({marks}) ORDER BY n"  # noqa: S608
            return [Row(*row) for row in self._db.execute(sql, tuple(numbers))]

    def forget(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Delete receipted rows, given as closed ranges."""
        with self._write() as db:
            for low, high in ranges:
                sql = "SELECT coalesce(sum(size), 0) FROM rows WHERE n BETWEEN ? AND ?"
                self._bytes -= int(db.execute(sql, (low, high)).fetchone()[0])
                db.execute("DELETE FROM rows WHERE n BETWEEN ? AND ?", (low, high))

    def refuse(self, rejected: Sequence[tuple[int, str]], now: int) -> None:
        """Move finally refused rows aside and report each.

        A refused report is not reported again; nor is any row of a log that brings its own numbers, since the
        report would take a number that belongs to a row still to come.
        """
        with self._write() as db:
            for n, reason in rejected:
                found = db.execute("SELECT body, size FROM rows WHERE n = ?", (n,)).fetchone()
                if not found:
                    continue
                db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", (n, reason, found[0]))
                db.execute("DELETE FROM rows WHERE n = ?", (n,))
                self._bytes -= found[1]
                if not self._numbers_given and not found[0].startswith(_REPORT):
                    report = ev.OutboxRefused(n=self._highest + 1, t=now, row=n, reason=reason.replace("_", "-"))
                    self._insert([report])
            db.execute("DELETE FROM refused WHERE n <= (SELECT max(n) FROM refused) - ?", (REFUSED_KEPT,))

    def cursor(self, source: str) -> str:
        """Return the source's cursor, empty at first."""
        with self._lock:
            row = self._db.execute("SELECT value FROM cursor WHERE source = ?", (source,)).fetchone()
            return str(row[0]) if row else ""

    @property
    def highest(self) -> int:
        """Return the highest row number ever given."""
        return self._highest

    @property
    def size_bytes(self) -> int:
        """Return the bytes of unreceipted events."""
        return self._bytes

    @property
    def dropped(self) -> int:
        """Return how many rows the cap made us give up since opening."""
        return self._dropped

    def pending(self) -> int:
        """Return how many rows wait for a receipt."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM rows").fetchone()[0])

    def refused(self) -> int:
        """Return how many refused rows are kept aside."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM refused").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _parts(ranges: completeness.Ranges) -> list[completeness.Ranges]:
    return [ranges[i : i + RANGES_AT_ONCE] for i in range(0, len(ranges), RANGES_AT_ONCE)]


def _nothing() -> None:
    pass
