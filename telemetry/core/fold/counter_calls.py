"""Which printed numbers were called last, and where: what a hall display shows; it must not keep ids of tickets. Pure.

Only calls with a printed number count; the numbers live in the centre's live row of the day and in no total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from telemetry.core.fold.live_row_types import CallNow
from telemetry.core.protocol import events as ev

MAX_CALLS: Final = 24
"""How many calls a live row has, beside the newest one of each counter."""
MAX_COUNTERS: Final = 60
"""Of more counters those that called last."""
_ENDINGS = (ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod, ev.TicketTransferred)


@dataclass(slots=True)
class CounterCalls:
    """The newest call of each ticket that was called by its printed number; apply a day's events in order."""

    _by_ticket: dict[str, CallNow] = field(default_factory=dict)

    def apply(self, event: ev.Event) -> None:
        """Apply one event; a second call replaces the first one of its ticket, an ending ends it."""
        if isinstance(event, ev.TicketCalled | ev.TicketRecalled):
            if event.label is not None:
                self._by_ticket.pop(event.ticket, None)  # a dict is in the order of insertion: the newest call is last
                self._by_ticket[event.ticket] = CallNow(
                    label=event.label, counter=event.counter, service=event.service, at=event.t, call=event.call
                )
        elif isinstance(event, _ENDINGS) and event.ticket in self._by_ticket:
            ended = msgspec.structs.replace(self._by_ticket[event.ticket], ended=True)
            self._by_ticket[event.ticket] = ended

    def newest(self) -> tuple[CallNow, ...]:
        """Return the newest MAX_CALLS calls and the newest one of each counter, newest first."""
        chosen: list[CallNow] = []
        counters: set[str] = set()
        for call in reversed(self._by_ticket.values()):
            is_first = call.counter not in counters and len(counters) < MAX_COUNTERS
            if is_first or len(chosen) < MAX_CALLS:
                chosen.append(call)
                counters.add(call.counter)
        return tuple(chosen)
