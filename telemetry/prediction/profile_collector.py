"""Collects, event by event, what a centre's past says about its queues; it must not look at later events."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.queueing.queue_profile import PATIENCE_BOUNDS_S, QueueProfile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from telemetry.core.protocol import events as ev
    from telemetry.core.queueing.waiting_line import EndedService, EndedWait, TicketKind, WaitingTicket

MAX_SAMPLE = 4_000
"""The last durations of each kind that are collected."""
STORED_SAMPLE = 400
"""How many of them, evenly spread over their order, a profile has."""
MAX_PAIRS = 20_000
"""The last comparisons of a called ticket with one that waited on."""
MAX_PAUSE_MS = 4 * 3_600_000
"""A longer pause is the end of a counter's day, ms."""
COMPARABLE_MS = 1_800_000
"""A ticket that waits for longer is not compared with a called one: it may be forgotten, ms."""
MIN_SKILL_CALLS, MIN_SKILL_SHARE = 3, 0.01
"""A counter serves a service when it was called so often there, and in this share of its calls."""
MIN_KIND_PAIRS = 20
PROMPT_MS = 120_000
MIN_PROMPT_SHARE = 0.25
"""A counter that calls within PROMPT_MS, when somebody waits, in a smaller share of times is no counter to count on."""
HEAD_STARTS_S = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 240.0, 300.0, 600.0)
"""The head starts that are tried, s."""
HEAD_START_SWEEPS = 4
PRIOR_WAITS = 20
"""A kind's typical wait is shrunk to that of all kinds as if so many more of its waits were typical of all."""


@dataclass(frozen=True, slots=True)
class _CallOrder:
    """A ticket of `called` was called before one of `passed_over`, which had entered `later_s` after it."""

    called: TicketKind
    passed_over: TicketKind
    later_s: float


@dataclass(slots=True)
class ProfileCollector:
    """What was seen of a centre's queues so far."""

    _service_times: dict[str, deque[float]] = field(default_factory=dict)
    _pauses: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLE))
    _paused_since: dict[str, int] = field(default_factory=dict)
    _calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _frees: Counter[str] = field(default_factory=Counter)
    _prompt_calls: Counter[str] = field(default_factory=Counter)
    _waits: deque[EndedWait] = field(default_factory=lambda: deque(maxlen=5 * MAX_SAMPLE))
    _orders: deque[_CallOrder] = field(default_factory=lambda: deque(maxlen=MAX_PAIRS))

    def observe_wait(self, wait: EndedWait) -> None:
        """Take a wait that has ended."""
        if wait.is_queued:
            self._waits.append(wait)

    def observe_call(self, event: ev.TicketCalled, wait: EndedWait, waiting: Iterable[WaitingTicket]) -> None:
        """Take a call, the wait that it ended and the tickets that wait on."""
        counter = event.counter
        self._calls[counter, event.service] += 1
        began = self._paused_since.pop(counter, None)
        if began is not None and event.t - began < MAX_PAUSE_MS:
            self._pauses.append((event.t - began) / 1000)
            self._prompt_calls[counter] += event.t - began < PROMPT_MS
        if wait.is_queued:
            self._orders.extend(
                _CallOrder(wait.kind, other.kind, (other.entered - wait.entered) / 1000)
                for other in waiting
                if other.kind != wait.kind
                and event.t - COMPARABLE_MS < other.entered < event.t
                and self._is_able(counter, other.kind.service)
            )

    def observe_service(self, service: EndedService) -> None:
        """Take a service that has ended."""
        times = self._service_times.setdefault(service.service, deque(maxlen=MAX_SAMPLE))
        times.append(service.service_s)

    def observe_free(self, counter: str, at: int, waiting: Iterable[WaitingTicket]) -> None:
        """Take that a counter became free, and whether somebody waited whom it serves."""
        if any(ticket.entered < at and self._is_able(counter, ticket.kind.service) for ticket in waiting):
            self._paused_since[counter] = at
            self._frees[counter] += 1

    def _is_able(self, counter: str, service: str) -> bool:
        return self._calls[counter, service] > 0

    def count_waits(self) -> int:
        """Return how many queued waits were seen."""
        return len(self._waits)

    def profile(self) -> QueueProfile:
        """Return the profile of all that was seen so far."""
        served = [wait for wait in self._waits if wait.is_served]
        mean = sum(w.wait_s for w in served) / len(served) if served else 0.0
        head_starts = _fit_head_starts(self._orders)
        return QueueProfile(
            all_service_times=_spread(sorted(s for sample in self._service_times.values() for s in sample)),
            service_times={name: _spread(sorted(sample)) for name, sample in sorted(self._service_times.items())},
            pauses=_spread(sorted(self._pauses)),
            skills=self._skills(),
            patience=_fit_patience(self._waits),
            head_starts=head_starts,
            default_head_starts=_mean_head_starts(head_starts, Counter(o.called for o in self._orders)),
            typical_waits=_typical_waits(served, mean),
            typical_wait=mean,
            past_waits=_spread(sorted(wait.wait_s for wait in served)),
        )

    def _skills(self) -> dict[str, frozenset[str]]:
        totals: Counter[str] = Counter()
        for (counter, _), calls in self._calls.items():
            totals[counter] += calls
        skills: dict[str, frozenset[str]] = {}
        for counter in sorted(totals):
            least = max(MIN_SKILL_CALLS, MIN_SKILL_SHARE * totals[counter])
            is_steady = self._prompt_calls[counter] >= MIN_PROMPT_SHARE * self._frees[counter]
            skills[counter] = frozenset(
                service
                for (name, service), calls in self._calls.items()
                if name == counter and calls >= least and is_steady
            )
        return skills


