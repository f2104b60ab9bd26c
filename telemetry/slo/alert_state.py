"""The SQLite file of alarms and alerts, which cannot be recomputed. It evaluates and sends nothing.

One process owns it: the rollup.  WAL, synchronous=FULL; it migrates forward and refuses a newer version.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from telemetry.core.slo.alert import ActiveAlert
from telemetry.core.slo.burn_rate import AlarmState, AlarmStates
from telemetry.errors import MotcuaError
from telemetry.sqlite_file import open_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry.core.slo.alert_grouping import AlertKey
    from telemetry.core.slo.burn_rate import Severity

MIGRATIONS = (
    (
        """CREATE TABLE alarm (
  objective TEXT NOT NULL, scope TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, firing INTEGER NOT NULL,
  fired INTEGER, resolved INTEGER, PRIMARY KEY (objective, scope, rule)
) WITHOUT ROWID""",
        """CREATE TABLE alert (
  sli TEXT NOT NULL, scope TEXT NOT NULL, severity TEXT NOT NULL, labels TEXT NOT NULL, started INTEGER NOT NULL,
  burned INTEGER NOT NULL, shut INTEGER, opened INTEGER, resolved INTEGER, PRIMARY KEY (sli, scope, severity)
) WITHOUT ROWID""",
    ),
)
"""Statements that lead from one version of the schema to the next; a file's version is how many were applied."""

ObjectiveKey = tuple[str, str]
"""Objective and scope."""


class StateTooNew(MotcuaError):
    """The state file was written by a newer version of this program."""

    def __init__(self, path: str, file_version: int, supported_version: int) -> None:
        super().__init__(
            f"{path}: state version {file_version} is newer than this program's {supported_version}; "
            "upgrade motcua, or name another file with MOTCUA_STATE (alarms then begin anew)",
        )


class StateUnavailable(MotcuaError):
    """The state file cannot be read or written now; nothing of it was changed."""


@dataclass(frozen=True, slots=True)
class SavedAlerts:
    """Alarms by (objective, scope), and the active alerts."""

    alarms: Mapping[ObjectiveKey, AlarmStates] = field(default_factory=lambda: MappingProxyType({}))
    active_alerts: Mapping[AlertKey, ActiveAlert] = field(default_factory=lambda: MappingProxyType({}))


class StateFile:
    """One open state file; times in it are Unix ms."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; raises StateTooNew or StateUnavailable."""
        self._path = path
        self._lock = threading.Lock()
        try:
            self._db = open_file(path, MIGRATIONS, StateTooNew)
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> StateUnavailable:
        return StateUnavailable(f"{self._path}: {error}; check the path MOTCUA_STATE, its permissions and free space")

    def load(self) -> SavedAlerts:
        """Return everything saved; raises StateUnavailable."""
        try:
            with self._lock:
                return SavedAlerts(_load_alarms(self._db), _load_active_alerts(self._db))
        except (sqlite3.Error, ValueError) as error:
            raise self._unavailable(error) from error

    def save(
        self, alarms: Mapping[ObjectiveKey, AlarmStates], active_alerts: Mapping[AlertKey, ActiveAlert] | None
    ) -> None:
        """Write changed alarms (empty ones are deleted), and all active alerts unless None, in one transaction.

        Raises StateUnavailable; then nothing of it was written.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                _save_alarms(self._db, alarms)
                if active_alerts is not None:
                    _save_active_alerts(self._db, active_alerts)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise self._unavailable(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _load_alarms(db: sqlite3.Connection) -> dict[ObjectiveKey, AlarmStates]:
    alarms_by_key: dict[ObjectiveKey, dict[str, AlarmState]] = {}
    with closing(db.execute("SELECT objective, scope, rule, severity, firing, fired, resolved FROM alarm")) as rows:
        for objective, scope, rule, severity, firing, fired, resolved in rows:
            alarm = AlarmState(cast("Severity", severity), bool(firing), fired, resolved)
            alarms_by_key.setdefault((objective, scope), {})[rule] = alarm
    return {key: MappingProxyType(alarms) for key, alarms in alarms_by_key.items()}


def _load_active_alerts(db: sqlite3.Connection) -> dict[AlertKey, ActiveAlert]:
    sql = "SELECT sli, scope, severity, labels, started, burned, shut, opened, resolved FROM alert"
    with closing(db.execute(sql)) as rows:
        return {
            (sli, scope, severity): ActiveAlert(tuple(json.loads(labels).items()), *times)
            for sli, scope, severity, labels, *times in rows
        }


def _save_alarms(db: sqlite3.Connection, alarms: Mapping[ObjectiveKey, AlarmStates]) -> None:
    db.executemany("DELETE FROM alarm WHERE objective = ? AND scope = ?", alarms)
    rows = [
        (*key, rule, a.severity, a.is_firing, a.fired_at, a.resolved_at)
        for key, rules in alarms.items()
        for rule, a in rules.items()
    ]
    db.executemany("INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _save_active_alerts(db: sqlite3.Connection, active_alerts: Mapping[AlertKey, ActiveAlert]) -> None:
    db.execute("DELETE FROM alert")
    rows = [
        (*key, json.dumps(dict(a.labels)), a.started_at, a.last_burned_at, a.muted_since, a.unmuted_at, a.resolved_at)
        for key, a in active_alerts.items()
    ]
    db.executemany("INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
