"""What time an event speaks about, and so which hours it makes dirty. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry.core import events as ev
from telemetry.core.windows import HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def dirty(said: Iterable[tuple[str, ev.Event]]) -> list[tuple[str, int, int]]:
    """Return (unit, start, end) in whole hours that the events touch, joined and sorted."""
    cells: set[tuple[str, int]] = set()
    for unit, event in said:
        start, end = _SPANS.get(type(event), _moment)(event)
        first, last = start // HOUR, (end - 1) // HOUR
        cells.add((unit, first))
        if last > first:
            cells.update((unit, hour) for hour in range(first + 1, last + 1))
    out: list[tuple[str, int, int]] = []
    for unit, number in sorted(cells):
        hour = number * HOUR
        if out and out[-1][0] == unit and out[-1][2] == hour:
            out[-1] = (unit, out[-1][1], hour + HOUR)
        else:
            out.append((unit, hour, hour + HOUR))
    return out
