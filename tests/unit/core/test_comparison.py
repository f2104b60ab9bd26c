"""Comparisons: variance over days, Student's t, verdicts on both sides of every limit, too little data."""

from __future__ import annotations

from statistics import mean, stdev

import pytest

from telemetry.core.figures.accounting import CoveredRatio
from telemetry.core.figures.comparison import (
    ComparedPeriod,
    DaySums,
    FigureComparison,
    RatioSample,
    compare_periods,
    estimate_ratio,
    t_quantile,
)
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import add_sums

THRESHOLD_S = 900


def tickets(*waits_s: int, service_s: int = 300, abandoned: int = 0, no_show: int = 0) -> dict[str, int]:
    rows = [
        {
            "issued": 1, "called": 1, "served": 1, "wait_sum_ms": s * 1000, "wait_histogram": histogram_of(s * 1000),
            "service_count": 1, "service_sum_ms": service_s * 1000, "service_histogram": histogram_of(service_s * 1000),
        }
        for s in waits_s
    ]  # fmt: skip
    lost = {"issued": abandoned + no_show, "abandoned": abandoned, "no_show": no_show}
    return add_sums([*rows, lost])


def period(
    *days: dict[str, int], open_days: int | None = None, availability: CoveredRatio | None = None, **dossiers: int
) -> ComparedPeriod:
    rows = tuple(DaySums(n, "a", sums) for n, sums in enumerate(days))
    return ComparedPeriod(rows, len(days) if open_days is None else open_days, availability, dossiers)


def compared(first: ComparedPeriod, second: ComparedPeriod) -> dict[str, FigureComparison]:
    return {figure.name: figure for figure in compare_periods(first, second, THRESHOLD_S)}


@pytest.mark.parametrize(
    ("freedom", "expected"), [(4, 2.7764), (5, 2.5706), (8, 2.3060), (10, 2.2281), (30, 2.0423), (1000, 1.9623)]
)
def test_the_quantile_is_that_of_the_tables(freedom: int, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, abs=0.01)


def test_equal_denominators_give_the_standard_error_of_a_mean() -> None:
    daily = [4.0, 7.0, 9.0, 4.0]
    estimate = estimate_ratio(RatioSample(value, 1) for value in daily)
    assert estimate.value == pytest.approx(mean(daily))
    assert estimate.error == pytest.approx(stdev(daily) / 2)


def test_days_without_cases_are_no_sample_and_two_days_have_no_error() -> None:
    estimate = estimate_ratio([RatioSample(3, 2), RatioSample(0, 0), RatioSample(5, 2)])
    assert (estimate.value, estimate.error, estimate.days, estimate.cases) == (2, None, 2, 4)
    assert estimate_ratio([]).value is None


def test_shorter_waits_on_all_days_are_better_and_the_same_ones_the_other_way_round_worse() -> None:
    quick = period(*(tickets(*[300 + 10 * n] * 10) for n in range(5)))
    slow = period(*(tickets(*[1200 + 10 * n] * 10) for n in range(5)))
    figures, reverse = compared(quick, slow), compared(slow, quick)
    assert figures["wait_mean"].difference == -900
    assert [figures[name].verdict for name in ("wait_mean", "wait_p90", "within")] == ["better"] * 3
    assert [reverse[name].verdict for name in ("wait_mean", "wait_p90", "within")] == ["worse"] * 3
    assert figures["wait_mean"].margin == pytest.approx(t_quantile(8) * (2 * 50) ** 0.5, rel=1e-6)


def test_a_difference_inside_the_variation_of_days_is_none() -> None:
    first = period(*(tickets(*[s] * 10) for s in (100, 900, 2000, 400, 1500)))
    second = period(*(tickets(*[s] * 10) for s in (300, 1800, 700, 2100, 200)))
    figure = compared(first, second)["wait_mean"]
    assert figure.difference == -40
    assert figure.verdict == "same"


def test_half_a_minute_is_no_difference_however_sure() -> None:
    first = period(*(tickets(*[300] * 10) for _ in range(5)))
    second = period(*(tickets(*[330] * 10) for _ in range(5)))
    figures = compared(first, second)
    assert (figures["wait_mean"].difference, figures["wait_mean"].margin) == (-30, 0)
    assert figures["wait_mean"].verdict == figures["wait_p90"].verdict == "same"


