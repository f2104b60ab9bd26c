"""The time span an event affects, and so which hours become dirty. Pure."""

from __future__ import annotations

from operator import attrgetter, gt
from typing import TYPE_CHECKING, Any

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

TICKET_LOOKBACK_MS = 4 * HOUR
"""Longest wait or service a fold follows back, ms."""
STATE_GRACE_MS = 150_000
"""How long a state change without a heartbeat is valid, ms."""
CONTACT_GRACE_MS = 150_000
"""How long one minute's contact is valid, ms."""
WILL_VALIDITY_MS = ev.MAX_GRACE_MS
"""How long a Last Will is valid, ms: as long as any report may be, so that a fold looks no further back for states."""
SAME_ENTRY_MS = 60_000
"""Entries of one ticket into one service so close together are one wait: kiosk and desk have clocks of their own."""
SERVICE_LEVEL_REACH_MS = 3_600_000 + 2 * SAME_ENTRY_MS
"""How long after a ticket's entry its wait is still decided: the longest threshold of the service level, ms."""

SEGMENT_REACH_MS = HOUR
"""How long after an event of a ticket its later ones may depend on it (`ticket_segments`), ms."""

ROSTER_REACH_MS = 24 * HOUR
"""How long after its publication a roster counts, ms."""


def grace_ms(every_ms: int) -> int:
    """Return how long one report is valid: two intervals and 30 s of jitter (slo.md 2.2, m = 2)."""
    return 2 * every_ms + 30_000


StartEnd = tuple[int, int]


def _span_from_t(reach_ms: int) -> Callable[[Any], StartEnd]:
    """Return the span of events that affect the time from `t` on, up to `reach_ms` ms later."""
    return lambda event: (event.t, event.t + reach_ms)


_instant_span = _span_from_t(1)
_state_span = _span_from_t(STATE_GRACE_MS)
# It may lie in a service of any length.
_hold_span = _span_from_t(TICKET_LOOKBACK_MS + 1)
# It may end the validity of an earlier report.
_superseding_span = _span_from_t(ev.MAX_GRACE_MS)
# A birth determines which deaths are valid, see `device_states`.
_status_span = _span_from_t(2 * ev.MAX_GRACE_MS)
# The wait of an entry is decided up to the longest threshold later.
_entry_span = _span_from_t(SERVICE_LEVEL_REACH_MS + 1)


def _wait_span(event: Any) -> StartEnd:  # noqa: ANN401
    return _clamped_span(event.entered, event.t)


def _decision_span(event: Any) -> StartEnd:  # noqa: ANN401
    """An entry further ahead than the clock tolerance is ignored (`service_levels`); its span is bounded."""
    start, end = _clamped_span(event.entered, event.t)
    return start, max(end, min(event.entered, event.t + SAME_ENTRY_MS) + SERVICE_LEVEL_REACH_MS + 1)


def _call_span(event: Any) -> StartEnd:  # noqa: ANN401
    """It may be the call that the way to the counter begins with, and that a later call repeats."""
    start, end = _decision_span(event)
    return start, max(end, event.t + SEGMENT_REACH_MS + 1)


def _recall_span(event: Any) -> StartEnd:  # noqa: ANN401
    return _clamped_span(event.entered, event.t)[0], event.t + SEGMENT_REACH_MS + 1


def _transfer_span(event: ev.TicketTransferred) -> StartEnd:
    """It ends one wait and begins another."""
    return _clamped_span(event.entered, event.t)[0], event.t + SERVICE_LEVEL_REACH_MS + 1


def _service_span(event: ev.TicketFinished) -> StartEnd:
    """A later end of the same ticket is a double closing."""
    return _clamped_span(event.called, event.t)[0], event.t + SEGMENT_REACH_MS + 1


def _roster_span(event: ev.SchedulePublished) -> StartEnd:
    """From its publication to its end: a roster is published at most ROSTER_REACH_MS ahead."""
    return _clamped_span(event.opens, event.t)[0], max(event.t + 1, min(event.closes, event.t + ROSTER_REACH_MS))


def _period_span(event: ev.ConnectorStats) -> StartEnd:
    return _clamped_span(event.t - event.period_ms, event.t)


def _clamped_span(start: int, t: int) -> StartEnd:
    """The event's own time always belongs to the span, even when the clocks disagree."""
    return max(min(start, t), t - TICKET_LOOKBACK_MS, 0), t + 1


