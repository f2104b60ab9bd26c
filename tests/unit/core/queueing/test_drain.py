from __future__ import annotations

import pytest

from telemetry.core.queueing.drain import HORIZON_S, Newcomer, RandomSequence, drain
from telemetry.core.queueing.estimators import SIMPLE_ESTIMATORS
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.wait_features import FEATURES, UNKNOWN_S, wait_features
from telemetry.core.queueing.waiting_line import (
    BusyCounter,
    EndedService,
    EndedWait,
    IdleCounter,
    LineState,
    TicketKind,
    WaitingTicket,
)

AT = 1_772_384_400_000
S = 1000
LAND, TAX, ELDER = TicketKind("land"), TicketKind("tax"), TicketKind("land", "elderly")
CONSTANT = QueueProfile(all_service_times=(100.0,) * 60, pauses=(10.0,) * 60)


def waits(line: LineState, profile: QueueProfile = CONSTANT, kind: TicketKind = LAND) -> tuple[float, ...]:
    return drain(line, Newcomer(kind, AT), profile, draws=20).waits


def test_constant_times_drain_exactly() -> None:
    """A counter 40 s into a service of 100 s, two tickets ahead: 60 + 10 + 2 × 110 s."""
    line = LineState(AT, (WaitingTicket(LAND, AT - 20 * S),) * 2, (BusyCounter("c1", "land", AT - 40 * S),))
    assert waits(line) == (290.0,) * 20


def test_two_counters_drain_twice_as_fast() -> None:
    busy = tuple(BusyCounter(f"c{i}", "land", AT - 40 * S) for i in (1, 2))
    assert waits(LineState(AT, (WaitingTicket(LAND, AT - 20 * S),) * 2, busy)) == (180.0,) * 20


def test_an_idle_counter_returns_within_its_pause() -> None:
    assert waits(LineState(AT, idle=(IdleCounter("c1", AT - 4 * S),))) == (6.0,) * 20


def test_nobody_at_hand_gives_the_past_waits() -> None:
    past = QueueProfile(past_waits=(10.0, 20.0))
    assert waits(LineState(AT), past) == (10.0, 20.0)
    assert waits(LineState(AT)) == (HORIZON_S,)
    long_idle = LineState(AT, idle=(IdleCounter("c1", AT - 7_200 * S),))
    assert waits(long_idle, past) == (10.0, 20.0)


def test_a_counter_that_never_calls_the_service_does_not_shorten_its_wait() -> None:
    skills = {"c1": frozenset({"land"}), "c2": frozenset({"tax"}), "c3": frozenset[str]()}
    profile = QueueProfile(all_service_times=(100.0,) * 60, pauses=(10.0,) * 60, skills=skills)
    busy = tuple(BusyCounter(counter, "land", AT - 40 * S) for counter in ("c1", "c2", "c3"))
    line = LineState(AT, (WaitingTicket(LAND, AT - 20 * S),), busy)
    assert waits(line, profile) == (180.0,) * 20
    assert waits(line, profile, TAX) == (70.0,) * 20
    assert waits(LineState(AT, (WaitingTicket(LAND, AT - 20 * S),), busy[1:]), profile) == (70.0,) * 20
    recent = LineState(AT, (), busy, skills={"c2": frozenset({"land"}), "c3": frozenset({"land"})})
    assert waits(recent, profile) == (70.0,) * 20


def test_a_head_start_goes_before_earlier_tickets() -> None:
    profile = QueueProfile(
        all_service_times=(100.0,) * 60,
        pauses=(10.0,) * 60,
        head_starts={ELDER: 90.0},
        default_head_starts={"vip": 300.0},
    )
    ahead = WaitingTicket(LAND, AT - 60 * S)
    line = LineState(AT, (ahead,), (BusyCounter("c1", "land", AT - 40 * S),))
    assert waits(line, profile) == (180.0,) * 20
    assert waits(line, profile, ELDER) == (70.0,) * 20
    assert waits(line, profile, TicketKind("tax", "vip")) == (70.0,) * 20


def test_later_tickets_with_a_head_start_overtake() -> None:
    profile = QueueProfile(all_service_times=(100.0,) * 60, pauses=(10.0,) * 60, head_starts={ELDER: 600.0})
    elders = tuple(EndedWait(ELDER, AT - (600 + i) * S, AT - 500 * S) for i in range(18))
    line = LineState(AT, busy=(BusyCounter("c1", "land", AT - 40 * S),), ended_waits=elders)
    assert drain(line, Newcomer(LAND, AT), profile).mean > drain(line, Newcomer(ELDER, AT), profile).mean == 70.0


def test_impatient_tickets_leave_before_they_are_called() -> None:
    profile = QueueProfile(all_service_times=(1000.0,) * 60, pauses=(10.0,) * 60, patience=(0.0, 1.0))
    line = LineState(AT, (WaitingTicket(LAND, AT - S),), (BusyCounter("c1", "land", AT - 900 * S),))
    assert waits(line, profile) == (110.0,) * 20


def test_patience_begins_where_the_ticket_has_waited_already() -> None:
    profile = QueueProfile(all_service_times=(1000.0,) * 60, pauses=(10.0,) * 60, patience=(1.0, 1.0, 0.0))
    line = LineState(AT, (WaitingTicket(LAND, AT - 40 * S),), (BusyCounter("c1", "land", AT - 900 * S),))
    assert waits(line, profile) == (1120.0,) * 20