def test_few_days_or_few_cases_are_too_few_to_tell() -> None:
    two_days = period(tickets(*[60] * 30), tickets(*[70] * 30))
    week = period(*(tickets(*[1800] * 10) for _ in range(5)))
    assert compared(two_days, week)["wait_mean"].verdict == "too_few"
    rare = period(*(tickets(60, 70) for _ in range(5)))
    figure = compared(rare, week)["wait_mean"]
    assert (figure.verdict, figure.margin, figure.difference) == ("too_few", None, 65 - 1800)


def test_without_tickets_there_is_no_data() -> None:
    figures = compared(period(open_days=3), period(*(tickets(*[60] * 10) for _ in range(5))))
    assert (figures["issued"].first, figures["issued"].verdict) == (0, None)
    assert [figures[name].verdict for name in ("wait_mean", "wait_p90", "within", "abandoned")] == ["no_data"] * 4
    assert figures["wait_mean"].second == 60


def test_open_days_without_tickets_count_in_the_mean_of_a_day() -> None:
    figures = compared(
        period(*(tickets(*[60] * 30) for _ in range(4)), open_days=5),
        period(*(tickets(*[60] * n) for n in (4, 5, 6, 5, 4))),
    )
    figure = figures["issued_per_day"]
    assert (figure.first, figure.second, figure.verdict) == (24, 4.8, "more")
    assert figures["issued"].difference == 120 - 24


def test_neutral_figures_are_more_or_fewer() -> None:
    first = period(*(tickets(*[60] * 20, service_s=300) for _ in range(5)))
    second = period(*(tickets(*[60] * 20, service_s=700) for _ in range(5)))
    assert compared(first, second)["service_mean"].verdict == "fewer"
    assert compared(second, first)["service_mean"].verdict == "more"


def test_abandoned_and_no_shows_are_shares_of_the_tickets_issued() -> None:
    first = period(*(tickets(*[60] * 15, abandoned=5, no_show=n % 2) for n in range(5)))
    second = period(*(tickets(*[60] * 20) for _ in range(5)))
    figures = compared(first, second)
    assert figures["abandoned"].first == pytest.approx(25 / 102)
    assert figures["abandoned"].verdict == "worse"
    assert figures["no_show"].first == pytest.approx(2 / 102)


def test_days_without_calls_are_no_sample_of_the_p90() -> None:
    days = [tickets(*[300] * 10) for _ in range(4)]
    late = [tickets(*[3000] * 10) for _ in range(4)]
    figure = compared(period(*days, tickets(abandoned=1)), period(*late))["wait_p90"]
    assert figure.verdict == "better"


def availability(value: float, low: float, high: float, *, sufficient: bool = True) -> CoveredRatio:
    return CoveredRatio(value, low, high, 0.99, sufficient)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (availability(0.99, 0.985, 0.992), availability(0.95, 0.94, 0.96), "better"),
        (availability(0.95, 0.94, 0.96), availability(0.99, 0.985, 0.992), "worse"),
        (availability(0.97, 0.94, 0.99), availability(0.99, 0.985, 0.992), "same"),
        (availability(0.9995, 0.9995, 0.9995), availability(0.9999, 0.9999, 0.9999), "same"),
        (availability(0.95, 0.5, 0.96, sufficient=False), availability(0.99, 0.985, 0.992), "too_few"),
        (None, availability(0.99, 0.985, 0.992), "no_data"),
    ],
)
def test_availabilities_differ_when_what_is_unknown_cannot_explain_it(
    first: CoveredRatio | None, second: CoveredRatio, verdict: str
) -> None:
    figure = compared(period(availability=first), period(availability=second))["availability"]
    assert figure.verdict == verdict


def test_dossiers_stand_beside_each_other_without_a_verdict() -> None:
    figures = compared(
        period(received_online=8, resolved_on_time=3, resolved_late=1), period(received_online=5, resolved_on_time=2)
    )
    assert (figures["dossiers"].difference, figures["dossiers"].verdict) == (3, None)
    assert (figures["dossiers_on_time"].first, figures["dossiers_on_time"].difference) == (0.75, -0.25)
    assert "dossiers" not in compared(period(), period())
    assert compared(period(received_online=1), period())["dossiers_on_time"].difference is None
