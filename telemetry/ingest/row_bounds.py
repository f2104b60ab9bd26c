"""Which rows of a declared device's frame ingest does not store: too old ones, and of systems that nobody declared.

It must not write or count anything, and a frame without such rows costs it no loop in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from telemetry.core.calendar.windows import DAY
from telemetry.core.inventory import replay_device_of
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory
    from telemetry.core.protocol.codec import DecodedFrame
    from telemetry.core.protocol.topics import Topic

DEFAULT_MAX_AGE_MS = 400 * DAY
"""How old an event may be when it arrives: a year and a month, so that a kiosk may have been in store over a year."""
_SYSTEM_EVENTS = frozenset({ev.ProbeResult, ev.ConnectorStats})


def oldest_accepted(topic: Topic, now: int, retained_since: int, max_age_ms: int) -> int:
    """Return the earliest time of a row that is stored, Unix ms.

    `retained_since` is the start of the store's retention, 0 when it is infinite.  Imports are bounded by it
    alone: they come from the centre's own device `…-replay1`, whose topic no other device may publish to.
    """
    if topic.device == replay_device_of(topic.centre):
        return retained_since
    return max(retained_since, now - max_age_ms)


def reject_old_rows(decoded: DecodedFrame, oldest: int) -> DecodedFrame:
    """Reject, for good, rows from before `oldest`."""
    if not decoded.events or min([event.t for event in decoded.events]) >= oldest:
        return decoded
    expired = [(event.n, "too_old") for event in decoded.events if event.t < oldest]
    events = [event for event in decoded.events if event.t >= oldest]
    return replace(decoded, events=events, rejected=decoded.rejected + expired)


def defer_undeclared_systems(decoded: DecodedFrame, inventory: Inventory) -> DecodedFrame:
    """Defer rows of systems that the inventory lacks: the agent keeps them until they are declared."""
    if _SYSTEM_EVENTS.isdisjoint(map(type, decoded.events)):
        return decoded
    deferred = [(e.n, "unknown_system") for e in decoded.events if not _is_of_declared_system(e, inventory)]
    if not deferred:
        return decoded
    events = [e for e in decoded.events if _is_of_declared_system(e, inventory)]
    return replace(decoded, events=events, deferred=decoded.deferred + deferred)


def _is_of_declared_system(event: ev.Event, inventory: Inventory) -> bool:
    return not isinstance(event, ev.ProbeResult | ev.ConnectorStats) or event.system in inventory.systems
