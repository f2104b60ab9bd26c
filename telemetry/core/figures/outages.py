"""Open time in which something was not up, joined into outages, and outages of one cause into incidents. Pure.

It must not read totals or clocks; closed time, maintenance and time out of service have no length here.  Down and
unknown (silence) stay apart: both are part of an outage, and only the first counts against availability.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import SLOT, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.scope import Scope

IncidentState = Literal["down", "unknown"]
IncidentCause = Literal["device", "link", "probes", "silence"]
"""Why: a device reported that it does not work; the site's link was dead; too few vantage points saw the system up; or
nothing was received and nothing proves why."""
MIN_SILENCE_MS = 2 * SLOT
"""A silence without any time down is an incident from this open time on; a shorter one is a late report."""


@dataclass(frozen=True, slots=True)
class LostTime:
    """Open time in a window in which something was not up, ms: down, and unknown; `link_ms` is part of the unknown.

    `platform_ms` is time that an outage of the platform excludes: it is not lost, and ends no outage.
    """

    window: Window
    down_ms: int = 0
    unknown_ms: int = 0
    link_ms: int = 0
    platform_ms: int = 0

    @property
    def total_ms(self) -> int:
        """Return the time that was not up."""
        return self.down_ms + self.unknown_ms

    @property
    def is_empty(self) -> bool:
        """Return whether all of it was up."""
        return not self.total_ms + self.platform_ms

    def within(self, window: Window) -> LostTime | None:
        """Return the part within a window, None when there is none; of a part in proportion."""
        part = self.window.clip(window)
        if part is None or part == self.window:
            return self if part else None
        return _share_of(self, part, self.window.length)


def _share_of(lost: LostTime, part: Window, whole_ms: int) -> LostTime:
    """Return the share of lost time that falls on a part of the window, in proportion."""
    amounts = (lost.down_ms, lost.unknown_ms, lost.link_ms, lost.platform_ms)
    return LostTime(part, *(ms * part.length // whole_ms for ms in amounts))


def lost_time(window: Window, open_ms: int, sums: Mapping[str, int], prefix: str = "") -> LostTime:
    """Return what was not up of a bucket's open time, from its sums (`open_` is the prefix of hours and days).

    Time that an outage of the platform explains is in scope of nothing.
    """
    up, down, platform, link = (
        sums.get(f"{prefix}{name}", 0) for name in ("up_ms", "down_ms", "platform_ms", "link_ms")
    )
    unknown = max(0, open_ms - up - down - platform)
    return LostTime(window, down, unknown, min(unknown, link), min(platform, open_ms))


def is_uniform(lost: LostTime, open_ms: int) -> bool:
    """Return whether all open time of a bucket was in one state: nothing is gained by looking closer."""
    return lost.is_empty or open_ms in (lost.down_ms, lost.unknown_ms, lost.platform_ms)


def spread_uniform(lost: LostTime, open_windows: Iterable[Window], open_ms: int) -> list[LostTime]:
    """Return the lost time of a uniform bucket in each of its open windows."""
    return [] if lost.is_empty else [_share_of(lost, window, open_ms) for window in open_windows]


@dataclass(frozen=True)
class Outage:
    """One uninterrupted outage of one scope: no open slot between its beginning and its end was wholly up.

    `window` begins and ends on 5-minute marks: where in a slot something failed, no total says.  `ongoing`: nothing
    shows that it has ended.
    """

    scope: Scope
    window: Window
    parts: tuple[LostTime, ...]
    ongoing: bool = False

    @cached_property
    def whole(self) -> LostTime:
        """Return the time lost in all of it."""
        return add_lost(self.window, self.parts)

    def lost_within(self, window: Window) -> LostTime:
        """Return the time lost in a window."""
        touched = (p for p in self.parts if p.window.start < window.end and window.start < p.window.end)
        return add_lost(window, [part for p in touched if (part := p.within(window))])

    @cached_property
    def state(self) -> IncidentState:
        """Return down when any of it was."""
        return "down" if any(part.down_ms for part in self.parts) else "unknown"


def add_lost(window: Window, parts: Iterable[LostTime]) -> LostTime:
    """Add lost time up, as that of a window."""
    down = unknown = link = platform = 0
    for part in parts:
        down, unknown = down + part.down_ms, unknown + part.unknown_ms
        link, platform = link + part.link_ms, platform + part.platform_ms
    return LostTime(window, down, unknown, link, platform)


def join_adjacent(parts: Sequence[LostTime]) -> list[LostTime]:
    """Join neighbours that are wholly down or wholly unknown, so that few parts remain; the sums stay as they are."""
    joined: list[LostTime] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last is not None and last.window.end == part.window.start and _kind(last) == _kind(part) != "mixed":
            joined[-1] = add_lost(Window(last.window.start, part.window.end), (last, part))
        else:
            joined.append(part)
    return joined


def _kind(part: LostTime) -> str:
    lengths = {
        part.down_ms: "down",
        part.unknown_ms: "link" if part.link_ms else "unknown",
        part.platform_ms: "platform",
    }
    return lengths.get(part.window.length, "mixed")


def join_outages(scope: Scope, parts: Sequence[LostTime], timeline: OpenTimeline) -> list[Outage]:
    """Join parts (sorted) between which there is no open time, and leave out what is too short to be an incident."""
    groups: list[list[LostTime]] = []
    for part in parts:
        end = groups[-1][-1].window.end if groups else None
        if end is not None and (end == part.window.start or not timeline.open_within(Window(end, part.window.start))):
            groups[-1].append(part)
        else:
            groups.append([part])
    outages = [
        _outage_of(scope, [p for p in group if p.total_ms]) for group in groups if any(p.total_ms for p in group)
    ]
    return [o for o in outages if o.state == "down" or o.whole.unknown_ms >= MIN_SILENCE_MS]


def _outage_of(scope: Scope, parts: Sequence[LostTime]) -> Outage:
    return Outage(scope, Window(parts[0].window.start, parts[-1].window.end), tuple(parts))


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage with those that it explains; `lost` is the part of it within the requested window.

    `members` are the outages of a centre's devices within its own, the longest first.
    """

    outage: Outage
    lost: LostTime
    cause: IncidentCause
    members: tuple[Outage, ...] = ()

    @property
    def ongoing(self) -> bool:
        """Return whether nothing shows that it has ended."""
        return self.outage.ongoing

    @property
    def state(self) -> IncidentState:
        """Return down when any of it was, else unknown."""
        return self.outage.state


