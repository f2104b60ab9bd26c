from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.queueing.arrivals import (
    SLOTS,
    SPARSE_DAY_TOTAL,
    ArrivalDay,
    ArrivalHistory,
    ArrivalsModel,
    DayTraits,
    croston_level,
    same_slot_mean,
)
from telemetry.core.queueing.arrivals_backtest import (
    DEFAULT_DISPERSION,
    DayAhead,
    ForecastError,
    backtest,
    choose_model,
    forecast_days_ahead,
    forecast_error,
    score_forecasts,
)
from telemetry.core.queueing.count_distribution import count_interval

MONDAY = date(2026, 10, 5)
OPEN = range(14, 23)
MORNING_PEAK = {14: 30, 15: 40, 16: 30, 17: 20, 18: 20, 19: 15, 20: 10, 21: 10, 22: 5}


def arrival_day(day: date, by_slot: dict[int, int], **traits: bool) -> ArrivalDay:
    """Return a day that is open in the half hours of OPEN."""
    counts = tuple(by_slot.get(slot, 0) if slot in OPEN else None for slot in range(SLOTS))
    return ArrivalDay(day, DayTraits(day.weekday(), **traits), counts)


def weekdays(count: int, first: date = MONDAY) -> list[date]:
    days = (first + timedelta(days=n) for n in range(3 * count))
    return [day for day in days if day.weekday() < 5][:count]


def random_history(count: int, seed: int, level: float = 1.0) -> list[ArrivalDay]:
    rng = random.Random(seed)
    return [
        arrival_day(day, {slot: round(rng.gammavariate(9, mean * level / 9)) for slot, mean in MORNING_PEAK.items()})
        for day in weekdays(count)
    ]


def test_a_day_has_the_arrivals_of_its_half_hours() -> None:
    assert arrival_day(MONDAY, MORNING_PEAK).total == sum(MORNING_PEAK.values())


def test_the_same_slot_mean_is_the_plain_mean_of_the_weekday() -> None:
    history = [arrival_day(MONDAY, {14: 10}), arrival_day(MONDAY + timedelta(days=7), {14: 20})]
    mean = same_slot_mean(history, 0)
    assert mean is not None
    assert mean[14] == 15
    assert mean[0] == 0, "closed"
    assert same_slot_mean(history, 1) is None


@pytest.mark.parametrize("days", [0, 4])
def test_fewer_than_five_days_are_too_little_data(days: int) -> None:
    assert ArrivalsModel(tuple(random_history(days, 1))).expected_arrivals(DayTraits(0)) is None


def test_a_weekday_that_was_never_open_has_no_forecast() -> None:
    assert ArrivalsModel(tuple(random_history(20, 1))).expected_arrivals(DayTraits(6)) is None


def test_days_that_are_all_the_same_are_forecast_as_they_are() -> None:
    history = tuple(arrival_day(day, MORNING_PEAK) for day in weekdays(15))
    expected = ArrivalsModel(history).expected_arrivals(DayTraits(2))
    assert expected is not None
    assert sum(expected) == pytest.approx(sum(MORNING_PEAK.values()))
    for slot, count in MORNING_PEAK.items():
        assert expected[slot] == pytest.approx(count, rel=0.15)
    assert sum(expected[:12]) < 0.5, "closed half hours lend and borrow next to nothing"


def test_an_incident_is_no_profile() -> None:
    """406 calls in one half hour of one Wednesday do not come again the next one."""
    history = random_history(10, 3)
    struck = [
        replace(day, counts=(*day.counts[:16], 406, *day.counts[17:])) if index == 2 else day
        for index, day in enumerate(history)
    ]
    with_incident = ArrivalsModel(tuple(struck)).expected_arrivals(DayTraits(2))
    without = ArrivalsModel(tuple(history)).expected_arrivals(DayTraits(2))
    plain = same_slot_mean(struck, 2)
    assert with_incident is not None
    assert without is not None
    assert plain is not None
    assert plain[16] > 200
    assert with_incident[16] < 1.5 * without[16]


def test_a_short_day_does_not_lend_its_profile_to_long_ones() -> None:
    """Fridays end at noon: they are not pooled with the others."""
    history = [
        arrival_day(day, {s: c for s, c in MORNING_PEAK.items() if day.weekday() != 4 or s < 16})
        for day in weekdays(15)
    ]
    model = ArrivalsModel(tuple(history))
    assert {day.traits.weekday for day in model.pool(4)} == {4}
    friday = model.expected_arrivals(DayTraits(4))
    assert friday is not None
    assert sum(friday[18:]) < 1
    assert {day.traits.weekday for day in model.pool(0)} == {0, 1, 2, 3}


def test_an_afternoon_that_is_busy_on_some_weekdays_stays_theirs() -> None:
    busy = {1, 3}
    history = [
        arrival_day(day, {**MORNING_PEAK, **({20: 50, 21: 50} if day.weekday() in busy else {})})
        for day in weekdays(10)
    ]
    model = ArrivalsModel(tuple(history))
    calm, crowded = model.expected_arrivals(DayTraits(0)), model.expected_arrivals(DayTraits(1))
    assert calm is not None
    assert crowded is not None
    assert calm[20] < 20
    assert crowded[20] > 30


