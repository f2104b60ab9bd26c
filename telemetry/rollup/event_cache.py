"""Remembers of each unit what was read of its day, so that a live row reads no raw event again; it is only a cache.

Whoever reads raw events of a unit because they changed tells it.  A restart, or a doubt, reads the day again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.fold.live_state import relevant_events
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.store import Store, StoredEvent

EventId = tuple[str, str, int]


@dataclass(slots=True)
class _CachedEntity:
    """What is remembered by the event's name, as of `at`; events from before `start` are not."""

    as_of: int
    start: int
    events: dict[EventId, SourcedEvent]


class EventCache:
    """The events of each unit's present day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entities: dict[str, _CachedEntity] = {}

    def update(self, entity: str, events: Iterable[SourcedEvent]) -> None:
        """Take what was read of a unit; an event that has moved makes its day be read again."""
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
        """Return what tells about `moment` of a unit whose local day began at `day` (Unix ms), by t."""
        start = day_start - ev.MAX_GRACE_MS
        cached = self._entities.get(entity)
        if cached is None or at < cached.as_of or start < cached.start:
            window = Window(max(start, 0), at + DAY)
            cached = _CachedEntity(
                at, start, {_event_id(s): s for s in map(to_sourced, self._store.events(entity, window))}
            )
        relevant = relevant_events(cached.events.values(), at, start)
        self._entities[entity] = _CachedEntity(at, start, {_event_id(s): s for s in relevant})
        return relevant

    def evict_except(self, entities: Iterable[str]) -> None:
        """Forget every unit but these."""
        retained = set(entities)
        self._entities = {entity: cached for entity, cached in self._entities.items() if entity in retained}


def to_sourced(stored: StoredEvent) -> SourcedEvent:
    """Return what the fold needs of a stored event."""
    return SourcedEvent(stored.device, stored.outbox_id, stored.event)


def _event_id(s: SourcedEvent) -> EventId:
    return s.device, s.outbox_id, s.event.n
