"""Builds live rows of centres and systems from a cache of their day's events; it must write nothing itself.

FoldJob updates the cache with the events that it reads of a changed entity, so that a live row needs no raw
event again.  After a restart, or when an event has moved, the day is read again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import DAY, Window, day_window
from telemetry.core.fold import live_state
from telemetry.core.fold.live_state import relevant_events
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.inventory import local_date
from telemetry.core.protocol import events as ev, presence
from telemetry.core.protocol.topics import parse_topic
from telemetry.store import STATUS_OUTBOX_ID, DeadLetter, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.rollup.fold_faults import FoldFaults
    from telemetry.store import Store

REFRESH_INTERVAL_MS = 30_000
"""How often every live row is built again, so that a missing heartbeat shows."""
LIVE_ROW_PART = "live row"
"""The name of this step in a fault."""
EventId = tuple[str, str, int]


@dataclass(slots=True)
class _CachedEntity:
    """An entity's events since `start` that are relevant at `as_of`, by event id. Times are Unix ms."""

    as_of: int
    start: int
    events: dict[EventId, SourcedEvent]


class EventCache:
    """The events of each entity's present day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entities: dict[str, _CachedEntity] = {}

    def update(self, entity: str, events: Iterable[SourcedEvent]) -> None:
        """Add events read of an entity; if the time of one has changed, its day is read again later."""
        cached = self._entities.get(entity)
        if cached is None:
            return
        new_events = {_event_id(s): s for s in events if s.event.t >= cached.start}
        if any(
            event_id in cached.events and cached.events[event_id].event.t != s.event.t
            for event_id, s in new_events.items()
        ):
            del self._entities[entity]
        else:
            cached.events.update(new_events)

    def events_for(self, entity: str, at: int, day_start: int) -> list[SourcedEvent]:
        """Return the events, by t, that are relevant at `at` for an entity whose local day began at `day_start`."""
        start = day_start - ev.MAX_GRACE_MS
        cached = self._entities.get(entity)
        if cached is None or at < cached.as_of or start < cached.start:
            events = map(to_sourced, self._store.events(entity, Window(max(start, 0), at + DAY)))
            cached = _CachedEntity(at, start, {_event_id(s): s for s in events})
        relevant = relevant_events(cached.events.values(), at, start)
        self._entities[entity] = _CachedEntity(at, start, {_event_id(s): s for s in relevant})
        return relevant

    def evict(self, entity: str) -> None:
        """Remove an entity: its day is read again."""
        self._entities.pop(entity, None)

    def evict_except(self, entities: set[str]) -> None:
        """Remove every entity but these."""
        self._entities = {entity: cached for entity, cached in self._entities.items() if entity in entities}


def to_sourced(stored: StoredEvent) -> SourcedEvent:
    """Return a stored event as the input of the fold."""
    return SourcedEvent(stored.device, stored.outbox_id, stored.event)


def _event_id(s: SourcedEvent) -> EventId:
    return s.device, s.outbox_id, s.event.n


class LiveRowBuilder:
    """Builds live rows of changed entities, and of all entities periodically."""

    def __init__(
        self, event_cache: EventCache, late_change_at: Callable[[str], int], periods: ServicePeriods, faults: FoldFaults
    ) -> None:
        self._event_cache, self._late_change_at, self._periods = event_cache, late_change_at, periods
        self._faults = faults
        self._refreshed_at = 0

    def build_rows(self, inventory: Inventory, entities: set[str], at: int) -> dict[str, bytes]:
        """Return the live rows to write at `at` (Unix ms), by entity."""
        if not 0 <= at - self._refreshed_at < REFRESH_INTERVAL_MS:
            self._refreshed_at = at
            # An imported log's row changes with an import only: other mappings than its own know less of its centre.
            watched = {ident for ident, centre in inventory.centres.items() if not centre.imported}
            entities = {*entities, *watched, *inventory.systems}
            self._event_cache.evict_except(entities)
        rows: dict[str, bytes] = {}
        for entity in sorted(entities):
            if self._faults.is_postponed(entity, LIVE_ROW_PART):
                continue
            with self._faults.guard(entity, LIVE_ROW_PART):
                row = self._build_row(inventory, entity, at)
                if row is not None:
                    rows[entity] = row
        return rows

    def check(self, inventory: Inventory, entity: str, at: int) -> None:
        """Build an entity's row from the store again, and record whether that fails."""
        self._event_cache.evict(entity)
        with self._faults.guard(entity, LIVE_ROW_PART):
            self._build_row(inventory, entity, at)

    def _build_row(self, inventory: Inventory, entity: str, at: int) -> bytes | None:
        centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
        if centre is not None:
            start = day_window(local_date(at, centre.zone), centre.zone).start
            events = self._event_cache.events_for(entity, at, start)
            row = live_state.centre_now(centre, inventory.devices_of(entity), events, at, start, self._periods)
            return msgspec.json.encode(msgspec.structs.replace(row, reopened=self._late_change_at(entity)))
        if system is not None:
            events = self._event_cache.events_for(entity, at, at)
            system_row = live_state.system_now(system, events, at, self._periods)
            return msgspec.json.encode(msgspec.structs.replace(system_row, reopened=self._late_change_at(entity)))
        return None


def to_status_event(message: Message, at: int) -> StoredEvent | DeadLetter | None:
    """Return a birth or death as an event at `at` (Unix ms), or why it is dropped; None for an empty message.

    An empty retained message is how an operator deletes a retained one.
    """
    topic = parse_topic(message.topic)
    if not message.payload:
        return None
    if topic is None or topic.channel != "state":
        return DeadLetter(at, "", "foreign_topic", 1, len(message.payload))
    report = presence.decode_presence(message.payload)
    if report is None:
        return DeadLetter(at, topic.device, "invalid_presence", 1, len(message.payload))
    digest = int.from_bytes(hashlib.blake2b(report.sid.encode(), digest_size=6).digest())
    event = ev.DeviceStatus(n=2 * digest + 1 + report.online, t=at, online=report.online, sid=report.sid)
    return StoredEvent(topic.centre, topic.device, STATUS_OUTBOX_ID, event)
