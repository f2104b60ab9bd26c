"""The outbox's permanent id, stored twice so that a damaged one is noticed and restored; it must not open files.

SQLite does not notice a changed byte.  Under another id ingest would store rows once more that it has already stored,
and no receipt for the rows sent before would count.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import suppress
from zlib import crc32

_COPY = "outbox:id"
"""The cursor that holds the id and its checksum."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a frame can carry."""


class OutboxIdLost(sqlite3.DatabaseError):
    """Neither the id nor its copy can be read: the file counts as damaged."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def read_outbox_id(db: sqlite3.Connection) -> str:
    """Return the id: its copy where that has its checksum, else what `meta` has. Raises OutboxIdLost."""
    outbox_id = _read_copy(db) or _read_meta(db)
    if outbox_id is None:
        raise OutboxIdLost("the outbox's id cannot be read")
    return outbox_id


def write_outbox_id(db: sqlite3.Connection, outbox_id: str) -> None:
    """Store the id and its copy, inside the caller's transaction. Raises sqlite3.Error."""
    db.execute("DELETE FROM meta")
    db.execute("INSERT INTO meta VALUES (?)", (outbox_id,))
    db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (_COPY, f"{outbox_id} {_checksum(outbox_id)}"))


def has_copy(db: sqlite3.Connection) -> bool:
    """Return whether the file has a copy of its id, whole or not; a file of an earlier version has none."""
    return db.execute("SELECT 1 FROM cursor WHERE source = ?", (_COPY,)).fetchone() is not None


def is_outbox_id_intact(db: sqlite3.Connection) -> bool:
    """Return whether the id and its copy are the same."""
    return _read_meta(db) == _read_copy(db) is not None


def _read_meta(db: sqlite3.Connection) -> str | None:
    with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        rows = db.execute("SELECT spool FROM meta").fetchall()
        if len(rows) == 1 and isinstance(rows[0][0], str) and _ID.fullmatch(rows[0][0]):
            return rows[0][0]
    return None


def _read_copy(db: sqlite3.Connection) -> str | None:
    with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        row = db.execute("SELECT value FROM cursor WHERE source = ?", (_COPY,)).fetchone()
        outbox_id, _, checksum = str(row[0] if row else "").partition(" ")
        if _ID.fullmatch(outbox_id) and checksum == _checksum(outbox_id):
            return outbox_id
    return None


def _checksum(outbox_id: str) -> str:
    return f"{crc32(outbox_id.encode()):08x}"
