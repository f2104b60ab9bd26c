"""Walks a centre's events in order of time and makes a row of each queued ticket; no row may depend on later events.

A row's features come from events strictly before the ticket entered; only which tickets have a row, and the wait that
belongs to it, are known later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from telemetry.core.protocol import events as ev
from telemetry.core.queueing.drain import Newcomer
from telemetry.core.queueing.line_tracker import LineTracker, order_of
from telemetry.core.queueing.waiting_line import TicketKind
from telemetry.prediction.profile_collector import ProfileCollector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemetry.core.queueing.waiting_line import EndedWait, LineState

WALKED_TYPES = (
    "ticket.issued", "ticket.called", "ticket.recalled", "ticket.serving_started", "ticket.transferred",
    "ticket.finished", "ticket.abandoned", "ticket.no_show", "ticket.closed_eod", "counter.state",
)  # fmt: skip
"""The types of events that a walk needs."""


@dataclass(frozen=True, slots=True)
class QueuedTicket:
    """A ticket that entered a queue and did not leave it at once."""

    ticket: str
    newcomer: Newcomer


@dataclass(frozen=True, slots=True)
class Entries:
    """The queued tickets that enter at one instant, and the line strictly before it."""

    line: LineState
    tickets: tuple[QueuedTicket, ...]


@dataclass(frozen=True, slots=True)
class EndedTicket:
    """A queued ticket whose wait ended, and the wait."""

    queued: QueuedTicket
    wait: EndedWait


@dataclass(slots=True)
class WaitWalk:
    """The walk; `collector` has what was seen before the present instant."""

    collector: ProfileCollector = field(default_factory=ProfileCollector)
    _tracker: LineTracker = field(default_factory=LineTracker)
    _open: dict[str, QueuedTicket] = field(default_factory=dict)

    def steps(self, events: Iterable[ev.Event]) -> Iterator[Entries | EndedTicket]:
        """Yield, in order of time, who enters (before the events of that instant are applied) and whose wait ends."""
        ordered = sorted(events, key=order_of)
        queued = _queued_entries(ordered)
        for at, group in groupby(ordered, key=lambda event: event.t):
            happening = list(group)
            entering = {
                entry.ticket: entry
                for event in happening
                for entry in _entries_of(event)
                if (entry.ticket, at) in queued
            }
            if entering:
                yield Entries(self._tracker.state(at), tuple(entering.values()))
            for event in happening:
                ended = self._apply(event)
                if ended is not None:
                    yield ended
            self._open.update(entering)

    def _apply(self, event: ev.Event) -> EndedTicket | None:
        tracker, collector = self._tracker, self.collector
        change = tracker.apply(event)
        if change.service is not None:
            collector.observe_service(change.service)
        if isinstance(event, ev.TicketFinished):
            collector.observe_free(event.counter, event.t, tracker.waiting)
        wait = change.wait
        if wait is None:
            return None
        collector.observe_wait(wait)
        if isinstance(event, ev.TicketCalled):
            collector.observe_call(event, wait, tracker.waiting)
        queued = self._open.pop(getattr(event, "ticket", ""), None)
        return None if queued is None else EndedTicket(queued, wait)


def _entries_of(event: ev.Event) -> Iterator[QueuedTicket]:
    if isinstance(event, ev.TicketIssued):
        yield QueuedTicket(event.ticket, Newcomer(TicketKind(event.service, event.priority), event.t))
    elif isinstance(event, ev.TicketTransferred):
        yield QueuedTicket(event.ticket, Newcomer(TicketKind(event.to_service), event.t))


def _queued_entries(ordered: Sequence[ev.Event]) -> set[tuple[str, int]]:
    """Return (ticket, time of entry) of the entries after which the ticket waited at all.

    Nothing else of the future reaches a row.
    """
    entered: dict[str, int] = {}
    queued: set[tuple[str, int]] = set()
    for event in ordered:
        ticket = getattr(event, "ticket", None)
        if ticket is None:
            continue
        since = entered.pop(ticket, None)
        if since is not None and event.t > since:
            queued.add((ticket, since))
        if isinstance(event, ev.TicketIssued | ev.TicketTransferred):
            entered[ticket] = event.t
    queued.update(entered.items())
    return queued
