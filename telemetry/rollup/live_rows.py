"""The live rows of centres and systems, made from their events of the local day; it must write nothing itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.calendar.windows import day_window
from telemetry.core.fold import live_state
from telemetry.core.inventory import local_day
from telemetry.core.protocol import events as ev, presence
from telemetry.core.protocol.topics import parse
from telemetry.store import STATUS_SPOOL, Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.messages import Message
    from telemetry.rollup.event_cache import Remembered

REFRESH_MS = 30_000
"""How often every live row is made anew, so that silence shows."""


class Present:
    """Makes live rows of units that changed, and of all from time to time."""

    def __init__(self, remembered: Remembered, reopened_at: Callable[[str], int]) -> None:
        self._remembered, self._reopened_at = remembered, reopened_at
        self._refreshed = 0

    def rows(self, inventory: Inventory, units: set[str], moment: int) -> dict[str, bytes]:
        """Return the live rows to write at `moment`, by unit."""
        if not 0 <= moment - self._refreshed < REFRESH_MS:
            self._refreshed = moment
            units = {*inventory.centres, *inventory.systems}
            self._remembered.keep(units)
        return {unit: row for unit in sorted(units) if (row := self._row(inventory, unit, moment)) is not None}

    def _row(self, inventory: Inventory, unit: str, moment: int) -> bytes | None:
        centre, system = inventory.centres.get(unit), inventory.systems.get(unit)
        if centre is not None:
            start = day_window(local_day(moment, centre.zone), centre.zone).start
            said = self._remembered.said(unit, moment, start)
            row = live_state.centre_now(centre, inventory.devices_of(unit), said, moment, start)
            return msgspec.json.encode(msgspec.structs.replace(row, reopened=self._reopened_at(unit)))
        if system is not None:
            young = self._remembered.said(unit, moment, moment)
            seen = live_state.system_now(system, young, moment)
            return msgspec.json.encode(msgspec.structs.replace(seen, reopened=self._reopened_at(unit)))
        return None


def status_of(message: Message, moment: int) -> Stored | None:
    """Return a birth or death as an event at `moment`, None for what is neither."""
    topic = parse(message.topic)
    told = presence.decode(message.payload)
    if topic is None or topic.channel != "state" or told is None:
        return None
    digest = int.from_bytes(hashlib.blake2b(told.sid.encode(), digest_size=6).digest())
    event = ev.DeviceStatus(n=2 * digest + 1 + told.online, t=moment, online=told.online, sid=told.sid)
    return Stored(topic.centre, topic.device, STATUS_SPOOL, event)
