"""Builds live rows of centres and systems from a cache of their day's events; it must write nothing itself.

FoldJob updates the cache with the events that it reads of a changed entity, so that a live row needs no raw
event again.  After a restart, or when an event has moved, the day is read again.  The cache has a limit in bytes; what
does not fit is read again for every row.  Rows have a budget of time in each pass: what is left is built in the next.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import DAY, Window, day_window
from telemetry.core.fold import live_state
from telemetry.core.fold.live_state import relevant_events
from telemetry.core.inventory import local_date
from telemetry.core.protocol import events as ev, presence
from telemetry.core.protocol.topics import parse_topic
from telemetry.store import STATUS_OUTBOX_ID, DeadLetter, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.fold.live_row_types import CentreNow, ExpectedWait
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.rollup.event_reader import EventReader
    from telemetry.rollup.expected_waits import ExpectedWaits
    from telemetry.rollup.fold_faults import FoldFaults

REFRESH_INTERVAL_MS = 30_000
"""How often every live row is built again, so that a missing heartbeat shows."""
LIVE_ROW_PART, EXPECTED_WAIT_PART = "live row", "expected wait"
"""The names of these steps in a fault."""
MAX_CACHED_BYTES = 256 * 1024 * 1024
"""The cached events of all entities: the days of 160 busy centres take about 100 MB."""
ROWS_BUDGET_S = 0.5
"""How long a pass builds live rows, at least one; of changed entities first, and one of the others at least."""
EventId = tuple[str, str, int]


def estimate_memory(s: SourcedEvent) -> int:
    """Return about how many bytes an event takes in the cache, rather too many than too few."""
    return 300 + 4 * len(msgspec.msgpack.encode(s.event))


@dataclass(slots=True)
class _CachedEntity:
    """An entity's events since `start` that are relevant at `as_of`, by event id. Times are Unix ms."""

    as_of: int
    start: int
    events: dict[EventId, SourcedEvent]
    size: int
    """Bytes, by `estimate_memory`."""

    def add(self, events: Mapping[EventId, SourcedEvent]) -> None:
        self.size += sum(estimate_memory(s) for event_id, s in events.items() if event_id not in self.events)
        self.events.update(events)

    def retain(self, events: dict[EventId, SourcedEvent]) -> None:
        """Drop all others."""
        self.size -= sum(estimate_memory(self.events[event_id]) for event_id in self.events.keys() - events.keys())
        self.events = events


class EventCache:
    """The events of each entity's present day, up to MAX_CACHED_BYTES: the entities used last."""

    def __init__(self, event_reader: EventReader) -> None:
        self._event_reader = event_reader
        self._entities: dict[str, _CachedEntity] = {}

    def size_bytes(self) -> int:
        """Return about how many bytes the cached events take."""
        return sum(cached.size for cached in self._entities.values())

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
            cached.add(new_events)

    def events_for(self, entity: str, at: int, day_start: int) -> list[SourcedEvent]:
        """Return the events, by t, that are relevant at `at` for an entity whose local day began at `day_start`."""
        start = day_start - ev.MAX_GRACE_MS
        cached = self._entities.pop(entity, None)
        if cached is None or at < cached.as_of or start < cached.start:
            cached = _CachedEntity(at, start, {}, 0)
            events = self._event_reader.read(entity, Window(max(start, 0), at + DAY))
            cached.add({_event_id(s): s for s in events})
        relevant = relevant_events(cached.events.values(), at, start)
        cached.as_of, cached.start = at, start
        cached.retain({_event_id(s): s for s in relevant})
        self._entities[entity] = cached
        self._evict_beyond_limit()
        return relevant

    def _evict_beyond_limit(self) -> None:
        size = self.size_bytes()
        while size > MAX_CACHED_BYTES:
            size -= self._entities.pop(next(iter(self._entities))).size

    def evict(self, entity: str) -> None:
        """Remove an entity: its day is read again."""
        self._entities.pop(entity, None)

    def evict_except(self, entities: set[str]) -> None:
        """Remove every entity but these."""
        self._entities = {entity: cached for entity, cached in self._entities.items() if entity in entities}


