"""The outbox file's tables, their versions and the priority classes of events; it must not open files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry import sqlite_file
from telemetry.core.protocol import events as ev
from telemetry.errors import OutboxTooNew

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

SAMPLE, EVENT, VITAL = 0, 1, 2
"""Priority classes: samples are dropped first, vital rows never."""
IDEMPOTENCY_KEY_TTL_MS = 7 * 86_400_000
_VERSION_1 = (
    """CREATE TABLE rows (n INTEGER PRIMARY KEY AUTOINCREMENT, class INTEGER NOT NULL, size INTEGER NOT NULL,
    body BLOB NOT NULL)""",
    "CREATE TABLE cursor (source TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE refused (n INTEGER PRIMARY KEY, reason TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE posted (key TEXT PRIMARY KEY, at INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (spool TEXT NOT NULL)",
)
# `boot` is the number of a row of `boots`, `mono` and `wall` are when the row was stored; a row stored by an
# unsynchronised clock is `doubtful` until it is repaired or sent. `lane` also counts and sizes rows without bodies.
_VERSION_2 = (
    "ALTER TABLE rows ADD COLUMN boot INTEGER",
    "ALTER TABLE rows ADD COLUMN mono INTEGER",
    "ALTER TABLE rows ADD COLUMN wall INTEGER",
    "ALTER TABLE rows ADD COLUMN doubtful INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX lane ON rows (class, n, size)",
    "CREATE INDEX doubt ON rows (n) WHERE doubtful = 1",
    "CREATE TABLE boots (id INTEGER PRIMARY KEY, boot TEXT NOT NULL UNIQUE)",
)
# A key belongs to one request body; rows of earlier versions have no digest and match every body.
_VERSION_3 = ("ALTER TABLE posted ADD COLUMN digest TEXT NOT NULL DEFAULT ''",)
MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3)
SCHEMA_VERSION = len(MIGRATIONS)
_SAMPLE_EVENTS = (ev.DeviceHeartbeat, ev.LinkState, ev.DisplayState, *ev.SYSTEM_EVENTS)
_VITAL_EVENTS = (ev.OutboxDropped, ev.OutboxRefused, ev.CentreModeSet, ev.AgentAlarm, ev.ConfigResult, ev.CommandResult)


def priority_class(event: ev.Event) -> int:
    """Return the event's priority class."""
    if isinstance(event, _VITAL_EVENTS):
        return VITAL
    return SAMPLE if isinstance(event, _SAMPLE_EVENTS) else EVENT


def migrate(db: sqlite3.Connection, path: Path, new_outbox_id: Callable[[], str]) -> None:
    """Bring the file forward to this version, inside the caller's transaction. Raises OutboxTooNew, sqlite3.Error."""
    if sqlite_file.migrate(db, path, MIGRATIONS, OutboxTooNew) == 0:
        db.execute("INSERT INTO meta VALUES (?)", (new_outbox_id(),))
