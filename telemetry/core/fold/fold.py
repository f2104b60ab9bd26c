"""The fold: raw events of one centre or system become additive 5-minute totals. Pure.

Recompute, never increment: the same events in any order, any number of times, give the same totals.

What nobody spoke of is unknown.  Of unknown time the totals also say what explains it, moment by moment:

- our own platform was down (the caller says when): it is asked first, because it silences whole sites;
- else the site's link was down: a gateway said so, or none of at least two declared devices was heard.

Silence explains wherever it lies in the window, and is taken back when somebody turns out to have been heard.  The fold
has no clock: the part of a window that is still to come looks silent too, and readers cut it off at the present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import SLOT, Window, ceil, difference, floor, intersection
from telemetry.core.fold import states
from telemetry.core.fold.centre_state import GapEvidence, centre_devices_of
from telemetry.core.fold.counters import desk_counts, event_counts, probe_counts
from telemetry.core.fold.device_states import vantage_segments
from telemetry.core.fold.event_spans import SERVICE_LEVEL_REACH_MS
from telemetry.core.fold.service_levels import service_level_counts
from telemetry.core.fold.sourced_event import SourcedEvent, deduplicate
from telemetry.core.fold.states import RecentState
from telemetry.core.fold.totals import (
    CAPACITY_FIELDS,
    PROBE_FIELDS,
    QUEUE_FIELDS,
    READY_AT_SLOT_FIELDS,
    STATE_FIELDS,
    Total,
    fill_zeros,
)
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.fold.centre_state import CentreDevices
    from telemetry.core.fold.states import StateSegment
    from telemetry.core.inventory import Centre, Device, System

__all__ = (
    "FOLD_VERSION",
    "SourcedEvent",
    "centre_recent_states",
    "deduplicate",
    "event_counts",
    "fold_centre",
    "fold_system",
    "input_window",
    "system_recent_states",
    "system_segments",
)  # fmt: skip
FOLD_VERSION = 3
"""Rises when the same raw events give other totals; rollup then folds everything again."""
STATE_LOOKBACK_MS = 2 * ev.MAX_GRACE_MS
"""How long a state may reach back: the longest grace, and by what a birth is remembered."""
FOLD_LOOKBACK_MS = max(STATE_LOOKBACK_MS, SERVICE_LEVEL_REACH_MS)
"""How far before its window a fold reads: states, and tickets that entered the longest threshold ago."""

SumsBySlot = dict[int, dict[str, int]]
"""Sums by 5-minute mark."""
SumsByScope = dict[str, SumsBySlot]
"""Sums by scope."""


def input_window(window: Window) -> Window:
    """Return what must be read to fold `window`."""
    return Window(max(window.start - FOLD_LOOKBACK_MS, 0), window.end)


# --- a centre ---------------------------------------------------------------------------------


def fold_centre(
    centre: Centre,
    devices: Sequence[Device],
    events: Iterable[SourcedEvent],
    window: Window,
    platform_outages: Sequence[Window] = (),
) -> list[Total]:
    """Return the centre's, its devices' and its desks' 5-minute totals starting in the window.

    `devices` are the declared ones; `platform` is when our own platform was down.
    """
    unique_events = deduplicate(events)
    centre_devices = centre_devices_of(devices, unique_events)
    contact = centre_devices.contact_segments()
    outages_in_window = intersection(platform_outages, [window])
    evidence = GapEvidence(
        platform=outages_in_window,
        link=difference(centre_devices.link_down_windows(contact, window), outages_in_window),
    )
    sums_by_scope = {
        f"device:{name}": sums_by_slot for name, sums_by_slot in _device_sums(centre_devices, evidence, window).items()
    }
    sums_by_scope[f"centre:{centre.id}"] = _centre_sums(centre_devices, contact, evidence, window)
    for desk_sums in (desk_counts(unique_events, window), service_level_counts(unique_events, window)):
        for name, sums_by_slot in desk_sums.items():
            _merge_sums_by_slot(sums_by_scope.setdefault(f"desk:{centre.id}:{name}", {}), sums_by_slot)
    return _to_totals(centre.id, centre.province, sums_by_scope)


def _merge_sums_by_slot(sums_by_slot: SumsBySlot, addend: SumsBySlot) -> None:
    for slot, sums in addend.items():
        sums_by_slot.setdefault(slot, {}).update(sums)


def _device_sums(centre_devices: CentreDevices, evidence: GapEvidence, window: Window) -> SumsByScope:
    """Whoever spoke without being declared is shown as it spoke; its silence is nobody's."""
    declared = {d.id for d in centre_devices.devices}
    names = {*declared, *centre_devices.service, *centre_devices.contact}
    return {
        name: _state_sums(
            centre_devices.service.get(name, ()),
            centre_devices.contact.get(name, ()),
            evidence if name in declared else GapEvidence(),
            window,
        )
        for name in names
    }


