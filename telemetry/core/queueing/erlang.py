"""Queues in a steady state: Erlang B, Erlang C and Erlang A. Pure: it must not know half hours, rosters or calendars.

Arrivals are Poisson with rate λ, service times exponential with mean S, counters n, offered load a = λS erlangs.  With
abandonment, a customer's patience is exponential with mean 1/θ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NEGLIGIBLE_LOG = -46.0
"""A state is left out when its probability is below e^-46 (1e-20) of the likeliest one."""
_STEP_PER_RATE = 0.05
"""A step of Simpson's rule is at most this ÷ the sum of all rates: its relative error is then below 1e-7."""
_MAX_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class QueueDemand:
    """What a queue must serve: `arrivals` tickets in `interval_s` seconds, each for `service_s` seconds (mean).

    `patience_s` is how long a customer waits before leaving (mean, seconds); None: nobody leaves.
    """

    arrivals: float
    interval_s: float
    service_s: float
    patience_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no demand; raises ValueError."""
        times = (self.interval_s, self.service_s, 1.0 if self.patience_s is None else self.patience_s)
        if not (all(0 < value < math.inf for value in times) and 0 <= self.arrivals < math.inf):
            msg = f"arrivals must be at least 0 and times above 0 s, all finite: {self}"
            raise ValueError(msg)

    @property
    def rate(self) -> float:
        """Return λ, arrivals per second."""
        return self.arrivals / self.interval_s

    @property
    def offered_load(self) -> float:
        """Return a = λS, erlangs: how many counters would be busy if nobody waited."""
        return self.rate * self.service_s


@dataclass(frozen=True, slots=True)
class SteadyState:
    """How a queue behaves in the long run with `counters` counters; times in seconds, shares 0–1.

    `mean_wait_s` is over all customers, None when the queue grows without limit (a ≥ n, nobody leaves).
    `service_level` is the share of customers who waited at most X, of those who had not left by then.
    """

    counters: int
    wait_probability: float
    mean_wait_s: float | None
    service_level: float
    abandonment: float
    occupancy: float


def erlang_b(offered_load: float, counters: int) -> float:
    """Return the share of arrivals that find all counters busy when nobody may wait.

    B₀ = 1, Bₙ = aBₙ₋₁ ÷ (n + aBₙ₋₁): the recursion is stable for any size (A. K. Erlang, 1917; e.g. Cooper,
    Introduction to Queueing Theory, 1981, section 3.3).
    """
    blocking = 1.0
    for n in range(1, counters + 1):
        blocking = offered_load * blocking / (n + offered_load * blocking)
    return blocking


def erlang_c(offered_load: float, counters: int) -> float:
    """Return the share of arrivals that must wait, when all of them do: C = nB ÷ (n − a(1 − B)); 1 for a ≥ n.

    Source: Erlang 1917; Cooper 1981, section 3.4.
    """
    if offered_load >= counters:
        return 1.0
    blocking = erlang_b(offered_load, counters)
    return blocking / (1 - offered_load / counters * (1 - blocking))


def steady_state(demand: QueueDemand, counters: int, within_s: float) -> SteadyState:
    """Return the steady state with `counters` ≥ 1 and the service level at X = `within_s`.

    Erlang A when the demand has a patience, else Erlang C: SL(X) = 1 − C·e^(−(n−a)X/S), mean wait = C·S ÷ (n − a).
    """
    if demand.patience_s is not None:
        return _steady_state_with_patience(demand, counters, within_s, 1 / demand.patience_s)
    load, service_s = demand.offered_load, demand.service_s
    if load >= counters:
        return SteadyState(counters, 1.0, None, 0.0, 0.0, 1.0)
    waits = erlang_c(load, counters)
    spare = counters - load
    level = 1 - waits * math.exp(-spare * within_s / service_s)
    return SteadyState(counters, waits, waits * service_s / spare, level, 0.0, load / counters)


def _steady_state_with_patience(demand: QueueDemand, counters: int, within_s: float, leaving: float) -> SteadyState:
    """Return the steady state of M/M/n+M, `leaving` being θ per second.

    P(leaves) = θ·E[queue] ÷ λ and mean wait = E[queue] ÷ λ (Little).  The wait V that a customer would have with
    endless patience has the density v(x) = λ·pₙ₋₁·exp(λH(x) − nμx), H(x) = (1 − e^(−θx)) ÷ θ; who is served within X
    is ∫₀ˣ e^(−θx) v(x) dx beside those who need not wait (Baccelli and Hébuterne 1981; Mandelbaum and Zeltyn, Service
    Engineering in Action: the Palm/Erlang-A Queue, 2007).
    """
    rate, serving = demand.rate, 1 / demand.service_s
    if rate == 0:
        return SteadyState(counters, 0.0, 0.0, 1.0, 0.0, 0.0)
    logs = _state_logs(rate, serving, leaving, counters)
    probabilities = [math.exp(log) for log in logs]
    waits = math.fsum(probabilities[counters:])
    queue = math.fsum(p * k for k, p in enumerate(probabilities[counters:]))
    abandonment = leaving * queue / rate
    log_density = math.log(rate) + logs[counters - 1]

    def density(x: float, also_leaving: float) -> float:
        exponent = rate * -math.expm1(-leaving * x) / leaving - (counters * serving + also_leaving) * x
        return math.exp(log_density + exponent)

    steps = min(_MAX_STEPS, 2 * math.ceil(within_s * (rate + counters * serving + leaving) / _STEP_PER_RATE) + 2)
    called = _integrate(lambda x: density(x, 0.0), within_s, steps)
    served = max(0.0, 1 - waits) + _integrate(lambda x: density(x, leaving), within_s, steps)
    still_waiting = math.exp(-leaving * within_s) * max(0.0, waits - called)
    occupancy = min(1.0, rate * (1 - abandonment) / (counters * serving))
    return SteadyState(counters, waits, queue / rate, served / (served + still_waiting), abandonment, occupancy)


def _state_logs(rate: float, serving: float, leaving: float, counters: int) -> list[float]:
    """Return the logarithm of the probability of each number of customers, from the birth and death rates.

    In logarithms, because the weights of an overloaded queue exceed what a float can hold.
    """
    weights = [0.0]
    likeliest = 0.0
    while len(weights) <= counters or weights[-1] > likeliest + _NEGLIGIBLE_LOG:
        customers = len(weights)
        deaths = min(customers, counters) * serving + max(0, customers - counters) * leaving
        weights.append(weights[-1] + math.log(rate / deaths))
        likeliest = max(likeliest, weights[-1])
    total = likeliest + math.log(math.fsum(math.exp(weight - likeliest) for weight in weights))
    return [weight - total for weight in weights]


def _integrate(function: Callable[[float], float], end: float, steps: int) -> float:
    """Return ∫₀^end by Simpson's rule with an even number of steps."""
    width = end / steps
    inner = math.fsum((4 if k % 2 else 2) * function(k * width) for k in range(1, steps))
    return (function(0.0) + inner + function(end)) * width / 3
