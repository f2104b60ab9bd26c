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

from telemetry.core.calendar.windows import MINUTE, Window, day_window
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from telemetry.core.inventory import Centre, Device, System

MARGIN_MS = 30 * MINUTE
LAST_TICKET_MS = 15 * MINUTE
SERVICE_MEAN_MS = 7 * MINUTE
PATIENCE_MS = 20 * MINUTE
NO_SHOW, GIVE_UP, RATED = 0.03, 0.3, 0.25
LINK_LOSS = 0.03
"""Chance that a centre loses its link in one session."""


@dataclass(slots=True)
class Feed:
    """One device's events of a day, handed out as their time comes."""

    events: list[ev.Event]
    _next: int = 0

    def due(self, now: int) -> list[ev.Event]:
        """Return the events not handed out yet with t ≤ now."""
        start = self._next
        while self._next < len(self.events) and self.events[self._next].t <= now:
            self._next += 1
        return self.events[start : self._next]

    def next_t(self) -> int | None:
        """Return when the next event is due, None after the last."""
        return self.events[self._next].t if self._next < len(self.events) else None


@dataclass(slots=True)
class _Day:
    """What one day's makers share."""

    centre: Centre
    opening: list[Window]
    name: str
    random: Random
    front: str
    gate: str
    counters: int
    out: dict[str, list[ev.Event]] = field(default_factory=dict)

    def say(self, device: str, event: ev.Event) -> None:
        """Keep an event of a device."""
        self.out.setdefault(device, []).append(event)


def day_events(
    centre: Centre, devices: Sequence[Device], systems: Sequence[System], day: date, seed: int
) -> dict[str, list[ev.Event]]:
    """Return each device's events of the local day, by time; nothing on a closed day."""
    opening = centre.open_windows(day_window(day, centre.zone))
    if not opening or not devices:
        return {}
    name = f"{seed}/{centre.id}/{day.isoformat()}"
    gate = next((d.id for d in devices if d.kind == "gateway"), devices[0].id)
    front = next((d.id for d in devices if d.kind == "kiosk"), gate)
    random = Random(name)  # noqa: S311 - a simulation
    made = _Day(centre, opening, name, random, front, gate, _open_counters(centre, opening))
    _tickets(made)
    _counters(made)
    for device in devices:
        _beats(made, device)
        _probes(made, device, systems, day, seed)
    return {device: sorted(events, key=lambda e: e.t) for device, events in made.out.items()}


def link_losses(centre: Centre, day: date, seed: int) -> list[Window]:
    """Return when the centre has no link on the day; what happens then arrives late and whole."""
    opening = centre.open_windows(day_window(day, centre.zone))
    random = Random(f"{seed}/{centre.id}/{day.isoformat()}/link")  # noqa: S311 - a simulation
    found = [_spell(random, session, LINK_LOSS, 30) for session in opening]
    return [loss for loss in found if loss is not None]


def _open_counters(centre: Centre, opening: Sequence[Window]) -> int:
    """Staff for about 70 % load, within the counters there are."""
    busy = centre.tickets_per_day * SERVICE_MEAN_MS / sum(w.length for w in opening)
    return max(1, min(centre.counters, round(busy / 0.7 + 0.5)))


# --- tickets ----------------------------------------------------------------------------------


def _arrivals(made: _Day) -> list[int]:
    """Return when customers come: two thirds in the first session, most within its first hours."""
    count = max(0, round(made.random.gauss(made.centre.tickets_per_day, made.centre.tickets_per_day**0.5)))
    times = []
    for _ in range(count):
        session = made.opening[0] if made.random.random() < 0.65 else made.random.choice(made.opening)
        last = session.end - LAST_TICKET_MS
        times.append(int(made.random.triangular(session.start, last, session.start + session.length * 0.25)))
    return sorted(times)


def _tickets(made: _Day) -> None:
    free = [(made.opening[0].start, i) for i in range(1, made.counters + 1)]
    heapq.heapify(free)
    for number, arrived in enumerate(_arrivals(made)):
        _ticket(made, number, arrived, free)


