"""Carries the readable rows of a damaged outbox over to a fresh one, under their old names; it changes no old file.

A row is named by (spool, n).  So the rows go over only with their spool and only when the last number given is known
too: new rows then begin behind it, after a gap in case the newest rows were lost; otherwise they stay in the old file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.log import Log
from edge_agent.outbox import disk
from edge_agent.outbox.schema import VITAL, migrate
from telemetry.core.figures import completeness
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_log = Log("edge_agent.outbox")
GAP = 1_000
"""Row numbers left out behind the last one known: rows given since then may have reached the ingest."""
_OTHERS = ("cursor", "posted", "refused", "boots")
_COLUMNS = "n, class, size, body"
_STAMPED = f"{_COLUMNS}, boot, mono, wall, doubtful"
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of the old file's rows: how many were carried over; `named` when their spool lives on."""

    named: bool
    rows: int = 0
    lost: tuple[Range, ...] = ()


def rebuild(old: Path, fresh: Path, new_spool: Callable[[], str], now: int) -> Salvage:
    """Make a fresh outbox out of what the damaged one still gives, or without it rather than not at all.

    Raises sqlite3.Error when not even an empty one can be written.
    """
    try:
        return _made(old, fresh, new_spool, now)
    except sqlite3.Error as error:
        _log.error("rows_not_carried_over", file=str(old), error=str(error))
        return _made(None, fresh, new_spool, now)


def _made(old: Path | None, fresh: Path, new_spool: Callable[[], str], now: int) -> Salvage:
    disk.discard(fresh)
    new = disk.connect(fresh)
    try:
        new.execute("BEGIN IMMEDIATE")
        migrate(new, str(fresh), new_spool)
        done = _carried(old, new) if old else Salvage(named=False)
        _report(new, done, now)
        new.execute("COMMIT")
    finally:
        new.close()
    return done


def _carried(old: Path, new: sqlite3.Connection) -> Salvage:
    try:
        source = sqlite3.connect(f"file:{old}?mode=ro", uri=True, isolation_level=None, timeout=5)
    except sqlite3.Error:
        return Salvage(named=False)
    try:
        for table in _OTHERS:
            with contextlib.suppress(sqlite3.DatabaseError):
                _copy(source, new, table)
        return _rows(source, new)
    finally:
        source.close()


def _copy(source: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    for row in source.execute(f"SELECT * FROM {table}"):  # noqa: S608
        new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(row))})", row)  # noqa: S608


def _rows(source: sqlite3.Connection, new: sqlite3.Connection) -> Salvage:
    try:
        spool = source.execute("SELECT spool FROM meta").fetchone()[0]
        found = source.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        columns = _STAMPED if source.execute("PRAGMA user_version").fetchone()[0] > 1 else _COLUMNS
    except (sqlite3.DatabaseError, TypeError):
        return Salvage(named=False)
    last, lost = int(found[0]) if found else 0, list[Range]()
    marks = ",".join("?" * len(columns.split(",")))
    cursor = new.executemany(f"INSERT INTO rows ({columns}) VALUES ({marks})", _read(source, columns, last, lost))  # noqa: S608
    if last:
        lost.append((last + 1, last + GAP))
        new.execute("DELETE FROM sqlite_sequence WHERE name = 'rows'")
        new.execute("INSERT INTO sqlite_sequence VALUES ('rows', ?)", (last + GAP,))
    new.execute("UPDATE meta SET spool = ?", (spool,))
    return Salvage(named=True, rows=max(0, cursor.rowcount), lost=tuple(lost))


def _read(source: sqlite3.Connection, columns: str, last: int, lost: list[Range]) -> Iterator[Any]:
    """Yield the rows that can be read, noting in `lost` the numbers between them that cannot."""
    n = 0
    while True:
        try:
            for row in source.execute(f"SELECT {columns} FROM rows WHERE n > ? ORDER BY n", (n,)):  # noqa: S608
                n = int(row[0])
                yield row
            return
        except sqlite3.DatabaseError:
            following = _readable(source, n, last)
            lost.append((n + 1, following))
            n = following
            if n >= last:
                return


def _readable(source: sqlite3.Connection, bad: int, last: int) -> int:
    """Return the number behind which rows can be read again: leaps find one, halving the first."""
    leap = 1
    while not _reads(source, bad + leap):
        if bad + leap >= last:
            return last
        leap *= 2
    low, high = bad + leap // 2, bad + leap
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _reads(source, middle) else (middle, high)
    return min(high, last)


def _reads(source: sqlite3.Connection, n: int) -> bool:
    try:
        source.execute("SELECT body FROM rows WHERE n > ? ORDER BY n LIMIT 1", (n,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _report(new: sqlite3.Connection, done: Salvage, now: int) -> None:
    """Declare what is lost and raise the alarm, in the fresh file itself: both go the way of every row."""
    if done.lost:
        ranges = completeness.union(done.lost)
        count = completeness.size(ranges)
        _insert(new, lambda n: ev.OutboxDropped(n=n, t=now, ranges=ranges[-1_000:], count=count, cls="damaged"))
    subject = "rows-carried-over" if done.named else "rows-left-behind"
    _insert(new, lambda n: ev.AgentAlarm(n=n, t=now, alarm="outbox_corrupt", subject=subject))


def _insert(new: sqlite3.Connection, event: Callable[[int], ev.Event]) -> None:
    found = new.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
    n = int(found[0]) + 1 if found else 1
    body = codec.encode_event(event(n))
    new.execute("INSERT INTO rows (n, class, size, body) VALUES (?, ?, ?, ?)", (n, VITAL, len(body), body))
