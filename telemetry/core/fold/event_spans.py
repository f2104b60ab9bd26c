"""What time an event speaks about, and so which hours it makes dirty. Pure."""

from __future__ import annotations

from operator import attrgetter, gt
from typing import TYPE_CHECKING, Any

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LOOK_BACK_MS = 4 * HOUR
"""Longest wait or service a fold follows back, ms."""
STATE_GRACE_MS = 150_000
"""How long a state change without a heartbeat is believed, ms."""
CONTACT_GRACE_MS = 150_000
"""How long one minute's contact is believed, ms."""


SAME_ENTRY_MS = 60_000
"""Entries of one ticket into one service so close together are one wait: kiosk and desk have clocks of their own."""
LEVEL_REACH_MS = 3_600_000 + 2 * SAME_ENTRY_MS
"""How long after a ticket's entry its wait is still decided: the longest threshold of the service level, ms."""


def grace(every_ms: int) -> int:
    """Return how long one report is believed: two intervals and 30 s of jitter (slo.md 2.2, m = 2)."""
    return 2 * every_ms + 30_000


def span(event: ev.Event) -> Window:
    """Return the half-open time the event speaks about; at least 1 ms."""
    return Window(*_SPANS.get(type(event), _moment)(event))


Times = tuple[int, int]


def _moment(event: ev.Event) -> Times:
    return event.t, event.t + 1


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


def _entered(event: ev.Event) -> Times:
    """Its wait is decided up to the longest threshold later."""
    return event.t, event.t + LEVEL_REACH_MS + 1


def _decides(event: Any) -> Times:  # noqa: ANN401
    """An entry further ahead than clocks differ decides nothing (`service_levels`), and must not reach for ever."""
    start, end = _since(event.entered, event.t)
    return start, max(end, min(event.entered, event.t + SAME_ENTRY_MS) + LEVEL_REACH_MS + 1)


def _moved(event: ev.TicketTransferred) -> Times:
    """It ends one wait and begins another."""
    return _since(event.entered, event.t)[0], event.t + LEVEL_REACH_MS + 1


def _served(event: ev.TicketFinished) -> Times:
    return _since(event.called, event.t)


def _period(event: ev.ConnectorStats) -> Times:
    return _since(event.t - event.period_ms, event.t)


def _since(start: int, t: int) -> Times:
    """The event's own moment always belongs to the span, even when the clocks disagree."""
    return max(min(start, t), t - LOOK_BACK_MS, 0), t + 1


_SPANS: dict[type[ev.Event], Callable[[Any], Times]] = {
    ev.DeviceHeartbeat: _cutting, ev.ProbeResult: _cutting, ev.LinkState: _cutting,
    ev.DisplayState: _state, ev.CounterState: _state,
    ev.KioskState: _cutting, ev.DeviceContact: _cutting, ev.DeviceStatus: _status,
    ev.TicketIssued: _entered, ev.TicketCalled: _decides, ev.TicketRecalled: _waited, ev.TicketServingStarted: _waited,
    ev.TicketTransferred: _moved, ev.TicketAbandoned: _decides, ev.TicketNoShow: _decides,
    ev.TicketClosedEod: _decides, ev.TicketFinished: _served, ev.ConnectorStats: _period,
}  # fmt: skip
"""How to tell an event's time by its type; a table, because ingest asks 100,000 times a second."""
_T, _ENTERED = attrgetter("t"), attrgetter("entered")
_REACH: dict[type[ev.Event], tuple[Callable[[Any], int], int]] = {
    ev.TicketFinished: (attrgetter("called"), 0), ev.DeviceHeartbeat: (_T, ev.MAX_GRACE_MS),
    ev.CounterState: (_T, STATE_GRACE_MS), ev.DeviceContact: (_T, ev.MAX_GRACE_MS),
}  # fmt: skip
"""The frequent types: where the span begins, and how far at most it ends after `t`, ms."""
_LEVELS: dict[type[ev.Event], Callable[[Any], int]] = {
    ev.TicketIssued: _T, ev.TicketCalled: _ENTERED, ev.TicketAbandoned: _ENTERED,
}  # fmt: skip
"""The frequent types whose wait is decided later: when it began.  Each span touches two hours at least."""


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
    """Return the hours that all spans together touch, when that is easily told: one, or a few neighbours."""
    kinds = {event.__class__ for event in events}
    if len(kinds) != 1:
        return None
    kind = kinds.pop()
    times = [event.t for event in events]
    if kind in _LEVELS:
        return _decided(times, list(map(_LEVELS[kind], events)))
    start_of, reach = _REACH.get(kind, (None, 0))
    if start_of is None:
        return None
    first, last = min(*map(start_of, events), *times) // HOUR, (max(times) + reach) // HOUR
    if first == last:
        return (first,)
    return (first, last) if last == first + 1 and not reach else None


def _decided(times: Sequence[int], entered: Sequence[int]) -> tuple[int, ...] | None:
    """Spans that touch two hours each leave no hole among three."""
    if any(map(gt, entered, times)):
        return None
    first = min(*times, *entered) // HOUR
    last = max(*times, max(entered) + LEVEL_REACH_MS) // HOUR
    return tuple(range(first, last + 1)) if last - first <= 2 else None


def _joined(cells: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    out: list[tuple[str, int, int]] = []
    for unit, number in sorted(cells):
        hour = number * HOUR
        if out and out[-1][0] == unit and out[-1][2] == hour:
            out[-1] = (unit, out[-1][1], hour + HOUR)
        else:
            out.append((unit, hour, hour + HOUR))
    return out
