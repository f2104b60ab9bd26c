"""The outbox itself: rows, cursors, receipts, the cap; it must not know of MQTT, nor wait for anything but the disk.

One transaction holds events and their source's cursor, so a restart neither loses nor doubles.
Row numbers never restart (AUTOINCREMENT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge_agent.outbox.file import OutboxFile
from edge_agent.outbox.schema import EVENT, KEYS_KEPT_MS, SAMPLE, VITAL, class_of
from telemetry.core.figures import completeness
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.clock import Stamp

REFUSED_KEPT = 1_000
FREED_AT_ONCE = 0.01
"""Share of the cap that one clearing frees, so that a full outbox does not clear at every append."""
PURGE_EVERY_MS = 3_600_000
RANGES_AT_ONCE = 1_000
"""Most ranges one `outbox.dropped` names, so that it fits into a frame."""
_REPORT = b'{"type":"outbox.refused"'
_INSERT = "INSERT INTO rows (n, class, size, body, boot, mono, wall, doubtful) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Row:
    """One unreceipted row: its number, its event's JSON, whether its time is still to be put right."""

    n: int
    body: bytes
    doubtful: bool = False


class Outbox:
    """One device's unreceipted events. Safe to share between threads; one process at a time."""

    def __init__(
        self, path: Path, new_spool: Callable[[], str], cap_bytes: int = 256 * 1024 * 1024,
        stamp: Callable[[], Stamp] | None = None, reserve_bytes: int = 0,
    ) -> None:  # fmt: skip
        """Open or create; `new_spool` names a new file for ever. Raises OutboxTooNew, sqlite3.Error, OSError.

        `stamp` says when and by which clock a row is kept (without it no time is ever put right);
        `reserve_bytes` of disk are held back so that a full disk cannot keep rows from being freed.
        """
        self._cap, self._stamp = cap_bytes, stamp
        self._dropped: dict[str, int] = {}
        self._purge_at = 0
        self._numbers_given = False
        self.appended: Callable[[], None] = _nothing
        """Told after every commit of new rows; set by the agent."""
        self.file = OutboxFile(path, new_spool, self._wall, self._load, reserve_bytes)

    def _wall(self) -> int:
        return self._stamp().wall if self._stamp else 0

    def _load(self, db: sqlite3.Connection) -> None:
        """Take the counters from the file."""
        self.spool = str(db.execute("SELECT spool FROM meta").fetchone()[0])
        count, size = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM rows").fetchone()
        self._rows, self._bytes = int(count), int(size)
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        self._highest = int(row[0]) if row else 0
        self._boots: dict[str, int] = dict(db.execute("SELECT boot, id FROM boots").fetchall())

    def append(self, events: Sequence[ev.Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Number and keep events, with their source's cursor, in one commit.

        Returns the first and last row number, (0, 0) for none.  When this returns they are on disk.
        Raises OutboxFull, sqlite3.Error; nothing was kept then.
        """

        def work(db: sqlite3.Connection) -> tuple[int, int]:
            first = self._highest + 1
            self._insert(db, [msgspec.structs.replace(e, n=first + i) for i, e in enumerate(events)])
            if source:
                db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (source, cursor))
            return (first, first + len(events) - 1) if events else (0, 0)

        answer = self.file.commit(work)
        self.appended()
        return answer

    def append_numbered(self, events: Sequence[ev.Event]) -> None:
        """Keep events that bring their own rising numbers (replay); those already numbered are skipped."""
        self._numbers_given = True
        self.file.commit(lambda db: self._insert(db, [e for e in events if e.n > self._highest]))
        self.appended()

    def append_once(self, key: str, events: Sequence[ev.Event], now: int) -> tuple[str, bool]:
        """Keep a POST's events unless its Idempotency-Key was seen in 7 days; returns (answer, repeated)."""

        def work(db: sqlite3.Connection) -> tuple[str, bool]:
            self._purge_posted(db, now)
            sql = "SELECT answer FROM posted WHERE key = ? AND at >= ?"
            found = db.execute(sql, (key, now - KEYS_KEPT_MS)).fetchone()
            if found:
                return str(found[0]), True
            first = self._highest + 1
            self._insert(db, [msgspec.structs.replace(e, n=first + i) for i, e in enumerate(events)])
            answer = msgspec.json.encode({"first": first, "last": first + len(events) - 1}).decode()
            db.execute("INSERT OR REPLACE INTO posted VALUES (?, ?, ?)", (key, now, answer))
            return answer, False

        answer = self.file.commit(work)
        self.appended()
        return answer

    def _purge_posted(self, db: sqlite3.Connection, now: int) -> None:
        if now >= self._purge_at:
            db.execute("DELETE FROM posted WHERE at < ?", (now - KEYS_KEPT_MS,))
            self._purge_at = now + PURGE_EVERY_MS

    def _insert(self, db: sqlite3.Connection, events: Sequence[ev.Event]) -> None:
        if not events:
            return
        stamped = self._stamped(db)
        rows = [(e.n, class_of(e), codec.encode_event(e)) for e in events]
        db.executemany(_INSERT, [(n, c, len(b), b, *stamped) for n, c, b in rows])
        self._bytes += sum(len(b) for _, _, b in rows)
        self._rows += len(rows)
        self._highest = rows[-1][0]
        if self._bytes > self._cap:
            self._clear(db, rows[-1][0], events[-1].t)

    def _stamped(self, db: sqlite3.Connection) -> tuple[int | None, int | None, int | None, int]:
        """Return the columns that say when and by which clock a row was kept."""
        if self._stamp is None:
            return None, None, None, 0
        stamp = self._stamp()
        boot = self._boots.get(stamp.boot)
        if boot is None:
            boot = self._boots[stamp.boot] = max(self._boots.values(), default=0) + 1
            db.execute("INSERT INTO boots VALUES (?, ?)", (boot, stamp.boot))
        return boot, stamp.mono, stamp.wall, int(stamp.doubtful)

    def _clear(self, db: sqlite3.Connection, newest: int, t: int) -> None:
        """Give up the oldest rows of the lowest class until under the cap, and say which."""
        aim = self._bytes - int(self._cap * (1 - FREED_AT_ONCE))
        for cls, name in ((SAMPLE, "sample"), (EVENT, "event")):
            gone: list[int] = []
            sql = "SELECT n, size FROM rows WHERE class = ? AND n <= ? ORDER BY n"
            for n, size in db.execute(sql, (cls, newest)):
                if aim <= 0:
                    break
                gone.append(n)
                aim -= size
                self._bytes -= size
            self._declare(db, gone, name, t)

    def _declare(self, db: sqlite3.Connection, gone: list[int], name: str, t: int) -> None:
        if not gone:
            return
        db.executemany("DELETE FROM rows WHERE n = ?", [(n,) for n in gone])
        self._rows -= len(gone)
        self._dropped[name] = self._dropped.get(name, 0) + len(gone)
        for ranges in _parts(completeness.ranges_of(gone)):
            n = self._highest + 1
            event = ev.OutboxDropped(n=n, t=t, ranges=ranges, count=completeness.size(ranges), cls=name)
            body = codec.encode_event(event)
            db.execute(_INSERT, (n, VITAL, len(body), body, *self._stamped(db)))
            self._rows += 1
            self._bytes += len(body)
            self._highest = n

    def after(self, n: int, limit: int, to: int | None = None, cls: int | None = None) -> list[Row]:
        """Return up to `limit` rows numbered above `n` (and up to `to`, of class `cls`), oldest first."""
        lane, values = ("", [n]) if cls is None else (" AND class = ?", [n, cls])
        bound = "" if to is None else " AND n <= ?"
        values += [limit] if to is None else [to, limit]
        sql = f"SELECT n, body, doubtful FROM rows WHERE n > ?{lane}{bound} ORDER BY n LIMIT ?"  # noqa: S608
        return [Row(n, body, bool(doubtful)) for n, body, doubtful in self.file.read(sql, values)]

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        """Return those of the numbered rows that are still kept."""
        marks = ",".join("?" * len(numbers))
        sql = f"SELECT n, body, doubtful FROM rows WHERE n IN ({marks}) ORDER BY n"  # noqa: S608
        return [Row(n, body, bool(doubtful)) for n, body, doubtful in self.file.read(sql, tuple(numbers))]

    def forget(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Delete receipted rows, given as closed ranges; a power cut may bring them back, to be sent once more."""
        spool = self.spool

        def work(db: sqlite3.Connection) -> None:
            if spool != self.spool:  # a damaged file was replaced meanwhile: its numbers name other rows now
                return
            for low, high in ranges:
                sql = "SELECT count(*), coalesce(sum(size), 0) FROM rows WHERE n BETWEEN ? AND ?"
                count, size = db.execute(sql, (low, high)).fetchone()
                db.execute("DELETE FROM rows WHERE n BETWEEN ? AND ?", (low, high))
                self._rows -= count
                self._bytes -= size

        self.file.freeing(work)

    def refuse(self, rejected: Sequence[tuple[int, str]], now: int) -> None:
        """Move finally refused rows aside and report each.

        A refused report is not reported again; nor is any row of a log that brings its own numbers, since the
        report would take a number that belongs to a row still to come.
        """
        spool = self.spool

        def work(db: sqlite3.Connection) -> None:
            if spool != self.spool:
                return
            for n, reason in rejected:
                self._put_aside(db, n, reason, now)
            db.execute("DELETE FROM refused WHERE n <= (SELECT max(n) FROM refused) - ?", (REFUSED_KEPT,))

        self.file.freeing(work, durable=True)

    def _put_aside(self, db: sqlite3.Connection, n: int, reason: str, now: int) -> None:
        found = db.execute("SELECT body, size FROM rows WHERE n = ?", (n,)).fetchone()
        if not found:
            return
        db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", (n, reason, found[0]))
        db.execute("DELETE FROM rows WHERE n = ?", (n,))
        self._rows -= 1
        self._bytes -= found[1]
        if not self._numbers_given and not found[0].startswith(_REPORT):
            self._insert(db, [ev.OutboxRefused(n=self._highest + 1, t=now, row=n, reason=reason.replace("_", "-"))])

    def cursor(self, source: str) -> str:
        """Return the source's cursor, empty at first."""
        found = self.file.read("SELECT value FROM cursor WHERE source = ?", (source,))
        return str(found[0][0]) if found else ""

    @property
    def highest(self) -> int:
        """Return the highest row number ever given."""
        with self.file.lock:
            return self._highest

    @property
    def size_bytes(self) -> int:
        """Return the bytes of unreceipted events."""
        with self.file.lock:
            return self._bytes

    @property
    def dropped(self) -> int:
        """Return how many rows the cap made us give up since opening."""
        return sum(self._dropped.values())

    @property
    def dropped_by_class(self) -> dict[str, int]:
        """Return the same by the rows' class."""
        return dict(self._dropped)

    def pending(self) -> int:
        """Return how many rows wait for a receipt."""
        with self.file.lock:
            return self._rows

    def limit(self, cap_bytes: int) -> None:
        """Change the cap; what is over it goes with the next append."""
        self._cap = cap_bytes

    def probe(self) -> None:
        """Write a little, to see whether writing works. Raises sqlite3.Error."""
        self.file.freeing(lambda db: db.execute("UPDATE meta SET spool = spool"))

    def grown(self, by: int) -> None:
        """Note, inside a transaction, that bodies were rewritten and weigh so many bytes more."""
        self._bytes += by

    def refused(self) -> int:
        """Return how many refused rows are kept aside."""
        return int(self.file.read("SELECT count(*) FROM refused")[0][0])

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _parts(ranges: completeness.Ranges) -> list[completeness.Ranges]:
    return [ranges[i : i + RANGES_AT_ONCE] for i in range(0, len(ranges), RANGES_AT_ONCE)]


def _nothing() -> None:
    pass
