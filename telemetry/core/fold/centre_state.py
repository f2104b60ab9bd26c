"""A centre's devices on one time axis: service, contact, readiness and capacity; it must not count events.

A device that is not in service is no member at that time: it neither works nor fails, and the others decide.
Only critical devices decide whether a centre works and is ready.  The gateway in service is the centre's local mode:
while it serves, a dead link does not stop the centre, so the link is not part of its state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, intersection
from telemetry.core.fold import states
from telemetry.core.fold.device_states import (
    SegmentsByDevice,
    contact_segments,
    link_segments,
    service_segments,
    windows_in_state,
)
from telemetry.core.in_service import ALL_IN_SERVICE, ALWAYS_IN_SERVICE, Membership, memberships
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.states import StateSegment
    from telemetry.core.inventory import Device, DeviceKind

MemberSegments = Sequence[Sequence["StateSegment"]]
"""The known states of the declared members of one part; an empty one is a part the centre does not have."""
MIN_SILENT_DEVICES = 2
"""This many devices without contact prove that their link was down; one alone does not."""


@dataclass(frozen=True, slots=True)
class GapEvidence:
    """When each cause of unknown time applied: our own platform was down, or the site's link was down."""

    platform: Sequence[Window] = ()
    link: Sequence[Window] = ()


@dataclass(frozen=True, slots=True)
class CentreDevices:
    """The known states of a centre's own devices (`exclude_replay_devices`), by device.

    `service` is their service as they report it, `contact` their connection, `link` the link as gateways report it.
    `phases` say who is in service when; without any, all are, always.
    """

    devices: Sequence[Device]
    service: SegmentsByDevice
    contact: SegmentsByDevice
    link: SegmentsByDevice
    phases: Sequence[Membership] = ()

    def working_segments(self) -> list[StateSegment]:
        """Return when the centre worked: every gateway, one kiosk and every counter of those it has in service."""
        return self._combine_phases(CentreDevices._working_segments)

    def _working_segments(self) -> list[StateSegment]:
        gateways, kiosks, counters = (self._segments_of_kind(kind) for kind in ("gateway", "kiosk", "counter"))
        return combine_parts(gateways, kiosks, counters, counters_needed=len(counters))

    def readiness_segments(self) -> list[StateSegment]:
        """Return when every critical device in service was up, and when one was down."""
        return self._combine_phases(CentreDevices._readiness_segments)

    def _readiness_segments(self) -> list[StateSegment]:
        critical = [d for d in self.devices if d.critical]
        return states.all_of(self._service_segments(critical)) if critical else []

    def contact_segments(self) -> list[StateSegment]:
        """Return when there was contact with any of the centre's devices; down: every connection had ended."""
        return self._combine_phases(CentreDevices._contact_segments)

    def _contact_segments(self) -> list[StateSegment]:
        return states.any_of([self.contact.get(d.id, []) for d in self.devices])

    def link_down_windows(
        self, contact: Iterable[StateSegment], window: Window, since_contact: Window = ALWAYS_IN_SERVICE
    ) -> list[Window]:
        """Return when its link was down: a gateway reported it, or at least two devices all had no `contact`.

        Silence proves nothing outside `since_contact`: before its first contact no link of the site is known to work.
        """
        reported_down = intersection(windows_in_state(self.link, "down"), [window])
        may_prove = [phase for phase, site in self._sites() if len(site.devices) >= MIN_SILENT_DEVICES]
        silent = states.unknown_windows((s for s in contact if s.state == "up"), window) if may_prove else []
        return intersection(intersection(silent, may_prove), [since_contact]) + reported_down

    def _sites(self) -> list[tuple[Window, CentreDevices]]:
        """Return the devices in service in each phase, as if there were no others."""
        if not self.phases:
            return [(ALWAYS_IN_SERVICE, self)]
        return [(phase.window, self._site_of(phase)) for phase in self.phases]

    def _site_of(self, phase: Membership) -> CentreDevices:
        members = [d for d in self.devices if d.id in phase.members]
        return CentreDevices(members, self.service, self.contact, self.link)

    def _combine_phases(self, combine: Callable[[CentreDevices], list[StateSegment]]) -> list[StateSegment]:
        sites = self._sites()
        if len(sites) == 1:
            return combine(sites[0][1])
        return states.join(part for window, site in sites for part in states.clip(combine(site), window))

    def capacity_by_slot(self, scope: Sequence[Window]) -> dict[int, tuple[int, int]]:
        """Return for each slot the integral over `scope` of the share of counters (kiosks) that serve, ms.

        The lower bound counts unknown ones as down, the upper as up.  Without counters and kiosks there is no capacity.
        """
        bounds: dict[int, tuple[int, int]] = {}
        for window, site in self._sites():
            members = [self.service.get(d.id, []) for d in capacity_devices(site.devices)]
            if members:  # a slot lies in one phase: service begins and ends on slot boundaries
                bounds |= integrate_capacity(members, len(members), intersection(scope, [window]))
        return bounds

    def _segments_of_kind(self, kind: DeviceKind) -> list[list[StateSegment]]:
        return self._service_segments([d for d in self.devices if d.kind == kind and d.critical])

    def _service_segments(self, devices: Iterable[Device]) -> list[list[StateSegment]]:
        return [self.service.get(d.id, []) for d in devices]


