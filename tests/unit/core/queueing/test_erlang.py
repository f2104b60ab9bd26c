from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.queueing.erlang import QueueDemand, erlang_b, erlang_c, steady_state
from telemetry.core.queueing.staffing import StaffingGoal, StaffingRules, counters_needed

ORACLE = QueueDemand(arrivals=100, interval_s=1800, service_s=180)
ORACLE_RULES = StaffingRules(StaffingGoal(None, within_s=20, min_service_level=0.8), max_occupancy=0.85, shrinkage=0.3)


def test_erlang_c_equals_the_published_oracle() -> None:
    """Two independent sources agree: the package pages of pyworkforce (Python) and ErlangC (R)."""
    needed = counters_needed(ORACLE, ORACLE_RULES)
    assert (needed.at_work, needed.rostered) == (14, 20)
    assert needed.state.service_level == pytest.approx(0.8883500191794669, abs=1e-12)
    assert needed.state.occupancy == pytest.approx(0.7142857, abs=1e-7)
    assert needed.state.wait_probability == pytest.approx(0.1741319335950498, abs=1e-12)
    assert needed.state.mean_wait_s == pytest.approx(7.83593701, abs=1e-8)


def test_one_counter_fewer_than_needed_misses_the_goal() -> None:
    state = steady_state(ORACLE, 13, 20)
    assert state.service_level < 0.8 or state.occupancy > 0.85


def test_a_single_counter_is_the_mm1_queue() -> None:
    """M/M/1: P(wait) = a, mean wait = aS ÷ (1 − a)."""
    state = steady_state(QueueDemand(9, 1800, 100), 1, 0)
    assert state.wait_probability == pytest.approx(0.5)
    assert state.mean_wait_s == pytest.approx(100.0)
    assert state.service_level == pytest.approx(0.5)


@pytest.mark.parametrize("arrivals", [18, 30])
def test_without_spare_counters_the_queue_grows_without_limit(arrivals: float) -> None:
    state = steady_state(QueueDemand(arrivals, 1800, 100), 1, 900)
    assert (state.wait_probability, state.mean_wait_s, state.service_level, state.occupancy) == (1.0, None, 0.0, 1.0)


def test_erlang_b_of_no_counter_refuses_everybody() -> None:
    assert erlang_b(3.0, 0) == 1.0


def test_erlang_b_stays_finite_for_a_thousand_counters() -> None:
    assert 0.02 < erlang_b(1000.0, 1000) < 0.03
    assert erlang_c(1000.0, 1000) == 1.0


@given(load=st.floats(0.01, 60), counters=st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_erlang_b_is_the_truncated_poisson_distribution(load: float, counters: int) -> None:
    terms = [math.exp(n * math.log(load) - math.lgamma(n + 1)) for n in range(counters + 1)]
    assert erlang_b(load, counters) == pytest.approx(terms[-1] / sum(terms), rel=1e-9)


def test_endless_patience_makes_erlang_a_erlang_c() -> None:
    patient = steady_state(QueueDemand(100, 1800, 180, patience_s=1e8), 14, 20)
    never = steady_state(ORACLE, 14, 20)
    assert patient.wait_probability == pytest.approx(never.wait_probability, rel=1e-5)
    assert patient.mean_wait_s == pytest.approx(never.mean_wait_s, rel=1e-4)
    assert patient.service_level == pytest.approx(never.service_level, rel=1e-5)
    assert patient.abandonment < 1e-6


def test_patience_equal_to_the_service_time_makes_the_queue_a_poisson_distribution() -> None:
    """With θ = μ every customer leaves at rate μ, served or not: M/M/∞, Poisson with mean a."""
    load, counters = 10.0, 9
    poisson = [math.exp(-load + n * math.log(load) - math.lgamma(n + 1)) for n in range(200)]
    state = steady_state(QueueDemand(100, 1800, 180, patience_s=180), counters, 60)
    assert state.wait_probability == pytest.approx(sum(poisson[counters:]))
    queue = sum(p * max(0, n - counters) for n, p in enumerate(poisson))
    assert state.abandonment == pytest.approx(queue / load)
    assert state.mean_wait_s == pytest.approx(queue * 18.0)


def test_erlang_a_decides_each_customer_at_x() -> None:
    """Served by X and still waiting at X add up to all but those who left before X."""
    demand = QueueDemand(100, 1800, 180, patience_s=300)
    at_once, late = steady_state(demand, 9, 0), steady_state(demand, 9, 36_000)
    assert at_once.service_level == pytest.approx(1 - at_once.wait_probability)
    assert late.service_level == pytest.approx(1.0)
    served = [steady_state(demand, 9, x).service_level for x in (0, 30, 60, 120, 300)]
    assert served == sorted(served)


@pytest.mark.parametrize("patience_s", [60.0, 6_000.0])
def test_an_overloaded_queue_that_customers_leave_has_a_steady_state(patience_s: float) -> None:
    """The fluid limit: whoever is not served leaves, 1 − n/a of all."""
    state = steady_state(QueueDemand(10_000, 1800, 180, patience_s), 14, 900)
    assert state.abandonment == pytest.approx(1 - 14 / 1000, rel=1e-3)
    assert state.occupancy == pytest.approx(1.0)
    assert 0 <= state.service_level <= 1


def test_who_has_not_left_an_hour_later_was_called_long_before() -> None:
    state = steady_state(QueueDemand(1e6, 1800, 180, patience_s=1.0), 1, 3600)
    assert state.service_level == pytest.approx(1.0)


def test_a_queue_without_arrivals_needs_the_one_counter_that_is_open() -> None:
    assert steady_state(QueueDemand(0, 1800, 180, patience_s=60), 1, 900).service_level == 1.0
    assert steady_state(QueueDemand(0, 1800, 180), 1, 900).mean_wait_s == 0.0
    assert counters_needed(QueueDemand(0, 1800, 180), StaffingRules()).at_work == 1


@pytest.mark.parametrize(
    "values", [(-1, 1800, 180), (1, 0, 180), (1, 1800, 0), (math.inf, 1800, 180), (1, 1800, math.nan), (math.nan, 1, 1)]
)
def test_what_is_no_demand_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="arrivals must be at least 0"):
        QueueDemand(*values)


def test_a_patience_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 s"):
        QueueDemand(1, 1800, 180, patience_s=0)
