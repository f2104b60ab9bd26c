"""The live rows of centres and systems, made from their events of the local day; it must write nothing itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import day_window
from telemetry.core.fold import live_state
from telemetry.core.inventory import local_date
from telemetry.core.protocol import events as ev, presence
from telemetry.core.protocol.topics import parse_topic
from telemetry.store import STATUS_OUTBOX_ID, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.rollup.event_cache import EventCache

REFRESH_INTERVAL_MS = 30_000
"""How often every live row is made anew, so that silence shows."""


class LiveRowBuilder:
    """Makes live rows of units that changed, and of all from time to time."""

    def __init__(self, event_cache: EventCache, late_change_at: Callable[[str], int]) -> None:
        self._event_cache, self._late_change_at = event_cache, late_change_at
        self._refreshed_at = 0

    def build_rows(self, inventory: Inventory, entities: set[str], at: int) -> dict[str, bytes]:
        """Return the live rows to write at `moment`, by unit."""
        if not 0 <= at - self._refreshed_at < REFRESH_INTERVAL_MS:
            self._refreshed_at = at
            entities = {*inventory.centres, *inventory.systems}
            self._event_cache.evict_except(entities)
        return {
            entity: row for entity in sorted(entities) if (row := self._build_row(inventory, entity, at)) is not None
        }

    def _build_row(self, inventory: Inventory, entity: str, at: int) -> bytes | None:
        centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
        if centre is not None:
            start = day_window(local_date(at, centre.zone), centre.zone).start
            events = self._event_cache.events_for(entity, at, start)
            row = live_state.centre_now(centre, inventory.devices_of(entity), events, at, start)
            return msgspec.json.encode(msgspec.structs.replace(row, reopened=self._late_change_at(entity)))
        if system is not None:
            recent_events = self._event_cache.events_for(entity, at, at)
            system_row = live_state.system_now(system, recent_events, at)
            return msgspec.json.encode(msgspec.structs.replace(system_row, reopened=self._late_change_at(entity)))
        return None


def to_status_event(message: Message, at: int) -> StoredEvent | None:
    """Return a birth or death as an event at `moment`, None for what is neither."""
    topic = parse_topic(message.topic)
    presence_report = presence.decode_presence(message.payload)
    if topic is None or topic.channel != "state" or presence_report is None:
        return None
    digest = int.from_bytes(hashlib.blake2b(presence_report.sid.encode(), digest_size=6).digest())
    event = ev.DeviceStatus(
        n=2 * digest + 1 + presence_report.online, t=at, online=presence_report.online, sid=presence_report.sid
    )
    return StoredEvent(topic.centre, topic.device, STATUS_OUTBOX_ID, event)
