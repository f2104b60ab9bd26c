"""The service level of a desk: each wait decided at entry + X, still waiting is a miss; it must not divide. Pure.

A decision at the moment m uses only what was said up to m (`measures.decision`), so a window's decisions are the same
whatever else is read.  Moments that are still to come say "missed" of everybody who waits now; a call in time folds
them again, and readers cut at the present.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telemetry.core.calendar.windows import FIVE, Window, floor
from telemetry.core.fold.event_spans import SAME_ENTRY_MS
from telemetry.core.fold.totals import LEVELS_S
from telemetry.core.protocol import events as ev
from telemetry.core.slo.measures import decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.fold.sourced_event import Said

Marks = dict[int, dict[str, int]]
_LOST = (ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod, ev.TicketTransferred)
"""What leaves a wait uncounted when it comes before its decision (domain.md Q-04); a transfer only without a call."""
Key = tuple[str, str]
"""Ticket and service."""


@dataclass(slots=True)
class Wait:
    """One wait (Unix ms): when it began, when it was first heard of, called, lost, and transferred."""

    entered: int
    heard: int
    called: int | None = None
    lost: int | None = None
    moved: int | None = None

    @property
    def gone(self) -> int | None:
        """Return when it was lost: a transfer after a call ends the service, not the wait."""
        uncalled = self.moved is not None and (self.called is None or self.moved < self.called)
        ends = [t for t in (self.lost, self.moved if uncalled else None) if t is not None]
        return min(ends, default=None)


@dataclass(slots=True)
class _Told:
    """What was said of one ticket in one service: when waits began, and (entered, t, what) of what ended them."""

    begun: set[int] = field(default_factory=set)
    ended: list[tuple[int, int, str]] = field(default_factory=list)


def service_levels(said: Iterable[Said], window: Window) -> dict[str, Marks]:
    """Return by service and 5-minute mark how many waits were met and missed, at moments in the window."""
    told: dict[Key, _Told] = defaultdict(_Told)
    for s in said:
        _hear(told, s.event)
    out: dict[str, Marks] = {}
    for (_, service), one in told.items():
        for wait in _waits(one):
            for moment, name in _decided(wait, window):
                sums = out.setdefault(service, {}).setdefault(floor(moment, FIVE), {})
                sums[name] = sums.get(name, 0) + 1
    return out


def _hear(told: dict[Key, _Told], event: ev.Event) -> None:
    if isinstance(event, ev.TicketIssued):
        told[event.ticket, event.service].begun.add(event.t)
    elif isinstance(event, ev.TicketCalled) and not _ahead(event):
        told[event.ticket, event.service].ended.append((event.entered, event.t, "called"))
    elif isinstance(event, _LOST) and not _ahead(event):
        what = "moved" if isinstance(event, ev.TicketTransferred) else "lost"
        told[event.ticket, event.service].ended.append((event.entered, event.t, what))
    if isinstance(event, ev.TicketTransferred):
        told[event.ticket, event.to_service].begun.add(event.t)


def _ahead(event: Any) -> bool:  # noqa: ANN401
    """Tell whether the entry lies further after the event than clocks differ: such an event decides nothing."""
    return bool(event.entered > event.t + SAME_ENTRY_MS)


def _waits(told: _Told) -> Iterable[Wait]:
    """Join what was told to the waits it speaks of.

    The desk's clock may say a little another entry than the kiosk that issued the ticket: up to a minute is one wait.
    """
    waits: list[Wait] = []
    for start in sorted(told.begun):
        if not waits or start - waits[-1].entered > SAME_ENTRY_MS:
            waits.append(Wait(start, start))
    own = len(waits)
    for entered, t, what in sorted(told.ended):
        wait = _nearest(waits[:own], entered) or next((w for w in waits[own:] if w.entered == entered), None)
        if wait is None:
            wait = Wait(entered, t)
            waits.append(wait)
        wait.heard = min(wait.heard, t)
        known = getattr(wait, what)
        setattr(wait, what, t if known is None else min(known, t))
    return waits


def _nearest(waits: list[Wait], entered: int) -> Wait | None:
    near = [w for w in waits if abs(w.entered - entered) <= SAME_ENTRY_MS]
    return min(near, key=lambda w: abs(w.entered - entered), default=None)


def _decided(wait: Wait, window: Window) -> Iterable[tuple[int, str]]:
    for level in LEVELS_S:
        moment = wait.entered + level * 1000
        if not window.start <= moment < window.end or wait.heard > moment:
            continue
        found = decision(wait.entered, wait.called, wait.gone, level * 1000)
        if found is not None:
            yield moment, f"level_{'good' if found[1] else 'bad'}_{level}"
