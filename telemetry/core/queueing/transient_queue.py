"""A queue whose arrivals and counters change from half hour to half hour. Pure: it must not decide how many are needed.

The steady state of Erlang C says nothing about a morning peak at two counters: the queue that a peak leaves behind is
served in the next half hours.  Here the distribution of the number of customers is carried from one period to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemetry.core.queueing.erlang import QueueDemand

EMPTY_QUEUE: tuple[float, ...] = (1.0,)
"""The distribution before opening: nobody is there."""
_NEGLIGIBLE = 1e-12
_MOST_STEPS = 60
"""Half a minute each in a half hour."""
_LEAST_STEPS = 10
_MANY_STAGES = 200
_STATES_TIMES_STEPS = 40_000
"""What bounds the work: a queue of thousands, whose counters are overwhelmed, is followed in longer steps."""


@dataclass(frozen=True, slots=True)
class PeriodOutcome:
    """What the customers arriving in one period meet with `counters` counters; times in seconds, shares 0–1.

    `mean_wait_s` is the wait until called, for one whose patience is endless; None with no counter at work.
    `service_level` is the share of arrivals called within X.  `waiting_at_end` and `waiting_mean` are customers.
    `distribution` has the probability of 0, 1, 2 … customers at the end of the period.
    """

    counters: int
    mean_wait_s: float | None
    service_level: float
    occupancy: float | None
    waiting_mean: float
    waiting_at_end: float
    distribution: tuple[float, ...]


def advance_queue(distribution: Sequence[float], demand: QueueDemand, counters: int, within_s: float) -> PeriodOutcome:
    """Return the outcome of one period that begins with `distribution`, X being `within_s` seconds.

    Birth–death (Kolmogorov forward) equations of M(t)/M/c(t)+M, as Green, Kolesar and Whitt describe them (Coping with
    time-varying demand, Production and Operations Management 16, 2007), in implicit Euler steps: these are stable and
    never negative for any rates, and their steady state is Erlang's.  Poisson arrivals see time averages, so the mean
    distribution over the period gives their waits.
    """
    leaving = 0.0 if demand.patience_s is None else 1 / demand.patience_s
    arrivals = demand.arrivals
    steps = max(_LEAST_STEPS, min(_MOST_STEPS, int(_STATES_TIMES_STEPS / (len(distribution) + arrivals))))
    # In one implicit step the number of arrivals is geometric: its variance exceeds Poisson's.
    longest = len(distribution) + math.ceil(arrivals + 6 * math.sqrt(arrivals + arrivals**2 / steps) + 6)
    deaths = [
        min(n, counters) / demand.service_s + max(0, n - counters) * (leaving if counters else 0.0)
        for n in range(longest + 1)
    ]
    solve = _implicit_step(demand.rate, deaths, demand.interval_s / steps)
    state = [*distribution, *(0.0,) * (longest + 1 - len(distribution))]
    arriving = [p / 2 for p in state]
    for _ in range(steps):
        state = solve(state)
        arriving = [a + p for a, p in zip(arriving, state, strict=True)]
    seen = [(a - p / 2) / steps for a, p in zip(arriving, state, strict=True)]
    return _outcome(seen, state, counters, _virtual_waits(demand, counters, within_s, longest + 1))


def _implicit_step(birth: float, deaths: Sequence[float], width_s: float) -> Callable[[Sequence[float]], list[float]]:
    """Return the function that solves (I − Δt·Qᵀ)·p(t + Δt) = p(t), eliminated once (Thomas algorithm)."""
    last = len(deaths) - 1
    births = [birth] * last + [0.0]
    upper = [-width_s * death for death in deaths[1:]]
    factors, pivots = [0.0], [1 + width_s * (births[0] + deaths[0])]
    for n in range(1, last + 1):
        factors.append(width_s * birth / pivots[-1])
        pivots.append(1 + width_s * (births[n] + deaths[n]) + factors[-1] * upper[n - 1])

    def solve(state: Sequence[float]) -> list[float]:
        value = 0.0
        right = [value := p + factor * value for p, factor in zip(state, factors, strict=True)]
        value = right[-1] / pivots[-1]
        solution = [value]
        for n in range(last - 1, -1, -1):
            value = (right[n] - upper[n] * value) / pivots[n]
            solution.append(value)
        solution.reverse()
        return solution

    return solve


@dataclass(frozen=True, slots=True)
class _VirtualWaits:
    """By the number of customers whom an arrival meets: the mean wait, and the probability to be called within X."""

    means_s: tuple[float, ...]
    within: tuple[float, ...]


def _virtual_waits(demand: QueueDemand, counters: int, within_s: float, states: int) -> _VirtualWaits:
    """Return the waits of a customer who meets 0 … states − 1 others, the counters staying at work.

    With k = n − c + 1 departures to await at the rates cμ, cμ + θ …, the mean is exact, and the distribution is that of
    k equal exponential stages with this mean (exact without abandonment).
    """
    if not counters:
        return _VirtualWaits((0.0,) * states, (0.0,) * states)
    serving = counters / demand.service_s
    leaving = 0.0 if demand.patience_s is None else 1 / demand.patience_s
    means, within, mean = [], [], 0.0
    for met in range(states):
        stages = met - counters + 1
        if stages > 0:
            mean += 1 / (serving + (stages - 1) * leaving)
        means.append(mean)
        within.append(_erlang_distribution(stages, within_s * stages / mean) if mean else 1.0)
    return _VirtualWaits(tuple(means), tuple(within))


def _erlang_distribution(stages: int, x: float) -> float:
    """Return P(k stages of mean 1 last at most x) = 1 − Σᵢ₌₀ᵏ⁻¹ e^(−x) xⁱ ÷ i!.

    Of many stages by the cube root of x ÷ k, which is nearly normal (Wilson and Hilferty, The distribution of
    chi-square, PNAS 17, 1931).
    """
    if x <= 0:
        return 0.0
    if stages > _MANY_STAGES:
        variance = 1 / (9 * stages)
        return 0.5 * math.erfc((1 - variance - (x / stages) ** (1 / 3)) / math.sqrt(2 * variance))
    log_term, total = -x, math.exp(-x)
    for i in range(1, stages):
        log_term += math.log(x / i)
        total += math.exp(log_term)
    return max(0.0, 1 - total)


def _outcome(seen: Sequence[float], state: Sequence[float], counters: int, waits: _VirtualWaits) -> PeriodOutcome:
    def mean(values: Iterable[float], weights: Sequence[float] = seen) -> float:
        return math.fsum(p * value for p, value in zip(weights, values, strict=True))

    queue = [float(max(0, n - counters)) for n in range(len(state))]
    end = list(state)
    while len(end) > 1 and end[-1] < _NEGLIGIBLE:
        end.pop()
    total = math.fsum(end)
    return PeriodOutcome(
        counters=counters,
        mean_wait_s=mean(waits.means_s) if counters else None,
        service_level=mean(waits.within),
        occupancy=mean(min(n, counters) for n in range(len(state))) / counters if counters else None,
        waiting_mean=mean(queue),
        waiting_at_end=mean(queue, state),
        distribution=tuple(p / total for p in end),
    )
