"""Half hours whose arrivals, waits, abandonment or service time leave what other days let expect. Pure.

A day is judged by the days it is given and never by itself: live these are the days before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from telemetry.core.queueing.arrivals import SLOTS, median

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry.core.queueing.arrivals import ArrivalDay, ArrivalsModel, DayTraits
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
_Duration = Literal["wait", "service_time"]
_DURATION_FIELDS: Mapping[_Duration, tuple[str, str]] = {
    "wait": ("wait_sum_ms", "called"),
    "service_time": ("service_sum_ms", "service_count"),
}
_OFFSETS_S: Mapping[_Duration, float] = {"wait": 30.0, "service_time": 1.0}
"""Waits are compared as log(wait + 30 s): five seconds instead of one are no anomaly."""
_LEAST_SPREADS: Mapping[_Duration, float] = {"wait": 0.25, "service_time": 0.15}
_NORMAL_90 = 1.2815515655446004
"""The 90 % point of the standard normal distribution."""
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


@dataclass(frozen=True, slots=True)
class LogReference:
    """What the logarithm of a mean duration usually is: its median, and its spread in the manner of a deviation."""

    middle: Annotated[float, Meta(ge=-50, le=50)]
    spread: Annotated[float, Meta(ge=0.01, le=50)]


@dataclass(frozen=True, slots=True)
class UsualWait:
    """What the mean wait of a half hour usually is: the median and the range of eight of ten (p10–p90), s."""

    middle_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class HalfHourReference:
    """What one half hour is judged by: expected arrivals, and where known abandonment, wait and service time."""

    expected: Annotated[float, Meta(ge=0, le=1e12)]
    abandonment: Annotated[float, Meta(gt=0, lt=1)] | None = None
    wait: LogReference | None = None
    service_time: LogReference | None = None


def usual_wait(reference: LogReference) -> UsualWait:
    """Return the usual mean wait of a half hour from its logarithms, taken as normal."""
    low, middle, high = (
        max(0.0, round(math.exp(reference.middle + sign * _NORMAL_90 * reference.spread) - _OFFSETS_S["wait"], 1))
        for sign in (-1, 0, 1)
    )
    return UsualWait(middle, low, high)


def half_hour_references(
    model: ArrivalsModel, traits: DayTraits, sums: Mapping[HalfHourKey, Mapping[str, int]]
) -> tuple[HalfHourReference, ...]:
    """Return what the half hours of such a day are judged by, from the model's days; empty where these are too few.

    `sums` has the queue sums (`totals.QUEUE_FIELDS`) of the half hours of these days.
    """
    expected = model.expected_arrivals(traits)
    if expected is None:
        return ()
    pool = [day.day for day in model.pool(traits.weekday)]
    slots = [_SlotHistory.of([s for day in pool if (s := sums.get((day, slot)))]) for slot in range(SLOTS)]
    return tuple(_reference(expected[slot], slots[max(0, slot - 1) : slot + 2]) for slot in range(SLOTS))


@dataclass(frozen=True, slots=True)
class _SlotHistory:
    """One half hour on other days: on how many, its tickets, and the logarithms of its mean durations."""

    days: int
    issued: int
    abandoned: int
    wait_logs: list[float]
    service_logs: list[float]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, int]]) -> _SlotHistory:
        """Gather the sums of one half hour on several days."""
        return cls(
            len(rows),
            sum(row.get("issued", 0) for row in rows),
            sum(row.get("abandoned", 0) for row in rows),
            [log for row in rows if (log := _log_mean("wait", row)) is not None],
            [log for row in rows if (log := _log_mean("service_time", row)) is not None],
        )


def _reference(expected: float, around: Sequence[_SlotHistory]) -> HalfHourReference:
    """Return what a half hour is judged by, from it and its two neighbours."""
    if sum(slot.days for slot in around) < MIN_REFERENCES:
        return HalfHourReference(expected)
    left, of = sum(slot.abandoned for slot in around), sum(slot.issued for slot in around)
    return HalfHourReference(
        expected,
        min(0.99, (left + 1) / (of + 10)),
        _log_reference("wait", [log for slot in around for log in slot.wait_logs]),
        _log_reference("service_time", [log for slot in around for log in slot.service_logs]),
    )


def flag_day(
    day: ArrivalDay, model: ArrivalsModel, sums: Mapping[HalfHourKey, Mapping[str, int]]
) -> tuple[FlaggedHalfHour, ...]:
    """Return the flagged half hours of a day, judged by the model's days, in order; none where these are too few."""
    references = half_hour_references(model, day.traits, sums)
    slots = [slot for slot in range(SLOTS) if day.counts[slot] is not None] if references else []
    return flag_half_hours(day.day, slots, references, sums)