def _ticket(made: _Day, number: int, arrived: int, free: list[tuple[int, int]]) -> None:
    service = made.random.choice(made.centre.services)
    visit = _Visit(_ticket_id(made.name, number), service, arrived)
    made.say(made.front, ev.TicketIssued(n=1, t=arrived, **visit.names(), channel="kiosk"))
    ready, counter = free[0]
    start = _within(made.opening, max(arrived + 5_000, ready))
    if start is None:
        closing = made.opening[-1].end
        made.say(made.gate, ev.TicketClosedEod(n=1, t=closing, **visit.names(), entered=arrived))
    elif start - arrived > PATIENCE_MS and made.random.random() < GIVE_UP:
        gone = arrived + made.random.randrange(PATIENCE_MS // 2, start - arrived)
        made.say(made.front, ev.TicketAbandoned(n=1, t=gone, **visit.names(), entered=arrived))
    else:
        heapq.heapreplace(free, (_serve(made, visit, start, f"c{counter}"), counter))


class _Names(TypedDict):
    ticket: str
    queue: str
    service: str


class _AtDesk(_Names):
    counter: str
    entered: int


@dataclass(frozen=True, slots=True)
class _Visit:
    ticket: str
    service: str
    entered: int

    def names(self) -> _Names:
        """Return the fields every ticket event has."""
        return {"ticket": self.ticket, "queue": self.service, "service": self.service}

    def at(self, counter: str) -> _AtDesk:
        """Return the fields every event at a counter has."""
        return {**self.names(), "counter": counter, "entered": self.entered}


def _serve(made: _Day, visit: _Visit, start: int, counter: str) -> int:
    """Call and serve, or wait in vain; returns when the counter is free again."""
    desk = visit.at(counter)
    made.say(made.gate, ev.TicketCalled(n=1, t=start, **desk))
    if made.random.random() < NO_SHOW:
        made.say(made.gate, ev.TicketRecalled(n=1, t=start + 45_000, **desk))
        gone = start + 90_000
        made.say(made.gate, ev.TicketNoShow(n=1, t=gone, **visit.names(), entered=visit.entered, calls=2))
        return gone
    began = start + made.random.randrange(15_000, 45_000)
    made.say(made.gate, ev.TicketServingStarted(n=1, t=began, **desk, called=start))
    end = began + max(60_000, int(made.random.lognormvariate(0, 0.5) * SERVICE_MEAN_MS * 0.88))
    made.say(made.gate, ev.TicketFinished(n=1, t=end, **desk, called=start, started=began))
    if made.random.random() < RATED:
        rating = made.random.choices((5, 4, 3, 2, 1), (55, 30, 9, 4, 2))[0]
        made.say(made.gate, ev.RatingSubmitted(n=1, t=end + 20_000, rating=rating, service=visit.service))
    return end + 10_000


def _within(opening: Sequence[Window], t: int) -> int | None:
    """Return the first open moment from `t` on, None when the day is over."""
    return next((max(w.start, t) for w in opening if t < w.end), None)


def _ticket_id(name: str, number: int) -> str:
    digest = hashlib.blake2b(f"{name}/{number}".encode(), digest_size=15).digest()
    return base64.b32encode(digest).decode().lower()


# --- states -----------------------------------------------------------------------------------


def _counters(made: _Day) -> None:
    for session in made.opening:
        for counter in range(1, made.counters + 1):
            after: ev.CounterMode = "closed" if session is made.opening[-1] else "break"
            edges: tuple[tuple[int, ev.CounterMode], ...] = ((session.start, "open"), (session.end, after))
            for t, state in edges:
                made.say(made.gate, ev.CounterState(n=1, t=t, counter=f"c{counter}", state=state, cause="schedule"))


def _beats(made: _Day, device: Device) -> None:
    random = Random(f"{made.name}/{device.id}")  # noqa: S311 - a simulation
    on = Window(made.opening[0].start - MARGIN_MS, made.opening[-1].end + MARGIN_MS)
    crashed = _spell(random, on, 0.03, 40)
    paper = _spell(random, on, 0.06 if device.kind == "kiosk" else 0.0, 30)
    first = on.start + random.randrange(device.every_ms)
    for t in range(first, on.end, device.every_ms):
        if crashed is None or not crashed.start <= t < crashed.end:
            made.say(device.id, _beat(made, device, t, on.start, paper))
    if paper is not None:
        state = ev.KioskState(n=1, t=paper.start, state="out_of_order", printer="paper_out")
        made.say(device.id, state)


def _spell(random: Random, on: Window, chance: float, longest_min: int) -> Window | None:
    if random.random() >= chance:
        return None
    start = random.randrange(on.start, on.end)
    return Window(start, start + random.randrange(10, longest_min) * MINUTE)


def _beat(made: _Day, device: Device, t: int, since: int, paper: Window | None) -> ev.DeviceHeartbeat:
    out = paper is not None and paper.start <= t < paper.end
    kiosk = device.kind == "kiosk"
    return ev.DeviceHeartbeat(
        n=1,
        t=t,
        every_ms=device.every_ms,
        state="out_of_order" if out else "in_service",
        uptime_s=(t - since) // 1000,
        fw="sim-1",
        printer=("paper_out" if out else "ok") if kiosk else None,
        paper_pct=(0.0 if out else max(0.0, round(100 - (t - since) / 600_000, 1))) if kiosk else None,
        mode="normal" if device.kind == "gateway" else None,
        counters=_counters_at(made, t) if device.id == made.gate else (),
        simulated=True,
    )


def _counters_at(made: _Day, t: int) -> tuple[ev.CounterNow, ...]:
    within = made.opening[0].start <= t < made.opening[-1].end
    is_open = any(w.start <= t < w.end for w in made.opening)
    state: ev.CounterMode = "open" if is_open else "break" if within else "closed"
    return tuple(ev.CounterNow(counter=f"c{i}", state=state) for i in range(1, made.counters + 1))


# --- probes of digital systems ----------------------------------------------------------------


def _probes(made: _Day, device: Device, systems: Sequence[System], day: date, seed: int) -> None:
    on = Window(made.opening[0].start - MARGIN_MS, made.opening[-1].end + MARGIN_MS)
    for system in systems:
        if device.id in system.vantage:
            for event in _probe(device.id, system, on, f"{seed}/{system.id}/{day.isoformat()}"):
                made.say(device.id, event)


def _probe(device: str, system: System, on: Window, name: str) -> Iterator[ev.ProbeResult]:
    """All vantage points see the system's own outage; now and then one alone sees nothing."""
    shared = Random(name)  # noqa: S311 - a simulation
    outage = _spell(shared, on, 0.15, 20)
    base = shared.uniform(40, 250)
    own = Random(f"{name}/{device}")  # noqa: S311 - a simulation
    for t in range(on.start + own.randrange(system.every_ms), on.end, system.every_ms):
        down = (outage is not None and outage.start <= t < outage.end) or own.random() < 0.004
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
