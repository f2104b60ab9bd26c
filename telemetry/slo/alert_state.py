"""The SQLite file of what is neither declared nor observed: alarms and alerts. It must not judge or send anything.

One process owns it: the rollup.  WAL, synchronous=FULL; it migrates forward and refuses a newer one.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from telemetry.core.slo.alarms import Alarm, Alarms
from telemetry.core.slo.alert import Standing
from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from telemetry.core.slo.alert_grouping import Key
    from telemetry.core.slo.burn_rate import Severity

MIGRATIONS = (
    """CREATE TABLE alarm (
  objective TEXT NOT NULL, scope TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, firing INTEGER NOT NULL,
  fired INTEGER, resolved INTEGER, PRIMARY KEY (objective, scope, rule)
) WITHOUT ROWID;
CREATE TABLE alert (
  sli TEXT NOT NULL, scope TEXT NOT NULL, severity TEXT NOT NULL, labels TEXT NOT NULL, started INTEGER NOT NULL,
  burned INTEGER NOT NULL, shut INTEGER, opened INTEGER, resolved INTEGER, PRIMARY KEY (sli, scope, severity)
) WITHOUT ROWID""",
)
"""Statements that lead from one version of the schema to the next; the file's version is how many it has seen."""

Aim = tuple[str, str]
"""Objective and scope."""


class StateTooNew(MotcuaError):
    """The state file was written by a newer version of this program."""

    def __init__(self, path: str, found: int) -> None:
        super().__init__(
            f"{path}: state version {found} is newer than this program's {len(MIGRATIONS)}; "
            "upgrade motcua, or name another file with MOTCUA_STATE (alarms then begin anew)",
        )


class StateUnavailable(MotcuaError):
    """The state file cannot be read or written now; nothing of it was changed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Alarms by (objective, scope), and the alerts that stand."""

    alarms: Mapping[Aim, Alarms] = field(default_factory=lambda: MappingProxyType({}))
    standing: Mapping[Key, Standing] = field(default_factory=lambda: MappingProxyType({}))


class StateFile:
    """One open state file; times in it are Unix ms."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; raises StateTooNew or StateUnavailable."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            _prepare(self._db, str(path))
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> StateUnavailable:
        return StateUnavailable(f"{self._path}: {error}; check the path MOTCUA_STATE, its permissions and free space")

    def load(self) -> Kept:
        """Return everything kept; raises StateUnavailable."""
        try:
            with self._lock:
                return Kept(_alarms(self._db), _standing(self._db))
        except (sqlite3.Error, ValueError) as error:
            raise self._unavailable(error) from error

    def save(self, alarms: Mapping[Aim, Alarms], standing: Mapping[Key, Standing] | None) -> None:
        """Write changed alarms (empty ones are forgotten), and all standing alerts unless None, in one transaction.

        Raises StateUnavailable; then nothing of it was written.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                _put_alarms(self._db, alarms)
                if standing is not None:
                    _put_standing(self._db, standing)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise self._unavailable(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _prepare(db: sqlite3.Connection, path: str) -> None:
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("BEGIN IMMEDIATE")
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        _check(found, path)
        for script in MIGRATIONS[found:]:
            for statement in script.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise


def _check(found: int, path: str) -> None:
    if found > len(MIGRATIONS):
        raise StateTooNew(path, found)


def _alarms(db: sqlite3.Connection) -> dict[Aim, Alarms]:
    found: dict[Aim, dict[str, Alarm]] = {}
    with closing(db.execute("SELECT objective, scope, rule, severity, firing, fired, resolved FROM alarm")) as rows:
        for objective, scope, rule, severity, firing, fired, resolved in rows:
            alarm = Alarm(cast("Severity", severity), bool(firing), fired, resolved)
            found.setdefault((objective, scope), {})[rule] = alarm
    return {aim: MappingProxyType(alarms) for aim, alarms in found.items()}


def _standing(db: sqlite3.Connection) -> dict[Key, Standing]:
    sql = "SELECT sli, scope, severity, labels, started, burned, shut, opened, resolved FROM alert"
    with closing(db.execute(sql)) as rows:
        return {(sli, scope, severity): Standing(_labels(text), *times) for sli, scope, severity, text, *times in rows}


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in json.loads(text).items())


def _put_alarms(db: sqlite3.Connection, alarms: Mapping[Aim, Alarms]) -> None:
    db.executemany("DELETE FROM alarm WHERE objective = ? AND scope = ?", alarms)
    db.executemany("INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?)", _alarm_rows(alarms))


def _alarm_rows(alarms: Mapping[Aim, Alarms]) -> Iterable[tuple[object, ...]]:
    for aim, rules in alarms.items():
        for rule, a in rules.items():
            yield *aim, rule, a.severity, a.firing, a.fired, a.resolved


def _put_standing(db: sqlite3.Connection, standing: Mapping[Key, Standing]) -> None:
    db.execute("DELETE FROM alert")
    rows = [
        (*key, json.dumps(dict(s.labels)), s.started, s.burned, s.shut, s.opened, s.resolved)
        for key, s in standing.items()
    ]
    db.executemany("INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