def _centre_sums(
    centre_devices: CentreDevices, contact: Sequence[StateSegment], evidence: GapEvidence, window: Window
) -> SumsBySlot:
    working = centre_devices.working_segments()
    sums_by_slot = _state_sums(working, contact, evidence, window)
    for s in centre_devices.readiness_segments():
        for slot in range(ceil(max(s.start, window.start), SLOT), min(s.end, window.end), SLOT):
            sums_by_slot.setdefault(slot, {})[f"mark_{s.state}"] = 1
    scope = difference([window], intersection(states.unknown_windows(working, window), evidence.platform))
    for slot, capacity_bounds in centre_devices.capacity_by_slot(scope).items():
        sums_by_slot.setdefault(slot, {}).update(zip(CAPACITY_FIELDS, capacity_bounds, strict=True))
    return sums_by_slot


def _state_sums(
    service: Sequence[StateSegment], contact: Sequence[StateSegment], evidence: GapEvidence, window: Window
) -> SumsBySlot:
    out: SumsBySlot = {}
    for prefix, segments in (("", service), ("conn_", contact)):
        for state in ("up", "down"):
            _put_durations(
                out, f"{prefix}{state}_ms", [(s.start, s.end, 1) for s in segments if s.state == state], window
            )
        unknown = states.unknown_windows(segments, window) if evidence.platform or evidence.link else []
        _put_durations(out, f"{prefix}platform_ms", _weighted_parts(unknown, evidence.platform), window)
        if not prefix:
            _put_durations(out, "link_ms", _weighted_parts(unknown, evidence.link), window)
    return out


def _weighted_parts(unknown: Sequence[Window], cause: Sequence[Window]) -> list[states.WeightedPart]:
    return [(w.start, w.end, 1) for w in intersection(unknown, cause)]


def _put_durations(out: SumsBySlot, field: str, parts: Iterable[states.WeightedPart], window: Window) -> None:
    for slot, ms in states.spread_over_slots(parts, window).items():
        out.setdefault(slot, {})[field] = ms


def centre_recent_states(
    centre: Centre, devices: Sequence[Device], events: Iterable[SourcedEvent], now: int
) -> dict[str, RecentState]:
    """Return what is believed of the present of the centre and of each declared device, by scope.

    `said` holds its events of at least the last RECALL_MS; what came before, or comes after `now`, is passed over.
    """
    centre_devices = centre_devices_of(devices, _recent_events(events, now))
    device_states = {
        f"device:{d.id}": _recent_state(centre_devices.service.get(d.id, ()), centre_devices.contact.get(d.id, ()), now)
        for d in centre_devices.devices
    }
    return device_states | {
        f"centre:{centre.id}": _recent_state(centre_devices.working_segments(), centre_devices.contact_segments(), now)
    }


def _recent_events(events: Iterable[SourcedEvent], now: int) -> list[SourcedEvent]:
    return deduplicate(s for s in events if now - STATE_LOOKBACK_MS <= s.event.t <= now)


def _recent_state(service: Iterable[StateSegment], contact: Iterable[StateSegment], now: int) -> RecentState:
    start = floor(now, SLOT)
    return RecentState(tuple(s for s in service if s.end > start), tuple(s for s in contact if s.end > start))


# --- a digital system -------------------------------------------------------------------------


def system_segments(system: System, segments_by_device: Mapping[str, list[StateSegment]]) -> list[StateSegment]:
    """Return the system's state by quorum over its declared vantage points, or all that spoke."""
    names = system.vantage or tuple(sorted(segments_by_device))
    members = [segments_by_device.get(name, []) for name in names]
    return states.k_of_n(members, min(system.quorum, len(members))) if members else []


def fold_system(
    system: System,
    province: str,
    events: Iterable[SourcedEvent],
    window: Window,
    platform_outages: Sequence[Window] = (),
) -> list[Total]:
    """Return the system's 5-minute totals starting in the window; `platform` is when our own platform was down."""
    unique_events = deduplicate(events)
    evidence = GapEvidence(platform=intersection(platform_outages, [window]))
    sums_by_slot = _state_sums(system_segments(system, vantage_segments(unique_events)), (), evidence, window)
    for slot, counts in probe_counts(unique_events, window).items():
        sums_by_slot.setdefault(slot, {}).update(counts)
    return _to_totals(system.id, province, {f"system:{system.id}": sums_by_slot})


def system_recent_states(system: System, events: Iterable[SourcedEvent], now: int) -> dict[str, RecentState]:
    """Return what is believed of the present of the system, by scope; `said` as in `centre_tails`."""
    segments_by_device = vantage_segments(_recent_events(events, now))
    return {f"system:{system.id}": _recent_state(system_segments(system, segments_by_device), (), now)}


# --- totals -----------------------------------------------------------------------------------

_FIELDS_BY_SCOPE_KIND = {
    "centre": (*STATE_FIELDS, *CAPACITY_FIELDS, *READY_AT_SLOT_FIELDS),
    "desk": QUEUE_FIELDS,
    "device": STATE_FIELDS,
    "system": (*STATE_FIELDS, *PROBE_FIELDS),
}
"""What each kind of scope's totals name, zeros included."""


def _to_totals(entity: str, province: str, sums_by_scope: SumsByScope) -> list[Total]:
    return [
        Total(entity, scope, "5m", slot, province, fill_zeros(_FIELDS_BY_SCOPE_KIND[scope.partition(":")[0]], sums))
        for scope, sums_by_slot in sorted(sums_by_scope.items())
        for slot, sums in sorted(sums_by_slot.items())
    ]
