"""The live state of a centre or system from its events of the local day, and which events it needs. Pure.

A live row built from the relevant events equals the one built from all events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.fold import states
from telemetry.core.fold.centre_state import centre_devices_of
from telemetry.core.fold.counter_calls import CounterCalls
from telemetry.core.fold.device_states import vantage_segments
from telemetry.core.fold.fold import system_segments
from telemetry.core.fold.live_row_types import (
    CentreNow,
    DatabaseNow,
    DeviceNow,
    ImportFacts,
    ServiceNow,
    SystemNow,
    VantageNow,
)
from telemetry.core.fold.sourced_event import deduplicate
from telemetry.core.fold.ticket_segments import TicketSegments
from telemetry.core.fold.totals import add_to_sums, encode_sums
from telemetry.core.in_service import ALL_IN_SERVICE
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from telemetry.core.fold.centre_state import CentreDevices
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Centre, Device, System

_ENDING_EVENTS = (ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod)
_GET_T = attrgetter("t")
_HEARTBEAT_FIELDS = (
    "printer", "paper_pct", "cpu_pct", "mem_pct", "disk_pct", "uptime_s", "outbox_rows", "fw", "simulated",
)  # fmt: skip
_DATABASE_FIELDS = (
    "every_ms", "instances", "copy_at", "archive_age_ms", "archive_waiting", "lag_ms", "disk_bytes",
)  # fmt: skip
_SERVING_EVENTS = (ev.TicketCalled, ev.TicketRecalled, ev.TicketServingStarted, ev.TicketResumed, ev.TicketHeld)


@dataclass(slots=True)
class QueueState:
    """Tickets that wait and that are served, updated event by event."""

    waiting: dict[str, tuple[str, int]] = field(default_factory=dict)
    serving: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    segments: TicketSegments = field(default_factory=TicketSegments)
    today: dict[str, dict[str, int]] = field(default_factory=dict)
    recent: dict[str, dict[str, int]] = field(default_factory=dict)
    recent_since: int = 0
    """From when events count in `recent`, Unix ms."""

    def apply(self, event: ev.Event) -> None:
        """Apply one event; a ticket that has ended stays ended, even when earlier events arrive late."""
        service = getattr(event, "service", None)
        if service is not None:
            counts = self.segments.counts(event)
            add_to_sums(self.today.setdefault(service, {}), counts)
            if event.t >= self.recent_since:
                add_to_sums(self.recent.setdefault(service, {}), counts)
        ticket = getattr(event, "ticket", None)
        if ticket is None or ticket in self.ended or service is None:
            return
        if isinstance(event, _ENDING_EVENTS):
            self.waiting.pop(ticket, None)
            self.serving.pop(ticket, None)
            self.ended.add(ticket)
        elif isinstance(event, ev.TicketIssued) and ticket not in self.serving:
            self.waiting[ticket] = (service, event.t)
        elif isinstance(event, ev.TicketTransferred):
            self.serving.pop(ticket, None)
            self.waiting[ticket] = (event.to_service, event.t)
        elif isinstance(event, _SERVING_EVENTS):
            self.waiting.pop(ticket, None)
            self.serving[ticket] = service

    def services_now(self, declared: Iterable[str]) -> tuple[ServiceNow, ...]:
        """Return each declared or seen service's queue."""
        rows: list[ServiceNow] = []
        for name in sorted({*declared, *self.today, *(service for service, _ in self.waiting.values())}):
            entered = [t for service, t in self.waiting.values() if service == name]
            serving, today = sum(s == name for s in self.serving.values()), encode_sums(self.today.get(name, {}))
            oldest, recent = min(entered, default=None), encode_sums(self.recent.get(name, {}))
            rows.append(
                ServiceNow(
                    service=name, waiting=len(entered), serving=serving, oldest=oldest, today=today, recent=recent
                )
            )
        return tuple(rows)


def centre_now(
    centre: Centre,
    devices: Sequence[Device],
    events: Iterable[SourcedEvent],
    now: int,
    day_start: int,
    periods: ServicePeriods = ALL_IN_SERVICE,
) -> CentreNow:
    """Return the centre at `now`; `events` are its own, from a grace before `day_start` (local midnight)."""
    unique_events = [s for s in deduplicate(events) if s.event.t <= now]
    queues, calls = QueueState(recent_since=now - HOUR), CounterCalls()
    for s in unique_events:
        if s.event.t >= day_start:
            queues.apply(s.event)
            calls.apply(s.event)
    centre_devices = centre_devices_of(devices, unique_events, _states_span(now), periods.live_window_of)
    heartbeats = [s.event for s in unique_events if isinstance(s.event, ev.DeviceHeartbeat)]
    declared = {"name_vi": centre.name_vi, "name_en": centre.name_en, "zone": str(centre.zone)}
    return CentreNow(
        centre=centre.id,
        at=now,
        state=states.state_at(centre_devices.working_segments(), now),
        mode=next((str(mode) for s in reversed(unique_events) if (mode := getattr(s.event, "mode", None))), "normal"),
        counters_open=_count_open_counters(unique_events, now),
        services=queues.services_now(centre.services),
        devices=tuple(_device_now(d, unique_events, centre_devices, now) for d in devices if d.kind != "replay"),
        last_data=max((s.event.t for s in unique_events), default=None),
        simulated=any(heartbeat.simulated for heartbeat in heartbeats),
        declared=declared if centre.imported else None,
        import_facts=_import_facts(centre) if centre.imported else None,
        calls=calls.newest(),
    )


