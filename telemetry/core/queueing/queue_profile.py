"""What past days say about a centre's queues, as plain numbers; it must not fit them nor read events.

Seconds throughout.  The profile is part of a model's file, so that a prediction needs nothing else of the past.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.queueing.waiting_line import LineState, TicketKind

MIN_SERVICE_SAMPLE = 50
"""A service with fewer service times than this uses those of all services (domain: shrunk when n < 50)."""
PATIENCE_BOUNDS_S = (15.0, 30.0, 60.0, 120.0, 300.0)
"""Ends of the spans of waiting time over which the abandonment hazard is constant; the last span is open."""


@dataclass(frozen=True, slots=True)
class QueueProfile:
    """A centre's service times, pauses, skills, patience and call order.

    `service_times` and `all_service_times` are ordered samples; `pauses` is an ordered sample of how long a counter
    that could serve somebody takes from the end of one service to its next call.  `skills` are the services that each
    counter serves; none: it is not one to count on.  `patience` is the hazard of giving up, 1/s, by span of
    `PATIENCE_BOUNDS_S`.  A ticket is called in the order of its entry less its kind's `head_starts`;
    `default_head_starts` has them by priority class.
    `typical_waits` and `typical_wait` are means, `past_waits` an ordered sample, of the waits of queued tickets.
    """

    all_service_times: tuple[float, ...] = ()
    service_times: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    pauses: tuple[float, ...] = ()
    skills: Mapping[str, frozenset[str]] = field(default_factory=dict)
    patience: tuple[float, ...] = ()
    head_starts: Mapping[TicketKind, float] = field(default_factory=dict)
    default_head_starts: Mapping[str, float] = field(default_factory=dict)
    typical_waits: Mapping[TicketKind, float] = field(default_factory=dict)
    typical_wait: float = 0.0
    past_waits: tuple[float, ...] = ()

    def service_sample(self, service: str) -> tuple[float, ...]:
        """Return the ordered service times to draw from."""
        own = self.service_times.get(service, ())
        return own if len(own) >= MIN_SERVICE_SAMPLE else self.all_service_times

    def mean_service_s(self, service: str) -> float | None:
        """Return the mean service time; None without any."""
        sample = self.service_sample(service)
        return sum(sample) / len(sample) if sample else None

    def head_start_s(self, kind: TicketKind) -> float:
        """Return by how much earlier than its entry a ticket of this kind counts in the order of calls."""
        known = self.head_starts.get(kind)
        return self.default_head_starts.get(kind.priority, 0.0) if known is None else known

    def typical_wait_s(self, kind: TicketKind) -> float:
        """Return the mean wait of this kind's queued tickets, shrunk to that of all when they are few."""
        return self.typical_waits.get(kind, self.typical_wait)

    def skills_of(self, counter: str, line: LineState) -> frozenset[str] | None:
        """Return which services a counter serves now; None when it was never seen: any."""
        known = self.skills.get(counter)
        return known if known is not None and not known else line.skills.get(counter, known)