def test_a_wait_never_exceeds_the_horizon() -> None:
    line = LineState(AT, (WaitingTicket(LAND, AT - S),) * 80, (BusyCounter("c1", "land", AT),))
    assert waits(line) == (HORIZON_S,) * 20
    quick = QueueProfile(all_service_times=(0.0,) * 60, pauses=())
    crowd = LineState(AT, (WaitingTicket(LAND, AT - S),) * 500, (BusyCounter("c1", "land", AT - S),))
    assert waits(crowd, quick) == (HORIZON_S,) * 20


def test_one_state_gives_one_answer() -> None:
    profile = QueueProfile(
        all_service_times=tuple(float(s) for s in range(10, 500)),
        service_times={"land": (50.0,) * 50},
        pauses=(3.0, 9.0, 40.0),
    )
    line = LineState(AT, (WaitingTicket(TAX, AT - S),) * 4, (BusyCounter("c1", "tax", AT - 9 * S),))
    first = drain(line, Newcomer(TAX, AT), profile)
    assert first == drain(line, Newcomer(TAX, AT), profile)
    assert first.waits == tuple(sorted(first.waits))
    assert first.quantile(0.5) <= first.quantile(0.9)


def test_random_numbers_are_uniform() -> None:
    sequence = RandomSequence(1)
    numbers = [sequence.next() for _ in range(10_000)]
    assert sum(numbers) / len(numbers) == pytest.approx(0.5, abs=0.01)
    assert sum(n < 0.1 for n in numbers) / len(numbers) == pytest.approx(0.1, abs=0.01)
    assert sum(sequence.exponential(30.0) for _ in range(10_000)) / 10_000 == pytest.approx(30.0, abs=1.0)


def test_simple_estimators() -> None:
    profile = QueueProfile(all_service_times=(100.0,) * 60, typical_wait=77.0)
    calls = tuple(EndedWait(kind, AT - (200 - i) * S, AT - (100 - i) * S) for i, kind in enumerate((TAX, LAND, TAX)))
    line = LineState(
        AT, (WaitingTicket(LAND, AT - 30 * S), WaitingTicket(TAX, AT - 50 * S)),
        tuple(BusyCounter(f"c{i}", "land", AT - S) for i in range(2)), last_waits=calls,
    )  # fmt: skip
    figures = {name: estimate(line, Newcomer(LAND, AT), profile) for name, estimate in SIMPLE_ESTIMATORS.items()}
    assert figures == {
        "mean": 77.0, "moving_average": 100.0, "last_to_enter_service": 100.0, "head_of_line": 30.0,
        "queue_length": 150.0,
    }  # fmt: skip
    empty = {
        name: estimate(LineState(AT), Newcomer(LAND, AT), QueueProfile())
        for name, estimate in SIMPLE_ESTIMATORS.items()
    }
    assert empty == {
        "mean": None, "moving_average": None, "last_to_enter_service": None, "head_of_line": 0.0, "queue_length": None,
    }  # fmt: skip
    idle = LineState(AT, idle=(IdleCounter("c1", AT),))
    assert SIMPLE_ESTIMATORS["queue_length"](idle, Newcomer(LAND, AT), profile) == 100.0


def features(line: LineState, profile: QueueProfile) -> dict[str, float]:
    newcomer = Newcomer(LAND, AT)
    return dict(zip(FEATURES, wait_features(line, newcomer, profile, drain(line, newcomer, profile)), strict=True))


def test_features_of_a_line() -> None:
    profile = QueueProfile(
        all_service_times=(100.0,) * 60,
        pauses=(10.0,) * 60,
        skills={"c9": frozenset({"tax"})},
        typical_waits={LAND: 33.0},
    )
    line = LineState(
        at=AT,
        waiting=(WaitingTicket(LAND, AT - 30 * S), WaitingTicket(TicketKind("tax", "elderly"), AT - 50 * S)),
        busy=(BusyCounter("c1", "land", AT - 40 * S), BusyCounter("c9", "tax", AT - 20 * S)),
        idle=(IdleCounter("c2", AT - 60 * S), IdleCounter("c3", AT - 600 * S), IdleCounter("c9", AT)),
        arrivals=(AT - 1_000 * S, AT - 100 * S),
        ended_waits=(
            EndedWait(ELDER, AT - 900 * S, AT - 600 * S),
            EndedWait(TAX, AT - 90 * S, AT - 60 * S, is_served=False),
        ),
        ended_services=(EndedService("c4", "land", AT - 60 * S, 80.0),),
        last_waits=(EndedWait(LAND, AT - 900 * S, AT - 600 * S),),
    )
    found = features(line, profile)
    expected = {
        "ahead": 2, "waiting": 2, "waiting_same_service": 1, "waiting_preferred": 1, "busy": 2, "busy_able": 1,
        "idle_shortly": 1, "idle_long": 1, "head_of_line_s": 30, "longest_wait_s": 50, "last_wait_s": 300,
        "last_wait_age_s": 600, "last_wait_any_s": 300, "last_wait_any_age_s": 600, "mean_of_5_waits_s": 300,
        "mean_of_20_waits_s": 300, "median_wait_same_service_s": 300,
        "arrivals_5m": 1, "arrivals_30m": 2, "calls_5m": 0,
        "calls_30m": 1, "lost_30m": 1, "preferred_30m": 1, "busy_same_service": 1, "calls_30m_same_service": 1,
        "queued_30m_same_service": 1, "mean_elapsed_s": 30, "head_start_s": 0, "typical_wait_s": 33,
        "counters_at_work": 3, "mean_service_30m_s": 80, "work_ahead_s": 200,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_features_of_an_empty_line_are_all_there() -> None:
    found = features(LineState(AT), QueueProfile(past_waits=(5.0,)))
    assert (found["drain_p50"], found["last_wait_s"], found["mean_service_30m_s"]) == (5.0, UNKNOWN_S, UNKNOWN_S)
    assert found["last_wait_age_s"] == 3_600
