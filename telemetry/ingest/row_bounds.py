"""Which rows of a declared device's frame ingest does not store: too old ones, and of others or undeclared systems.

It must not write or count anything, and a frame without such rows costs it no loop in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from telemetry.core.calendar.windows import DAY
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY
from telemetry.core.inventory import REPLAY_SUFFIX
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from telemetry.core.inventory import Inventory
    from telemetry.core.protocol.codec import DecodedFrame
    from telemetry.core.protocol.topics import Topic

DEFAULT_MAX_AGE_MS = 400 * DAY
"""How old an event may be when it arrives: a year and a month, so that a kiosk may have been in store over a year."""
_SYSTEM_EVENTS = frozenset(ev.SYSTEM_EVENTS)


def oldest_accepted(topic: Topic, now: int, retained_since: int, max_age_ms: int) -> int:
    """Return the earliest time of a row that is stored, Unix ms.

    `retained_since` is the start of the store's retention, 0 when it is infinite.  Imports are bounded by it
    alone: they come from the centre's own device `…-replay1`, whose topic no other device may publish to.
    """
    oldest = now - max_age_ms
    return retained_since if retained_since > oldest or topic.device.endswith(REPLAY_SUFFIX) else oldest


def reject_rows(decoded: DecodedFrame, expired: list[tuple[int, str]]) -> DecodedFrame:
    """Reject, for good, the rows of these numbers, each with its reason."""
    numbers = {n for n, _ in expired}
    events = [event for event in decoded.events if event.n not in numbers]
    return replace(decoded, events=events, rejected=decoded.rejected + expired)


def defer_rows(decoded: DecodedFrame, deferred: list[tuple[int, str]]) -> DecodedFrame:
    """Defer the rows of these numbers, each with its reason: the agent keeps them and sends them again."""
    numbers = {n for n, _ in deferred}
    events = [event for event in decoded.events if event.n not in numbers]
    return replace(decoded, events=events, deferred=decoded.deferred + deferred)


def reject_foreign_entities(
    decoded: DecodedFrame, kinds: AbstractSet[type[ev.Event]], inventory: Inventory
) -> DecodedFrame:
    """Reject results whose `system` is a centre, a device or the platform: a device speaks only of itself.

    `kinds` are the types of the frame's events.
    """
    if _SYSTEM_EVENTS.isdisjoint(kinds):
        return decoded
    foreign = [(e.n, "not_yours") for e in decoded.events if _names_other_entity(e, inventory)]
    return reject_rows(decoded, foreign) if foreign else decoded


def _names_other_entity(event: ev.Event, inventory: Inventory) -> bool:
    if not isinstance(event, ev.SYSTEM_EVENTS) or event.system in inventory.systems:
        return False
    is_declared = event.system in inventory.centres or event.system in inventory.devices
    return is_declared or event.system == PLATFORM_ENTITY or event.system.endswith(REPLAY_SUFFIX)


def defer_undeclared_systems(
    decoded: DecodedFrame, kinds: AbstractSet[type[ev.Event]], inventory: Inventory
) -> DecodedFrame:
    """Defer rows of systems that the inventory lacks: the agent keeps them until they are declared.

    `kinds` are the types of the frame's events.
    """
    if _SYSTEM_EVENTS.isdisjoint(kinds):
        return decoded
    deferred = [(e.n, "unknown_system") for e in decoded.events if not _is_of_declared_system(e, inventory)]
    if not deferred:
        return decoded
    events = [e for e in decoded.events if _is_of_declared_system(e, inventory)]
    return replace(decoded, events=events, deferred=decoded.deferred + deferred)


def _is_of_declared_system(event: ev.Event, inventory: Inventory) -> bool:
    return not isinstance(event, ev.SYSTEM_EVENTS) or event.system in inventory.systems