def flag_half_hours(
    day: date, slots: Iterable[int], references: Sequence[HalfHourReference],
    sums: Mapping[HalfHourKey, Mapping[str, int]],
) -> tuple[FlaggedHalfHour, ...]:  # fmt: skip
    """Return those of a day's half hours that are flagged, in order; without any ticket in them none is judged."""
    judged = {slot: sums.get((day, slot), {}) for slot in slots}
    if not any(half_hour.get("issued") for half_hour in judged.values()):
        return ()
    flagged = []
    for slot, half_hour in judged.items():
        deviations = list(_deviations(half_hour, references[slot]))
        outside = [deviation for deviation in deviations if abs(deviation.deviations) >= FLAG_DEVIATIONS]
        if outside:
            by_size = tuple(sorted(outside, key=_size, reverse=True))
            flagged.append(FlaggedHalfHour(day, slot, by_size, _likely_cause(by_size[0], deviations)))
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


def _deviations(sums: Mapping[str, int], reference: HalfHourReference) -> Iterable[Deviation]:
    """Yield the deviations of the measures for which half hour and references have enough tickets."""
    yield _arrivals_deviation(sums.get("issued", 0), reference.expected)
    yield from _log_deviations("wait", sums, reference.wait)
    if reference.abandonment is not None:
        yield from _abandonment_deviations(sums, reference.abandonment)
    yield from _log_deviations("service_time", sums, reference.service_time)


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


def _abandonment_deviations(sums: Mapping[str, int], share: float) -> Iterable[Deviation]:
    """Yield how far the share of issued tickets that left is: binomial, with a variance beyond it."""
    issued = sums.get("issued", 0)
    if issued >= MIN_TICKETS:
        variance = issued * share * (1 - share) * (1 + _ABANDONMENT_DISPERSION * issued) + 1
        deviation, actual = math.sqrt(variance) / issued, sums.get("abandoned", 0) / issued
        low, high = max(0.0, share - FLAG_DEVIATIONS * deviation), share + FLAG_DEVIATIONS * deviation
        yield Deviation("abandonment", actual, share, low, high, (actual - share) / deviation)


def _log_reference(measure: _Duration, logs: Sequence[float]) -> LogReference | None:
    """Return the median of the logarithms of mean durations and their median deviation; None of too few."""
    if len(logs) < MIN_REFERENCES:
        return None
    middle = median(logs)
    spread = _NORMAL_MAD * median([abs(log - middle) for log in logs])
    return LogReference(middle, max(_LEAST_SPREADS[measure], spread))


def _log_mean(measure: _Duration, sums: Mapping[str, int]) -> float | None:
    """Return the logarithm of a mean duration, s, plus its offset; None of too few tickets."""
    total, number = _DURATION_FIELDS[measure]
    count = sums.get(number, 0)
    return math.log(sums.get(total, 0) / 1000 / count + _OFFSETS_S[measure]) if count >= MIN_TICKETS else None


def _log_deviations(measure: _Duration, sums: Mapping[str, int], reference: LogReference | None) -> Iterable[Deviation]:
    """Yield how far a mean duration is from its reference, on the scale of logarithms."""
    log = _log_mean(measure, sums)
    if log is not None and reference is not None:
        middle, spread, offset = reference.middle, reference.spread, _OFFSETS_S[measure]
        low, expected, high = (
            max(0.0, math.exp(middle + sign * FLAG_DEVIATIONS * spread) - offset) for sign in (-1, 0, 1)
        )
        actual = max(0.0, math.exp(log) - offset)
        yield Deviation(measure, actual, expected, low, high, (log - middle) / spread)
