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
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import structlog
from msgspec import Meta

from telemetry.core.protocol.event_fields import LAST_INSTANT_MS, Instant
from telemetry.core.slo.alert import ActiveAlert
from telemetry.core.slo.burn_rate import AlarmState, AlarmStates, Severity
from telemetry.errors import MotcuaError
from telemetry.sqlite_file import open_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from telemetry.core.slo.alert_grouping import AlertKey

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
_log = structlog.get_logger()
_REMEDY = "correct or delete the row; all other alarms go on"
_AlarmColumns = tuple[Severity, Annotated[int, Meta(ge=0, le=1)], Instant | None, Instant | None]
"""Severity, whether it fires, when it fired and when it was resolved."""


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
        """Return everything saved; raises StateUnavailable.

        A row of which a part cannot be read is named in the log.  It resolves nothing: an alarm of which it cannot be
        read whether it fires does so while an alert of its scope is active.
        """
        try:
            with self._lock:
                active_alerts = _load_active_alerts(self._db)
                return SavedAlerts(_load_alarms(self._db, active_alerts), active_alerts)
        except sqlite3.Error as error:
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


def _load_alarms(
    db: sqlite3.Connection, active_alerts: Mapping[AlertKey, ActiveAlert]
) -> dict[ObjectiveKey, AlarmStates]:
    """Return the alarms; a row of which a part cannot be read is completed from the alert that is active there."""
    alarms_by_key: dict[ObjectiveKey, dict[str, AlarmState]] = {}
    with closing(db.execute("SELECT objective, scope, rule, severity, firing, fired, resolved FROM alarm")) as rows:
        for objective, scope, rule, *columns in rows:
            name = f"alarm {objective!r} {scope!r} {rule!r}"
            if not all(isinstance(text, str) for text in (objective, scope, rule)):
                _log.error("alert_state_unreadable", row=name, effect="it begins anew", remedy=_REMEDY)
                continue
            alarms_by_key.setdefault((objective, scope), {})[rule] = _read_alarm(name, scope, columns, active_alerts)
    return {key: MappingProxyType(alarms) for key, alarms in alarms_by_key.items()}


def _read_alarm(
    name: str, scope: str, columns: Sequence[object], active_alerts: Mapping[AlertKey, ActiveAlert]
) -> AlarmState:
    try:
        row = msgspec.convert(columns, _AlarmColumns)
    except msgspec.ValidationError as error:
        _log.error("alert_state_unreadable", row=name, error=str(error), effect="see decision 37", remedy=_REMEDY)
    else:
        return AlarmState(row[0], bool(row[1]), row[2], row[3])
    severity, firing, fired, resolved = columns
    started = [
        alert.started_at for key, alert in active_alerts.items() if key[1] == scope and alert.resolved_at is None
    ]
    is_firing = firing == 1 if firing in (0, 1) else bool(started)
    known_severity: Severity = "ticket" if severity == "ticket" else "page"
    fired_at = _time_or_none(fired)
    if is_firing and fired_at is None:
        fired_at = min(started, default=0)
    return AlarmState(known_severity, is_firing, fired_at, _time_or_none(resolved))


def _load_active_alerts(db: sqlite3.Connection) -> dict[AlertKey, ActiveAlert]:
    """Return the active alerts; without labels one cannot be continued, without a time it can."""
    sql = "SELECT sli, scope, severity, labels, started, burned, shut, opened, resolved FROM alert"
    alerts: dict[AlertKey, ActiveAlert] = {}
    with closing(db.execute(sql)) as rows:
        for sli, scope, severity, labels, *times in rows:
            name = f"alert {sli!r} {scope!r} {severity!r}"
            try:
                key = msgspec.convert((sli, scope, severity), tuple[str, str, Severity])
                pairs = msgspec.json.decode(labels, type=dict[str, str])
            except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
                effect = "it begins anew while its alarm fires"
                _log.error(
                    "alert_state_unreadable", row=name, error=type(error).__name__, effect=effect, remedy=_REMEDY
                )
                continue
            started, burned, *others = map(_time_or_none, times)
            if started is None or burned is None or others != times[2:]:
                _log.error("alert_state_unreadable", row=name, effect="it stays active", remedy=_REMEDY)
            started = started if started is not None else burned or 0
            alerts[cast("AlertKey", key)] = ActiveAlert(
                tuple(pairs.items()), started, burned if burned is not None else started, *others
            )
    return alerts


def _time_or_none(value: object) -> int | None:
    """Return a stored time, Unix ms; None when it is none."""
    return value if isinstance(value, int) and 0 <= value <= LAST_INSTANT_MS else None


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
