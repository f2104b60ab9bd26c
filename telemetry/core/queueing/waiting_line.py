"""Values of a centre's waiting line at one instant; it must not read events nor decide who is next.

Times are Unix ms; `wait_s` and `service_s` are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORT_FLOW_MS = 300_000
"""The shorter span of recent flow, ms."""
FLOW_MS = 1_800_000
"""How far the recent flow looks back, ms."""
LAST_WAITS = 20
"""How many of a line's last waits are looked at."""
RECENT_CALLS = 40
"""From so many last calls of a counter its present skills are read."""


@dataclass(frozen=True, slots=True, order=True)
class TicketKind:
    """What decides a ticket's place in the line, besides its entry: its service and its priority class."""

    service: str
    priority: str = "normal"


@dataclass(frozen=True, slots=True)
class WaitingTicket:
    """A ticket that waits since `entered`."""

    kind: TicketKind
    entered: int


@dataclass(frozen=True, slots=True)
class BusyCounter:
    """A counter that serves a ticket since `since`."""

    counter: str
    service: str
    since: int


@dataclass(frozen=True, slots=True)
class IdleCounter:
    """A counter that has served no ticket since `since`, when it finished one or opened."""

    counter: str
    since: int


@dataclass(frozen=True, slots=True)
class EndedWait:
    """A wait that ended at `ended`: with a call, or (`is_served` false) because the ticket was lost."""

    kind: TicketKind
    entered: int
    ended: int
    is_served: bool = True

    @property
    def wait_s(self) -> float:
        """Return how long the ticket waited."""
        return (self.ended - self.entered) / 1000

    @property
    def is_queued(self) -> bool:
        """Return whether the ticket waited at all."""
        return self.ended > self.entered


@dataclass(frozen=True, slots=True)
class EndedService:
    """A service that ended at `ended`."""

    counter: str
    service: str
    ended: int
    service_s: float


@dataclass(frozen=True, slots=True)
class LineState:
    """A centre's waiting line at `at`, made from earlier events only; all sequences are by time, oldest first.

    `arrivals`, `ended_waits` and `ended_services` cover the last `FLOW_MS`; `last_waits` are the last calls of tickets
    that queued, at most `LAST_WAITS` of each service.  `skills` are the services of each counter's last `RECENT_CALLS`.
    """

    at: int
    waiting: tuple[WaitingTicket, ...] = ()
    busy: tuple[BusyCounter, ...] = ()
    idle: tuple[IdleCounter, ...] = ()
    arrivals: tuple[int, ...] = ()
    ended_waits: tuple[EndedWait, ...] = ()
    ended_services: tuple[EndedService, ...] = ()
    last_waits: tuple[EndedWait, ...] = ()
    skills: Mapping[str, frozenset[str]] = field(default_factory=dict)
