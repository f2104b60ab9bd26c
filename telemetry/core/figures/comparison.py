"""Two periods or places side by side: differences of their figures, and whether they are more than chance. Pure.

It must not read stores. A figure is a ratio of sums over days, Σx ÷ Σn: a mean wait, a share within target, tickets a
day. Tickets of one day hang together, so days are what is sampled, not tickets: the variance of a ratio is that of the
ratio estimator over days (Cochran, Sampling Techniques, 3rd ed., 6.4). A difference is real when it exceeds both the
margin of Student's t at 95 % and the least difference that anybody would notice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Literal

from telemetry.core.figures.dossiers import dossier_figures
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.histogram_buckets import BUCKET_BOUNDS_MS, cumulative_counts
from telemetry.core.fold.totals import add_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.core.figures.dossiers import DossierFigures
    from telemetry.core.figures.histograms import QueueFigures

Verdict = Literal["better", "worse", "more", "fewer", "same", "too_few", "no_data"]
"""`more` and `fewer` are of figures that are neither good nor bad; `too_few`: too little is known to tell; `no_data`: a
side has none."""
FigureName = Literal[
    "issued", "issued_per_day", "served", "abandoned", "no_show", "wait_mean", "wait_p90", "within", "service_mean",
    "availability", "dossiers", "dossiers_on_time",
]  # fmt: skip
Judgement = Literal["lower_is_better", "higher_is_better", "neutral", "none"]
LEAST_DAYS = 3
"""Days (of a province: days of a centre) with cases that each side needs."""
LEAST_CASES = 20
"""Cases that each side of a mean or share needs."""
LEAST_SECONDS, LEAST_SHARE, LEAST_AVAILABILITY, LEAST_GROWTH = 60.0, 0.01, 0.001, 0.05
"""Smaller differences are none, whatever their margin: of durations, s; of shares; of availability; of tickets a day,
as a share of the smaller."""
_Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""
_T_EXPANSION = (2.3722, 2.8225, 2.5556)
"""(z³ + z) ÷ 4, (5z⁵ + 16z³ + 3z) ÷ 96, (3z⁷ + 19z⁵ + 17z³ − 15z) ÷ 384."""


@dataclass(frozen=True, slots=True)
class DaySums:
    """The queue sums (`totals.QUEUE_FIELDS`) of one place on one day: `day` names the day, `place` the centre."""

    day: int
    place: str
    sums: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ComparedPeriod:
    """One side of a comparison: sums by day, the days on which it was open, time in service and dossiers."""

    days: tuple[DaySums, ...]
    open_days: int
    availability: CoveredRatio | None
    dossiers: Mapping[str, int]

    @property
    def figures(self) -> QueueFigures:
        """Return the queue figures of the whole period."""
        return queue_figures(add_sums(day.sums for day in self.days))

    @property
    def dossier_figures(self) -> DossierFigures:
        """Return the figures of the period's dossiers."""
        return dossier_figures(self.dossiers)


@dataclass(frozen=True, slots=True)
class RatioSample:
    """The numerator and denominator of a ratio on one day."""

    part: float
    whole: float


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """Σx ÷ Σn with its standard error over days; the error is None below LEAST_DAYS days."""

    value: float | None
    error: float | None
    days: int
    cases: float


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """One figure of both sides; `difference` = first − second, `margin` the half width of its 95 % interval."""

    name: FigureName
    judgement: Judgement
    first: float | None
    second: float | None
    difference: float | None
    margin: float | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class FiguresByDay:
    """The figures of each day of both sides."""

    first: tuple[QueueFigures, ...]
    second: tuple[QueueFigures, ...]


def estimate_ratio(samples: Iterable[RatioSample]) -> RatioEstimate:
    """Return Σx ÷ Σn; its variance is D/(D−1) · Σ(x − Rn)² ÷ (Σn)² over the D days with n > 0."""
    used = [sample for sample in samples if sample.whole]
    cases = sum(sample.whole for sample in used)
    if not cases:
        return RatioEstimate(None, None, 0, 0)
    value = sum(sample.part for sample in used) / cases
    if len(used) < LEAST_DAYS:
        return RatioEstimate(value, None, len(used), cases)
    squares = sum((sample.part - value * sample.whole) ** 2 for sample in used)
    return RatioEstimate(value, sqrt(squares * len(used) / (len(used) - 1)) / cases, len(used), cases)


