"""Devices' reports as segments: their service, their connection, a system as they probe it; it must not combine.

Every list of events passed in is deduplicated and sorted by t (`sourced_event.deduplicate`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, merge
from telemetry.core.fold import states
from telemetry.core.fold.event_spans import CONTACT_GRACE_MS, STATE_GRACE_MS, WILL_VALIDITY_MS, grace_ms
from telemetry.core.fold.late_wills import drop_late_wills
from telemetry.core.fold.states import StateReport, StateSegment
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.fold.sourced_event import SourcedEvent

ReportsByDevice = dict[str, list[StateReport]]
SegmentsByDevice = dict[str, list[StateSegment]]
"""The known states of each device that reported."""
_SERVICE_EVENTS: frozenset[type[ev.Event]] = frozenset({ev.DeviceHeartbeat, ev.KioskState})
_CONTACT_EVENTS: frozenset[type[ev.Event]] = frozenset({ev.DeviceContact, ev.DeviceStatus})


def service_segments(events: Sequence[SourcedEvent]) -> SegmentsByDevice:
    """Return each device's service state as it reports it: up unless it is out_of_order.

    A change between two heartbeats is valid as long as the heartbeat is: the next one repeats it.
    """
    reports: ReportsByDevice = {}
    heartbeat_until: dict[str, int] = {}
    for s in events:
        event = s.event
        if event.__class__ not in _SERVICE_EVENTS:
            continue
        if isinstance(event, ev.DeviceHeartbeat):
            validity_ms = grace_ms(event.every_ms)
            heartbeat_until[s.device] = event.t + validity_ms
        else:
            validity_ms = max(STATE_GRACE_MS, heartbeat_until.get(s.device, 0) - event.t)
        state: states.KnownState = "down" if event.state == "out_of_order" else "up"  # type: ignore[attr-defined]
        reports.setdefault(s.device, []).append(StateReport(event.t, state, validity_ms))
    return _segments_by_device(reports)


def contact_segments(events: Sequence[SourcedEvent]) -> SegmentsByDevice:
    """Return each device's connection: up while there is contact, down from a Will until the next contact.

    The Will of a connection that is not the device's newest does not count, see `drop_late_wills`.
    """
    reports: ReportsByDevice = {}
    for s in drop_late_wills(events):
        event = s.event
        if event.__class__ not in _CONTACT_EVENTS:
            continue
        if isinstance(event, ev.DeviceStatus) and not event.online:
            report = StateReport(event.t, "down", WILL_VALIDITY_MS)
        else:
            report = StateReport(event.t, "up", CONTACT_GRACE_MS)
        reports.setdefault(s.device, []).append(report)
    return _segments_by_device(reports)


def link_segments(events: Sequence[SourcedEvent]) -> SegmentsByDevice:
    """Return the site's link as each gateway reported it."""
    links = [(s.device, s.event, s.event.up) for s in events if isinstance(s.event, ev.LinkState)]
    return _periodic_segments(links)


def vantage_segments(events: Sequence[SourcedEvent]) -> SegmentsByDevice:
    """Return the system's state as each device probed it."""
    probes = [(s.device, s.event, s.event.ok) for s in events if isinstance(s.event, ev.ProbeResult)]
    return _periodic_segments(probes)


def _periodic_segments(rows: Iterable[tuple[str, ev.LinkState | ev.ProbeResult, bool]]) -> SegmentsByDevice:
    reports: ReportsByDevice = {}
    for device, event, is_up in rows:
        report = StateReport(event.t, "up" if is_up else "down", grace_ms(event.every_ms))
        reports.setdefault(device, []).append(report)
    return _segments_by_device(reports)


def _segments_by_device(reports: ReportsByDevice) -> SegmentsByDevice:
    return {device: states.build_segments(rows) for device, rows in reports.items()}


def windows_in_state(
    segments_by_device: Mapping[str, Sequence[StateSegment]], state: states.KnownState
) -> list[Window]:
    """Return when any of the devices was in the state."""
    return merge(Window(s.start, s.end) for rows in segments_by_device.values() for s in rows if s.state == state)
