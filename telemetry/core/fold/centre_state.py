"""A centre's devices on one time axis: whether it works, is heard, is ready, and what it can do; it must count nothing.

Only critical devices decide whether a centre works and is ready.  The gateway in service is the centre's local mode:
while it serves, a dead link takes nothing from the centre, so the link is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.intervals import overlap
from telemetry.core.fold import states
from telemetry.core.fold.device_states import Known, contact_segments, in_state, link_segments, service_segments
from telemetry.core.slo.composite import Parts, working

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.fold.sourced_event import Said
    from telemetry.core.fold.states import Segment
    from telemetry.core.inventory import Device, DeviceKind

TOGETHER = 2
"""How many devices must be silent together to prove that their link was down: one alone proves nothing."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is known of a centre's own devices (`at_the_site`), by device.

    `service` is their own truth, `contact` whether they were heard, `link` what gateways said of the link.
    """

    devices: Sequence[Device]
    service: Known
    contact: Known
    link: Known

    def working(self) -> list[Segment]:
        """Return when the centre worked: every gateway, one kiosk and every counter of those it has."""
        server, kiosks, counters = (self._of(kind) for kind in ("gateway", "kiosk", "counter"))
        return working(Parts(server=server, kiosks=kiosks, counters=counters, k=len(counters)))

    def ready(self) -> list[Segment]:
        """Return when every critical device was up, and when one was down."""
        critical = [d for d in self.devices if d.critical]
        return states.all_of(self._service(critical)) if critical else []

    def heard(self) -> list[Segment]:
        """Return when the centre was heard: any of its devices was (down: every one had said goodbye)."""
        return states.any_of([self.contact.get(d.id, []) for d in self.devices])

    def dead_link(self, heard: Iterable[Segment], window: Window) -> list[Window]:
        """Return when its link was down: a gateway said so, or none of at least two devices was `heard`."""
        said = overlap(in_state(self.link, "down"), [window])
        if len(self.devices) < TOGETHER:
            return said
        return states.gaps((s for s in heard if s.state == "up"), window) + said

    def capacity(self, scope: Sequence[Window]) -> dict[int, tuple[int, int]]:
        """Return for each 5-minute mark the integral over `scope` of the share of counters (kiosks) that serve, ms.

        The bounds take unknown ones as down, and as up.  Without counters and kiosks there is nothing to tell.
        """
        members = self._service(staffed(self.devices))
        return capacity(members, len(members), scope) if members else {}

    def _of(self, kind: DeviceKind) -> tuple[tuple[Segment, ...], ...]:
        return tuple(map(tuple, self._service([d for d in self.devices if d.kind == kind and d.critical])))

    def _service(self, devices: Iterable[Device]) -> list[list[Segment]]:
        return [self.service.get(d.id, []) for d in devices]


def site_of(devices: Sequence[Device], said: Sequence[Said]) -> Site:
    """Read the events (without repeats, sorted by t) of a centre's declared devices."""
    return Site(at_the_site(devices), service_segments(said), contact_segments(said), link_segments(said))


def at_the_site(devices: Sequence[Device]) -> list[Device]:
    """Leave out what only replays recordings, unless the centre has nothing else."""
    return [d for d in devices if d.kind != "replay"] or list(devices)


def staffed(devices: Sequence[Device]) -> list[Device]:
    """Return the devices whose number is the centre's capacity: its critical counters, or else its critical kiosks."""
    counters, kiosks = ([d for d in devices if d.kind == kind and d.critical] for kind in ("counter", "kiosk"))
    return counters or kiosks


def capacity(members: Sequence[Sequence[Segment]], k: int, scope: Iterable[Window]) -> dict[int, tuple[int, int]]:
    """Return ∫min(1, #up ÷ k) by 5-minute mark (ms), unknown members as down and as up; the scope is disjoint.

    The same as `quorum.capacity` at each moment, kept in integers until each mark's sum is rounded.
    """
    parts, most = list(states.steps(members)), min(k, len(members))
    low = [(start, end, min(k, ups)) for start, end, ups, _ in parts]
    lost = [(start, end, most - min(k, len(members) - downs)) for start, end, _, downs in parts]
    out: dict[int, tuple[int, int]] = {}
    for window in scope:
        least, missing = states.spread(low, window), states.spread(lost, window)
        for mark, whole in states.spread([(window.start, window.end, most)], window).items():
            one, other = out.get(mark, (0, 0))
            out[mark] = one + least.get(mark, 0), other + whole - missing.get(mark, 0)
    return {mark: (_rounded(one, k), _rounded(other, k)) for mark, (one, other) in out.items()}


def _rounded(ms: int, k: int) -> int:
    return (2 * ms + k) // (2 * k)
