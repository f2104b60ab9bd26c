"""One in-memory copy of the live rows, refreshed at most once a second; it must not read totals or raw events."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.fold.live_row_types import SLO_ROW, CentreNow, SloNow, SystemNow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.store import Live, Store

REFRESH_MS = 1_000
_CENTRE = msgspec.json.Decoder(CentreNow)
_SYSTEM = msgspec.json.Decoder(SystemNow)
_SLO = msgspec.json.Decoder(SloNow)
_A_SYSTEM = b'{"system":'
"""How a system's row begins: a struct is written in the order of its fields."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All live rows as of one moment; `version` is the highest row version, `versions` has each unit's.

    `slos` goes by the objective's id, `centres` and `systems` by theirs.
    """

    at: int
    version: int = 0
    centres: Mapping[str, CentreNow] = field(default_factory=dict)
    systems: Mapping[str, SystemNow] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    slos: Mapping[str, SloNow] = field(default_factory=dict)

    def after(self, version: int) -> list[str]:
        """Return the centres whose row is newer than `version`, by id."""
        return sorted(unit for unit in self.centres if self.versions[unit] > version)

    def reopened(self, unit: str) -> int:
        """Return when the unit's totals of the past were last written; 0 when nobody says."""
        row = self.centres.get(unit) or self.systems.get(unit)
        return 0 if row is None else row.reopened


def with_rows(old: Snapshot, rows: Sequence[Live], at: int) -> Snapshot:
    """Return the snapshot with newer rows put in; a row that cannot be read is left out."""
    centres, systems, slos = dict(old.centres), dict(old.systems), dict(old.slos)
    versions = {**old.versions, **{row.unit: row.version for row in rows}}
    for row in rows:
        now = _decode(row)
        if isinstance(now, CentreNow):
            centres[row.unit] = now
        elif isinstance(now, SystemNow):
            systems[row.unit] = now
        elif now is not None:
            slos[row.unit.removeprefix(SLO_ROW)] = now
    return Snapshot(at, max(versions.values(), default=0), centres, systems, versions, slos)


def _decode(row: Live) -> CentreNow | SystemNow | SloNow | None:
    try:
        if row.unit.startswith(SLO_ROW):
            return _SLO.decode(row.body)
        return _SYSTEM.decode(row.body) if row.body.startswith(_A_SYSTEM) else _CENTRE.decode(row.body)
    except msgspec.DecodeError:
        return None


class Snapshots:
    """Hands out the newest snapshot; safe to call from many threads."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Snapshot | None = None

    def get(self) -> Snapshot:
        """Return a snapshot at most a second old; raises StoreUnavailable when it cannot be had."""
        with self._lock:
            held, now = self._held, self._clock()
            if held is None or not 0 <= now - held.at < REFRESH_MS:
                old = held or Snapshot(now)
                held = with_rows(old, self._store.live(after=old.version), now)
                self._held = held
            return held
