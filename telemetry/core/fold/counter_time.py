"""The time of a centre's counters: busy with tickets, open, on the roster, and the centre's online-only mode. Pure.

A counter is busy while it serves: from the start of a service (or its call) to its end, without holds; time in which it
serves two tickets counts once.  Busy and open time count only where the counter's state is known; `counter_service_ms`
is all of its busy time.  It must use no calendar: opening hours are applied where totals are read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, difference, intersection, merge
from telemetry.core.fold import states
from telemetry.core.fold.event_spans import ROSTER_REACH_MS, STATE_GRACE_MS, TICKET_LOOKBACK_MS, grace_ms
from telemetry.core.fold.states import StateReport
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.totals import SumsBySlot

_OPEN_STATES = ("open", "serving")
WindowsByCounter = dict[str, list[Window]]
RELATED_TYPES = ("ticket.finished", "ticket.transferred", "ticket.held", "ticket.resumed", "schedule.published")
"""The events that say something of the time up to TICKET_LOOKBACK_MS before or after them."""


@dataclass(slots=True)
class _Records:
    """What the events say, by counter: reports of its state, services, roster; holds by ticket; modes of the centre."""

    reports: dict[str, list[StateReport]] = field(default_factory=lambda: defaultdict(list))
    services: list[ev.TicketFinished | ev.TicketTransferred] = field(default_factory=list)
    holds: dict[str, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    roster: WindowsByCounter = field(default_factory=lambda: defaultdict(list))
    modes: list[StateReport] = field(default_factory=list)
    heartbeat_until: dict[str, int] = field(default_factory=dict)

    def record_all(self, events: Iterable[SourcedEvent]) -> None:
        """Take events in the order of `t`; most of them say nothing of counters, which must cost next to nothing."""
        record_by_type: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.CounterState: self._record_state,
            ev.CentreModeSet: self._record_mode,
            ev.TicketFinished: self._record_finish,
            ev.TicketTransferred: self.services.append,
            ev.TicketHeld: self._record_hold,
            ev.TicketResumed: self._record_hold,
            ev.SchedulePublished: self._record_roster,
        }
        for s in events:
            event = s.event
            event_type = event.__class__
            if event_type is ev.DeviceHeartbeat:
                if event.counters or event.mode is not None:  # type: ignore[attr-defined]
                    self._record_heartbeat(event)  # type: ignore[arg-type]
            elif event_type in record_by_type:
                record_by_type[event_type](event)

    def _record_heartbeat(self, event: ev.DeviceHeartbeat) -> None:
        t, validity_ms = event.t, grace_ms(event.every_ms)
        if event.mode is not None:
            self.modes.append(_report(t, event.mode == "online_only", validity_ms))
        up, down = _report(t, True, validity_ms), _report(t, False, validity_ms)  # noqa: FBT003
        for counter in event.counters:
            self.heartbeat_until[counter.counter] = t + validity_ms
            self.reports[counter.counter].append(up if counter.state in _OPEN_STATES else down)

    def _record_state(self, event: ev.CounterState) -> None:
        validity_ms = max(STATE_GRACE_MS, self.heartbeat_until.get(event.counter, 0) - event.t)
        self.reports[event.counter].append(_report(event.t, event.state in _OPEN_STATES, validity_ms))

    def _record_mode(self, event: ev.CentreModeSet) -> None:
        self.modes.append(_report(event.t, event.mode == "online_only", ev.MAX_GRACE_MS))

    def _record_finish(self, event: ev.TicketFinished) -> None:
        if event.quality == "ok":
            self.services.append(event)

    def _record_hold(self, event: ev.TicketHeld | ev.TicketResumed) -> None:
        self.holds[event.ticket].append((event.t, isinstance(event, ev.TicketHeld)))

    def _record_roster(self, event: ev.SchedulePublished) -> None:
        start = max(event.opens, event.t - TICKET_LOOKBACK_MS)
        end = min(event.closes, event.t + ROSTER_REACH_MS)
        if start < end:
            self.roster[event.counter].append(Window(start, end))

    def busy_windows(self) -> WindowsByCounter:
        """Return when each counter served, without holds; windows may overlap."""
        out: WindowsByCounter = defaultdict(list)
        for event in self.services:
            begin, holds = _begin_of(event), self.holds.get(event.ticket, ())
            if event.counter is None or begin is None or begin >= event.t:
                continue
            start, end = max(begin, event.t - TICKET_LOOKBACK_MS), event.t
            on_hold = _hold_windows(holds, begin, end)
            if not on_hold and isinstance(event, ev.TicketFinished):
                end = max(start, end - event.held_ms)  # a hold whose time nobody reported is taken as the last
            whole = Window(start, end)
            out[event.counter] += difference([whole], on_hold) if on_hold else [whole]
        return out


def _begin_of(event: ev.TicketFinished | ev.TicketTransferred) -> int | None:
    return (event.started or event.called) if isinstance(event, ev.TicketFinished) else event.called


def _report(t: int, is_up: bool, validity_ms: int) -> StateReport:  # noqa: FBT001
    return StateReport(t, "up" if is_up else "down", validity_ms)


def _hold_windows(holds: Iterable[tuple[int, bool]], start: int, end: int) -> list[Window]:
    """Return the holds within a service; one that is not resumed lasts to its end."""
    out: list[Window] = []
    since: int | None = None
    for t, begins in holds:
        if not start <= t <= end:
            continue
        if begins and since is None:
            since = t
        elif not begins and since is not None:
            out.append(Window(since, t))
            since = None
    return out if since is None else [*out, Window(since, end)]


def counter_sums(events: Iterable[SourcedEvent], window: Window) -> SumsBySlot:
    """Return the sums of `totals.COUNTER_FIELDS` in the window, where they are above 0.

    `events` are without repeats, sorted by t, and reach as far beyond the window as RELATED_TYPES need.
    """
    records = _Records()
    records.record_all(events)
    parts = _parts(records)
    sums_by_slot: SumsBySlot = {}
    for name, windows in parts.items():
        weighted = [(w.start, w.end, 1) for w in windows]
        for slot, length_ms in states.spread_over_slots(weighted, window).items():
            sums_by_slot.setdefault(slot, {})[name] = length_ms
    return sums_by_slot


def _parts(records: _Records) -> Mapping[str, list[Window]]:
    online_only = [
        Window(s.start, s.end) for s in states.build_segments(records.modes) if s.state == "up"
    ]  # fmt: skip
    parts: dict[str, list[Window]] = defaultdict(list, {"online_only_ms": online_only})
    busy_by_counter = records.busy_windows()
    for counter in {*busy_by_counter, *records.reports, *records.roster}:
        segments = states.build_segments(records.reports.get(counter, ()))
        busy = merge(busy_by_counter.get(counter, ()))
        known = [Window(s.start, s.end) for s in segments]
        known_busy = intersection(busy, known)
        opened = merge([*known_busy, *(Window(s.start, s.end) for s in segments if s.state == "up")])
        rostered = difference(records.roster.get(counter, ()), online_only)
        parts["counter_service_ms"] += busy
        parts["counter_known_ms"] += known
        parts["counter_busy_ms"] += known_busy
        parts["counter_open_ms"] += opened
        parts["counter_rostered_ms"] += rostered
        parts["counter_open_rostered_ms"] += intersection(opened, rostered)
    return parts
