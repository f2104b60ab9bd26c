"""What time an event speaks about, and so which hours it makes dirty. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core import events as ev
from telemetry.core.windows import HOUR, Window, floor

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOK_BACK_MS = 4 * HOUR
"""Longest wait or service a fold follows back, ms."""
STATE_GRACE_MS = 150_000
"""How long a state change without a heartbeat is believed, ms."""
CONTACT_GRACE_MS = 150_000
"""How long one minute's contact is believed, ms."""


def grace(every_ms: int) -> int:
    """Return how long one report is believed: two intervals and 30 s of jitter (slo.md 2.2, m = 2)."""
    return 2 * every_ms + 30_000


def span(event: ev.Event) -> Window:  # noqa: PLR0911
    """Return the half-open time the event speaks about; at least 1 ms."""
    t = event.t
    match event:
        case ev.DeviceHeartbeat() | ev.ProbeResult() | ev.LinkState():
            return Window(t, t + grace(event.every_ms))
        case ev.DisplayState() | ev.CounterState():
            return Window(t, t + STATE_GRACE_MS)
        case ev.KioskState() | ev.DeviceContact():
            return Window(t, t + ev.MAX_GRACE_MS)  # they may cut short a longer belief
        case ev.DeviceStatus():
            return Window(t, t + 2 * ev.MAX_GRACE_MS)  # a birth decides which deaths count, see `fold`
        case ev.TicketFinished():
            return _since(event.called, t)
        case (
            ev.TicketCalled() | ev.TicketRecalled() | ev.TicketServingStarted() | ev.TicketTransferred()
            | ev.TicketAbandoned() | ev.TicketNoShow() | ev.TicketClosedEod()
        ):  # fmt: skip
            return _since(event.entered, t)
        case ev.ConnectorStats():
            return _since(t - event.period_ms, t)
        case _:
            return Window(t, t + 1)


def _since(start: int, t: int) -> Window:
    """The event's own moment always belongs to the span, even when the clocks disagree."""
    return Window(max(min(start, t), t - LOOK_BACK_MS, 0), t + 1)


def dirty(said: Iterable[tuple[str, ev.Event]]) -> list[tuple[str, int, int]]:
    """Return (unit, start, end) in whole hours that the events touch, joined and sorted."""
    cells: set[tuple[str, int]] = set()
    for unit, event in said:
        window = span(event)
        for hour in range(floor(window.start, HOUR), window.end, HOUR):
            cells.add((unit, hour))
    out: list[tuple[str, int, int]] = []
    for unit, hour in sorted(cells):
        if out and out[-1][0] == unit and out[-1][2] == hour:
            out[-1] = (unit, out[-1][1], hour + HOUR)
        else:
            out.append((unit, hour, hour + HOUR))
    return out