def test_the_last_days_lift_the_level() -> None:
    history = random_history(20, 5)
    risen = history[:10] + [replace(day, counts=tuple(c and 2 * c for c in day.counts)) for day in history[10:]]
    usual, higher = (ArrivalsModel(tuple(days)).expected_arrivals(DayTraits(0)) for days in (history, risen))
    assert usual is not None
    assert higher is not None
    assert sum(higher) > 1.55 * sum(usual)


@pytest.mark.parametrize("flag", ["after_holiday", "month_end"])
def test_days_after_holidays_and_month_ends_have_their_own_level(flag: str) -> None:
    days = weekdays(30)
    special = {days[4], days[13], days[22]}
    history = [
        arrival_day(
            d,
            {s: c * (2 if d in special else 1) for s, c in MORNING_PEAK.items()},
            **({flag: True} if d in special else {}),
        )
        for d in days
    ]
    model = ArrivalsModel(tuple(history))
    plain, after = model.expected_arrivals(DayTraits(0)), model.expected_arrivals(DayTraits(0, **{flag: True}))
    assert plain is not None
    assert after is not None
    assert sum(after) / sum(plain) == pytest.approx(1.45, abs=0.15), (
        "three such days, shrunk by three without an effect"
    )


def test_a_commune_borrows_the_profile_of_its_level_as_long_as_it_has_few_tickets() -> None:
    pooled = tuple(1 / len(OPEN) if slot in OPEN else 0.0 for slot in range(SLOTS))
    few = [arrival_day(day, {14: 3, 15: 1}) for day in weekdays(10)]
    own, borrowed = (ArrivalsModel(tuple(few), shape).expected_arrivals(DayTraits(0)) for shape in ((), pooled))
    assert own is not None
    assert borrowed is not None
    assert borrowed[20] > 0.3 > own[20]
    assert sum(borrowed) == pytest.approx(4, rel=0.01), "the level is its own"


def test_days_without_a_ticket_have_no_profile_and_still_a_level() -> None:
    empty = [arrival_day(day, {}) for day in weekdays(10)]
    assert ArrivalsModel(tuple(empty)).expected_arrivals(DayTraits(0)) == (0.0,) * SLOTS
    mostly = [*empty[:9], arrival_day(weekdays(10)[9], {14: 5})]
    expected = ArrivalsModel(tuple(mostly)).expected_arrivals(DayTraits(4))
    assert expected is not None
    assert 0 < sum(expected) < 5


def test_where_many_come_a_day_without_tickets_is_one_without_data() -> None:
    history = random_history(10, 2)
    gap = [arrival_day(weekdays(11)[10], {})]
    model = ArrivalsModel((*history, *gap))
    assert model.expected_arrivals(DayTraits(0)) == ArrivalsModel(tuple(history)).expected_arrivals(DayTraits(0))
    assert ArrivalsModel(()).recent == ()


def test_croston_is_the_mean_of_demands_over_the_mean_interval_without_its_bias() -> None:
    assert croston_level([0, 0, 0]) == 0.0
    assert croston_level([8.0] * 10) == pytest.approx(8.0), "no empty day: exponential smoothing, unbiased"
    assert croston_level([0, 6] * 30) == pytest.approx(0.95 * 3.0, rel=0.02)
    assert croston_level([SPARSE_DAY_TOTAL] * 5) == SPARSE_DAY_TOTAL


def test_a_centre_in_its_first_week_is_read_with_its_neighbouring_half_hours() -> None:
    history = [arrival_day(day, MORNING_PEAK) for day in weekdays(5)]
    weekend = [
        ArrivalDay(day, DayTraits(5), tuple(60 if slot == 16 and n == 0 else 4 for slot in range(SLOTS)))
        for n, day in enumerate((date(2026, 10, 10), date(2026, 10, 17)))
    ]
    model = ArrivalsModel((*history, *weekend))
    expected = model.expected_arrivals(DayTraits(5))
    assert expected is not None
    assert expected[16] < 16, "a spike of one of two days is cut"


@given(
    seed=st.integers(0, 10_000), cut=st.integers(6, 14), change=st.integers(0, 500), slot=st.sampled_from(list(OPEN))
)
@settings(max_examples=15, deadline=None)
def test_no_forecast_of_a_day_depends_on_that_day_or_a_later_one(seed: int, cut: int, change: int, slot: int) -> None:
    history = random_history(15, seed)
    altered = [
        replace(day, counts=(*day.counts[:slot], change, *day.counts[slot + 1 :])) if index >= cut else day
        for index, day in enumerate(history)
    ]
    until = history[cut].day
    before, after = (
        [(r.model, r.expected, r.intervals) for r in backtest(days, history[5].day) if r.day.day <= until]
        for days in (history, altered)
    )
    assert before == after
    assert len(before) == cut - 4


