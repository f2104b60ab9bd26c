"""Copies the readable rows of a damaged outbox to a fresh one, under their ids; it must not change the damaged file.

A row's id is (outbox, n).  So rows are copied only with their outbox id, and only when the last number used is known
too: new rows then start after it, with a gap in case the newest rows were lost; otherwise they remain in the old file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.log import Logger
from edge_agent.outbox import disk
from edge_agent.outbox.outbox_id import read_outbox_id, write_outbox_id
from edge_agent.outbox.schema import VITAL, migrate
from telemetry.core.figures import completeness
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_log = Logger("edge_agent.outbox")
NUMBER_GAP = 1_000
"""Row numbers skipped after the last known one: rows numbered since then may have reached ingest."""
_OTHER_TABLES = ("cursor", "posted", "refused", "boots")
_COLUMNS_V1 = "n, class, size, body"
_COLUMNS_V2 = f"{_COLUMNS_V1}, boot, mono, wall, doubtful"
ClosedRowRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SalvageResult:
    """The result: how many rows were copied, and their outbox id; no id when they stay in the old file."""

    outbox_id: str = ""
    row_count: int = 0
    lost_ranges: tuple[ClosedRowRange, ...] = ()

    @property
    def keeps_outbox_id(self) -> bool:
        """Return whether the fresh file has the id of the damaged one."""
        return bool(self.outbox_id)


def rebuild_outbox(damaged: Path, fresh: Path, new_outbox_id: Callable[[], str], now: int) -> SalvageResult:
    """Build a fresh outbox from what can be read of the damaged one, or an empty one when nothing can.

    Raises sqlite3.Error when not even an empty one can be written.
    """
    try:
        return _build_fresh(damaged, fresh, new_outbox_id, now)
    except sqlite3.Error as error:
        _log.error("rows_not_carried_over", file=str(damaged), error=str(error))
        return _build_fresh(None, fresh, new_outbox_id, now)


def _build_fresh(damaged: Path | None, fresh: Path, new_outbox_id: Callable[[], str], now: int) -> SalvageResult:
    disk.delete_files(fresh)
    new = disk.connect(fresh)
    try:
        new.execute("BEGIN IMMEDIATE")
        migrate(new, fresh, new_outbox_id)
        new_id = read_outbox_id(new)
        result = _copy_readable(damaged, new) if damaged else SalvageResult()
        write_outbox_id(new, result.outbox_id or new_id)
        _report_losses(new, result, now)
        new.execute("COMMIT")
    finally:
        new.close()
    return result


def _copy_readable(damaged: Path, new: sqlite3.Connection) -> SalvageResult:
    try:
        source = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True, isolation_level=None, timeout=5)
    except sqlite3.Error:
        return SalvageResult()
    try:
        for table in _OTHER_TABLES:
            with contextlib.suppress(sqlite3.DatabaseError):
                _copy_table(source, new, table)
        return _copy_rows(source, new)
    finally:
        source.close()


def _copy_table(source: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """Copy a table by the names of its columns: a file of an earlier version has fewer."""
    rows = source.execute(f"SELECT * FROM {table}")  # noqa: S608
    columns = [column[0] for column in rows.description]
    placeholders = ",".join("?" * len(columns))
    for row in rows:
        new.execute(f"INSERT OR REPLACE INTO {table} ({','.join(columns)}) VALUES ({placeholders})", row)  # noqa: S608


def _copy_rows(source: sqlite3.Connection, new: sqlite3.Connection) -> SalvageResult:
    try:
        outbox_id = read_outbox_id(source)
        sequence_row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        columns = _COLUMNS_V2 if source.execute("PRAGMA user_version").fetchone()[0] > 1 else _COLUMNS_V1
    except (sqlite3.DatabaseError, TypeError):
        return SalvageResult()
    last, lost_ranges = int(sequence_row[0]) if sequence_row else 0, list[ClosedRowRange]()
    placeholders = ",".join("?" * len(columns.split(",")))
    insert = f"INSERT INTO rows ({columns}) VALUES ({placeholders})"  # noqa: S608 the columns are our own
    cursor = new.executemany(insert, _read_rows(source, columns, last, lost_ranges))
    if last:
        lost_ranges.append((last + 1, last + NUMBER_GAP))
        new.execute("DELETE FROM sqlite_sequence WHERE name = 'rows'")
        new.execute("INSERT INTO sqlite_sequence VALUES ('rows', ?)", (last + NUMBER_GAP,))
    return SalvageResult(outbox_id, max(0, cursor.rowcount), tuple(lost_ranges))


def _read_rows(source: sqlite3.Connection, columns: str, last: int, lost_ranges: list[ClosedRowRange]) -> Iterator[Any]:
    """Yield the rows that can be read; append the unreadable numbers between them to `lost_ranges`."""
    n = 0
    while True:
        try:
            for row in source.execute(f"SELECT {columns} FROM rows WHERE n > ? ORDER BY n", (n,)):  # noqa: S608
                n = int(row[0])
                yield row
            return
        except sqlite3.DatabaseError:
            next_readable = _find_next_readable(source, n, last)
            lost_ranges.append((n + 1, next_readable))
            n = next_readable
            if n >= last:
                return


def _find_next_readable(source: sqlite3.Connection, bad: int, last: int) -> int:
    """Return the number after which rows can be read again: search in growing steps, then by bisection."""
    leap = 1
    while not _can_read(source, bad + leap):
        if bad + leap >= last:
            return last
        leap *= 2
    low, high = bad + leap // 2, bad + leap
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _can_read(source, middle) else (middle, high)
    return min(high, last)


def _can_read(source: sqlite3.Connection, n: int) -> bool:
    try:
        source.execute("SELECT body FROM rows WHERE n > ? ORDER BY n LIMIT 1", (n,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _report_losses(new: sqlite3.Connection, result: SalvageResult, now: int) -> None:
    """Append the lost ranges and an alarm as events of the fresh file, which are sent like every row."""
    if result.lost_ranges:
        ranges = completeness.union_ranges(result.lost_ranges)
        count = completeness.count_rows(ranges)
        _insert_event(new, lambda n: ev.OutboxDropped(n=n, t=now, ranges=ranges[-1_000:], count=count, cls="damaged"))
    subject = "rows-carried-over" if result.keeps_outbox_id else "rows-left-behind"
    insert_alarm(new, subject, now)


def insert_alarm(db: sqlite3.Connection, subject: str, now: int) -> None:
    """Append the alarm of a damaged outbox as a row, inside the caller's transaction."""
    _insert_event(db, lambda n: ev.AgentAlarm(n=n, t=now, alarm="outbox_corrupt", subject=subject))


def _insert_event(new: sqlite3.Connection, make_event: Callable[[int], ev.Event]) -> None:
    sequence_row = new.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
    n = int(sequence_row[0]) + 1 if sequence_row else 1
    body = codec.encode_event(make_event(n))
    new.execute("INSERT INTO rows (n, class, size, body) VALUES (?, ?, ?, ?)", (n, VITAL, len(body), body))
