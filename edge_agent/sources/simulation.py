"""A plausible, seeded day of a centre as events. Pure: the same centre, day and seed give the same events.

Devices are switched on from half an hour before opening to half an hour after closing, as in small
offices; heartbeats, probes and tickets exist only then.  Figures are plausible, not measured.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, TypedDict

from edge_agent.sources.administrative_simulation import simulate_administration
from telemetry.core.calendar.windows import MINUTE, Window, day_window
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from telemetry.core.inventory import Centre, Device, System

POWER_ON_MARGIN_MS = 30 * MINUTE
LAST_TICKET_MARGIN_MS = 15 * MINUTE
SERVICE_MEAN_MS = 7 * MINUTE
PATIENCE_MS = 20 * MINUTE
NO_SHOW_CHANCE, GIVE_UP_CHANCE, RATING_CHANCE = 0.03, 0.3, 0.25
DAY_LOAD = 0.4
LINK_LOSS_CHANCE = 0.03
"""Chance that a centre loses its link in one session."""
SYSTEM_OUTAGE_CHANCE, SYSTEM_OUTAGE_MIN = 0.05, (3, 7)
"""Chance of a digital system's outage on a day, and its length: two days of history must not spend the error budget."""
PROBE_FAILURE_CHANCE = 0.0005
"""Chance that a single probe fails; so low that two vantage points hardly ever agree on it by accident."""


@dataclass(slots=True)
class EventFeed:
    """One device's events of a day; `take_due` returns those that are due."""

    events: list[ev.Event]
    _next: int = 0

    def take_due(self, now: int) -> list[ev.Event]:
        """Return the events with t ≤ `now` that were not returned before."""
        start = self._next
        while self._next < len(self.events) and self.events[self._next].t <= now:
            self._next += 1
        return self.events[start : self._next]

    def next_due_at(self) -> int | None:
        """Return when the next event is due, None after the last."""
        return self.events[self._next].t if self._next < len(self.events) else None


@dataclass(slots=True)
class _DaySchedule:
    """The shared state of one simulated day."""

    centre: Centre
    open_windows: list[Window]
    name: str
    random: Random
    kiosk_id: str
    gateway_id: str
    counter_count: int
    events_by_device: dict[str, list[ev.Event]] = field(default_factory=dict)

    def emit(self, device: str, event: ev.Event) -> None:
        """Add an event of a device."""
        self.events_by_device.setdefault(device, []).append(event)


def simulate_day(
    centre: Centre, devices: Sequence[Device], systems: Sequence[System], day: date, seed: int
) -> dict[str, list[ev.Event]]:
    """Return each device's events of the local day, by time; nothing on a closed day."""
    open_windows = centre.open_windows(day_window(day, centre.zone))
    if not open_windows or not devices:
        return {}
    name = f"{seed}/{centre.id}/{day.isoformat()}"
    gateway_id = next((d.id for d in devices if d.kind == "gateway"), devices[0].id)
    kiosk_id = next((d.id for d in devices if d.kind == "kiosk"), gateway_id)
    random = Random(name)  # noqa: S311 - a simulation
    staffed = _staffed_counters(centre, open_windows)
    plan = _DaySchedule(centre, open_windows, name, random, kiosk_id, gateway_id, staffed)
    _emit_tickets(plan)
    _emit_counter_states(plan)
    for event in simulate_administration(centre, open_windows, name):
        plan.emit(gateway_id, event)
    for device in devices:
        _emit_heartbeats(plan, device)
        _emit_probe_results(plan, device, systems, day, seed)
    return {device: sorted(events, key=lambda e: e.t) for device, events in plan.events_by_device.items()}


def link_losses(centre: Centre, day: date, seed: int) -> list[Window]:
    """Return when the centre has no link on the day; events of that time arrive late and complete."""
    open_windows = centre.open_windows(day_window(day, centre.zone))
    random = Random(f"{seed}/{centre.id}/{day.isoformat()}/link")  # noqa: S311 - a simulation
    losses = [_random_outage(random, session, LINK_LOSS_CHANCE, (10, 30)) for session in open_windows]
    return [loss for loss in losses if loss is not None]


def _staffed_counters(centre: Centre, open_windows: Sequence[Window]) -> int:
    """Return the number of staffed counters for 40 % load over the day, within the centre's counters.

    That is some 70 % at the morning's peak: nine in ten are called within a quarter of an hour, and some queues grow.
    """
    busy = centre.tickets_per_day * SERVICE_MEAN_MS / sum(w.length for w in open_windows)
    return max(1, min(centre.counters, round(busy / DAY_LOAD + 0.5)))


# --- tickets ----------------------------------------------------------------------------------


