"""Follows tickets through their segments, one for each queue that they wait in: calls, the way to the counter, ends.

What an event adds depends on events of its ticket at most SEGMENT_REACH_MS earlier, so that a fold of any window gives
the same sums.  It must use no states and no calendar.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import SLOT, floor
from telemetry.core.fold.counters import duration_counts, event_counts
from telemetry.core.fold.event_spans import SAME_ENTRY_MS, SEGMENT_REACH_MS
from telemetry.core.fold.totals import add_to_sums
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from telemetry.core.calendar.windows import Window
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.totals import SumsBySlot

Counts = dict[str, int]
_FREQUENT_DEVICE_EVENTS: frozenset[type[ev.Event]] = frozenset({ev.DeviceHeartbeat, ev.DeviceContact})
"""Most of a centre's events; none of them is of a ticket."""


@dataclass(slots=True)
class _Segment:
    """One ticket in one service since `entered`: when it was seen to enter, booked, called and last ended, Unix ms."""

    entered: int
    seen_entering: int | None = None
    booked: int | None = None
    calls: list[int] = field(default_factory=list)
    finished: int | None = None

    def calls_before(self, t: int) -> list[int]:
        """Return the calls at most SEGMENT_REACH_MS before `t`."""
        return [call for call in self.calls if call >= t - SEGMENT_REACH_MS]

    def has_entry_before(self, t: int) -> bool:
        """Return whether it was seen to enter at most SEGMENT_REACH_MS (and a clock's difference) before `t`."""
        return self.seen_entering is not None and self.seen_entering >= t - SEGMENT_REACH_MS - SAME_ENTRY_MS

    def incomplete_counts(self, t: int, *, needs_call: bool) -> Counts:
        """Return one when an end at `t` has no entry or no call; a visit longer than SEGMENT_REACH_MS is not judged."""
        if t - self.entered > SEGMENT_REACH_MS:
            return {}
        return {} if self.has_entry_before(t) and (not needs_call or self.calls_before(t)) else {"incomplete": 1}


class TicketSegments:
    """The segments of a centre's tickets, updated event by event in the order of `t`."""

    def __init__(self) -> None:
        self._segments: dict[tuple[str, str], _Segment] = {}
        self._count_by_type: dict[type[ev.Event], Callable[[Any], Counts]] = {
            ev.TicketIssued: self._count_issue,
            ev.TicketCalled: self._count_call,
            ev.TicketRecalled: self._count_recall,
            ev.TicketServingStarted: self._count_way,
            ev.TicketTransferred: self._count_transfer,
            ev.TicketFinished: self._count_finish,
            ev.TicketNoShow: self._count_no_show,
            ev.TicketAbandoned: self._count_loss,
            ev.TicketClosedEod: self._count_loss,
        }

    def counts(self, event: ev.Event) -> Counts:
        """Apply an event; return what it adds to the sums of its service in the interval of its `t`."""
        return self._count_by_type.get(event.__class__, event_counts)(event)

    def _segment_of(self, event: Any) -> _Segment:  # noqa: ANN401
        return self._segment_since(event.ticket, event.service, event.entered)

    def _segment_since(self, ticket: str, service: str, entered: int) -> _Segment:
        segment = self._segments.get((ticket, service))
        if segment is None or abs(segment.entered - entered) > SAME_ENTRY_MS:
            segment = self._segments[ticket, service] = _Segment(entered)
        segment.entered = entered
        return segment

    def _count_issue(self, event: ev.TicketIssued) -> Counts:
        segment = self._segment_since(event.ticket, event.service, event.t)
        segment.seen_entering, segment.booked = event.t, event.booked
        counts = event_counts(event)
        return counts if event.booked is None else counts | {"issued_booked": 1}

    def _count_call(self, event: ev.TicketCalled) -> Counts:
        """Only the first call of a segment ends a wait: a ticket that returns to its queue is called again."""
        segment = self._segment_of(event)
        is_repeated = bool(segment.calls_before(event.t))
        segment.calls.append(event.t)
        if is_repeated:
            return {"recalled": 1}
        if segment.booked is None or not segment.has_entry_before(event.t):
            return event_counts(event)
        return _booked_call_counts(event, segment.booked)

    def _count_recall(self, event: ev.TicketRecalled) -> Counts:
        self._segment_of(event).calls.append(event.t)
        return {"recalled": 1}

    def _count_way(self, event: ev.TicketServingStarted) -> Counts:
        """The way is measured from the last call."""
        last_call = max([event.called, *self._segment_of(event).calls_before(event.t)])
        counts = duration_counts("way", event.t - last_call)
        return counts | {"way_count": 1} if event.t >= last_call else counts

    def _count_transfer(self, event: ev.TicketTransferred) -> Counts:
        counts = event_counts(event) | self._segment_of(event).incomplete_counts(event.t, needs_call=False)
        self._segment_since(event.ticket, event.to_service, event.t).seen_entering = event.t
        return counts

    def _count_finish(self, event: ev.TicketFinished) -> Counts:
        """A second end of one segment is a double closing: it serves nobody."""
        segment = self._segment_of(event)
        is_repeated = segment.finished is not None and event.t - segment.finished <= SEGMENT_REACH_MS
        segment.finished = event.t
        if is_repeated:
            return {"double_closed": 1}
        counts = event_counts(event) | segment.incomplete_counts(event.t, needs_call=True)
        calls = [t for t in segment.calls_before(event.t) if t <= (event.started or event.t)]
        if len(calls) > 1:
            counts |= {"recall_delay_count": 1, "recall_delay_sum_ms": calls[-1] - calls[0]}
        return counts

    def _count_no_show(self, event: ev.TicketNoShow) -> Counts:
        return event_counts(event) | self._segment_of(event).incomplete_counts(event.t, needs_call=True)

    def _count_loss(self, event: ev.TicketAbandoned | ev.TicketClosedEod) -> Counts:
        return event_counts(event) | self._segment_of(event).incomplete_counts(event.t, needs_call=False)


def _booked_call_counts(event: ev.TicketCalled, booked: int) -> Counts:
    """With an appointment the wait begins at the later of arrival and booked time; who is called before has not waited.

    It is also counted apart from the waits of those who walked in.
    """
    wait_ms = event.t - max(event.entered, min(booked, event.t))
    counts = {"called": 1, **duration_counts("wait", wait_ms)}
    return counts | {"booked_wait_count": 1, "booked_wait_sum_ms": wait_ms} if wait_ms >= 0 else counts


def desk_counts(events: Iterable[SourcedEvent], window: Window) -> dict[str, SumsBySlot]:
    """Return what a centre's events (without repeats, sorted by t) add to each service's totals in the window.

    A transfer counts in the service that it leaves, and as `transferred_in` in the one where its new segment waits.
    """
    out: dict[str, SumsBySlot] = {}
    segments = TicketSegments()
    for s in events:
        event = s.event
        if event.__class__ in _FREQUENT_DEVICE_EVENTS:
            continue
        service = getattr(event, "service", None)
        if service is None:
            continue
        counts = segments.counts(event)
        if not window.start <= event.t < window.end:
            continue
        slot = floor(event.t, SLOT)
        if counts:
            add_to_sums(out.setdefault(service, {}).setdefault(slot, {}), counts)
        if isinstance(event, ev.TicketTransferred):
            add_to_sums(out.setdefault(event.to_service, {}).setdefault(slot, {}), {"transferred_in": 1})
    return out
