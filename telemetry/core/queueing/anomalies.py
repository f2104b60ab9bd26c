"""Half hours whose arrivals, waits, abandonment or service time leave what other days let expect. Pure.

A day is judged by the days it is given and never by itself: live these are the days before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.queueing.arrivals import SLOTS, median

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry.core.queueing.arrivals import ArrivalDay, ArrivalsModel
    from telemetry.core.queueing.half_hours import HalfHourKey

AnomalyMeasure = Literal["arrivals", "wait", "abandonment", "service_time"]
AnomalyCause = Literal["arrivals", "service_time", "counters_short"]
FLAG_DEVIATIONS = 5.0
"""A half hour is flagged when a measure is so many standard deviations from what is expected."""
CAUSE_DEVIATIONS = 2.0
"""A wait or abandonment is put down to arrivals or service time that are so many deviations high."""
MAX_FLAGS_A_DAY = 3
"""The farthest half hours of a day are flagged; more would not be looked at."""
MIN_TICKETS = 5
"""A mean or share of fewer tickets says nothing."""
MIN_REFERENCES = 6
"""Fewer half hours of other days are no reference."""
_ARRIVALS_DISPERSION = 0.06
_ABANDONMENT_DISPERSION = 0.03
_WAIT_OFFSET_S = 30.0
"""Waits are compared as log(wait + 30 s): five seconds instead of one are no anomaly."""
_LEAST_WAIT_SPREAD = 0.25
_LEAST_SERVICE_SPREAD = 0.15
_NORMAL_MAD = 1.4826
"""The standard deviation of a normal distribution ÷ its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One measure of a half hour beside what was expected; `low`–`high` is what would not have been flagged.

    Arrivals are tickets, waits and service times mean seconds, abandonment the share of issued tickets (0–1).
    `deviations` is signed: how many standard deviations the figure is above what was expected.
    """

    measure: AnomalyMeasure
    actual: float
    expected: float
    low: float
    high: float
    deviations: float


@dataclass(frozen=True, slots=True)
class FlaggedHalfHour:
    """A half hour (0–47) of a local day that stands out, its measures by size, and the likely cause."""

    day: date
    slot: int
    deviations: tuple[Deviation, ...]
    cause: AnomalyCause


def flag_day(
    day: ArrivalDay, model: ArrivalsModel, sums: Mapping[HalfHourKey, Mapping[str, int]]
) -> tuple[FlaggedHalfHour, ...]:
    """Return the flagged half hours of a day, judged by the model's days, in order; none where these are too few.

    A day without any ticket is not judged: nothing was reported of it.

    `sums` has the queue sums (`totals.QUEUE_FIELDS`) of the half hours of all these days.
    """
    expected = model.expected_arrivals(day.traits)
    if expected is None or not day.total:
        return ()
    pool = [other.day for other in model.pool(day.traits.weekday)]
    flagged = []
    for slot in range(SLOTS):
        if day.counts[slot] is None:
            continue
        references = [s for other in pool for near in (slot - 1, slot, slot + 1) if (s := sums.get((other, near)))]
        deviations = _deviations(sums.get((day.day, slot), {}), expected[slot], references)
        outside = [deviation for deviation in deviations if abs(deviation.deviations) >= FLAG_DEVIATIONS]
        if outside:
            by_size = tuple(sorted(outside, key=_size, reverse=True))
            flagged.append(FlaggedHalfHour(day.day, slot, by_size, _likely_cause(by_size[0], deviations)))
    largest = sorted(flagged, key=lambda flag: _size(flag.deviations[0]), reverse=True)[:MAX_FLAGS_A_DAY]
    return tuple(sorted(largest, key=lambda flag: flag.slot))


def _size(deviation: Deviation) -> float:
    return abs(deviation.deviations)


def _likely_cause(largest: Deviation, deviations: Iterable[Deviation]) -> AnomalyCause:
    """Return why waits or abandonment rose: more arrivals, longer services, or else too few counters at work."""
    by_measure = {deviation.measure: deviation.deviations for deviation in deviations}
    if largest.measure == "arrivals" or by_measure.get("arrivals", 0.0) >= CAUSE_DEVIATIONS:
        return "arrivals"
    if largest.measure == "service_time" or by_measure.get("service_time", 0.0) >= CAUSE_DEVIATIONS:
        return "service_time"
    return "counters_short"


def _deviations(
    sums: Mapping[str, int], expected_arrivals: float, references: Sequence[Mapping[str, int]]
) -> list[Deviation]:
    """Return the deviations of the measures for which half hour and references have enough tickets."""
    measured = [_arrivals_deviation(sums.get("issued", 0), expected_arrivals)]
    if len(references) < MIN_REFERENCES:
        return measured
    measured.extend(_wait_deviations(sums, references))
    measured.extend(_abandonment_deviations(sums, references))
    measured.extend(_service_deviations(sums, references))
    return measured


def _arrivals_deviation(issued: int, expected: float) -> Deviation:
    """Return how far arrivals are: a count whose variance exceeds its mean, by one where nearly nobody is expected.

    Below, where a count is far from normal, in the variance-stabilised scale 2/√φ · arsinh √(φ·count) of the negative
    binomial distribution (F. J. Anscombe, The transformation of Poisson, binomial and negative-binomial data,
    Biometrika 35, 1948).
    """
    scale = 2 / math.sqrt(_ARRIVALS_DISPERSION)

    def stabilised_count(count: float) -> float:
        return scale * math.asinh(math.sqrt(_ARRIVALS_DISPERSION * count))

    lowest = max(0.0, stabilised_count(expected) - FLAG_DEVIATIONS) / scale
    low = math.sinh(lowest) ** 2 / _ARRIVALS_DISPERSION
    deviation = math.sqrt(expected + _ARRIVALS_DISPERSION * expected * expected + 1)
    size = (
        (issued - expected) / deviation if issued > expected else stabilised_count(issued) - stabilised_count(expected)
    )
    return Deviation("arrivals", issued, expected, low, expected + FLAG_DEVIATIONS * deviation, size)


def _abandonment_deviations(sums: Mapping[str, int], references: Sequence[Mapping[str, int]]) -> Iterable[Deviation]:
    """Yield how far the share of issued tickets that left is: binomial, with a variance beyond it."""
    issued = sums.get("issued", 0)
    if issued >= MIN_TICKETS:
        left, of = (sum(s.get(name, 0) for s in references) for name in ("abandoned", "issued"))
        share = (left + 1) / (of + 10)
        variance = issued * share * (1 - share) * (1 + _ABANDONMENT_DISPERSION * issued) + 1
        deviation, actual = math.sqrt(variance) / issued, sums.get("abandoned", 0) / issued
        low, high = max(0.0, share - FLAG_DEVIATIONS * deviation), share + FLAG_DEVIATIONS * deviation
        yield Deviation("abandonment", actual, share, low, high, (actual - share) / deviation)


def _wait_deviations(sums: Mapping[str, int], references: Sequence[Mapping[str, int]]) -> Iterable[Deviation]:
    """Yield how far the mean wait of called tickets is, by the logarithm of wait + 30 s."""
    yield from _log_deviations("wait", ("wait_sum_ms", "called"), sums, references)


def _service_deviations(sums: Mapping[str, int], references: Sequence[Mapping[str, int]]) -> Iterable[Deviation]:
    """Yield how far the mean service time of finished tickets is, by its logarithm."""
    yield from _log_deviations("service_time", ("service_sum_ms", "service_count"), sums, references)


def _log_deviations(
    measure: Literal["wait", "service_time"],
    fields: tuple[str, str],
    sums: Mapping[str, int],
    references: Sequence[Mapping[str, int]],
) -> Iterable[Deviation]:
    """Yield how far a mean is from the median of the references' means, in units of their median deviation."""
    offset = _WAIT_OFFSET_S if measure == "wait" else 1.0
    least = _LEAST_WAIT_SPREAD if measure == "wait" else _LEAST_SERVICE_SPREAD
    logs = [
        math.log(s.get(fields[0], 0) / 1000 / count + offset)
        for s in references
        if (count := s.get(fields[1], 0)) >= MIN_TICKETS
    ]
    count = sums.get(fields[1], 0)
    if count < MIN_TICKETS or len(logs) < MIN_REFERENCES:
        return
    middle = median(logs)
    spread = max(least, _NORMAL_MAD * median([abs(log - middle) for log in logs]))
    actual = sums.get(fields[0], 0) / 1000 / count
    low, high = (max(0.0, math.exp(middle + sign * FLAG_DEVIATIONS * spread) - offset) for sign in (-1, 1))
    expected = max(0.0, math.exp(middle) - offset)
    yield Deviation(measure, actual, expected, low, high, (math.log(actual + offset) - middle) / spread)