def t_quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t by its expansion in 1/freedom (Abramowitz and Stegun 26.7.5).

    Within 0.01 of it from 4 degrees of freedom up.
    """
    total = _Z
    for power, coefficient in enumerate(_T_EXPANSION, 1):
        total += coefficient / freedom**power
    return total


def compare_periods(first: ComparedPeriod, second: ComparedPeriod, threshold_s: int) -> tuple[FigureComparison, ...]:
    """Compare two periods or places, figure by figure; `threshold_s` is one of HISTOGRAM_BOUNDS_S.

    Figures of dossiers are left out when neither side has any, availability when neither knows it.
    """
    a, b = first.figures, second.figures
    by_day = FiguresByDay(*(tuple(queue_figures(day.sums) for day in side.days) for side in (first, second)))
    comparisons = [
        _count("issued", a.issued, b.issued),
        _tickets_per_day(first, second),
        _count("served", a.served, b.served),
        _ratio("wait_mean", "lower_is_better", by_day, _duration("wait"), LEAST_SECONDS),
        _compare_p90(first, second),
        _ratio("within", "higher_is_better", by_day, _within(threshold_s), LEAST_SHARE),
        _ratio("abandoned", "lower_is_better", by_day, _share_of_issued("abandoned"), LEAST_SHARE),
        _ratio("no_show", "lower_is_better", by_day, _share_of_issued("no_show"), LEAST_SHARE),
        _ratio("service_mean", "neutral", by_day, _duration("service"), LEAST_SECONDS),
    ]
    if first.availability or second.availability:
        comparisons.append(_compare_availability(first.availability, second.availability))
    if first.dossier_figures.received_count or second.dossier_figures.received_count:
        comparisons += _compare_dossiers(first.dossier_figures, second.dossier_figures)
    return tuple(comparisons)


def _count(name: FigureName, first: int, second: int) -> FigureComparison:
    return FigureComparison(name, "none", first, second, first - second, None, None)


def _tickets_per_day(first: ComparedPeriod, second: ComparedPeriod) -> FigureComparison:
    """Compare tickets a day over the open days; a day without tickets counts when the place was open."""
    estimates = [estimate_ratio(_days_of(side)) for side in (first, second)]
    smaller = min((e.value for e in estimates if e.value is not None), default=0)
    return _judge("issued_per_day", "neutral", estimates[0], estimates[1], LEAST_GROWTH * smaller)


def _days_of(side: ComparedPeriod) -> list[RatioSample]:
    issued: dict[int, int] = defaultdict(int)
    for day in side.days:
        issued[day.day] += day.sums.get("issued", 0)
    counts = [count for count in issued.values() if count]
    return [RatioSample(count, 1) for count in counts + [0] * max(0, side.open_days - len(counts))]


def _ratio(
    name: FigureName, judgement: Judgement, by_day: FiguresByDay,
    sample: Callable[[QueueFigures], RatioSample], least: float,
) -> FigureComparison:  # fmt: skip
    estimates = [estimate_ratio(map(sample, side)) for side in (by_day.first, by_day.second)]
    comparison = _judge(name, judgement, estimates[0], estimates[1], least)
    return _need_cases(comparison, estimates)


def _need_cases(comparison: FigureComparison, estimates: Sequence[RatioEstimate]) -> FigureComparison:
    if comparison.verdict == "no_data" or min(e.cases for e in estimates) >= LEAST_CASES:
        return comparison
    return replace(comparison, margin=None, verdict="too_few")


def _duration(name: Literal["wait", "service"]) -> Callable[[QueueFigures], RatioSample]:
    def sample(figures: QueueFigures) -> RatioSample:
        durations = figures.wait if name == "wait" else figures.service_time
        return RatioSample(durations.sum_s, durations.count)

    return sample


def _within(threshold_s: int) -> Callable[[QueueFigures], RatioSample]:
    return lambda figures: RatioSample(figures.wait.within_threshold(threshold_s).count, figures.wait.count)


def _share_of_issued(name: Literal["abandoned", "no_show"]) -> Callable[[QueueFigures], RatioSample]:
    return lambda figures: RatioSample(figures.abandoned if name == "abandoned" else figures.no_show, figures.issued)


def _judge(
    name: FigureName, judgement: Judgement, first: RatioEstimate, second: RatioEstimate, least: float
) -> FigureComparison:
    """Compare two ratios; `least` is the smallest difference that counts."""
    if first.value is None or second.value is None:
        return FigureComparison(name, judgement, first.value, second.value, None, None, "no_data")
    difference = first.value - second.value
    if first.error is None or second.error is None:
        return FigureComparison(name, judgement, first.value, second.value, difference, None, "too_few")
    margin = t_quantile(first.days + second.days - 2) * sqrt(first.error**2 + second.error**2)
    is_real = abs(difference) > margin and abs(difference) >= least
    verdict = direction(judgement, difference) if is_real else "same"
    return FigureComparison(name, judgement, first.value, second.value, difference, margin, verdict)


def direction(judgement: Judgement, difference: float) -> Verdict:
    """Return what a real difference is: better or worse, or of neutral figures more or fewer."""
    if judgement == "neutral":
        return "more" if difference > 0 else "fewer"
    return "better" if (difference > 0) == (judgement == "higher_is_better") else "worse"


def _compare_p90(first: ComparedPeriod, second: ComparedPeriod) -> FigureComparison:
    """Compare the waits that nine of ten did not exceed.

    A percentile has no sums by day. What is judged over days is the share of waits above the middle of both
    percentiles; what is shown are the percentiles.
    """
    values = [side.figures.wait.percentile_s(0.9) for side in (first, second)]
    if values[0] is None or values[1] is None:
        return FigureComparison("wait_p90", "lower_is_better", values[0], values[1], None, None, "no_data")
    bucket = bisect_left(BUCKET_BOUNDS_MS, (values[0] + values[1]) / 2 * 1000)
    estimates = [
        estimate_ratio(_above_bucket(day.sums.get("wait_histogram", 0), bucket) for day in side.days)
        for side in (first, second)
    ]
    shares = _need_cases(_judge("wait_p90", "lower_is_better", estimates[0], estimates[1], LEAST_SHARE), estimates)
    difference, verdict = values[0] - values[1], shares.verdict
    if verdict in ("better", "worse") and abs(difference) < LEAST_SECONDS:
        verdict = "same"
    return FigureComparison("wait_p90", "lower_is_better", values[0], values[1], difference, None, verdict)


def _above_bucket(histogram: int, bucket: int) -> RatioSample:
    start, cumulative = cumulative_counts(histogram)
    if not cumulative:
        return RatioSample(0, 0)
    within = 0 if bucket < start else cumulative[min(bucket - start, len(cumulative) - 1)]
    return RatioSample(cumulative[-1] - within, cumulative[-1])


def _compare_availability(first: CoveredRatio | None, second: CoveredRatio | None) -> FigureComparison:
    """Compare availabilities: time is counted, not sampled, so what is not known is the only doubt.

    They differ when their ranges from "all unknown time was down" to "all was up" do not overlap.
    """
    a, b = (one.value if one else None for one in (first, second))
    comparison = FigureComparison("availability", "higher_is_better", a, b, None, None, "no_data")
    if first is None or second is None or a is None or b is None:
        return comparison
    verdict: Verdict = "same"
    if first.coverage_sufficient is False or second.coverage_sufficient is False:
        verdict = "too_few"
    elif abs(a - b) >= LEAST_AVAILABILITY and (_lies_below(first, second) or _lies_below(second, first)):
        verdict = direction("higher_is_better", a - b)
    return replace(comparison, difference=a - b, verdict=verdict)


def _lies_below(one: CoveredRatio, other: CoveredRatio) -> bool:
    return one.high is not None and other.low is not None and one.high < other.low


def _compare_dossiers(first: DossierFigures, second: DossierFigures) -> list[FigureComparison]:
    """Compare dossiers received, and the share in time of those with a due time, without judging: they have no days."""
    a, b = first.on_time_ratio, second.on_time_ratio
    difference = None if a is None or b is None else a - b
    return [
        _count("dossiers", first.received_count, second.received_count),
        FigureComparison("dossiers_on_time", "none", a, b, difference, None, None),
    ]
