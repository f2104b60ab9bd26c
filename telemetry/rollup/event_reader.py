"""Reads an entity's raw events as the fold takes them: without the Wills of connections that are not the newest.

The birth that decides may lie days before the hours that are folded, so it is looked up.  It must not interpret other
events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.fold.late_wills import devices_with_unknown_birth, drop_late_wills
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import Window
    from telemetry.store import Store, StoredEvent


class EventReader:
    """Reads events of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, entity: str, window: Window) -> list[SourcedEvent]:
        """Return the entity's events with t in the window, by t, without late Wills."""
        events = [to_sourced(s) for s in self._store.events(entity, window)]
        unknown = devices_with_unknown_birth(events)
        births = self._store.newest_births(entity, unknown) if unknown else ()
        return drop_late_wills(events, {s.device: s.event.sid for s in births if isinstance(s.event, ev.DeviceStatus)})


def to_sourced(stored: StoredEvent) -> SourcedEvent:
    """Return a stored event as the input of the fold."""
    return SourcedEvent(stored.device, stored.outbox_id, stored.event)
