"""One in-memory copy of the live rows, refreshed at most twice a second; it must not read raw events.

Of totals it asks only whether an imported log has any, because earlier versions wrote a row for every mapping.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.contacts import CONTACTS_ROW_PREFIX, ContactsNow
from telemetry.core.fold.live_row_types import (
    FAULT_ROW_PREFIX,
    SLO_ROW_PREFIX,
    CentreNow,
    FoldFaultNow,
    SloNow,
    SystemNow,
)
from telemetry.core.fold.totals import decode_sums
from telemetry.core.queueing.forecast_rows import FORECAST_ROW_PREFIX, CentreForecast, decode_forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.store import LiveRow, Store

REFRESH_MS = 500
_CENTRE_DECODER = msgspec.json.Decoder(CentreNow)
_SYSTEM_DECODER = msgspec.json.Decoder(SystemNow)
_SLO_DECODER = msgspec.json.Decoder(SloNow)
_CONTACTS_DECODER = msgspec.json.Decoder(ContactsNow)
_FAULT_DECODER = msgspec.json.Decoder(FoldFaultNow)
_DecodedRow = CentreNow | SystemNow | SloNow | ContactsNow | FoldFaultNow | CentreForecast
_SYSTEM_ROW_PREFIX = b'{"system":'
"""The first bytes of a system's row: a struct is encoded in the order of its fields."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All live rows at one instant; `version` is the highest row version, `versions` has each entity's.

    `centres`, `systems` and `slos` are indexed by their ids, `contacts` by entity; these are the same object as
    long as none has changed.
    """

    at: int
    version: int = 0
    centres: Mapping[str, CentreNow] = field(default_factory=dict)
    systems: Mapping[str, SystemNow] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    slos: Mapping[str, SloNow] = field(default_factory=dict)
    contacts: Mapping[str, ContactsNow] = field(default_factory=dict)
    faults: Mapping[str, FoldFaultNow] = field(default_factory=dict)
    """What rollup could not read or fold, by entity; the same object as long as none has changed."""
    forecasts: Mapping[str, CentreForecast] = field(default_factory=dict)
    """The forecast of each centre that has one; the same object as long as none has changed."""
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """The live rows that cannot be read, by entity, with their versions."""
    unreadable_since: Mapping[str, int] = field(default_factory=dict)
    """Since when this reader finds other stored rows of an entity unreadable, Unix ms."""

    def centres_changed_since(self, version: int) -> list[str]:
        """Return the centres whose row is newer than `version`, by id."""
        return sorted(entity for entity in self.centres if self.versions[entity] > version)

    def systems_changed_since(self, version: int) -> list[str]:
        """Return the systems whose row is newer than `version`, by id."""
        return sorted(entity for entity in self.systems if self.versions[entity] > version)

    def set_aside(self) -> dict[str, int]:
        """Return the entities of which some data cannot be read or folded, with since when (Unix ms)."""
        since = {entity: fault.since for entity, fault in self.faults.items() if fault.since is not None}
        return {**dict.fromkeys(self.unreadable, self.at), **self.unreadable_since, **since}

    def reopened_at(self, entity: str) -> int:
        """Return when the entity's totals of the past were last written; 0 when its row does not have it."""
        row = self.centres.get(entity) or self.systems.get(entity)
        return 0 if row is None else row.reopened


def apply_rows(previous: Snapshot, rows: Sequence[LiveRow], at: int) -> Snapshot:
    """Return the snapshot with newer rows applied; rows that cannot be decoded are left out."""
    centres, systems, slos = dict(previous.centres), dict(previous.systems), dict(previous.slos)
    versions = {**previous.versions, **{row.entity: row.version for row in rows}}
    contacts, faults, unreadable = previous.contacts, previous.faults, dict(previous.unreadable)
    forecasts = previous.forecasts
    for row in rows:
        decoded = _decode_row(row)
        unreadable.pop(row.entity, None)
        if decoded is None:
            unreadable[row.entity] = row.version
        elif isinstance(decoded, FoldFaultNow):
            faults = {**faults, decoded.entity: decoded}
        elif isinstance(decoded, CentreForecast):
            forecasts = {**forecasts, decoded.centre: decoded}
        elif isinstance(decoded, CentreNow):
            centres[row.entity] = decoded
        elif isinstance(decoded, SystemNow):
            systems[row.entity] = decoded
        elif isinstance(decoded, ContactsNow):
            contacts = {**contacts, decoded.entity: decoded}
        else:
            slos[row.entity.removeprefix(SLO_ROW_PREFIX)] = decoded
    return Snapshot(
        at, max(versions.values(), default=0), centres, systems, versions, slos, contacts, faults, forecasts, unreadable
    )


