"""Simulates how a centre's waiting line drains until a newcomer is called; it must not read clocks nor vary by run.

Each draw plays the tickets ahead through the counters at hand: residual service times, pauses between two tickets,
skills, patience, and later tickets of a higher class that overtake.  The random numbers are a fixed sequence, so one
state always gives one answer.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil, log
from typing import TYPE_CHECKING

from telemetry.core.queueing.queue_profile import PATIENCE_BOUNDS_S
from telemetry.core.queueing.waiting_line import FLOW_MS, LineState, TicketKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.queueing.queue_profile import QueueProfile

DRAWS = 40
"""How many draws a prediction makes."""
HORIZON_S = 7_200.0
"""A draw in which nobody calls the newcomer within this time counts as this long, s; so does a longer wait."""
MAX_IDLE_MS = 1_800_000
"""A counter idle for longer than this is not at hand, ms."""
MIN_RESIDUALS = 3
"""A duration with fewer longer ones in its sample than this ends within `UNKNOWN_RESIDUAL_S`."""
UNKNOWN_RESIDUAL_S = 60.0
MAX_STEPS = 400
"""How many calls a draw plays at most."""
_MULTIPLIER, _INCREMENT, _MASK = 6364136223846793005, 1442695040888963407, (1 << 64) - 1
_NEVER = 1e12


class RandomSequence:
    """Uniform numbers in [0, 1) by a linear congruential generator (Knuth's MMIX), equal for equal seeds."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = (seed * 2862933555777941757 + 3037000493) & _MASK

    def next(self) -> float:
        """Return the next number."""
        self._state = (self._state * _MULTIPLIER + _INCREMENT) & _MASK
        return (self._state >> 11) / 9007199254740992.0

    def pick(self, sample: Sequence[float]) -> float:
        """Return one value of a sample, 0 of an empty one."""
        return sample[int(self.next() * len(sample))] if sample else 0.0

    def residual(self, sample: Sequence[float], elapsed: float) -> float:
        """Return how much longer a duration lasts that has lasted `elapsed`; `sample` is ordered."""
        first = bisect_right(sample, elapsed)
        longer = len(sample) - first
        if longer < MIN_RESIDUALS:
            return UNKNOWN_RESIDUAL_S * self.next()
        return sample[first + int(self.next() * longer)] - elapsed

    def exponential(self, mean: float) -> float:
        """Return an exponentially distributed duration."""
        return -log(1.0 - self.next()) * mean


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A ticket that enters the line at `at`, Unix ms."""

    kind: TicketKind
    at: int


@dataclass(frozen=True, slots=True)
class DrainedWaits:
    """The simulated waits of a newcomer, s, ordered."""

    waits: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """Return the nearest-rank quantile, s."""
        return self.waits[max(ceil(share * len(self.waits)) - 1, 0)]

    @property
    def mean(self) -> float:
        """Return the mean, s."""
        return sum(self.waits) / len(self.waits)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A ticket's place in the line of one draw; times in s after the newcomer's entry."""

    order: float
    entered: float
    service: str
    leaves: float = _NEVER


@dataclass(frozen=True, slots=True)
class _Overtaking:
    """Tickets of one kind that will enter after the newcomer and be called before it."""

    kind: TicketKind
    interval_s: float
    head_start_s: float


def _counters_of(line: LineState) -> set[str]:
    return {busy.counter for busy in line.busy} | {idle.counter for idle in line.idle}


def drain(line: LineState, newcomer: Newcomer, profile: QueueProfile, draws: int = DRAWS) -> DrainedWaits:
    """Return the newcomer's simulated waits; `line` is made from events before its entry.

    Where no counter is at hand they are the past waits.
    """
    simulation = _Simulation(line, newcomer, profile)
    if not simulation.has_counters:
        return DrainedWaits(profile.past_waits or (HORIZON_S,))
    random = RandomSequence(1)
    return DrainedWaits(tuple(sorted(simulation.draw(random) for _ in range(draws))))


class _Simulation:
    def __init__(self, line: LineState, newcomer: Newcomer, profile: QueueProfile) -> None:
        self._profile, self._at = profile, newcomer.at
        self._service = newcomer.kind.service
        self._order = -profile.head_start_s(newcomer.kind)
        self._ahead = [place for place in self._places(line) if place[0] <= self._order]
        self._ahead.sort()
        skills = {counter: profile.skills_of(counter, line) for counter in _counters_of(line)}
        self._skills = {counter: services for counter, services in skills.items() if services is None or services}
        self._busy = [
            (profile.service_sample(b.service), (self._at - b.since) / 1000, b.counter)
            for b in line.busy
            if b.counter in self._skills
        ]
        serving = {b.counter for b in line.busy}
        self._idle = [
            ((self._at - i.since) / 1000, i.counter)
            for i in line.idle
            if i.counter in self._skills and i.counter not in serving and self._at - i.since < MAX_IDLE_MS
        ]
        at_hand = [self._skills[counter] for counter in self._counters()]
        self.has_counters = bool(at_hand)
        self._is_anyone_able = not any(services is None or self._service in services for services in at_hand)
        self._overtaking = self._find_overtaking(line)

    def _counters(self) -> list[str]:
        return [counter for _, _, counter in self._busy] + [counter for _, counter in self._idle]

    def _places(self, line: LineState) -> list[tuple[float, float, str]]:
        return [
            (entered - self._profile.head_start_s(ticket.kind), entered, ticket.kind.service)
            for ticket in line.waiting
            for entered in [(ticket.entered - self._at) / 1000]
        ]

    def _find_overtaking(self, line: LineState) -> list[_Overtaking]:
        counts: dict[TicketKind, int] = {}
        for wait in line.ended_waits:
            if wait.is_queued and -self._profile.head_start_s(wait.kind) < self._order:
                counts[wait.kind] = counts.get(wait.kind, 0) + 1
        return [
            _Overtaking(kind, FLOW_MS / 1000 / count, self._profile.head_start_s(kind))
            for kind, count in sorted(counts.items())
        ]

    def draw(self, random: RandomSequence) -> float:
        """Return the newcomer's wait in one draw, s, at most `HORIZON_S`."""
        free = self._free_counters(random)
        places = self._draw_places(random)
        profile = self._profile
        for _ in range(MAX_STEPS):
            at, counter = heappop(free)
            if at >= HORIZON_S:
                break
            skills = self._skills[counter]
            for index, place in enumerate(places):
                if place.entered > at or place.leaves <= at:
                    continue
                is_newcomer = place.leaves == _NEVER
                if skills is None or place.service in skills or (is_newcomer and self._is_anyone_able):
                    if is_newcomer:
                        return at
                    service_s = random.pick(profile.service_sample(place.service))
                    heappush(free, (at + service_s + random.pick(profile.pauses), counter))
                    del places[index]
                    break
        return HORIZON_S

    def _free_counters(self, random: RandomSequence) -> list[tuple[float, str]]:
        """Return when each counter can call, s from now, as a heap."""
        pauses = self._profile.pauses
        free = [
            (random.residual(sample, elapsed) + random.pick(pauses), counter) for sample, elapsed, counter in self._busy
        ]
        free += [(random.residual(pauses, elapsed), counter) for elapsed, counter in self._idle]
        heapify(free)
        return free

    def _draw_places(self, random: RandomSequence) -> list[_Place]:
        places = [
            _Place(order, entered, service, self._draw_leaving(random, -entered) + entered)
            for order, entered, service in self._ahead
        ]
        for overtaking in self._overtaking:
            entered = random.exponential(overtaking.interval_s)
            while entered - overtaking.head_start_s < self._order:
                leaves = entered + self._draw_leaving(random, 0.0)
                order = entered - overtaking.head_start_s
                places.append(_Place(order, entered, overtaking.kind.service, leaves))
                entered += random.exponential(overtaking.interval_s)
        if self._overtaking:
            places.sort()
        places.append(_Place(self._order, 0.0, self._service))
        return places

    def _draw_leaving(self, random: RandomSequence, waited: float) -> float:
        """Return after which wait a ticket gives up that has waited so long, s; the hazard is constant by spans."""
        need, reached = random.exponential(1.0), waited
        for hazard, bound in zip(self._profile.patience, (*PATIENCE_BOUNDS_S, _NEVER / 2), strict=False):
            if reached >= bound:
                continue
            passed = (bound - reached) * hazard
            if passed >= need:
                return reached + need / hazard
            need -= passed
            reached = bound
        return _NEVER / 2