def test_errors_are_sums_over_observed_half_hours() -> None:
    day = arrival_day(MONDAY, {14: 10, 15: 4})
    expected = tuple(8.0 if slot == 14 else 5.0 if slot == 15 else 0.0 for slot in range(SLOTS))
    error = forecast_error([DayAhead(day, {"profile": expected})], "profile")
    assert error == ForecastError(absolute=3.0, signed=-1.0, actual=14, days=1)
    assert error.wape == pytest.approx(3 / 14)
    assert error.bias == pytest.approx(-1 / 14)
    assert forecast_error([DayAhead(day, {"profile": expected})], "same_slot_mean").days == 0
    assert ForecastError().wape is None
    assert ForecastError().bias is None


def day_ahead(day: date, actual: int, profile: float, plain: float) -> DayAhead:
    rows = (tuple(value if s == 14 else 0.0 for s in range(SLOTS)) for value in (profile, plain))
    return DayAhead(arrival_day(day, {14: actual}), dict(zip(("profile", "same_slot_mean"), rows, strict=True)))


def test_the_champion_stays_unless_the_challenger_wins() -> None:
    worse = [day_ahead(day, 100, 80, 99) for day in weekdays(6)]
    assert choose_model(worse[:4]).champion == "profile", "too few days to judge"
    assert choose_model(worse).champion == "same_slot_mean"
    nearly = [day_ahead(day, 100, 80, 80.2) for day in weekdays(6)]
    assert choose_model(nearly).champion == "profile", "not by two percent"
    assert choose_model(nearly, "same_slot_mean").champion == "same_slot_mean"
    better = [day_ahead(day, 100, 95, 80) for day in weekdays(6)]
    assert choose_model(better, "same_slot_mean").champion == "profile"


def test_the_dispersion_is_that_of_the_errors_and_an_incident_is_cut_off() -> None:
    rng = random.Random(1)
    days = weekdays(10)
    varied = [day_ahead(day, max(0, round(rng.gauss(100, 30))), 100, 100) for day in days]
    assert choose_model(varied).dispersion == pytest.approx(0.08, abs=0.04)
    assert choose_model([]).dispersion == DEFAULT_DISPERSION
    assert choose_model([DayAhead(varied[0].day, {"same_slot_mean": (1.0,) * SLOTS})]).dispersion == DEFAULT_DISPERSION
    steady = [day_ahead(day, 100, 100, 100) for day in days]
    assert choose_model(steady).dispersion < DEFAULT_DISPERSION / 2
    struck = [day_ahead(day, 10_000, 100, 100) for day in days]
    assert choose_model(struck).dispersion < 1


def test_what_is_shipped_says_by_which_model_and_how_sure() -> None:
    shipped = backtest(random_history(20, 9), weekdays(20)[10])
    assert [row.day.day for row in shipped] == weekdays(20)[10:]
    assert {row.model for row in shipped} == {"profile"}
    score = score_forecasts(shipped)
    assert score.ratio is not None
    assert score.ratio < 1
    assert score.inside is not None
    assert 0.65 < score.inside < 0.95
    assert score.error.days == 10


def test_nothing_shipped_has_no_score() -> None:
    score = score_forecasts(())
    assert (score.ratio, score.inside) == (None, None)
    only = replace(backtest(random_history(10, 9), weekdays(10)[9])[0], same_slot_mean=None)
    assert score_forecasts([only]).ratio is None


def test_only_the_newest_days_are_forecast_when_asked() -> None:
    history = random_history(12, 4)
    assert [row.day.day for row in forecast_days_ahead(ArrivalHistory(tuple(history)), newest=3)] == weekdays(12)[9:]
    assert forecast_days_ahead(ArrivalHistory(tuple(history[:1]))) == ()


@pytest.mark.parametrize("dispersion", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("mean", [0.3, 4.0, 60.0, 399.0])
def test_eight_of_ten_counts_are_inside_their_interval(mean: float, dispersion: float) -> None:
    low, high = count_interval(mean, dispersion)
    assert low <= mean + 1
    assert high >= mean - 1
    if dispersion == 0.0:
        total = [math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(high + 1)]
        assert sum(total[: low + 1]) >= 0.1 > sum(total[:low])
        assert sum(total) >= 0.9 > sum(total[:-1])
    else:
        assert high - low >= count_interval(mean, 0.0)[1] - count_interval(mean, 0.0)[0]


def test_a_large_mean_has_the_interval_of_the_normal_distribution() -> None:
    assert count_interval(10_000, 0.0) == (9872, 10_128)
    below, above = count_interval(400, 0.05), count_interval(401, 0.05)
    assert abs(below[0] - above[0]) < 15
    assert abs(below[1] - above[1]) < 15


def test_nothing_expected_has_an_interval_of_nothing() -> None:
    assert count_interval(0.0, 0.1) == (0, 0)
