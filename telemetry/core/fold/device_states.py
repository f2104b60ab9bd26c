"""What devices reported, as segments: their own truth, their connection, a system as they saw it; it must not combine.

Every list of events that is taken is without repeats and sorted by t (`said.once`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, merge
from telemetry.core.fold import states
from telemetry.core.fold.event_spans import CONTACT_GRACE_MS, STATE_GRACE_MS, grace
from telemetry.core.fold.states import Report, Segment
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.fold.sourced_event import Said

Reports = dict[str, list[Report]]
"""By device."""
Known = dict[str, list[Segment]]
"""What is known of each device that spoke."""


def service_segments(said: Sequence[Said]) -> Known:
    """Return each device's own truth: up unless it says out_of_order.

    A change between two heartbeats is believed as long as the heartbeat was: the next one repeats it.
    """
    reports: Reports = {}
    beaten: dict[str, int] = {}
    for s in said:
        event = s.event
        if isinstance(event, ev.DeviceHeartbeat):
            believed = grace(event.every_ms)
            beaten[s.device] = event.t + believed
        elif isinstance(event, ev.KioskState):
            believed = max(STATE_GRACE_MS, beaten.get(s.device, 0) - event.t)
        else:
            continue
        known: states.Known = "down" if event.state == "out_of_order" else "up"
        reports.setdefault(s.device, []).append(Report(event.t, known, believed))
    return _segments(reports)


def contact_segments(said: Sequence[Said]) -> Known:
    """Return each device's connection: up while heard, down from a Will until heard again."""
    reports: Reports = {}
    sessions: dict[str, ev.DeviceStatus] = {}
    for s in said:
        if isinstance(s.event, ev.DeviceContact):
            reports.setdefault(s.device, []).append(Report(s.event.t, "up", CONTACT_GRACE_MS))
        elif isinstance(s.event, ev.DeviceStatus) and (found := _followed(s.event, s.device, sessions)):
            reports.setdefault(s.device, []).append(found)
    return _segments(reports)


def _followed(event: ev.DeviceStatus, device: str, sessions: dict[str, ev.DeviceStatus]) -> Report | None:
    """A death counts unless another connection was born shortly before: the broker noticed the old one's end late."""
    if event.online:
        sessions[device] = event
        return Report(event.t, "up", CONTACT_GRACE_MS)
    born = sessions.get(device, event)
    if born.sid == event.sid or event.t - born.t >= ev.MAX_GRACE_MS:
        return Report(event.t, "down", ev.MAX_GRACE_MS)
    return None


def link_segments(said: Sequence[Said]) -> Known:
    """Return the site's link as each gateway reported it."""
    reports: Reports = {}
    for s in said:
        if isinstance(s.event, ev.LinkState):
            state: states.Known = "up" if s.event.up else "down"
            reports.setdefault(s.device, []).append(Report(s.event.t, state, grace(s.event.every_ms)))
    return _segments(reports)


def vantage_segments(said: Sequence[Said]) -> Known:
    """Return the system as each device saw it."""
    reports: Reports = {}
    for s in said:
        if isinstance(s.event, ev.ProbeResult):
            state: states.Known = "up" if s.event.ok else "down"
            reports.setdefault(s.device, []).append(Report(s.event.t, state, grace(s.event.every_ms)))
    return _segments(reports)


def _segments(reports: Reports) -> Known:
    return {device: states.segments(rows) for device, rows in reports.items()}


def in_state(known: Mapping[str, Sequence[Segment]], state: states.Known) -> list[Window]:
    """Return when any of the devices was in the state."""
    return merge(Window(s.start, s.end) for rows in known.values() for s in rows if s.state == state)