def _arrival_times(plan: _DaySchedule) -> list[int]:
    """Return arrival times: two thirds in the first session, most in its first hours."""
    count = max(0, round(plan.random.gauss(plan.centre.tickets_per_day, plan.centre.tickets_per_day**0.5)))
    times = []
    for _ in range(count):
        session = plan.open_windows[0] if plan.random.random() < 0.65 else plan.random.choice(plan.open_windows)
        last = session.end - LAST_TICKET_MARGIN_MS
        times.append(int(plan.random.triangular(session.start, last, session.start + session.length * 0.25)))
    return sorted(times)


def _emit_tickets(plan: _DaySchedule) -> None:
    free = [(plan.open_windows[0].start, i) for i in range(1, plan.counter_count + 1)]
    heapq.heapify(free)
    for number, arrived in enumerate(_arrival_times(plan)):
        _emit_ticket(plan, number, arrived, free)


def _emit_ticket(plan: _DaySchedule, number: int, arrived: int, free: list[tuple[int, int]]) -> None:
    service = plan.random.choice(plan.centre.services)
    label = f"{chr(ord('A') + plan.centre.services.index(service) % 26)}{number % 1000 + 1:03}"
    visit = _Visit(_ticket_id(plan.name, number), service, arrived, label)
    plan.emit(plan.kiosk_id, ev.TicketIssued(n=1, t=arrived, **visit.ticket_fields(), channel="kiosk"))
    ready, counter = free[0]
    start = _next_open_time(plan.open_windows, max(arrived + 5_000, ready))
    if start is None:
        closing = plan.open_windows[-1].end
        plan.emit(plan.gateway_id, ev.TicketClosedEod(n=1, t=closing, **visit.ticket_fields(), entered=arrived))
    elif start - arrived > PATIENCE_MS and plan.random.random() < GIVE_UP_CHANCE:
        abandoned_at = arrived + plan.random.randrange(PATIENCE_MS // 2, start - arrived)
        plan.emit(plan.kiosk_id, ev.TicketAbandoned(n=1, t=abandoned_at, **visit.ticket_fields(), entered=arrived))
    else:
        heapq.heapreplace(free, (_emit_service(plan, visit, start, f"c{counter}"), counter))


class _TicketFields(TypedDict):
    ticket: str
    queue: str
    service: str


class _CounterFields(_TicketFields):
    counter: str
    entered: int


@dataclass(frozen=True, slots=True)
class _Visit:
    ticket: str
    service: str
    entered: int
    label: str

    def ticket_fields(self) -> _TicketFields:
        """Return the fields every ticket event has."""
        return {"ticket": self.ticket, "queue": self.service, "service": self.service}

    def counter_fields(self, counter: str) -> _CounterFields:
        """Return the fields every event at a counter has."""
        return {**self.ticket_fields(), "counter": counter, "entered": self.entered}


def _emit_service(plan: _DaySchedule, visit: _Visit, start: int, counter: str) -> int:
    """Call and serve a ticket, or record a no-show; returns when the counter is free again."""
    fields = visit.counter_fields(counter)
    plan.emit(plan.gateway_id, ev.TicketCalled(n=1, t=start, **fields, label=visit.label))
    if plan.random.random() < NO_SHOW_CHANCE:
        plan.emit(plan.gateway_id, ev.TicketRecalled(n=1, t=start + 45_000, **fields, label=visit.label))
        no_show_at = start + 90_000
        plan.emit(
            plan.gateway_id,
            ev.TicketNoShow(n=1, t=no_show_at, **visit.ticket_fields(), entered=visit.entered, calls=2),
        )
        return no_show_at
    began = start + plan.random.randrange(15_000, 45_000)
    plan.emit(plan.gateway_id, ev.TicketServingStarted(n=1, t=began, **fields, called=start))
    end = began + max(60_000, int(plan.random.lognormvariate(0, 0.5) * SERVICE_MEAN_MS * 0.88))
    plan.emit(plan.gateway_id, ev.TicketFinished(n=1, t=end, **fields, called=start, started=began))
    if plan.random.random() < RATING_CHANCE:
        rating = plan.random.choices((5, 4, 3, 2, 1), (55, 30, 9, 4, 2))[0]
        plan.emit(plan.gateway_id, ev.RatingSubmitted(n=1, t=end + 20_000, rating=rating, service=visit.service))
    return end + 10_000


def _next_open_time(open_windows: Sequence[Window], t: int) -> int | None:
    """Return the first open time from `t` on, None after the last session."""
    return next((max(w.start, t) for w in open_windows if t < w.end), None)


def _ticket_id(name: str, number: int) -> str:
    digest = hashlib.blake2b(f"{name}/{number}".encode(), digest_size=15).digest()
    return base64.b32encode(digest).decode().lower()


# --- states -----------------------------------------------------------------------------------


def _emit_counter_states(plan: _DaySchedule) -> None:
    for session in plan.open_windows:
        for counter in range(1, plan.counter_count + 1):
            after: ev.CounterMode = "closed" if session is plan.open_windows[-1] else "break"
            edges: tuple[tuple[int, ev.CounterMode], ...] = ((session.start, "open"), (session.end, after))
            for t, state in edges:
                event = ev.CounterState(n=1, t=t, counter=f"c{counter}", state=state, cause="schedule")
                plan.emit(plan.gateway_id, event)


def _emit_heartbeats(plan: _DaySchedule, device: Device) -> None:
    random = Random(f"{plan.name}/{device.id}")  # noqa: S311 - a simulation
    powered_on = Window(plan.open_windows[0].start - POWER_ON_MARGIN_MS, plan.open_windows[-1].end + POWER_ON_MARGIN_MS)
    crash = _random_outage(random, powered_on, 0.03, (10, 40))
    paper_out = _random_outage(random, powered_on, 0.06 if device.kind == "kiosk" else 0.0, (10, 30))
    first = powered_on.start + random.randrange(device.every_ms)
    for t in range(first, powered_on.end, device.every_ms):
        if crash is None or not crash.start <= t < crash.end:
            plan.emit(device.id, _build_heartbeat(plan, device, t, powered_on.start, paper_out))
    if paper_out is not None:
        state = ev.KioskState(n=1, t=paper_out.start, state="out_of_order", printer="paper_out")
        plan.emit(device.id, state)


def _random_outage(random: Random, within: Window, chance: float, length_min: tuple[int, int]) -> Window | None:
    """Return an outage of at least the first and less than the second number of minutes, None when there is none."""
    if random.random() >= chance:
        return None
    start = random.randrange(within.start, within.end)
    return Window(start, start + random.randrange(*length_min) * MINUTE)


def _build_heartbeat(
    plan: _DaySchedule, device: Device, t: int, since: int, paper_out: Window | None
) -> ev.DeviceHeartbeat:
    out_of_paper = paper_out is not None and paper_out.start <= t < paper_out.end
    kiosk = device.kind == "kiosk"
    return ev.DeviceHeartbeat(
        n=1,
        t=t,
        every_ms=device.every_ms,
        state="out_of_order" if out_of_paper else "in_service",
        uptime_s=(t - since) // 1000,
        fw="sim-1",
        printer=("paper_out" if out_of_paper else "ok") if kiosk else None,
        paper_pct=(0.0 if out_of_paper else max(0.0, round(100 - (t - since) / 600_000, 1))) if kiosk else None,
        mode="normal" if device.kind == "gateway" else None,
        counters=_counter_states_at(plan, t) if device.id == plan.gateway_id else (),
        simulated=True,
    )


def _counter_states_at(plan: _DaySchedule, t: int) -> tuple[ev.CounterNow, ...]:
    within = plan.open_windows[0].start <= t < plan.open_windows[-1].end
    is_open = any(w.start <= t < w.end for w in plan.open_windows)
    state: ev.CounterMode = "open" if is_open else "break" if within else "closed"
    return tuple(ev.CounterNow(counter=f"c{i}", state=state) for i in range(1, plan.counter_count + 1))


# --- probes of digital systems ----------------------------------------------------------------


def _emit_probe_results(plan: _DaySchedule, device: Device, systems: Sequence[System], day: date, seed: int) -> None:
    powered_on = Window(plan.open_windows[0].start - POWER_ON_MARGIN_MS, plan.open_windows[-1].end + POWER_ON_MARGIN_MS)
    for system in systems:
        if device.id in system.vantage:
            for event in _probe_results(device.id, system, powered_on, f"{seed}/{system.id}/{day.isoformat()}"):
                plan.emit(device.id, event)


def _probe_results(device: str, system: System, powered_on: Window, name: str) -> Iterator[ev.ProbeResult]:
    """All vantage points share the system's outage; now and then a single probe fails."""
    shared = Random(name)  # noqa: S311 - a simulation
    outage = _random_outage(shared, powered_on, SYSTEM_OUTAGE_CHANCE, SYSTEM_OUTAGE_MIN)
    base = shared.uniform(40, 250)
    own = Random(f"{name}/{device}")  # noqa: S311 - a simulation
    for t in range(powered_on.start + own.randrange(system.every_ms), powered_on.end, system.every_ms):
        down = (outage is not None and outage.start <= t < outage.end) or own.random() < PROBE_FAILURE_CHANCE
        latency = None if down else round(base * own.lognormvariate(0, 0.3), 1)
        yield ev.ProbeResult(
            n=1,
            t=t,
            system=system.id,
            kind="http",
            ok=not down,
            every_ms=system.every_ms,
            latency_ms=latency,
            error="timeout" if down else None,
        )
