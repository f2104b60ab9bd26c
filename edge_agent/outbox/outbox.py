"""The outbox: rows, cursors, receipts, the cap; it must not use MQTT, nor wait for anything but the disk.

Events and their source's cursor are committed together, so a restart neither loses nor repeats an event.
Row numbers never restart (AUTOINCREMENT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge_agent.outbox.file import OutboxFile
from edge_agent.outbox.outbox_id import read_outbox_id
from edge_agent.outbox.schema import EVENT, IDEMPOTENCY_KEY_TTL_MS, SAMPLE, VITAL, priority_class
from telemetry.core.figures import completeness
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.clock import ClockStamp

MAX_REFUSED_ROWS = 1_000
CLEARED_SHARE = 0.01
"""Share of the cap that one clearing frees, so that a full outbox is not cleared at every append."""
PURGE_EVERY_MS = 3_600_000
MAX_RANGES_PER_EVENT = 1_000
"""Most ranges in one `outbox.dropped` event, so that it fits into a frame."""
_HANDED_OUT = "delivery:handed_out"
"""The cursor that holds the rows handed out when the agent stopped."""
MAX_HANDED_OUT_RANGES = 10_000
_REFUSED_EVENT_PREFIX = b'{"type":"outbox.refused"'
_MAX_ROW_BYTES = 1 << 30
_SUM_OF_SIZES = (
    f"coalesce(sum(CASE WHEN typeof(size) = 'integer' AND size BETWEEN 0 AND {_MAX_ROW_BYTES} THEN size END), 0)"
)
"""A size that a power cut changed counts as nothing."""
_INSERT_ROW = "INSERT INTO rows (n, class, size, body, boot, mono, wall, doubtful) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row without a receipt: its number, its event's JSON, whether its time may still be repaired."""

    n: int
    body: bytes
    time_unsure: bool = False


@dataclass(frozen=True, slots=True)
class PostKey:
    """The Idempotency-Key of a POST, and the digest of its body: a key belongs to one body."""

    key: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PostResult:
    """The rows of a POST; `repeated` when an earlier one had the key, `conflicts` when that had another body."""

    first: int
    last: int
    repeated: bool = False
    conflicts: bool = False