_DECODERS_BY_PREFIX: Mapping[str, Callable[[bytes], _DecodedRow]] = MappingProxyType(
    {
        SLO_ROW_PREFIX: _SLO_DECODER.decode,
        CONTACTS_ROW_PREFIX: _CONTACTS_DECODER.decode,
        FAULT_ROW_PREFIX: _FAULT_DECODER.decode,
        FORECAST_ROW_PREFIX: decode_forecast,
    }
)


def _decode_row(row: LiveRow) -> _DecodedRow | None:
    prefix, colon, _ = row.entity.partition(":")
    decode = _DECODERS_BY_PREFIX.get(prefix + colon)
    if decode is None:
        is_system = row.body.startswith(_SYSTEM_ROW_PREFIX)
        decode = _SYSTEM_DECODER.decode if is_system else _decode_centre
    try:
        return decode(row.body)
    except Exception:  # noqa: BLE001  # whatever stored bytes raise
        return None


def _decode_centre(body: bytes) -> CentreNow:
    centre = _CENTRE_DECODER.decode(body)
    for service in centre.services:  # readers decode these texts, so they are tried here
        decode_sums(service.today)
        decode_sums(service.recent)
    return centre


@dataclass(frozen=True, slots=True)
class _UnreadableEntity:
    """How often a row of an entity could not be read, its `reopened` then, and since when (None: written again)."""

    count: int
    reopened: int
    since: int | None = None


class SnapshotCache:
    """Returns the newest snapshot; safe to call from many threads."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: Snapshot | None = None
        self._unreadable: dict[str, _UnreadableEntity] = {}

    def get(self) -> Snapshot:
        """Return a snapshot at most REFRESH_MS old; raises StoreUnavailable when it cannot be read."""
        with self._lock:
            snapshot, now = self._cached, self._clock()
            if snapshot is None or not 0 <= now - snapshot.at < REFRESH_MS:
                previous = snapshot or Snapshot(now)
                rows = self._store.live_rows(after=previous.version)
                snapshot = self._without_empty_imports(apply_rows(previous, rows, now), {row.entity for row in rows})
                snapshot = self._cached = replace(snapshot, unreadable_since=self._unreadable_entities(snapshot))
            return snapshot

    def _unreadable_entities(self, snapshot: Snapshot) -> dict[str, int]:
        """Return the entities with rows that this process could not read, until their totals are written again."""
        for entity, count in self._store.unreadable.counts().items():
            known, reopened = self._unreadable.get(entity), snapshot.reopened_at(entity)
            if known is None or count > known.count:
                since = snapshot.at if known is None or known.since is None else known.since
                self._unreadable[entity] = _UnreadableEntity(count, reopened, since)
            elif reopened != known.reopened:
                self._unreadable[entity] = _UnreadableEntity(count, reopened)
        return {entity: e.since for entity, e in self._unreadable.items() if entity and e.since is not None}

    def _without_empty_imports(self, snapshot: Snapshot, changed: set[str]) -> Snapshot:
        """Leave out the changed rows of mappings through which nothing was imported."""
        always = Window(0, snapshot.at + DAY)
        empty = {
            entity
            for entity in changed & snapshot.centres.keys()
            if snapshot.centres[entity].declared is not None
            and snapshot.centres[entity].import_facts is None
            and not self._store.totals([entity], "1d", always)
        }
        return replace(snapshot, centres={e: row for e, row in snapshot.centres.items() if e not in empty})