def _event_id(s: SourcedEvent) -> EventId:
    return s.device, s.outbox_id, s.event.n


class LiveRowBuilder:
    """Builds live rows of changed entities, and of all entities periodically."""

    def __init__(
        self,
        event_cache: EventCache,
        late_change_at: Callable[[str], int],
        periods: ServicePeriods,
        faults: FoldFaults,
        stopwatch: Callable[[], float] = time.monotonic,
        expected_waits: ExpectedWaits | None = None,
    ) -> None:
        """`stopwatch` returns seconds; it limits how long a pass builds rows."""
        self._expected_waits = expected_waits
        self._event_cache, self._late_change_at, self._periods = event_cache, late_change_at, periods
        self._faults, self._stopwatch = faults, stopwatch
        self._refreshed_at = 0
        self._changed: dict[str, None] = {}
        self._others: dict[str, None] = {}
        """The entities whose rows are to be built, in this order; the second ones because time has passed."""

    def build_rows(self, inventory: Inventory, entities: set[str], at: int) -> dict[str, bytes]:
        """Return the live rows to write at `at` (Unix ms), by entity."""
        self._changed |= dict.fromkeys(sorted(entities))
        if not 0 <= at - self._refreshed_at < REFRESH_INTERVAL_MS:
            self._refreshed_at = at
            # An imported log's row changes with an import only: other mappings than its own know less of its centre.
            watched = {ident for ident, centre in inventory.centres.items() if not centre.imported}
            self._others |= dict.fromkeys(sorted({*watched, *inventory.systems}))
            self._event_cache.evict_except({*entities, *watched, *inventory.systems})
        rows: dict[str, bytes] = {}
        end = self._stopwatch() + ROWS_BUDGET_S
        for waiting in (self._changed, self._others):
            while waiting:
                entity = next(iter(waiting))
                self._add_row(rows, inventory, entity, at)
                self._changed.pop(entity, None)
                self._others.pop(entity, None)
                if self._stopwatch() >= end:
                    break
        return rows

    def _add_row(self, rows: dict[str, bytes], inventory: Inventory, entity: str, at: int) -> None:
        if self._faults.is_postponed(entity, LIVE_ROW_PART):
            return
        with self._faults.guard(entity, LIVE_ROW_PART):
            row = self._build_row(inventory, entity, at)
            if row is not None:
                rows[entity] = row

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
            if not centre.imported:
                row = self._with_expected_waits(row, [s for s in events if s.event.t >= start])
            return msgspec.json.encode(msgspec.structs.replace(row, reopened=self._late_change_at(entity)))
        if system is not None:
            events = self._event_cache.events_for(entity, at, at)
            system_row = live_state.system_now(system, events, at, self._periods)
            return msgspec.json.encode(msgspec.structs.replace(system_row, reopened=self._late_change_at(entity)))
        return None

    def _with_expected_waits(self, row: CentreNow, events: Sequence[SourcedEvent]) -> CentreNow:
        """Return the row with what a newcomer may expect; a fault there leaves the rest of the row as it is."""
        waits: Mapping[str, ExpectedWait] = {}
        if self._expected_waits is not None:
            with self._faults.guard(row.centre, EXPECTED_WAIT_PART):
                waits = self._expected_waits.waits_of(row.centre, events, [s.service for s in row.services], row.at)
        services = (msgspec.structs.replace(s, expected=waits.get(s.service)) for s in row.services)
        return msgspec.structs.replace(row, services=tuple(services))


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


def in_order_of_arrival(statuses: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Return statuses that were received together at one time with times that keep their order, by device.

    The last one of each device keeps its time, the one before it is a millisecond earlier, and so on: a connection that
    ends in the same pass as it began is down, and a Will before another birth is not.
    """
    later = Counter[str]()
    ordered: list[StoredEvent] = []
    for status in reversed(statuses):
        event = msgspec.structs.replace(status.event, t=max(status.event.t - later[status.device], 0))
        ordered.append(msgspec.structs.replace(status, event=event))
        later[status.device] += 1
    return ordered[::-1]
