"""Staffing beside an independent simulation (ciw): the computed waits must be inside the simulation's interval."""

from __future__ import annotations

import math
import os
import random
import statistics
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import Window
from telemetry.core.queueing.erlang import QueueDemand, steady_state
from telemetry.core.queueing.staffing import StaffedPeriod, StaffingRules, plan_day

if TYPE_CHECKING:
    from collections.abc import Sequence

REMEDY = "install the dev extra: pip install -e '.[dev]'"
ciw = __import__("ciw") if os.environ.get("CI") == "true" else pytest.importorskip("ciw", reason=REMEDY)
WITHIN_S = 60.0
T_INTERVAL = 3.0


def assert_inside(computed: float, replications: Sequence[float], widest: float = 0.15) -> None:
    """Assert that a value is inside the 99.7 % interval of the replications' mean."""
    mean, error = statistics.fmean(replications), statistics.stdev(replications) / math.sqrt(len(replications))
    assert abs(computed - mean) <= T_INTERVAL * error, (computed, mean, error)
    assert error < widest * max(mean, 0.05), "the interval is too wide to say anything"


def test_erlang_c_agrees_with_a_simulation() -> None:
    demand = QueueDemand(arrivals=30, interval_s=1800, service_s=180)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(demand.rate)],
        service_distributions=[ciw.dists.Exponential(1 / 180)],
        number_of_servers=[4],
    )
    waits, levels = [], []
    for seed in range(12):
        ciw.seed(seed)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(12 * 3600)
        waited = [r.waiting_time for r in simulation.get_all_records() if r.arrival_date > 2 * 3600]
        waits.append(statistics.fmean(waited))
        levels.append(sum(w <= WITHIN_S for w in waited) / len(waited))
    state = steady_state(demand, 4, WITHIN_S)
    assert state.mean_wait_s is not None
    assert_inside(state.mean_wait_s, waits)
    assert_inside(state.service_level, levels)


def test_erlang_a_agrees_with_a_simulation() -> None:
    demand = QueueDemand(arrivals=45, interval_s=1800, service_s=180, patience_s=300)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(demand.rate)],
        service_distributions=[ciw.dists.Exponential(1 / 180)],
        reneging_time_distributions=[ciw.dists.Exponential(1 / 300)],
        number_of_servers=[4],
    )
    left, levels = [], []
    for seed in range(10):
        ciw.seed(seed)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(10 * 3600)
        records = [r for r in simulation.get_all_records() if r.arrival_date > 2 * 3600]
        left.append(sum(r.record_type == "renege" for r in records) / len(records))
        decided = [r for r in records if not (r.record_type == "renege" and r.waiting_time <= WITHIN_S)]
        served = [r for r in decided if r.record_type == "service" and r.waiting_time <= WITHIN_S]
        levels.append(len(served) / len(decided))
    state = steady_state(demand, 4, WITHIN_S)
    assert_inside(state.abandonment, left)
    assert_inside(state.service_level, levels)


def gaps_between_arrivals(arrivals: Sequence[float], rng: random.Random) -> list[float]:
    """Draw a Poisson day by half hour: uniform unit-rate gaps mapped to the half hours' rates."""
    times, unit, total = [0.0], 0.0, sum(arrivals)
    ends = [sum(arrivals[:n]) for n in range(len(arrivals) + 1)]
    while (unit := unit + rng.expovariate(1.0)) < total:
        half_hour = max(n for n, end in enumerate(ends) if end <= unit)
        times.append(1800.0 * (half_hour + (unit - ends[half_hour]) / arrivals[half_hour]))
    return [b - a for a, b in pairwise(times)] + [math.inf]


def test_a_planned_morning_agrees_with_a_simulation() -> None:
    arrivals, service_s = (8.0, 14.0, 12.0, 6.0, 4.0, 3.0), 300.0
    periods = [
        StaffedPeriod(Window(n * 1_800_000, (n + 1) * 1_800_000), QueueDemand(a, 1800, service_s), 2)
        for n, a in enumerate(arrivals)
    ]
    plan = plan_day(periods, StaffingRules())
    end = 1800.0 * len(arrivals)
    waits: list[list[float]] = [[0.0] * 200 for _ in arrivals]
    for seed in range(200):
        ciw.seed(seed)
        simulation = ciw.Simulation(
            ciw.create_network(
                arrival_distributions=[
                    ciw.dists.Sequential(gaps_between_arrivals(arrivals, random.Random(f"arrivals {seed}")))
                ],
                service_distributions=[ciw.dists.Exponential(1 / service_s)],
                number_of_servers=[2],
            )
        )
        simulation.simulate_until_max_time(end + 7200)
        for record in simulation.get_all_records():
            waits[int(record.arrival_date // 1800)][seed] += record.waiting_time
    for row, totals in zip(plan, waits, strict=True):
        assert row.with_roster.mean_wait_s is not None
        assert_inside(row.with_roster.mean_wait_s * row.period.demand.arrivals, totals, widest=0.35)