def _spread(ordered: list[float]) -> tuple[float, ...]:
    """Return at most STORED_SAMPLE of the ordered values, evenly spread."""
    if len(ordered) <= STORED_SAMPLE:
        return tuple(ordered)
    return tuple(ordered[int((i + 0.5) * len(ordered) / STORED_SAMPLE)] for i in range(STORED_SAMPLE))


def _fit_patience(waits: Iterable[EndedWait]) -> tuple[float, ...]:
    """Return the hazard of giving up by span of waiting time: losses ÷ time waited within the span, 1/s."""
    spans = len(PATIENCE_BOUNDS_S) + 1
    lost, waited = [0] * spans, [0.0] * spans
    for wait in waits:
        began = 0.0
        for span, bound in enumerate((*PATIENCE_BOUNDS_S, float("inf"))):
            waited[span] += max(0.0, min(wait.wait_s, bound) - began)
            lost[span] += not wait.is_served and began < wait.wait_s <= bound
            began = bound
    return tuple(count / time if time else 0.0 for count, time in zip(lost, waited, strict=True))


def _fit_head_starts(orders: Collection[_CallOrder]) -> dict[TicketKind, float]:
    """Return the head start of each kind, s, that explains most calls: coordinate descent over HEAD_STARTS_S.

    Entry less head start of the called ticket should be smaller than that of the ticket that waited on.
    """
    by_kinds: dict[tuple[TicketKind, TicketKind], list[float]] = {}
    seen: Counter[TicketKind] = Counter()
    for order in orders:
        by_kinds.setdefault((order.called, order.passed_over), []).append(order.later_s)
        seen.update((order.called, order.passed_over))
    for later in by_kinds.values():
        later.sort()
    starts = dict.fromkeys(sorted(kind for kind, count in seen.items() if count >= MIN_KIND_PAIRS), 0.0)
    pairs = {kinds: later for kinds, later in by_kinds.items() if kinds[0] in starts and kinds[1] in starts}
    for _ in range(HEAD_START_SWEEPS):
        for kind in starts:
            own = {kinds: later for kinds, later in pairs.items() if kind in kinds}
            starts[kind] = min(HEAD_STARTS_S, key=lambda start: (_count_misplaced(own, {**starts, kind: start}), start))
    least = min(starts.values(), default=0.0)
    return {kind: start - least for kind, start in starts.items()}


def _count_misplaced(
    pairs: Mapping[tuple[TicketKind, TicketKind], list[float]], starts: Mapping[TicketKind, float]
) -> int:
    """Count the pairs in which the ticket that waited on should have been called first."""
    return sum(bisect_right(later, starts[passed] - starts[called]) for (called, passed), later in pairs.items())


def _mean_head_starts(starts: Mapping[TicketKind, float], calls: Counter[TicketKind]) -> dict[str, float]:
    """Return the mean head start of each priority class, weighed by calls, for kinds without one of their own."""
    means: dict[str, float] = {}
    for priority in sorted({kind.priority for kind in starts}):
        own = [kind for kind in starts if kind.priority == priority and calls[kind]]
        count = sum(calls[kind] for kind in own)
        means[priority] = sum(starts[kind] * calls[kind] for kind in own) / count if count else 0.0
    return means


def _typical_waits(served: Iterable[EndedWait], mean: float) -> dict[TicketKind, float]:
    sums: dict[TicketKind, list[float]] = {}
    for wait in served:
        sums.setdefault(wait.kind, []).append(wait.wait_s)
    return {
        kind: (sum(waits) + PRIOR_WAITS * mean) / (len(waits) + PRIOR_WAITS) for kind, waits in sorted(sums.items())
    }
