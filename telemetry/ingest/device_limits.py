"""How many outboxes, queues, services and counters one device may name in a day, and how many events it may send.

It must not write anything.

Each name is a row or a series in the store, on pages and in metrics, so one device could make them dear for everybody.
The limits are far above what any centre has; they count what this process received since midnight UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from telemetry.core.calendar.windows import DAY
from telemetry.core.inventory import REPLAY_SUFFIX
from telemetry.core.protocol import events as ev
from telemetry.ingest.event_counts import EventCounts
from telemetry.ingest.row_bounds import reject_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Set as AbstractSet

    from telemetry.core.protocol.codec import DecodedFrame
    from telemetry.core.protocol.topics import Topic

MAX_OUTBOXES = 50
"""Outboxes of a device in a day; rows of further ones are deferred: the device keeps them."""
MAX_QUEUES = 300
"""Pairs of queue and service that a device's tickets name in a day; rows of further ones are rejected."""
MAX_COUNTERS = 300
"""Counters that a device names in a day; rows that name further ones are rejected."""
_GET_QUEUE = attrgetter("queue", "service")
_GET_COUNTER = attrgetter("counter")
_QUEUE_TYPES = frozenset(kind for kind in ev.AGENT_EVENTS if {"queue", "service"} <= {*kind.__struct_fields__})
_SINGLE_COUNTER_TYPES = frozenset(kind for kind in ev.AGENT_EVENTS if "counter" in kind.__struct_fields__)
_COUNTER_TYPES = _SINGLE_COUNTER_TYPES | {ev.DeviceHeartbeat}


@dataclass(slots=True)
class _DeviceNames:
    """What a device has named and sent since midnight."""

    outboxes: set[str] = field(default_factory=set)
    queues: set[Any] = field(default_factory=set)
    counters: set[Any] = field(default_factory=set)
    counts: EventCounts = field(default_factory=EventCounts)


class DeviceLimits:
    """The names of each device since midnight UTC."""

    def __init__(self) -> None:
        self._day = -1
        self._names: dict[str, _DeviceNames] = {}

    def apply(
        self, topic: Topic, decoded: DecodedFrame, kinds: AbstractSet[type[ev.Event]], now: int, day: int | None = None
    ) -> DecodedFrame:
        """Return the frame without rows beyond a limit, which are deferred or rejected.

        `kinds` are the types of the frame's events, `now` is Unix ms, `day` that of all its events, in days since 1970,
        None when they are of several.  Imports are exempt.
        """
        if now // DAY != self._day:
            self._day = now // DAY
            self._names.clear()
        names = self._names.get(topic.device)
        if names is None:
            if topic.device.endswith(REPLAY_SUFFIX):
                return decoded
            names = self._names[topic.device] = _DeviceNames()
        if decoded.outbox_id not in names.outboxes:
            if len(names.outboxes) >= MAX_OUTBOXES:
                deferred = [(event.n, "too_many_outboxes") for event in decoded.events]
                return replace(decoded, events=[], deferred=decoded.deferred + deferred)
            names.outboxes.add(decoded.outbox_id)
        decoded = names.counts.apply(decoded, day)
        if not kinds.isdisjoint(_QUEUE_TYPES):
            decoded = _bound_queues(decoded, names.queues, kinds)
        if not kinds.isdisjoint(_COUNTER_TYPES):
            decoded = _bound_counters(decoded, names.counters, kinds)
        return decoded


def _bound_queues(decoded: DecodedFrame, known: set[Any], kinds: AbstractSet[type[ev.Event]]) -> DecodedFrame:
    events = decoded.events if kinds <= _QUEUE_TYPES else [e for e in decoded.events if e.__class__ in _QUEUE_TYPES]
    if known.issuperset(map(_GET_QUEUE, events)):
        return decoded
    return _reject_beyond(decoded, known, MAX_QUEUES, _queues_of, "too_many_queues")


def _bound_counters(decoded: DecodedFrame, known: set[Any], kinds: AbstractSet[type[ev.Event]]) -> DecodedFrame:
    if kinds == {ev.DeviceHeartbeat} and not any(event.counters for event in decoded.events):  # type: ignore[attr-defined]
        return decoded
    if kinds <= _SINGLE_COUNTER_TYPES and known.issuperset(map(_GET_COUNTER, decoded.events)):
        return decoded
    return _reject_beyond(decoded, known, MAX_COUNTERS, _counters_of, "too_many_counters")


def _queues_of(event: Any) -> tuple[object, ...]:  # noqa: ANN401
    return (_GET_QUEUE(event),) if event.__class__ in _QUEUE_TYPES else ()


def _counters_of(event: Any) -> tuple[object, ...]:  # noqa: ANN401
    if isinstance(event, ev.DeviceHeartbeat):
        return tuple([row.counter for row in event.counters])
    return (_GET_COUNTER(event),) if event.__class__ in _SINGLE_COUNTER_TYPES else ()


def _reject_beyond(
    decoded: DecodedFrame,
    known: set[Any],
    limit: int,
    names_of: Callable[[ev.Event], tuple[object, ...]],
    reason: str,
) -> DecodedFrame:
    """Reject the rows with a name that is not known when the limit is reached; `known` gets the others."""
    rejected = []
    for event in decoded.events:
        new = set(names_of(event)) - known
        if new and len(known) + len(new) > limit:
            rejected.append((event.n, reason))
        else:
            known |= new
    if not rejected:
        return decoded
    return reject_rows(decoded, rejected)