def combine_parts(
    gateways: MemberSegments = (),
    kiosks: MemberSegments = (),
    counters: MemberSegments = (),
    counters_needed: int = 1,
) -> list[StateSegment]:
    """Return when the centre was up and down: every gateway, at least one kiosk and k of n counters (slo.md 2.5).

    Parts the centre does not have are left out; without any its state is unknown.  Its power and link are not
    parts: no device reports power, and the gateway in service is the centre's local mode.
    """
    needed = [*map(list, gateways)]
    if kiosks:
        needed.append(states.any_of(kiosks))
    if counters:
        needed.append(states.k_of_n(counters, counters_needed))
    return states.all_of(needed) if needed else []


def capacity_bounds(up: int, unknown: int, k: int) -> tuple[float, float]:
    """Return the share min(1, #up ÷ k) of what the roster needs: if what is unknown is down, and if it is up."""
    if k <= 0:
        return 1.0, 1.0
    return min(1.0, up / k), min(1.0, (up + unknown) / k)


def centre_devices_of(
    devices: Sequence[Device],
    events: Sequence[SourcedEvent],
    span: Window = ALWAYS_IN_SERVICE,
    window_of: Callable[[str], Window] = ALL_IN_SERVICE.window_of,
) -> CentreDevices:
    """Read the events (without repeats, sorted by t) of a centre's declared devices.

    `span` is the time that the answer is for; `window_of` says when a device is in service, by scope: what it reports
    at other times does not count.  The connection of a replay is that of an import, not of the centre whose log it
    imports: it never counts, so that a repeated import changes nothing.
    """
    own = exclude_replay_devices(devices)
    in_service = {d.id: window_of(Scope.device(d.id)) for d in own}
    service, contact, link = (
        _within_service(segments_of(events), in_service)
        for segments_of in (service_segments, contact_segments, link_segments)
    )
    for device in devices:
        if device.kind == "replay":
            contact.pop(device.id, None)
    return CentreDevices(own, service, contact, link, memberships(in_service, in_service, span))


def _within_service(segments: SegmentsByDevice, in_service: Mapping[str, Window]) -> SegmentsByDevice:
    """Cut the reports of devices in `in_service` to their periods, in place."""
    for ident, rows in segments.items():
        window = in_service.get(ident, ALWAYS_IN_SERVICE)
        if not states.covers_all(rows, window):
            segments[ident] = list(states.clip(rows, window))
    return segments


def exclude_replay_devices(devices: Sequence[Device]) -> list[Device]:
    """Leave out devices that only replay recordings, unless the centre has no others."""
    return [d for d in devices if d.kind != "replay"] or list(devices)


def capacity_devices(devices: Sequence[Device]) -> list[Device]:
    """Return the devices whose number is the centre's capacity: its critical counters, or else its critical kiosks."""
    counters, kiosks = ([d for d in devices if d.kind == kind and d.critical] for kind in ("counter", "kiosk"))
    return counters or kiosks


def integrate_capacity(
    members: Sequence[Sequence[StateSegment]], k: int, scope: Iterable[Window]
) -> dict[int, tuple[int, int]]:
    """Return ∫min(1, #up ÷ k) by slot (ms), unknown members as down and as up; the scope is disjoint.

    The same as `capacity_bounds` at each instant, in integers until each slot's sum is rounded.
    """
    changes, max_up = list(states.state_changes(members)), min(k, len(members))
    up_parts = [(start, end, min(k, ups)) for start, end, ups, _ in changes]
    down_parts = [(start, end, max_up - min(k, len(members) - downs)) for start, end, _, downs in changes]
    out: dict[int, tuple[int, int]] = {}
    for window in scope:
        up_by_slot = states.spread_over_slots(up_parts, window)
        down_by_slot = states.spread_over_slots(down_parts, window)
        for slot, full in states.spread_over_slots([(window.start, window.end, max_up)], window).items():
            low_ms, high_ms = out.get(slot, (0, 0))
            out[slot] = low_ms + up_by_slot.get(slot, 0), high_ms + full - down_by_slot.get(slot, 0)
    return {
        slot: ((2 * low_ms + k) // (2 * k), (2 * high_ms + k) // (2 * k)) for slot, (low_ms, high_ms) in out.items()
    }
