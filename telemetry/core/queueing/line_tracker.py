"""Follows a centre's waiting line event by event, in order of time; it must not look at later events.

A ticket's record may be incomplete: a call without an issue, an end without a call and a repeat are all accepted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.protocol import events as ev
from telemetry.core.queueing.waiting_line import (
    FLOW_MS,
    LAST_WAITS,
    RECENT_CALLS,
    BusyCounter,
    EndedService,
    EndedWait,
    IdleCounter,
    LineState,
    TicketKind,
    WaitingTicket,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

FORGET_MS = 4 * 3_600_000
"""After this time without an end, a ticket is taken to be forgotten: it neither waits nor is served, ms."""
_CALL_EVENTS = (ev.TicketCalled, ev.TicketRecalled, ev.TicketServingStarted)
_LOSS_EVENTS = (ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod)
_AVAILABLE = frozenset({"open", "serving"})
_EVENT_RANKS: dict[type[ev.Event], int] = {
    ev.TicketIssued: 0, ev.TicketCalled: 1, ev.TicketRecalled: 2, ev.TicketServingStarted: 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineChange:
    """What an event ended: a wait, a service, both or nothing."""

    wait: EndedWait | None = None
    service: EndedService | None = None


NO_CHANGE = LineChange()


def order_of(event: ev.Event) -> tuple[int, int, int]:
    """Return the key that sorts events into the order in which the tracker follows them."""
    return event.t, _EVENT_RANKS.get(type(event), 3), event.n


@dataclass(slots=True)
class LineTracker:
    """A centre's waiting line after the events applied so far, which must come in the order of `order_of`."""

    _waiting: dict[str, WaitingTicket] = field(default_factory=dict)
    _serving: dict[str, BusyCounter] = field(default_factory=dict)
    _idle: dict[str, int] = field(default_factory=dict)
    _unavailable: set[str] = field(default_factory=set)
    _ended: dict[str, int] = field(default_factory=dict)
    _kinds: dict[str, TicketKind] = field(default_factory=dict)
    _arrivals: deque[int] = field(default_factory=deque)
    _waits: deque[EndedWait] = field(default_factory=deque)
    _services: deque[EndedService] = field(default_factory=deque)
    _last_waits: dict[str, deque[EndedWait]] = field(default_factory=dict)
    _last_services: dict[str, deque[str]] = field(default_factory=dict)

    def apply(self, event: ev.Event) -> LineChange:
        """Apply one event; returns what it ends."""
        if isinstance(event, ev.CounterState):
            self._set_counter(event.counter, event.state, event.t)
        elif isinstance(event, ev.DeviceHeartbeat):
            for counter in event.counters:
                self._set_counter(counter.counter, counter.state, event.t)
        ticket = getattr(event, "ticket", None)
        if ticket is None or ticket in self._ended:
            return NO_CHANGE
        if isinstance(event, ev.TicketFinished):
            return self._finish(ticket, event)
        return LineChange(self._apply_ticket(ticket, event))

    def _apply_ticket(self, ticket: str, event: ev.Event) -> EndedWait | None:
        if isinstance(event, ev.TicketIssued):
            self._enter(ticket, TicketKind(event.service, event.priority), event.t)
        elif isinstance(event, _CALL_EVENTS):
            return self._call(ticket, event)
        elif isinstance(event, ev.TicketTransferred):
            return self._transfer(ticket, event)
        elif isinstance(event, _LOSS_EVENTS):
            return self._lose(ticket, event)
        return None

    def _enter(self, ticket: str, kind: TicketKind, at: int) -> None:
        if ticket not in self._waiting and ticket not in self._serving:
            self._waiting[ticket] = WaitingTicket(kind, at)
            self._arrivals.append(at)

    def _call(
        self, ticket: str, event: ev.TicketCalled | ev.TicketRecalled | ev.TicketServingStarted
    ) -> EndedWait | None:
        if ticket in self._serving:
            return None
        waiting = self._waiting.pop(ticket, None) or WaitingTicket(TicketKind(event.service), event.entered)
        self._serving[ticket] = BusyCounter(event.counter, event.service, event.t)
        self._kinds[ticket] = waiting.kind
        self._idle.pop(event.counter, None)
        self._last_services.setdefault(event.counter, deque(maxlen=RECENT_CALLS)).append(event.service)
        ended = EndedWait(waiting.kind, min(waiting.entered, event.t), event.t)
        self._waits.append(ended)
        if ended.is_queued:
            self._last_waits.setdefault(event.service, deque(maxlen=LAST_WAITS)).append(ended)
        return ended

    def _transfer(self, ticket: str, event: ev.TicketTransferred) -> EndedWait | None:
        self._release(ticket, event.t)
        waiting = self._waiting.pop(ticket, None)
        kind = waiting.kind if waiting else self._kinds.get(ticket, TicketKind(event.service))
        self._enter(ticket, TicketKind(event.to_service, kind.priority), event.t)
        return None if waiting is None else self._record_loss(waiting, event.t)

    def _finish(self, ticket: str, event: ev.TicketFinished) -> LineChange:
        ended, service = None, None
        if ticket not in self._serving:  # its call is missing
            waiting = self._waiting.pop(ticket, None)
            kind = waiting.kind if waiting else TicketKind(event.service)
            ended = EndedWait(kind, min(event.entered, event.called), event.called)
        self._release(ticket, event.t, event.counter)
        began = event.started if event.started is not None else event.called
        if event.quality == "ok" and event.t > began:
            service_s = max((event.t - began - event.held_ms) / 1000, 0.0)
            service = EndedService(event.counter, event.service, event.t, service_s)
            self._services.append(service)
        self._end(ticket, event.t)
        return LineChange(ended, service)

    def _lose(self, ticket: str, event: ev.Event) -> EndedWait | None:
        self._release(ticket, event.t)
        waiting = self._waiting.pop(ticket, None)
        self._end(ticket, event.t)
        return None if waiting is None else self._record_loss(waiting, event.t)

    def _record_loss(self, waiting: WaitingTicket, at: int) -> EndedWait:
        lost = EndedWait(waiting.kind, min(waiting.entered, at), at, is_served=False)
        self._waits.append(lost)
        return lost

    def _release(self, ticket: str, at: int, counter: str = "") -> None:
        """End the ticket's service: its counter is idle when it serves no other."""
        busy = self._serving.pop(ticket, None)
        name = busy.counter if busy else counter
        if name and name not in self._unavailable and all(b.counter != name for b in self._serving.values()):
            self._idle[name] = at

    def _end(self, ticket: str, at: int) -> None:
        self._ended[ticket] = at
        self._kinds.pop(ticket, None)

    def _set_counter(self, counter: str, state: str, at: int) -> None:
        if state not in _AVAILABLE:
            self._unavailable.add(counter)
            self._idle.pop(counter, None)
        elif counter in self._unavailable:
            self._unavailable.discard(counter)
            self._idle[counter] = at

    @property
    def waiting(self) -> Collection[WaitingTicket]:
        """Return the tickets that wait now, in order of entry."""
        return self._waiting.values()

    def state(self, at: int) -> LineState:
        """Return the line at `at`, which no applied event may reach, and forget what is too old to matter."""
        self._forget(at)
        return LineState(
            at=at,
            waiting=tuple(self._waiting.values()),
            busy=tuple(self._serving.values()),
            idle=tuple(IdleCounter(counter, since) for counter, since in self._idle.items()),
            arrivals=tuple(self._arrivals),
            ended_waits=tuple(self._waits),
            ended_services=tuple(self._services),
            last_waits=tuple(
                sorted((wait for waits in self._last_waits.values() for wait in waits), key=lambda wait: wait.ended)
            ),
            skills={counter: frozenset(services) for counter, services in self._last_services.items()},
        )

    def _forget(self, at: int) -> None:
        recent = at - FLOW_MS
        while self._arrivals and self._arrivals[0] < recent:
            self._arrivals.popleft()
        while self._waits and self._waits[0].ended < recent:
            self._waits.popleft()
        while self._services and self._services[0].ended < recent:
            self._services.popleft()
        oldest = at - FORGET_MS
        for ticket in _leading_before(((t, w.entered) for t, w in self._waiting.items()), oldest):
            del self._waiting[ticket]
        for ticket in _leading_before(((t, b.since) for t, b in self._serving.items()), oldest):
            del self._serving[ticket]
            self._kinds.pop(ticket, None)
        for ticket in _leading_before(self._ended.items(), oldest):
            del self._ended[ticket]
        for counter in [c for c, since in self._idle.items() if since < oldest]:
            del self._idle[counter]


def _leading_before(since: Iterable[tuple[str, int]], oldest: int) -> list[str]:
    """Return the first tickets, which are in order of time, that date from before `oldest`."""
    tickets: list[str] = []
    for ticket, at in since:
        if at >= oldest:
            break
        tickets.append(ticket)
    return tickets