class Outbox:
    """One device's events without a receipt. Safe to share between threads; one process at a time."""

    def __init__(
        self, path: Path, new_outbox_id: Callable[[], str], cap_bytes: int = 256 * 1024 * 1024,
        stamp: Callable[[], ClockStamp] | None = None, reserve_bytes: int = 0,
    ) -> None:  # fmt: skip
        """Open or create; `new_outbox_id` makes a new file's permanent id. Raises OutboxTooNew, sqlite3.Error, OSError.

        `stamp` records when and by which clock a row is appended (without it no time is ever repaired);
        `reserve_bytes` of disk space are reserved so that rows can be freed even on a full disk.
        """
        self._cap, self._stamp = cap_bytes, stamp
        self._dropped: dict[str, int] = {}
        self._purge_at = 0
        self._numbers_external = False
        self.on_appended: Callable[[], object] = lambda: None
        """Called after every commit of new rows; set by the agent's loop."""
        self.file = OutboxFile(path, new_outbox_id, self._wall, self._load_counters, reserve_bytes)

    def _wall(self) -> int:
        return self._stamp().wall if self._stamp else 0

    def _load_counters(self, db: sqlite3.Connection) -> None:
        """Read the counters from the file."""
        count, size = db.execute(f"SELECT count(*), {_SUM_OF_SIZES} FROM rows").fetchone()  # noqa: S608
        self._row_count, self._size_bytes = int(count), int(size)
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        self._highest_n = int(row[0]) if row else 0
        self._boots: dict[str, int] = dict(db.execute("SELECT boot, id FROM boots").fetchall())
        self.outbox_id = read_outbox_id(db)

    def append(self, events: Sequence[ev.Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Number and append events, with their source's cursor, in one commit.

        Returns the first and last row number, (0, 0) for none.  When this returns they are on disk.
        Raises OutboxFull, sqlite3.Error; nothing was appended then.
        """

        def work(db: sqlite3.Connection) -> tuple[int, int]:
            numbers = self._insert_new(db, events)
            if source:
                db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (source, cursor))
            return numbers if events else (0, 0)

        answer = self.file.commit(work)
        self.on_appended()
        return answer

    def append_numbered(self, events: Sequence[ev.Event]) -> None:
        """Append events that have their own ascending row numbers (replay); numbers already used are skipped."""
        self._numbers_external = True
        self.file.commit(lambda db: self._insert_events(db, [e for e in events if e.n > self._highest_n]))
        self.on_appended()

    def append_idempotent(self, events: Sequence[ev.Event], post: PostKey, now: int) -> PostResult:
        """Append a POST's events unless its Idempotency-Key was used within 7 days; nothing is appended then."""

        def work(db: sqlite3.Connection) -> PostResult:
            if now >= self._purge_at:
                db.execute("DELETE FROM posted WHERE at < ?", (now - IDEMPOTENCY_KEY_TTL_MS,))
                self._purge_at = now + PURGE_EVERY_MS
            sql = "SELECT answer, digest FROM posted WHERE key = ? AND at >= ?"
            row = db.execute(sql, (post.key, now - IDEMPOTENCY_KEY_TTL_MS)).fetchone()
            if row is not None:
                conflicts = "" not in (row[1], post.digest) and row[1] != post.digest
                return PostResult(**msgspec.json.decode(row[0]), repeated=True, conflicts=conflicts)
            first, last = self._insert_new(db, events)
            answer = msgspec.json.encode({"first": first, "last": last}).decode()
            sql = "INSERT OR REPLACE INTO posted (key, at, answer, digest) VALUES (?, ?, ?, ?)"
            db.execute(sql, (post.key, now, answer, post.digest))
            return PostResult(first, last)

        result = self.file.commit(work)
        self.on_appended()
        return result

    def _insert_new(self, db: sqlite3.Connection, events: Sequence[ev.Event]) -> tuple[int, int]:
        """Number events after the highest row and insert them; returns the first and last number."""
        first = self._highest_n + 1
        self._insert_events(db, [msgspec.structs.replace(e, n=first + i) for i, e in enumerate(events)])
        return first, first + len(events) - 1

    def _insert_events(self, db: sqlite3.Connection, events: Sequence[ev.Event]) -> None:
        if not events:
            return
        stamp_values = self._stamp_columns(db)
        rows = [(e.n, priority_class(e), codec.encode_event(e)) for e in events]
        db.executemany(_INSERT_ROW, [(n, c, len(b), b, *stamp_values) for n, c, b in rows])
        self._size_bytes += sum(len(b) for _, _, b in rows)
        self._row_count += len(rows)
        self._highest_n = rows[-1][0]
        if self._size_bytes > self._cap:
            self._drop_to_cap(db, rows[-1][0], events[-1].t)

    def _stamp_columns(self, db: sqlite3.Connection) -> tuple[int | None, int | None, int | None, int]:
        """Return the columns that record when and by which clock a row was appended."""
        if self._stamp is None:
            return None, None, None, 0
        stamp = self._stamp()
        boot = self._boots.get(stamp.boot)
        if boot is None:
            boot = self._boots[stamp.boot] = max(self._boots.values(), default=0) + 1
            db.execute("INSERT INTO boots VALUES (?, ?)", (boot, stamp.boot))
        return boot, stamp.mono, stamp.wall, int(stamp.time_unsure)

    def _drop_to_cap(self, db: sqlite3.Connection, newest: int, t: int) -> None:
        """Drop the oldest rows of the lowest class until the size is under the cap, and report their numbers."""
        excess_bytes = self._size_bytes - int(self._cap * (1 - CLEARED_SHARE))
        for cls, name in ((SAMPLE, "sample"), (EVENT, "event")):
            numbers: list[int] = []
            sql = "SELECT n, size FROM rows WHERE class = ? AND n <= ? ORDER BY n"
            for n, size in db.execute(sql, (cls, newest)):
                if excess_bytes <= 0:
                    break
                numbers.append(n)
                excess_bytes -= _usable_size(size)
                self._size_bytes -= _usable_size(size)
            self._drop_rows(db, numbers, name, t)

    def _drop_rows(self, db: sqlite3.Connection, numbers: list[int], class_name: str, t: int) -> None:
        if not numbers:
            return
        db.executemany("DELETE FROM rows WHERE n = ?", [(n,) for n in numbers])
        self._row_count -= len(numbers)
        self._dropped[class_name] = self._dropped.get(class_name, 0) + len(numbers)
        dropped = completeness.ranges_of(numbers)
        for start in range(0, len(dropped), MAX_RANGES_PER_EVENT):
            ranges, n = dropped[start : start + MAX_RANGES_PER_EVENT], self._highest_n + 1
            event = ev.OutboxDropped(n=n, t=t, ranges=ranges, count=completeness.count_rows(ranges), cls=class_name)
            body = codec.encode_event(event)
            db.execute(_INSERT_ROW, (n, VITAL, len(body), body, *self._stamp_columns(db)))
            self._row_count += 1
            self._size_bytes += len(body)
            self._highest_n = n

    def rows_after(self, n: int, limit: int, to: int | None = None, cls: int | None = None) -> list[OutboxRow]:
        """Return up to `limit` rows numbered above `n` (and up to `to`, of class `cls`), oldest first."""
        class_filter, values = ("", [n]) if cls is None else (" AND class = ?", [n, cls])
        bound = "" if to is None else " AND n <= ?"
        values += [limit] if to is None else [to, limit]
        sql = f"SELECT n, body, doubtful FROM rows WHERE n > ?{class_filter}{bound} ORDER BY n LIMIT ?"  # noqa: S608
        return [OutboxRow(n, body, bool(doubtful)) for n, body, doubtful in self.file.query(sql, values)]

    def rows_by_number(self, numbers: Sequence[int]) -> list[OutboxRow]:
        """Return those of the numbered rows that are still in the outbox."""
        placeholders = ",".join("?" * len(numbers))
        sql = f"SELECT n, body, doubtful FROM rows WHERE n IN ({placeholders}) ORDER BY n"  # noqa: S608
        return [OutboxRow(n, body, bool(doubtful)) for n, body, doubtful in self.file.query(sql, tuple(numbers))]

    def delete_receipted(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Delete receipted rows, given as closed ranges; after a power failure they may be sent once more."""
        outbox_id = self.outbox_id

        def work(db: sqlite3.Connection) -> None:
            if (
                outbox_id != self.outbox_id
            ):  # a damaged file was replaced meanwhile: the numbers now belong to other rows
                return
            for low, high in ranges:
                sql = f"SELECT count(*), {_SUM_OF_SIZES} FROM rows WHERE n BETWEEN ? AND ?"  # noqa: S608
                count, size = db.execute(sql, (low, high)).fetchone()
                db.execute("DELETE FROM rows WHERE n BETWEEN ? AND ?", (low, high))
                self._row_count -= count
                self._size_bytes -= size

        self.file.commit_freeing(work)

    def move_to_refused(self, rejected: Sequence[tuple[int, str]], now: int) -> None:
        """Move rejected rows to the refused table and report each.

        A rejected report is not reported again; nor is any row of a log with its own row numbers, since the report
        would use the number of a future row.
        """
        outbox_id = self.outbox_id

        def work(db: sqlite3.Connection) -> bool:
            if outbox_id != self.outbox_id:
                return False
            highest_before = self._highest_n
            for n, reason in rejected:
                self._move_row_to_refused(db, n, reason, now)
            surplus = "SELECT n FROM refused ORDER BY n DESC LIMIT 1 OFFSET ?"
            db.execute(f"DELETE FROM refused WHERE n <= ({surplus})", (MAX_REFUSED_ROWS,))  # noqa: S608
            return self._highest_n > highest_before

        if self.file.commit_freeing(work, durable=True):
            self.on_appended()

    def _move_row_to_refused(self, db: sqlite3.Connection, n: int, reason: str, now: int) -> None:
        row = db.execute("SELECT body, size FROM rows WHERE n = ?", (n,)).fetchone()
        if not row:
            return
        db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", (n, reason, row[0]))
        db.execute("DELETE FROM rows WHERE n = ?", (n,))
        self._row_count -= 1
        body, size = row
        self._size_bytes -= _usable_size(size)
        is_report = isinstance(body, bytes) and body.startswith(_REFUSED_EVENT_PREFIX)
        if not self._numbers_external and not is_report:
            self._insert_new(db, [ev.OutboxRefused(n=1, t=now, row=n, reason=reason.replace("_", "-"))])

    def refused_rows(self, reason: str) -> list[OutboxRow]:
        """Return the refused rows with this reason, oldest first."""
        sql = "SELECT n, body FROM refused WHERE reason = ? ORDER BY n"
        return [OutboxRow(n, body) for n, body in self.file.query(sql, (reason,))]

    def restore_refused(self, rows: Sequence[OutboxRow]) -> None:
        """Move rows back from the refused table: they wait for a receipt again."""

        def work(db: sqlite3.Connection) -> None:
            for row in rows:
                try:
                    cls = priority_class(codec.decode_event(row.body))
                except msgspec.MsgspecError:
                    cls = EVENT
                db.execute("DELETE FROM refused WHERE n = ?", (row.n,))
                db.execute(_INSERT_ROW, (row.n, cls, len(row.body), row.body, None, None, None, 0))
                self._row_count += 1
                self._size_bytes += len(row.body)

        self.file.commit(work)

    def save_handed_out(self, ranges: completeness.ClosedRanges) -> None:
        """Store which rows were handed out and wait for a receipt: the next process takes receipts for them."""
        text = msgspec.json.encode(ranges[:MAX_HANDED_OUT_RANGES]).decode()
        self.file.commit(lambda db: db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (_HANDED_OUT, text)))

    def handed_out(self) -> completeness.ClosedRanges:
        """Return what `save_handed_out` stored; none when it cannot be read."""
        text = self.cursor(_HANDED_OUT)
        try:
            ranges = msgspec.json.decode(text, type=list[tuple[ev.RowNumber, ev.RowNumber]]) if text else []
        except msgspec.MsgspecError:
            return ()
        return completeness.union_ranges((low, high) for low, high in ranges if low <= high)

    def cursor(self, source: str) -> str:
        """Return the source's cursor, empty at first."""
        rows = self.file.query("SELECT value FROM cursor WHERE source = ?", (source,))
        return str(rows[0][0]) if rows else ""

    @property
    def highest_n(self) -> int:
        """Return the highest row number used so far."""
        with self.file.lock:
            return self._highest_n

    @property
    def size_bytes(self) -> int:
        """Return the size of the events without a receipt, bytes."""
        with self.file.lock:
            return self._size_bytes

    @property
    def dropped_count(self) -> int:
        """Return how many rows were dropped at the cap since opening."""
        return sum(self._dropped.values())

    @property
    def dropped_by_class(self) -> dict[str, int]:
        """Return how many rows were dropped since opening, by class."""
        return dict(self._dropped)

    def pending_count(self) -> int:
        """Return how many rows wait for a receipt."""
        with self.file.lock:
            return self._row_count

    def set_cap(self, cap_bytes: int) -> None:
        """Change the cap; rows over it are dropped with the next append."""
        self._cap = cap_bytes

    def check_writable(self) -> None:
        """Test whether the file can be written. Raises sqlite3.Error."""
        self.file.commit_freeing(lambda db: db.execute("UPDATE meta SET spool = spool"))

    def add_size(self, by: int) -> None:
        """Record, inside a transaction, that rewritten bodies are `by` bytes larger."""
        self._size_bytes += by

    def refused_count(self) -> int:
        """Return how many rows are in the refused table."""
        return int(self.file.query("SELECT count(*) FROM refused")[0][0])

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _usable_size(size: object) -> int:
    """Return a row's stored size, bytes; 0 when it is none, as in the sum."""
    return size if isinstance(size, int) and 0 <= size <= _MAX_ROW_BYTES else 0
