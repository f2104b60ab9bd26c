"""Opens the SQLite files that outlive a version of the program; it must not depend on their tables' content.

Every file is in WAL mode with synchronous=FULL, carries its schema version in `user_version`, is migrated forward
when it is opened, and is refused when a newer version wrote it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    TooNew = Callable[[str, int, int], Exception]
    """Returns the error of a newer file from its path, its version and the version that this program supports."""

BUSY_MS = 10_000
"""How long a statement waits for another process's lock."""


def connect(path: Path, busy_ms: int = BUSY_MS, pragmas: Sequence[str] = ()) -> sqlite3.Connection:
    """Open or create a file that threads may share; transactions are the caller's. Raises sqlite3.Error."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_ms / 1000)
    try:
        for pragma in (*pragmas, "journal_mode=WAL", "synchronous=FULL"):
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]], too_new: TooNew) -> int:
    """Bring a file forward inside the caller's transaction; returns the version that it had, 0 for a new file.

    `migrations` has the statements that upgrade each version to the next; the file's version is how many were
    applied. Raises the error that `too_new` returns, or sqlite3.Error.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise too_new(str(path), version, len(migrations))
    for statement in (statement for statements in migrations[version:] for statement in statements):
        db.execute(statement)
    if version < len(migrations):
        db.execute(f"PRAGMA user_version={len(migrations)}")
    return version


def open_file(
    path: Path,
    migrations: Sequence[Sequence[str]],
    too_new: TooNew,
    *,
    busy_ms: int = BUSY_MS,
    pragmas: Sequence[str] = (),
) -> sqlite3.Connection:
    """Open or create a file in its folder and migrate it; on an error nothing of it is changed.

    Raises the error that `too_new` returns, sqlite3.Error or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = connect(path, busy_ms, pragmas)
    try:
        db.execute("BEGIN IMMEDIATE")
        migrate(db, path, migrations, too_new)
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def split_statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; `executescript` would end the transaction."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
