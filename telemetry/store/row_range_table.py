"""The row numbers of each outbox as rows of a table in the SQLite store; it must not open files or transactions.

A write reads and changes the ranges beside its own rows only, so an outbox whose numbers have many gaps makes no later
write dearer.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from telemetry.core.figures.completeness import OutboxRowRanges

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from telemetry.store.unreadable import UnreadableRows

OutcomeKey = tuple[int, int, Literal["stored", "refused", "dropped"]]
"""Device and outbox, as keys of the table of names, and what became of the rows."""

MIGRATION = (
    """CREATE TABLE row_range (device INTEGER NOT NULL, spool INTEGER NOT NULL, outcome TEXT NOT NULL,
low INTEGER NOT NULL, high INTEGER NOT NULL, PRIMARY KEY (device, spool, outcome, low)) WITHOUT ROWID""",
    *(
        f"""INSERT OR IGNORE INTO row_range SELECT device, spool, '{outcome}', json_extract(value, '$[0]'),
json_extract(value, '$[1]') FROM rows, json_each(CASE json_valid(rows.{outcome}) WHEN 1
THEN rows.{outcome} ELSE '[]' END)"""  # noqa: S608
        for outcome in ("stored", "refused", "dropped")
    ),
    "DROP TABLE rows",
)
"""Version 4: earlier versions held an outbox's ranges in one text, which each write of that outbox wrote anew."""
SELECT_RANGES = """SELECT d.text, s.text, outcome, low, high FROM row_range JOIN name d ON d.id = device
JOIN name s ON s.id = spool WHERE ?1 IS NULL OR device = (SELECT id FROM name WHERE text = ?1)
ORDER BY d.text, s.text, outcome, low"""
"""The ranges of all devices, or of the one given."""
_OF_OUTCOME = "device = ? AND spool = ? AND outcome = ?"
_IS_NUMBER = "typeof(high) = 'integer'"
_SELECT_BEFORE = (
    f"SELECT low, high FROM row_range WHERE {_OF_OUTCOME} AND low <= ? "  # noqa: S608
    f"AND {_IS_NUMBER} ORDER BY low DESC LIMIT 1"
)
_SELECT_WITHIN = (
    f"SELECT high FROM row_range WHERE {_OF_OUTCOME} AND low BETWEEN ? AND ? "  # noqa: S608
    f"AND {_IS_NUMBER} ORDER BY low DESC LIMIT 1"
)
_DELETE_WITHIN = f"DELETE FROM row_range WHERE {_OF_OUTCOME} AND low BETWEEN ? AND ?"  # noqa: S608
_PUT = "INSERT OR REPLACE INTO row_range VALUES (?, ?, ?, ?, ?)"


def merge_range(db: sqlite3.Connection, key: OutcomeKey, row_range: tuple[int, int]) -> None:
    """Unite a closed range with those stored, inside a write; repeats and a range without rows change nothing."""
    low, high = row_range
    if low > high:
        return
    before = db.execute(_SELECT_BEFORE, (*key, low)).fetchone()
    if before is not None and before[1] >= low - 1:
        if before[1] >= high:
            return
        low = before[0]
    last = db.execute(_SELECT_WITHIN, (*key, low, high + 1)).fetchone()
    if last is not None:
        high = max(high, last[0])
        db.execute(_DELETE_WITHIN, (*key, low + 1, high))
    db.execute(_PUT, (*key, low, high))


def outbox_ranges(rows: Iterable[tuple[str, str, str, int, int]], unreadable: UnreadableRows) -> list[OutboxRowRanges]:
    """Return the ranges by outbox, of rows as `SELECT_RANGES` orders them; an unreadable one counts for nothing."""
    out = []
    for (device, outbox_id), of_outbox in groupby(rows, itemgetter(0, 1)):
        ranges: dict[str, list[tuple[int, int]]] = {"stored": [], "refused": [], "dropped": []}
        for _, _, outcome, low, high in of_outbox:
            if outcome in ranges and type(low) is type(high) is int:  # a file that was changed by hand has any types
                ranges[outcome].append((low, high))
            else:
                name = f"row_range {device!r}/{outbox_id!r} {low!r}"
                unreadable.record("", name, TypeError("no outcome or no numbers"))
        if not (type(device) is type(outbox_id) is str):
            unreadable.record("", f"row_range {device!r}/{outbox_id!r}", TypeError("no text"))
            continue
        out.append(OutboxRowRanges(device, outbox_id, *(tuple(part) for part in ranges.values())))
    return out
