"""What time an event speaks about, and so which hours it makes dirty. Pure."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from telemetry.core import events as ev
from telemetry.core.windows import HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LOOK_BACK_MS = 4 * HOUR
"""Longest wait or service a fold follows back, ms."""
STATE_GRACE_MS = 150_000
"""How long a state change without a heartbeat is believed, ms."""
CONTACT_GRACE_MS = 150_000
"""How long one minute's contact is believed, ms."""


def grace(every_ms: int) -> int:
    """Return how long one report is believed: two intervals and 30 s of jitter (slo.md 2.2, m = 2)."""
    return 2 * every_ms + 30_000


def span(event: ev.Event) -> Window:
    """Return the half-open time the event speaks about; at least 1 ms."""
    return Window(*_SPANS.get(type(event), _moment)(event))


Times = tuple[int, int]


def _moment(event: ev.Event) -> Times:
    return event.t, event.t + 1


def _reported(event: ev.DeviceHeartbeat | ev.ProbeResult | ev.LinkState) -> Times:
    return event.t, event.t + grace(event.every_ms)


def _state(event: ev.Event) -> Times:
    return event.t, event.t + STATE_GRACE_MS


def _cutting(event: ev.Event) -> Times:
    """It may cut short a longer belief."""
    return event.t, event.t + ev.MAX_GRACE_MS


def _status(event: ev.Event) -> Times:
    """A birth decides which deaths count, see `fold`."""
    return event.t, event.t + 2 * ev.MAX_GRACE_MS


def _waited(event: Any) -> Times:  # noqa: ANN401
    return _since(event.entered, event.t)


def _served(event: ev.TicketFinished) -> Times:
    return _since(event.called, event.t)


def _period(event: ev.ConnectorStats) -> Times:
    return _since(event.t - event.period_ms, event.t)


def _since(start: int, t: int) -> Times:
    """The event's own moment always belongs to the span, even when the clocks disagree."""
    return max(min(start, t), t - LOOK_BACK_MS, 0), t + 1


_SPANS: dict[type[ev.Event], Callable[[Any], Times]] = {
    ev.DeviceHeartbeat: _reported, ev.ProbeResult: _reported, ev.LinkState: _reported,
    ev.DisplayState: _state, ev.CounterState: _state,
    ev.KioskState: _cutting, ev.DeviceContact: _cutting, ev.DeviceStatus: _status,
    ev.TicketCalled: _waited, ev.TicketRecalled: _waited, ev.TicketServingStarted: _waited,
    ev.TicketTransferred: _waited, ev.TicketAbandoned: _waited, ev.TicketNoShow: _waited,
    ev.TicketClosedEod: _waited, ev.TicketFinished: _served, ev.ConnectorStats: _period,
}  # fmt: skip
"""How to tell an event's time by its type; a table, because ingest asks 100,000 times a second."""
_T, _ENTERED = attrgetter("t"), attrgetter("entered")
_REACH: dict[type[ev.Event], tuple[Callable[[Any], int], int]] = {
    ev.TicketIssued: (_T, 0), ev.TicketCalled: (_ENTERED, 0), ev.TicketAbandoned: (_ENTERED, 0),
    ev.TicketFinished: (attrgetter("called"), 0), ev.DeviceHeartbeat: (_T, ev.MAX_GRACE_MS),
    ev.CounterState: (_T, STATE_GRACE_MS), ev.DeviceContact: (_T, ev.MAX_GRACE_MS),
}  # fmt: skip
"""The frequent types: where the span begins, and how far at most it ends after `t`, ms."""


def dirty(said: Iterable[tuple[str, ev.Event]]) -> list[tuple[str, int, int]]:
    """Return (unit, start, end) in whole hours that the events touch, joined and sorted."""
    return _joined(_cells(said))


def _cells(said: Iterable[tuple[str, ev.Event]]) -> set[tuple[str, int]]:
    cells: set[tuple[str, int]] = set()
    for unit, event in said:
        start, end = _SPANS.get(event.__class__, _moment)(event)
        first, last = start // HOUR, (end - 1) // HOUR
        cells.add((unit, first))
        if last > first:
            cells.update((unit, hour) for hour in range(first + 1, last + 1))
    return cells


def dirty_frames(frames: Iterable[tuple[str, Sequence[ev.Event]]]) -> list[tuple[str, int, int]]:
    """Return what `dirty` does, for (centre, events of one frame); fast where a frame's events lie close together."""
    cells: set[tuple[str, int]] = set()
    rest: list[tuple[str, ev.Event]] = []
    for centre, events in frames:
        hours = _easily(events)
        if hours is None:
            rest += [(ev.unit_of(centre, event), event) for event in events]
        else:
            cells.update((centre, hour) for hour in hours)
    return _joined(cells | _cells(rest))


def _easily(events: Sequence[ev.Event]) -> tuple[int, ...] | None:
    """Return the hours that all spans together touch, when that is easily told: one, or two neighbours."""
    kinds = {event.__class__ for event in events}
    if len(kinds) != 1:
        return None
    start_of, reach = _REACH.get(kinds.pop(), (None, 0))
    if start_of is None:
        return None
    times = [event.t for event in events]
    first, last = min(*map(start_of, events), *times) // HOUR, (max(times) + reach) // HOUR
    if first == last:
        return (first,)
    return (first, last) if last == first + 1 and not reach else None


def _joined(cells: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    out: list[tuple[str, int, int]] = []
    for unit, number in sorted(cells):
        hour = number * HOUR
        if out and out[-1][0] == unit and out[-1][2] == hour:
            out[-1] = (unit, out[-1][1], hour + HOUR)
        else:
            out.append((unit, hour, hour + HOUR))
    return out
