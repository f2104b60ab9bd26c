"""A desk's service level: each wait is decided at entry + X, a miss while still waiting; it must not divide. Pure.

A decision at an instant uses only events up to that instant (`decide_wait`), so a window's decisions do not
depend on other events.  At future instants every ticket that waits now is a miss; a call in time folds them
again, and readers cut at the present.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telemetry.core.calendar.windows import SLOT, Window, floor
from telemetry.core.fold.event_spans import SAME_ENTRY_MS
from telemetry.core.fold.totals import SERVICE_LEVEL_THRESHOLDS_S, SumsBySlot
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.fold.sourced_event import SourcedEvent

_LOST_EVENTS = (ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod, ev.TicketTransferred)
"""A wait is not counted when one of these precedes its decision (domain.md Q-04); a transfer only without a call."""
TicketService = tuple[str, str]
"""Ticket and service."""


_WAIT_TYPES: frozenset[type[ev.Event]] = frozenset(
    {ev.TicketIssued, ev.TicketCalled, ev.TicketTransferred, *_LOST_EVENTS}
)
"""The events of a wait: most events of a device are others."""


@dataclass(slots=True)
class TicketWait:
    """One wait (Unix ms): when it began, was first reported, called, lost and transferred."""

    entered: int
    first_reported: int
    called: int | None = None
    lost: int | None = None
    moved: int | None = None

    @property
    def lost_at(self) -> int | None:
        """Return when it was lost: a transfer after a call ends the service, not the wait."""
        uncalled = self.moved is not None and (self.called is None or self.moved < self.called)
        ends = [t for t in (self.lost, self.moved if uncalled else None) if t is not None]
        return min(ends, default=None)


@dataclass(slots=True)
class _TicketHistory:
    """The events of one ticket in one service: when waits began, and (entered, t, ending) of what ended them."""

    starts: set[int] = field(default_factory=set)
    ends: list[tuple[int, int, str]] = field(default_factory=list)


def service_level_counts(events: Iterable[SourcedEvent], window: Window) -> dict[str, SumsBySlot]:
    """Return by service and slot how many waits were met and missed, at instants in the window."""
    histories: dict[TicketService, _TicketHistory] = defaultdict(_TicketHistory)
    for s in events:
        if s.event.__class__ in _WAIT_TYPES:
            _record_event(histories, s.event)
    out: dict[str, SumsBySlot] = {}
    for (_, service), history in histories.items():
        for wait in _build_waits(history):
            for decided_at, name in _decisions(wait, window):
                sums = out.setdefault(service, {}).setdefault(floor(decided_at, SLOT), {})
                sums[name] = sums.get(name, 0) + 1
    return out


def _record_event(histories: dict[TicketService, _TicketHistory], event: ev.Event) -> None:
    if isinstance(event, ev.TicketIssued):
        histories[event.ticket, event.service].starts.add(event.t)
    elif isinstance(event, ev.TicketCalled) and not _entry_in_future(event):
        histories[event.ticket, event.service].ends.append((event.entered, event.t, "called"))
    elif isinstance(event, _LOST_EVENTS) and not _entry_in_future(event):
        ending = "moved" if isinstance(event, ev.TicketTransferred) else "lost"
        histories[event.ticket, event.service].ends.append((event.entered, event.t, ending))
    if isinstance(event, ev.TicketTransferred):
        histories[event.ticket, event.to_service].starts.add(event.t)


def _entry_in_future(event: Any) -> bool:  # noqa: ANN401
    """Return whether the entry is further after the event than the clock tolerance: such an event is ignored."""
    return bool(event.entered > event.t + SAME_ENTRY_MS)


def _build_waits(history: _TicketHistory) -> Iterable[TicketWait]:
    """Join events to the waits they belong to.

    A desk's clock may differ a little from that of the issuing kiosk: entries up to a minute apart are one wait.
    """
    waits: list[TicketWait] = []
    for start in sorted(history.starts):
        if not waits or start - waits[-1].entered > SAME_ENTRY_MS:
            waits.append(TicketWait(start, start))
    issued = len(waits)
    for entered, t, ending in sorted(history.ends):
        wait = _nearest_wait(waits[:issued], entered) or next((w for w in waits[issued:] if w.entered == entered), None)
        if wait is None:
            wait = TicketWait(entered, t)
            waits.append(wait)
        wait.first_reported = min(wait.first_reported, t)
        earlier = getattr(wait, ending)
        setattr(wait, ending, t if earlier is None else min(earlier, t))
    return waits


def _nearest_wait(waits: list[TicketWait], entered: int) -> TicketWait | None:
    near = [w for w in waits if abs(w.entered - entered) <= SAME_ENTRY_MS]
    return min(near, key=lambda w: abs(w.entered - entered), default=None)


def decide_wait(entered: int, called_at: int | None, lost_at: int | None, threshold_ms: int) -> tuple[int, bool] | None:
    """Decide one ticket at entered + threshold: (that instant, called by then), ms; the service level of Q-04.

    None when the ticket was lost (abandoned, no-show, end of day) before that instant.  Whatever happens later
    never changes the decision, and a ticket that still waits has missed.
    """
    decided_at = entered + threshold_ms
    if lost_at is not None and lost_at < decided_at:
        return None
    return decided_at, called_at is not None and called_at <= decided_at


def _decisions(wait: TicketWait, window: Window) -> Iterable[tuple[int, str]]:
    for threshold_s in SERVICE_LEVEL_THRESHOLDS_S:
        decided_at = wait.entered + threshold_s * 1000
        if not window.start <= decided_at < window.end or wait.first_reported > decided_at:
            continue
        outcome = decide_wait(wait.entered, wait.called, wait.lost_at, threshold_s * 1000)
        if outcome is not None:
            yield decided_at, f"level_{'good' if outcome[1] else 'bad'}_{threshold_s}"