_SPAN_BY_TYPE: dict[type[ev.Event], Callable[[Any], StartEnd]] = {
    ev.DeviceHeartbeat: _superseding_span, ev.ProbeResult: _superseding_span, ev.LinkState: _superseding_span,
    ev.DisplayState: _state_span, ev.CounterState: _superseding_span, ev.CentreModeSet: _superseding_span,
    ev.SchedulePublished: _roster_span, ev.TicketHeld: _hold_span, ev.TicketResumed: _hold_span,
    ev.KioskState: _superseding_span, ev.DeviceContact: _superseding_span, ev.DeviceStatus: _status_span,
    ev.TicketIssued: _entry_span, ev.TicketCalled: _call_span, ev.TicketRecalled: _recall_span,
    ev.TicketServingStarted: _wait_span,
    ev.TicketTransferred: _transfer_span, ev.TicketAbandoned: _decision_span, ev.TicketNoShow: _decision_span,
    ev.TicketClosedEod: _decision_span, ev.TicketFinished: _service_span, ev.ConnectorStats: _period_span,
}  # fmt: skip
"""The span by type of event; a table, because ingest looks up 100,000 a second."""
_REACH_BY_TYPE: dict[type[ev.Event], int] = {
    ev.DeviceHeartbeat: ev.MAX_GRACE_MS, ev.CounterState: ev.MAX_GRACE_MS, ev.DeviceContact: ev.MAX_GRACE_MS,
}  # fmt: skip
"""The frequent types of devices: how long their span lasts from `t`, ms."""
_GET_T, _GET_ENTERED = attrgetter("t"), attrgetter("entered")
_TICKET_REACH_BY_TYPE: dict[type[ev.Event], tuple[Callable[[Any], int], int, int]] = {
    ev.TicketIssued: (_GET_T, SERVICE_LEVEL_REACH_MS, 0),
    ev.TicketCalled: (_GET_ENTERED, SERVICE_LEVEL_REACH_MS, SEGMENT_REACH_MS),
    ev.TicketAbandoned: (_GET_ENTERED, SERVICE_LEVEL_REACH_MS, 0),
    ev.TicketFinished: (attrgetter("called"), 0, SEGMENT_REACH_MS),
}
"""The frequent types of tickets: where the span begins, and how long it lasts at least from there and from `t`, ms.
Each span touches two hours at least."""


def event_span(event: ev.Event) -> Window:
    """Return the half-open window the event affects; at least 1 ms."""
    return Window(*_SPAN_BY_TYPE.get(type(event), _instant_span)(event))


def dirty_hours(events: Iterable[tuple[str, ev.Event]]) -> list[tuple[str, int, int]]:
    """Return (entity, start, end) in whole hours that the events touch, joined and sorted."""
    return _merge_hours(_entity_hours(events))


def _entity_hours(events: Iterable[tuple[str, ev.Event]]) -> set[tuple[str, int]]:
    entity_hours: set[tuple[str, int]] = set()
    for entity, event in events:
        start, end = _SPAN_BY_TYPE.get(event.__class__, _instant_span)(event)
        first, last = start // HOUR, (end - 1) // HOUR
        entity_hours.add((entity, first))
        if last > first:
            entity_hours.update((entity, hour) for hour in range(first + 1, last + 1))
    return entity_hours


def dirty_hours_of_frames(frames: Iterable[tuple[str, Sequence[ev.Event]]]) -> list[tuple[str, int, int]]:
    """Return what `dirty_hours` does, for (centre, events of one frame); fast where these are close in time."""
    entity_hours: set[tuple[str, int]] = set()
    remaining: list[tuple[str, ev.Event]] = []
    for centre, events in frames:
        hours = _fast_path_hours(events)
        if hours is None:
            remaining += [(ev.entity_of(centre, event), event) for event in events]
        else:
            entity_hours.update((centre, hour) for hour in hours)
    return _merge_hours(entity_hours | _entity_hours(remaining))


def _fast_path_hours(events: Sequence[ev.Event]) -> tuple[int, ...] | None:
    """Return the hours that all spans together touch, when that is quick to compute: one, or a few neighbours."""
    event_types = {event.__class__ for event in events}
    if len(event_types) != 1:
        return None
    event_type = event_types.pop()
    times = [event.t for event in events]
    if event_type in _TICKET_REACH_BY_TYPE:
        return _ticket_hours(times, events, *_TICKET_REACH_BY_TYPE[event_type])
    reach = _REACH_BY_TYPE.get(event_type)
    if reach is None:
        return None
    first, last = min(times) // HOUR, (max(times) + reach) // HOUR
    return (first,) if first == last else None


def _ticket_hours(
    times: Sequence[int], events: Sequence[ev.Event], get_start: Callable[[Any], int], reach_ms: int, t_reach_ms: int
) -> tuple[int, ...] | None:
    """Spans that touch two hours each leave no gap among three."""
    starts = list(map(get_start, events))
    if any(map(gt, starts, times)):
        return None
    first = min(starts) // HOUR
    last = max(max(times) + t_reach_ms, max(starts) + reach_ms) // HOUR
    return tuple(range(first, last + 1)) if last - first <= 2 else None


def _merge_hours(entity_hours: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    out: list[tuple[str, int, int]] = []
    for entity, number in sorted(entity_hours):
        hour = number * HOUR
        if out and out[-1][0] == entity and out[-1][2] == hour:
            out[-1] = (entity, out[-1][1], hour + HOUR)
        else:
            out.append((entity, hour, hour + HOUR))
    return out
