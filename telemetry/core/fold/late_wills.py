"""Which Last Wills are those of a device's newest connection; it must not decide what a Will means for a figure.

A broker may publish a Will long after the device has connected again: when it notices the dead connection late, or
restarts.  A Will therefore counts only when the newest birth before it, however long before, has the same `sid`, or
when no birth is stored.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.fold.sourced_event import deduplicate
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.fold.sourced_event import SourcedEvent

_NO_SIDS: Mapping[str, str] = MappingProxyType({})


def drop_late_wills(events: Sequence[SourcedEvent], sids_before: Mapping[str, str] = _NO_SIDS) -> list[SourcedEvent]:
    """Return the events without the Wills of connections that are not the newest of their device.

    `sids_before` has the `sid` of each device's newest birth before these events, where it is known.
    """
    newest, late = dict(sids_before), set[tuple[str, str, int]]()
    for s, status in _statuses(events):
        if status.online:
            newest[s.device] = status.sid
        elif newest.get(s.device, status.sid) != status.sid:
            late.add((s.device, s.outbox_id, status.n))
    return [s for s in events if (s.device, s.outbox_id, s.event.n) not in late] if late else list(events)


def devices_with_unknown_birth(events: Sequence[SourcedEvent]) -> dict[str, int]:
    """Return when (Unix ms) the first Will came, by device, of the devices without a birth before it in the events."""
    first: dict[str, ev.DeviceStatus] = {}
    for s, status in _statuses(events):
        first.setdefault(s.device, status)
    return {device: status.t for device, status in first.items() if not status.online}


def _statuses(events: Sequence[SourcedEvent]) -> list[tuple[SourcedEvent, ev.DeviceStatus]]:
    statuses = deduplicate(s for s in events if isinstance(s.event, ev.DeviceStatus))
    return [(s, s.event) for s in statuses if isinstance(s.event, ev.DeviceStatus)]
