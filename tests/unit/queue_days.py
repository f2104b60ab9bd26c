"""Ticket events of made-up queue days, for the tests of predicted waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry.core.calendar.windows import DAY
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Sequence

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = 1_772_384_400_000  # 2 March 2026 00:00 in ZONE
S = 1000


@dataclass(slots=True)
class TicketLog:
    """Writes events with rising row numbers."""

    events: list[ev.Event] = field(default_factory=list)

    def _next(self) -> int:
        return len(self.events) + 1

    def issue(self, ticket: str, t: int, service: str = "land", priority: ev.PriorityClass = "normal") -> None:
        self.events.append(
            ev.TicketIssued(n=self._next(), t=t, ticket=ticket, queue="q", service=service, priority=priority)
        )

    def call(self, ticket: str, t: int, counter: str, entered: int, service: str = "land") -> None:
        self.events.append(
            ev.TicketCalled(
                n=self._next(), t=t, ticket=ticket, queue="q", service=service, counter=counter, entered=entered
            )
        )

    def finish(self, ticket: str, t: int, counter: str, times: tuple[int, int], service: str = "land") -> None:
        entered, called = times
        self.events.append(
            ev.TicketFinished(
                n=self._next(), t=t, ticket=ticket, queue="q", service=service, counter=counter, entered=entered,
                called=called,
            )
        )  # fmt: skip

    def abandon(self, ticket: str, t: int, entered: int, service: str = "land") -> None:
        self.events.append(
            ev.TicketAbandoned(n=self._next(), t=t, ticket=ticket, queue="q", service=service, entered=entered)
        )

    def transfer(self, ticket: str, t: int, entered: int, services: tuple[str, str] = ("land", "tax")) -> None:
        self.events.append(
            ev.TicketTransferred(
                n=self._next(), t=t, ticket=ticket, queue="q", service=services[0], entered=entered, to_queue="q",
                to_service=services[1],
            )
        )  # fmt: skip


def simulate_days(days: int, seed: int, counters: int = 3, arrivals: int = 150) -> list[ev.Event]:
    """Return days of first come, first served tickets at equal counters, with a few that give up, 08:00 to 16:00."""
    random_, log = random.Random(seed), TicketLog()
    for day in range(days):
        opens = MONDAY + day * DAY + 8 * 3_600_000
        free = [opens] * counters
        entries = sorted(random_.randrange(opens, opens + 8 * 3_600_000, S) for _ in range(arrivals))
        for number, entered in enumerate(entries):
            ticket, service = f"t{day}-{number}", random_.choice(("land", "land", "tax"))
            log.issue(ticket, entered, service)
            counter = min(range(counters), key=free.__getitem__)
            called = max(entered, free[counter] + random_.randrange(3, 20) * S)
            if called - entered > 60 * S and random_.random() < 0.05:
                log.abandon(ticket, entered + 60 * S, entered, service)
                continue
            ended = called + (30 + int(random_.expovariate(1 / 480))) * S
            log.call(ticket, called, f"c{counter}", entered, service)
            log.finish(ticket, ended, f"c{counter}", (entered, called), service)
            free[counter] = ended
    return log.events


def change_after(events: Sequence[ev.Event], t: int, seed: int) -> list[ev.Event]:
    """Return other events from `t` on: some dropped, some moved later, others added; what is before `t` is the same."""
    random_, log = random.Random(seed), TicketLog()
    log.events = [event for event in events if event.t < t]
    known = {ticket for event in log.events if (ticket := getattr(event, "ticket", None)) is not None}
    for event in events:
        if event.t >= t and random_.random() < 0.7:
            log.events.append(event)
    for number in range(random_.randrange(30)):
        at = t + random_.randrange(4 * 3_600_000)
        log.issue(f"x{number}", at, random_.choice(("land", "tax")), "priority")
        log.call(f"x{number}", at + random_.randrange(600) * S, f"c{number % 5}", at)
    for ticket in sorted(known)[-5:]:
        log.abandon(ticket, t + random_.randrange(600) * S, t - 1)
    return log.events
