"""Reads an entity's raw events as the fold takes them: without the Wills of connections that are not the newest.

The birth that decides may lie days before the hours that are folded, so it is looked up.  It must not interpret other
events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.fold.counter_time import RELATED_TYPES
from telemetry.core.fold.event_spans import ROSTER_REACH_MS, TICKET_LOOKBACK_MS
from telemetry.core.fold.fold import input_window
from telemetry.core.fold.late_wills import devices_with_unknown_birth, drop_late_wills
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from telemetry.store import Store, StoredEvent


class EventReader:
    """Reads events of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rosters: dict[str, _Rosters] = {}

    def read(self, entity: str, window: Window) -> list[SourcedEvent]:
        """Return the entity's events with t in the window, by t, without late Wills."""
        events = [to_sourced(s) for s in self._store.events(entity, window)]
        unknown = devices_with_unknown_birth(events)
        births = self._store.newest_births(entity, unknown) if unknown else ()
        return drop_late_wills(events, {s.device: s.event.sid for s in births if isinstance(s.event, ev.DeviceStatus)})

    def read_related(
        self, entity: str, window: Window, events: Sequence[SourcedEvent], now: int
    ) -> list[SourcedEvent]:  # fmt: skip
        """Return a centre's events beyond those read to fold the window that say something of its counters' time in it.

        Services that end later, holds of services that began earlier, and rosters published earlier.
        """
        first = input_window(window).start
        later: list[SourcedEvent] = []
        if window.end <= now:
            later = self._read_types(entity, Window(window.end, window.end + TICKET_LOOKBACK_MS), RELATED_TYPES)
        earlier: list[SourcedEvent] = []
        if any(_begins_before(s.event, first) for s in (*events, *later)):
            reach = Window(max(0, window.start - TICKET_LOOKBACK_MS), first)
            earlier = self._read_types(entity, reach, _HOLD_TYPES)
        return [*self._read_rosters(entity, Window(max(0, window.start - ROSTER_REACH_MS), first), events), *earlier,
                *later]  # fmt: skip

    def _read_types(self, entity: str, window: Window, types: Collection[str]) -> list[SourcedEvent]:
        return [to_sourced(s) for s in self._store.events(entity, window, types)] if window.length else []

    def _read_rosters(self, entity: str, window: Window, events: Sequence[SourcedEvent]) -> list[SourcedEvent]:
        """Read each roster once; one that arrives late is among `events`: the hour of its publication is folded."""
        rosters = self._rosters.get(entity)
        if rosters is None or not rosters.window.start <= window.start <= rosters.window.end:
            rosters = self._rosters[entity] = _Rosters(Window(window.start, window.start))
        if window.end > rosters.window.end:
            added = Window(rosters.window.end, window.end)
            rosters.events += self._read_types(entity, added, _ROSTER_TYPES)
            rosters.window = Window(rosters.window.start, window.end)
        rosters.events += [
            s for s in events
            if isinstance(s.event, ev.SchedulePublished)
            and rosters.window.start <= s.event.t < rosters.window.end and s not in rosters.events
        ]  # fmt: skip
        return [s for s in rosters.events if window.start <= s.event.t < window.end]


_HOLD_TYPES = ("ticket.held", "ticket.resumed")
_ROSTER_TYPES = ("schedule.published",)


@dataclass(slots=True)
class _Rosters:
    """The rosters of a centre that were published in a window."""

    window: Window
    events: list[SourcedEvent] = field(default_factory=list)


def _begins_before(event: ev.Event, t: int) -> bool:
    return isinstance(event, ev.TicketFinished) and (event.started or event.called) < t


def to_sourced(stored: StoredEvent) -> SourcedEvent:
    """Return a stored event as the input of the fold."""
    return SourcedEvent(stored.device, stored.outbox_id, stored.event)
