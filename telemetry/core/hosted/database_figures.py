"""What a hosted database's own figures are called, what is wanted of it, and whether what was reported is so. Pure.

Alert rules, the agent that reads the figures, and pages use these names and limits. It must not trust silence: what was
not reported, or is older than its grace time, is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from telemetry.core.fold.event_spans import grace_ms

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration, Component
    from telemetry.core.fold.live_row_types import DatabaseNow

METRICS_PORT: Final = 9187
"""Where each instance of CloudNativePG gives its figures, in plain HTTP."""
LAST_COPY: Final = "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp"
"""Unix s, 0 when there is none; the plugin's, because the operator's own figure stays at 0 where the plugin copies."""
ARCHIVE_AGE: Final = "cnpg_pg_stat_archiver_seconds_since_last_archival"
"""Seconds, on each instance; -1 on one that has never archived."""
ARCHIVE_STATUS, IS_UP, LAG = "cnpg_collector_pg_wal_archive_status", "cnpg_collector_up", "cnpg_pg_replication_lag"
DATABASE_SIZE, CHANGES_SIZE = "cnpg_pg_database_size_bytes", "cnpg_collector_pg_wal"
ARCHIVE_LIMIT_S: Final = 600
"""Twice the 300 s within which PostgreSQL ends a segment that holds something."""
COPY_TIME_S: Final = 7_200
"""How long a whole copy may take after it was due."""
LAG_LIMIT_S: Final = 300
DISK_LIMIT: Final = 0.8
SEPARATED_LEVEL: Final = 3
SEPARATED_INSTANCES: Final = 3
_DAY_S, _HOUR_S, _GIB = 86_400, 3_600, 1 << 30

FigureId = Literal["copy", "archive", "instances", "lag", "disk"]
FigureState = Literal["good", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """What is wanted of a database: instances, and seconds until the newest whole copy is too old.

    The latter is 0 where nothing is copied; what is copied is archived, too, and the archive bounds what may be lost.
    """

    instances: int
    copy_age_s: int = 0


@dataclass(frozen=True, slots=True)
class DatabaseFigure:
    """One figure: seconds for `copy`, `archive` and `lag`, a number of instances, a share of the declared disk.

    `value` is the last one reported, also when it is too old to say anything; None: not reported, or there never was
    a copy. `limit` is the most that is good, for `instances` the least.
    """

    id: FigureId
    state: FigureState
    value: float | None
    limit: float


def wanted_instances(level: int, least: int) -> int:
    """Return the number of instances of a database: three or more from level 3 on, else the least that is declared."""
    return max(least, SEPARATED_INSTANCES) if level >= SEPARATED_LEVEL else least


def has_copies(cloud: CloudDeclaration) -> bool:
    """Return whether a store for copies of databases is declared."""
    return "backup" in cloud.platform and any(store.medium == "objects" for store in cloud.backups)


def copy_interval_hours(cloud: CloudDeclaration) -> int:
    """Return the hours between whole copies: as the store says, from one to a day."""
    every_s = min((store.every_s for store in cloud.backups if store.medium == "objects"), default=_DAY_S)
    return max(1, min(every_s, _DAY_S) // _HOUR_S)


def database_limits(cloud: CloudDeclaration, component: Component) -> DatabaseLimits:
    """Return what a database is measured by: what is declared, and nothing of copies where none are made."""
    copy_age_s = copy_interval_hours(cloud) * _HOUR_S + COPY_TIME_S if has_copies(cloud) else 0
    return DatabaseLimits(wanted_instances(cloud.systems[component.system].level, component.least), copy_age_s)


def disk_bytes(component: Component) -> int:
    """Return the size of the volume of each instance."""
    return max(component.disk_gb, 1) * _GIB


def judge_figures(
    cloud: CloudDeclaration, component: Component, seen: DatabaseNow | None, now: int
) -> tuple[DatabaseFigure, ...]:
    """Return the figures of a database at `now` (Unix ms); copy and archive only where copies are declared."""
    limits, disk = database_limits(cloud, component), disk_bytes(component)
    is_fresh = seen is not None and now - seen.at <= grace_ms(seen.every_ms)
    figures = [
        _figure("instances", seen.instances if seen else None, limits.instances, is_least=True),
        _figure("lag", _quotient(seen.lag_ms if seen else None, 1000), LAG_LIMIT_S),
        _figure("disk", _quotient(seen.disk_bytes if seen else None, disk), DISK_LIMIT),
    ]
    if limits.copy_age_s:
        figures[:0] = [_copy_figure(seen, limits.copy_age_s, now), _archive_figure(seen, now)]
    return tuple(one if is_fresh else DatabaseFigure(one.id, "unknown", one.value, one.limit) for one in figures)


def _figure(ident: FigureId, value: float | None, limit: float, *, is_least: bool = False) -> DatabaseFigure:
    if value is None:
        return DatabaseFigure(ident, "unknown", None, limit)
    # the limit of a disk is reached at 80 %, the others must be exceeded: as the alert rules have it
    is_good = value >= limit if is_least else value < limit if ident == "disk" else value <= limit
    return DatabaseFigure(ident, "good" if is_good else "bad", value, limit)


def _copy_figure(seen: DatabaseNow | None, limit: int, now: int) -> DatabaseFigure:
    if seen is None or seen.copy_at is None:
        return _figure("copy", None, limit)
    return _figure("copy", (now - seen.copy_at) / 1000, limit) if seen.copy_at else _never("copy", limit)


def _archive_figure(seen: DatabaseNow | None, now: int) -> DatabaseFigure:
    """Judge the archive: its age counts only while changes wait, because a quiet database ends no segment."""
    if seen is None or seen.archive_age_ms is None or seen.archive_waiting is None:
        return _figure("archive", None, ARCHIVE_LIMIT_S)
    if seen.archive_age_ms < 0:
        return _never("archive", ARCHIVE_LIMIT_S, "bad" if seen.archive_waiting else "unknown")
    age_s = (seen.archive_age_ms + now - seen.at) / 1000
    judged = _figure("archive", age_s, ARCHIVE_LIMIT_S)
    return judged if seen.archive_waiting else DatabaseFigure("archive", "good", age_s, ARCHIVE_LIMIT_S)


def _never(ident: FigureId, limit: int, state: FigureState = "bad") -> DatabaseFigure:
    return DatabaseFigure(ident, state, None, limit)


def _quotient(value: int | None, unit: int) -> float | None:
    return None if value is None else value / unit
