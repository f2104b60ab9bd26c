"""The fold: raw events of one centre or system become additive 5-minute totals. Pure.

Recompute, never increment: the same events in any order, any number of times, give the same totals.

Time without a valid report is unknown.  The totals also hold how much of the unknown time is explained:

- by an outage of our own platform (the caller gives its windows): it is checked first, because it affects whole sites;
- else by an outage of the site's link: a gateway reported it, or no contact with any of at least two declared devices
  since the first contact with the site.

Lost contact is an explanation anywhere in the window, until a late event shows contact.  The fold has no clock: the
future part of a window has no contact either, and readers cut it off at the present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import SLOT, Window, ceil, difference, floor, intersection
from telemetry.core.fold import states
from telemetry.core.fold.administrative_counts import (
    ADMINISTRATION_FIELDS,
    PROCEDURE_FIELDS,
    administrative_counts,
    connector_counts,
)
from telemetry.core.fold.centre_state import GapEvidence, centre_devices_of
from telemetry.core.fold.counter_time import counter_sums
from telemetry.core.fold.counters import probe_counts
from telemetry.core.fold.device_states import vantage_segments
from telemetry.core.fold.event_spans import SERVICE_LEVEL_REACH_MS
from telemetry.core.fold.late_wills import drop_late_wills
from telemetry.core.fold.service_levels import service_level_counts
from telemetry.core.fold.sourced_event import deduplicate
from telemetry.core.fold.states import RecentState
from telemetry.core.fold.ticket_segments import desk_counts
from telemetry.core.fold.totals import (
    CAPACITY_FIELDS,
    CONNECTOR_FIELDS,
    PROBE_FIELDS,
    QUEUE_FIELDS,
    READY_AT_SLOT_FIELDS,
    STATE_FIELDS,
    SumsBySlot,
    Total,
)
from telemetry.core.in_service import ALL_IN_SERVICE, ALWAYS_IN_SERVICE, memberships
from telemetry.core.protocol import events as ev
from telemetry.core.scope import Scope, ScopeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.fold.centre_state import CentreDevices
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.states import StateSegment
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Centre, Device, System

FOLD_VERSION = 8
"""Raised when the same raw events produce other totals; rollup then folds everything again."""
STATE_LOOKBACK_MS = 2 * ev.MAX_GRACE_MS
"""How far back a state may begin, ms: the longest grace, and as long again for the births of connections."""
FOLD_LOOKBACK_MS = max(STATE_LOOKBACK_MS, SERVICE_LEVEL_REACH_MS)
"""How far before its window a fold reads, ms: states, and tickets that entered the longest threshold ago."""

SumsByScope = dict[Scope, SumsBySlot]


def input_window(window: Window) -> Window:
    """Return what must be read to fold `window`."""
    return Window(max(window.start - FOLD_LOOKBACK_MS, 0), window.end)


# --- a centre ---------------------------------------------------------------------------------


def fold_centre(  # noqa: PLR0913, PLR0917  # all of them decide the totals
    centre: Centre,
    devices: Sequence[Device],
    events: Iterable[SourcedEvent],
    window: Window,
    platform_outages: Sequence[Window] = (),
    periods: ServicePeriods = ALL_IN_SERVICE,
    related_events: Sequence[SourcedEvent] = (),
) -> list[Total]:
    """Return the 5-minute totals of the centre, its devices, desks, counters, levels and procedures in the window.

    `devices` are the declared ones; `platform_outages` are the windows in which our own platform was down.  Time
    outside a device's or the centre's service period is in none of their sums.  `related_events` are those of
    `counter_time.RELATED_TYPES` beyond `input_window` that reach into the window.
    """
    unique_events = deduplicate(events)
    centre_devices = centre_devices_of(devices, unique_events, _reach(window), periods.window_of)
    contact, since_contact = centre_devices.contact_segments(), periods.contact_window_of(Scope.centre(centre.id))
    outages_in_window = intersection(platform_outages, [window])
    evidence = GapEvidence(
        platform=outages_in_window,
        link=difference(centre_devices.link_down_windows(contact, window, since_contact), outages_in_window),
    )
    sums_by_scope = _device_sums(centre_devices, evidence, window, periods)
    own_window = window.clip(periods.window_of(Scope.centre(centre.id)))
    sums_by_scope[Scope.centre(centre.id)] = (
        _centre_sums(centre_devices, contact, evidence, own_window) if own_window else {}
    )
    for desk_sums in (desk_counts(unique_events, window), service_level_counts(unique_events, window)):
        for name, sums_by_slot in desk_sums.items():
            desk = sums_by_scope.setdefault(Scope.desk(centre.id, name), {})
            for slot, sums in sums_by_slot.items():
                desk.setdefault(slot, {}).update(sums)
    with_related = deduplicate([*unique_events, *related_events]) if related_events else unique_events
    sums_by_scope[Scope.counters(centre.id)] = counter_sums(with_related, window)
    administrative = administrative_counts(centre.id, centre.level, unique_events, window)
    return _to_totals(centre.id, centre.province, {**sums_by_scope, **administrative})


def _reach(window: Window) -> Window:
    """Return the time over which reports decide the states of a window."""
    return Window(max(window.start - STATE_LOOKBACK_MS, 0), window.end)


def _device_sums(
    centre_devices: CentreDevices, evidence: GapEvidence, window: Window, periods: ServicePeriods
) -> SumsByScope:
    """An undeclared device that reports has states; its unknown time has no explanation."""
    declared = {d.id for d in centre_devices.devices}
    names = {*declared, *centre_devices.service, *centre_devices.contact}
    return {
        Scope.device(name): _state_sums(
            centre_devices.service.get(name, ()),
            centre_devices.contact.get(name, ()),
            evidence if name in declared else GapEvidence(),
            own_window,
        )
        for name in names
        if (own_window := window.clip(periods.window_of(Scope.device(name))))
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
    durations: dict[str, list[states.WeightedPart]] = {}
    for prefix, segments in (("", service), ("conn_", contact)):
        for state in ("up", "down"):
            durations[f"{prefix}{state}_ms"] = [(s.start, s.end, 1) for s in segments if s.state == state]
        unknown = states.unknown_windows(segments, window) if evidence.platform or evidence.link else []
        for cause, windows in (("platform", evidence.platform), ("link", evidence.link if not prefix else ())):
            durations[f"{prefix}{cause}_ms"] = [(w.start, w.end, 1) for w in intersection(unknown, windows)]
    out: SumsBySlot = {}
    for field, parts in durations.items():
        for slot, ms in states.spread_over_slots(parts, window).items():
            out.setdefault(slot, {})[field] = ms
    return out


def centre_recent_states(
    centre: Centre,
    devices: Sequence[Device],
    events: Iterable[SourcedEvent],
    now: int,
    periods: ServicePeriods = ALL_IN_SERVICE,
) -> dict[str, RecentState]:
    """Return the recent states of the centre and of each declared device, by scope.

    `events` holds its events of at least the last STATE_LOOKBACK_MS; earlier ones, and those after `now`, are ignored.
    """
    centre_devices = centre_devices_of(
        devices, _recent_events(events, now), _reach(Window(now, now)), periods.live_window_of
    )
    service, contact = centre_devices.service, centre_devices.contact
    recent_states: dict[str, RecentState] = {
        Scope.device(d.id): _recent_state(service.get(d.id, ()), contact.get(d.id, ()), now)
        for d in centre_devices.devices
    }
    working, in_contact = centre_devices.working_segments(), centre_devices.contact_segments()
    recent_states[Scope.centre(centre.id)] = _recent_state(working, in_contact, now)
    return recent_states


def _recent_events(events: Iterable[SourcedEvent], now: int) -> list[SourcedEvent]:
    known = drop_late_wills([s for s in events if s.event.t <= now])
    return deduplicate(s for s in known if now - STATE_LOOKBACK_MS <= s.event.t)


def _recent_state(service: Iterable[StateSegment], contact: Iterable[StateSegment], now: int) -> RecentState:
    start = floor(now, SLOT)
    return RecentState(tuple(s for s in service if s.end > start), tuple(s for s in contact if s.end > start))


# --- a digital system -------------------------------------------------------------------------


def system_segments(
    system: System,
    segments_by_device: Mapping[str, list[StateSegment]],
    span: Window = ALWAYS_IN_SERVICE,
    window_of: Callable[[str], Window] = ALL_IN_SERVICE.window_of,
) -> list[StateSegment]:
    """Return the system's state by quorum over its declared vantage points, or over all that reported.

    Of the declared ones only those in service vote; `span` and `window_of` as in `centre_devices_of`.
    """
    names = system.vantage or tuple(sorted(segments_by_device))
    in_service = {name: window_of(Scope.device(name)) for name in names}
    parts: list[StateSegment] = []
    for phase in memberships(names, in_service, span):
        members = [segments_by_device.get(name, []) for name in phase.members]
        if members:
            quorum = min(system.quorum, len(members))
            parts += states.clip(states.k_of_n(members, quorum), phase.window)
    return states.join(parts)


def fold_system(
    system: System,
    province: str,
    events: Iterable[SourcedEvent],
    window: Window,
    platform_outages: Sequence[Window] = (),
    periods: ServicePeriods = ALL_IN_SERVICE,
) -> list[Total]:
    """Return the system's 5-minute totals starting in the window; `platform_outages`, `periods` as in `fold_centre`.

    What a vantage point reports before or after its service is in no sum and has no vote.
    """
    unique_events = deduplicate(events)
    evidence = GapEvidence(platform=intersection(platform_outages, [window]))
    segments = system_segments(system, vantage_segments(unique_events), _reach(window), periods.window_of)
    own_window = window.clip(periods.window_of(Scope.system(system.id)))
    sums_by_slot = _state_sums(segments, (), evidence, own_window) if own_window else {}
    reports = [
        s
        for s in unique_events
        if (not system.vantage or s.device in system.vantage)
        and (in_service := periods.live_window_of(Scope.device(s.device))).start <= s.event.t < in_service.end
    ]
    for counts_by_slot in (probe_counts(reports, window), connector_counts(reports, window)):
        for slot, counts in counts_by_slot.items():
            sums_by_slot.setdefault(slot, {}).update(counts)
    return _to_totals(system.id, province, {Scope.system(system.id): sums_by_slot})


def system_recent_states(
    system: System, events: Iterable[SourcedEvent], now: int, periods: ServicePeriods = ALL_IN_SERVICE
) -> dict[str, RecentState]:
    """Return the recent state of the system, by scope; `events` as in `centre_recent_states`."""
    segments_by_device = vantage_segments(_recent_events(events, now))
    segments = system_segments(system, segments_by_device, _reach(Window(now, now)), periods.live_window_of)
    return {Scope.system(system.id): _recent_state(segments, (), now)}


# --- totals -----------------------------------------------------------------------------------

_ZEROS_BY_SCOPE_KIND: dict[ScopeKind, dict[str, int]] = {
    "centre": dict.fromkeys((*STATE_FIELDS, *CAPACITY_FIELDS, *READY_AT_SLOT_FIELDS), 0),
    "desk": dict.fromkeys(QUEUE_FIELDS, 0),
    "device": dict.fromkeys(STATE_FIELDS, 0),
    "system": dict.fromkeys((*STATE_FIELDS, *PROBE_FIELDS, *CONNECTOR_FIELDS), 0),
    "administration": dict.fromkeys(ADMINISTRATION_FIELDS, 0),
    "procedure": dict.fromkeys(PROCEDURE_FIELDS, 0),
    "counters": {},
}
"""The fields that each kind of scope's totals always have; others (SEGMENT_FIELDS, COUNTER_FIELDS) where above 0."""


def _to_totals(entity: str, province: str, sums_by_scope: SumsByScope) -> list[Total]:
    totals: list[Total] = []
    for scope, sums_by_slot in sorted(sums_by_scope.items()):
        zeros, text = _ZEROS_BY_SCOPE_KIND[scope.kind], str(scope)
        for slot, sums in sorted(sums_by_slot.items()):
            totals.append(Total(entity, text, "5m", slot, province, {**zeros, **sums}))
    return totals