def merge_into_centre(centre: Sequence[Outage], devices: Iterable[Outage]) -> tuple[list[Outage], list[list[Outage]]]:
    """Return the device outages that stand alone, and for each of the centre's those that lie within it.

    A slot more at either end still counts as within: a device fails before its centre is down for it.
    """
    alone: list[Outage] = []
    members: list[list[Outage]] = [[] for _ in centre]
    for outage in devices:
        index = next((i for i, c in enumerate(centre) if _lies_within(outage.window, c.window)), None)
        (alone if index is None else members[index]).append(outage)
    for group in members:
        group.sort(key=lambda o: (-o.whole.total_ms, o.scope))
    return alone, members


def _lies_within(inner: Window, outer: Window) -> bool:
    return outer.start - SLOT <= inner.start and inner.end <= outer.end + SLOT


def cause_of(outage: Outage, members: Sequence[Outage] = ()) -> IncidentCause:
    """Return why something was not up: what lasted longest decides."""
    whole = outage.whole
    if whole.down_ms > whole.unknown_ms or (whole.down_ms and not whole.link_ms):
        return "probes" if outage.scope.kind == "system" else "device"
    if 2 * whole.link_ms >= whole.unknown_ms:
        return "link"
    return "device" if any(member.state == "down" for member in members) else "silence"


def merge_incidents(centre: Sequence[Outage], devices: Iterable[Outage], window: Window) -> list[Incident]:
    """Return the incidents of a centre (or, without devices, of a system) with time lost in a window, or ongoing."""
    alone, members = merge_into_centre(centre, devices)
    pairs = [*zip(centre, members, strict=True), *((outage, []) for outage in alone)]
    incidents = [Incident(o, o.lost_within(window), cause_of(o, group), tuple(group)) for o, group in pairs]
    return [i for i in incidents if i.lost.total_ms or (i.ongoing and i.outage.window.start < window.end)]


def sort_open_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Order incidents: those that go on, then down before unknown, then the longest time lost in the window."""
    return sorted(incidents, key=incident_order)


def incident_order(incident: Incident) -> tuple[int, int, int, int, str]:
    """Return the key by which incidents are listed."""
    start = incident.outage.window.start
    ended, silent = int(not incident.ongoing), int(incident.state != "down")
    return (ended, silent, -incident.lost.total_ms, start, str(incident.outage.scope))