def _import_facts(centre: Centre) -> ImportFacts:
    return ImportFacts(
        services=tuple((service.id, service.name_vi, service.name_en) for service in centre.own_services),
        hours=tuple(
            tuple((f"{start:%H:%M}", f"{end:%H:%M}") for start, end in day)
            for day in centre.derived_hours or centre.hours
        ),
        derived_hours=bool(centre.derived_hours),
    )


def _count_open_counters(events: Sequence[SourcedEvent], now: int) -> int:
    """Count the counters open or serving, each by its latest report within the grace time."""
    latest: dict[str, str] = {}
    for s in events:
        if s.event.t < now - ev.MAX_GRACE_MS:
            continue
        if isinstance(s.event, ev.CounterState):
            latest[s.event.counter] = s.event.state
        elif isinstance(s.event, ev.DeviceHeartbeat):
            latest.update({c.counter: c.state for c in s.event.counters})
    return sum(state in {"open", "serving"} for state in latest.values())


def _device_now(device: Device, events: Sequence[SourcedEvent], centre_devices: CentreDevices, now: int) -> DeviceNow:
    own_events = [s.event for s in events if s.device == device.id]
    heartbeats = [e for e in own_events if isinstance(e, ev.DeviceHeartbeat)]
    agent_events = [e for e in own_events if not isinstance(e, ev.SERVER_EVENTS)]
    contacts = [e.t for e in own_events if isinstance(e, ev.DeviceContact)]
    heartbeat = heartbeats[-1] if heartbeats else None
    contact = centre_devices.contact.get(device.id)
    return DeviceNow(
        id=device.id,
        kind=device.kind,
        state=states.state_at(centre_devices.service.get(device.id, []), now),
        service=heartbeat.state if heartbeat else None,
        online=states.state_at(contact, now) == "up" if contact else None,
        last_event=agent_events[-1].t if agent_events else None,
        last_contact=max(contacts, default=None),
        **({name: getattr(heartbeat, name) for name in _HEARTBEAT_FIELDS} if heartbeat else {}),
    )


def _states_span(now: int) -> Window:
    return Window(max(now - ev.MAX_GRACE_MS, 0), now)


def system_now(
    system: System, events: Iterable[SourcedEvent], now: int, periods: ServicePeriods = ALL_IN_SERVICE
) -> SystemNow:
    """Return the system at `now`, as each vantage point last probed it and by quorum."""
    unique_events = [s for s in deduplicate(events) if s.event.t <= now]
    segments_by_device = vantage_segments(unique_events)
    last_probes = {s.device: s.event for s in unique_events if isinstance(s.event, ev.ProbeResult)}
    vantage = tuple(
        VantageNow(
            device=device,
            state=states.state_at(segments_by_device[device], now),
            at=event.t,
            latency_ms=event.latency_ms,
            error=event.error,
            tls_days=event.tls_days,
            tls_certificate=event.tls_certificate,
        )
        for device, event in sorted(last_probes.items())
    )
    state = states.state_at(system_segments(system, segments_by_device, _states_span(now), periods.live_window_of), now)
    return SystemNow(system=system.id, at=now, state=state, vantage=vantage, database=_database_now(unique_events))


def _database_now(events: Iterable[SourcedEvent]) -> DatabaseNow | None:
    """Return the newest figures of a database, None for a system that gave none."""
    last = max((s.event for s in events if isinstance(s.event, ev.DatabaseFigures)), key=_GET_T, default=None)
    if last is None:
        return None
    return DatabaseNow(at=last.t, **{name: getattr(last, name) for name in _DATABASE_FIELDS})


def relevant_events(events: Iterable[SourcedEvent], at: int, start: int) -> list[SourcedEvent]:
    """Return the events since `start` that the live state at `at` (Unix ms) depends on, by t.

    These are: all that may still be valid, every ticket's, and of older ones the last of each kind.
    Applying it twice, or before more events arrive, gives the same result.
    """
    recent_since = at - ev.MAX_GRACE_MS
    relevant: list[SourcedEvent] = []
    latest_by_kind: dict[Hashable, SourcedEvent] = {}
    for s in sorted((s for s in events if s.event.t >= start), key=_sort_key):
        if s.event.t >= recent_since or getattr(s.event, "service", None) is not None:
            relevant.append(s)
        else:
            latest_by_kind.update((kind, s) for kind in _state_kinds(s))
    latest_by_id = {_sort_key(s)[1:]: s for s in latest_by_kind.values()}
    return sorted((*relevant, *latest_by_id.values()), key=_sort_key)


def _sort_key(s: SourcedEvent) -> tuple[int, str, str, int]:
    return s.event.t, s.device, s.outbox_id, s.event.n


def _state_kinds(s: SourcedEvent) -> Iterator[Hashable]:
    """Yield every kind of state that the event may be the last report of."""
    event = s.event
    yield s.device, type(event), getattr(event, "online", None)
    if getattr(event, "mode", None) is not None:
        yield "mode"
    if getattr(event, "simulated", False):
        yield "simulated"
