"""Counters' busy time counted minute by minute, for events on whole minutes; slow, and shares no code with the fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.calendar.windows import Window

MINUTE = 60_000


def busy_ms(events: Sequence[ev.Event], window: Window) -> int:
    """Return over all counters the minutes in which any ticket was served and not on hold, ms."""
    busy: set[tuple[str, int]] = set()
    for event in events:
        if isinstance(event, ev.TicketFinished):
            start = event.started or event.called
            holds = sorted(
                (e.t, isinstance(e, ev.TicketHeld)) for e in events
                if isinstance(e, ev.TicketHeld | ev.TicketResumed) and e.ticket == event.ticket
                and start <= e.t <= event.t
            )  # fmt: skip
            for minute in range(start, event.t, MINUTE):
                last = [held for t, held in holds if t <= minute]
                if not (last and last[-1]):
                    busy.add((event.counter, minute))
    return MINUTE * sum(window.start <= minute < window.end for _, minute in busy)
