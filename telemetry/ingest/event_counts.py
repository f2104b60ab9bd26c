"""How many events, and tickets, of one day a device may send; it must not write anything.

One fold reads all events of a unit's hours and cannot be interrupted, and a live row reads every ticket that is open:
both would be as dear as one device makes them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY
from telemetry.core.protocol import events as ev
from telemetry.ingest.counted_rows import CountedRows
from telemetry.ingest.row_bounds import defer_rows, reject_rows

if TYPE_CHECKING:
    from telemetry.core.protocol.codec import DecodedFrame

MAX_EVENTS_PER_DAY = 105_000
"""Events of a device whose time is in one UTC day: one a second, and 18,600 more."""
MAX_TICKET_EVENTS_PER_DAY = 30_000
"""Of them, events about tickets; the largest centres issue 1,500 tickets a day, with five events each."""
MAX_OPENING_EVENTS_PER_DAY = 10_000
"""Of them, events of each type that leaves a ticket open."""
UNCOUNTED_EVENTS = 10_000
"""Tickets are counted after so many events of a day, so that a usual device's frames need no loop."""
_OPENING_TYPES = frozenset(
    {
        ev.TicketIssued, ev.TicketCalled, ev.TicketRecalled, ev.TicketServingStarted, ev.TicketHeld, ev.TicketResumed,
        ev.TicketTransferred,
    }
)  # fmt: skip
_TICKET_TYPES = _OPENING_TYPES | {
    ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod, ev.TicketCorrected,
}  # fmt: skip


class EventCounts:
    """The events that one device has sent, by day; a row that is sent again counts as a repeat and not as another."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}
        self._repeats: Counter[int] = Counter()
        self._tickets: Counter[tuple[type[ev.Event] | None, int]] = Counter()
        self._rows: dict[str, CountedRows] = {}

    def apply(self, decoded: DecodedFrame, day: int | None) -> DecodedFrame:
        """Return the frame without the rows beyond a limit: rejected, or deferred when they may be repeats.

        `day` is that of all its events, in days since 1970; None when they are of several.
        """
        events = decoded.events
        if not events:
            return decoded
        rows = self._rows.get(decoded.outbox_id)
        if rows is None:
            rows = self._rows[decoded.outbox_id] = CountedRows()
        is_new = events[0].n > rows.highest
        if is_new and day is not None and (count := self._events.get(day, 0) + len(events)) <= UNCOUNTED_EVENTS:
            self._events[day] = count
            rows.append(events)
            return decoded
        repeats = set() if is_new else rows.repeats_in(events)
        beyond = [(e.n, reason) for e in events if (reason := self._repeat(e) if e.n in repeats else self._count(e))]
        refused = {n for n, _ in beyond}
        rows.add({event.n for event in events} - refused)
        if not rows.is_complete:
            beyond = [(n, "too_many_repeats") for n, _ in beyond]
        if rejected := [(n, reason) for n, reason in beyond if reason != "too_many_repeats"]:
            decoded = reject_rows(decoded, rejected)
        deferred = [(n, reason) for n, reason in beyond if reason == "too_many_repeats"]
        return defer_rows(decoded, deferred) if deferred else decoded

    def _repeat(self, event: ev.Event) -> str:
        """Count a repeat and return an empty text, or do not and return why it is deferred."""
        if self._repeats[event.t // DAY] >= MAX_EVENTS_PER_DAY:
            return "too_many_repeats"
        self._repeats[event.t // DAY] += 1
        return ""

    def _count(self, event: ev.Event) -> str:
        """Count an event and return an empty text, or do not and return why it is rejected."""
        day, kind = event.t // DAY, event.__class__
        count = self._events.get(day, 0)
        if count >= MAX_EVENTS_PER_DAY:
            return "too_many_events"
        if count >= UNCOUNTED_EVENTS and kind in _TICKET_TYPES:
            if self._tickets[None, day] >= MAX_TICKET_EVENTS_PER_DAY:
                return "too_many_tickets"
            if kind in _OPENING_TYPES and self._tickets[kind, day] >= MAX_OPENING_EVENTS_PER_DAY:
                return "too_many_tickets"
            self._tickets.update(((kind, day), (None, day)))
        self._events[day] = count + 1
        return ""
