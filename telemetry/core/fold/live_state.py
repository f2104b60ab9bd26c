"""What a centre or system looks like at one moment, from its events of the local day. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.fold import states
from telemetry.core.fold.centre_state import site_of
from telemetry.core.fold.counters import counts_of
from telemetry.core.fold.device_states import vantage_segments
from telemetry.core.fold.fold import system_segments
from telemetry.core.fold.live_row_types import CentreNow, DeviceNow, ServiceNow, SystemNow, VantageNow
from telemetry.core.fold.sourced_event import once
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.fold.centre_state import Site
    from telemetry.core.fold.live_row_types import State
    from telemetry.core.fold.sourced_event import Said
    from telemetry.core.inventory import Centre, Device, System

_ENDED = (ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod)
_CALLED = (ev.TicketCalled, ev.TicketRecalled, ev.TicketServingStarted, ev.TicketResumed, ev.TicketHeld)


@dataclass(slots=True)
class Hall:
    """Who waits and who is served, followed event by event."""

    waiting: dict[str, tuple[str, int]] = field(default_factory=dict)
    serving: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    today: dict[str, dict[str, int]] = field(default_factory=dict)

    def take(self, event: ev.Event) -> None:
        """Follow one event; a ticket that has ended stays so, whatever comes late."""
        service = getattr(event, "service", None)
        if service is not None:
            sums = self.today.setdefault(service, {})
            for name, value in counts_of(event).items():
                sums[name] = sums.get(name, 0) + value
        ticket = getattr(event, "ticket", None)
        if ticket is None or ticket in self.ended or service is None:
            return
        self._place(event, ticket, service)

    def _place(self, event: ev.Event, ticket: str, service: str) -> None:
        if isinstance(event, _ENDED):
            self.waiting.pop(ticket, None)
            self.serving.pop(ticket, None)
            self.ended.add(ticket)
        elif isinstance(event, ev.TicketIssued) and ticket not in self.serving:
            self.waiting[ticket] = (service, event.t)
        elif isinstance(event, ev.TicketTransferred):
            self.serving.pop(ticket, None)
            self.waiting[ticket] = (event.to_service, event.t)
        elif isinstance(event, _CALLED):
            self.waiting.pop(ticket, None)
            self.serving[ticket] = service

    def services(self, declared: Iterable[str]) -> tuple[ServiceNow, ...]:
        """Return each declared or seen service's queue."""
        names = sorted({*declared, *self.today, *(s for s, _ in self.waiting.values())})
        return tuple(self._service(name) for name in names)

    def _service(self, name: str) -> ServiceNow:
        entered = [t for s, t in self.waiting.values() if s == name]
        serving = sum(s == name for s in self.serving.values())
        oldest = min(entered, default=None)
        return ServiceNow(
            service=name, waiting=len(entered), serving=serving, oldest=oldest, today=self.today.get(name, {})
        )


def centre_now(centre: Centre, devices: Sequence[Device], said: Iterable[Said], now: int, day_start: int) -> CentreNow:
    """Return the centre at `now`; `said` holds its events from a grace before `day_start` (local midnight)."""
    known = [s for s in once(said) if s.event.t <= now]
    hall = Hall()
    for s in known:
        if s.event.t >= day_start:
            hall.take(s.event)
    site = site_of(devices, known)
    own = [s for s in known if isinstance(s.event, ev.DeviceHeartbeat)]
    declared = {"name_vi": centre.name_vi, "name_en": centre.name_en, "zone": str(centre.zone)}
    return CentreNow(
        centre=centre.id,
        at=now,
        state=states.state_at(site.working(), now),
        mode=_mode(known),
        counters_open=_counters_open(known, now),
        services=hall.services(centre.services),
        devices=tuple(_device(d, known, site, now) for d in devices if d.kind != "replay"),
        last_data=max((s.event.t for s in known), default=None),
        simulated=any(s.event.simulated for s in own if isinstance(s.event, ev.DeviceHeartbeat)),
        declared=declared if centre.imported else None,
    )


def _mode(known: Sequence[Said]) -> str:
    for s in reversed(known):
        mode = getattr(s.event, "mode", None)
        if mode is not None:
            return str(mode)
    return "normal"


def _counters_open(known: Sequence[Said], now: int) -> int:
    """Count counters open or serving, each by its latest word within the grace time."""
    latest: dict[str, str] = {}
    for s in known:
        if s.event.t < now - ev.MAX_GRACE_MS:
            continue
        if isinstance(s.event, ev.CounterState):
            latest[s.event.counter] = s.event.state
        elif isinstance(s.event, ev.DeviceHeartbeat):
            latest.update({c.counter: c.state for c in s.event.counters})
    return sum(state in {"open", "serving"} for state in latest.values())


def _device(device: Device, known: Sequence[Said], site: Site, now: int) -> DeviceNow:
    own = [s.event for s in known if s.device == device.id]
    beats = [e for e in own if isinstance(e, ev.DeviceHeartbeat)]
    said = [e for e in own if not isinstance(e, ev.SERVER_EVENTS)]
    heard = [e.t for e in own if isinstance(e, ev.DeviceContact)]
    beat = beats[-1] if beats else None
    return DeviceNow(
        id=device.id,
        kind=device.kind,
        state=states.state_at(site.service.get(device.id, []), now),
        service=beat.state if beat else None,
        online=_online(site.contact.get(device.id), now),
        last_event=said[-1].t if said else None,
        last_contact=max(heard, default=None),
        **(_measures(beat) if beat else {}),  # type: ignore[arg-type]
    )


def _online(contact: list[states.Segment] | None, now: int) -> bool | None:
    if not contact:
        return None
    return states.state_at(contact, now) == "up"


def _measures(beat: ev.DeviceHeartbeat) -> dict[str, object]:
    names = ("printer", "paper_pct", "cpu_pct", "mem_pct", "disk_pct", "uptime_s", "outbox_rows", "fw", "simulated")
    return {name: getattr(beat, name) for name in names}


def system_now(system: System, said: Iterable[Said], now: int) -> SystemNow:
    """Return the system at `now` as each vantage point last saw it, and by quorum."""
    known = [s for s in once(said) if s.event.t <= now]
    seen = vantage_segments(known)
    last = {s.device: s.event for s in known if isinstance(s.event, ev.ProbeResult)}
    vantage = tuple(
        _vantage(device, event, states.state_at(seen[device], now)) for device, event in sorted(last.items())
    )
    return SystemNow(
        system=system.id, at=now, state=states.state_at(system_segments(system, seen), now), vantage=vantage
    )


def _vantage(device: str, event: ev.ProbeResult, state: State) -> VantageNow:
    return VantageNow(
        device=device, state=state, at=event.t, latency_ms=event.latency_ms, error=event.error, tls_days=event.tls_days
    )
