"""Expected arrivals by half hour from the days before. Pure: it must not read totals, nor use a day it forecasts.

Profile × level: what a half hour of a weekday usually has, as a share of the day, times what the day will have.  A day
is 48 half hours of local wall-clock time.  Every function looks only at the days it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

SLOTS = 48
"""Half hours of a day."""
HISTORY_DAYS = 40
"""Open days that a model looks back: eight weeks of five days."""
MIN_DAYS = 5
"""Fewer open days than this are too little data: there is no forecast."""
WEEKDAY_WEIGHT_DAYS = 6.0
"""k of n ÷ (n + k): the weekday's own profile weighs half when it was seen so often.

This and the next ones were chosen on the first ten days of a real call log, leaving out one day at a time."""
TICKETS_FOR_OWN_PROFILE = 300.0
"""A centre's own profile weighs half against the pooled one of its level with so many tickets."""
LIKENESS_TONE = 4.0
"""How far, in variances beyond chance, a day may differ around a half hour and still lend to it."""
EDGE_TONE = 2.5
SMOOTHING_DAYS = 3.0
"""A half hour borrows from its neighbours, half when the profile rests on so many days."""
TREND_PRIOR_DAYS = 10.0
TREND_DECAY = 0.9
EFFECT_PRIOR_DAYS = 3.0
"""Holidays and month ends change the level by what such days had, shrunk to no change with so many days."""
SPARSE_DAY_TOTAL = 20.0
"""Below so many tickets a day, the day total is forecast by the Syntetos–Boylan approximation of Croston's method."""
CROSTON_SMOOTHING = 0.1
SPIKE_DEVIATIONS = 2.5
"""A half hour counts at most so many standard deviations above its median: an incident is no profile."""
ALIKE_DISTANCE = 0.15
"""Weekdays share a profile when they differ by at most this share of their tickets beyond chance."""

Slots = tuple[float, ...]
ModelName = Literal["profile", "same_slot_mean"]


@dataclass(frozen=True, slots=True)
class DayTraits:
    """What is known of a day before it begins: whose weekday's hours it has, and its place beside holidays."""

    weekday: int
    after_holiday: bool = False
    month_end: bool = False


@dataclass(frozen=True, slots=True)
class ArrivalDay:
    """The arrivals of one open day in its 48 half hours; None: not observed (closed, or before the first event)."""

    day: date
    traits: DayTraits
    counts: tuple[int | None, ...]

    @property
    def total(self) -> int:
        """Return all arrivals of the day."""
        return sum(count for count in self.counts if count)


def same_slot_mean(history: Sequence[ArrivalDay], weekday: int) -> Slots | None:
    """Return the plain mean of each half hour over all days of the weekday; None when there is none."""
    same = [day for day in history if day.traits.weekday == weekday]
    if not same:
        return None
    return tuple(_mean([c for day in same if (c := day.counts[slot]) is not None]) for slot in range(SLOTS))


@dataclass(frozen=True)
class ArrivalsModel:
    """The profiles and levels of one centre, from its open days in order (the last HISTORY_DAYS count).

    `pooled_shape` is the share of each half hour in the day over all centres of its level, where a centre's own tickets
    are too few for a profile; empty: there is none.
    """

    history: tuple[ArrivalDay, ...]
    pooled_shape: Slots = ()

    @cached_property
    def recent(self) -> tuple[ArrivalDay, ...]:
        """Return the days that count: where many come, a day without any ticket is one without data."""
        days = self.history[-HISTORY_DAYS:]
        is_sparse = median([day.total for day in days]) < SPARSE_DAY_TOTAL if days else True
        return days if is_sparse else tuple(day for day in days if day.total)

    def expected_arrivals(self, traits: DayTraits) -> Slots | None:
        """Return the expected arrivals of each half hour of such a day; None: too little data."""
        if len(self.recent) < MIN_DAYS or traits.weekday not in self._by_weekday:
            return None
        level = self._level(traits)
        return tuple(level * share for share in self._shape(traits.weekday))

    @cached_property
    def _by_weekday(self) -> dict[int, list[ArrivalDay]]:
        groups: dict[int, list[ArrivalDay]] = {}
        for day in self.recent:
            groups.setdefault(day.traits.weekday, []).append(day)
        return groups

    @cached_property
    def _alike(self) -> dict[int, tuple[int, ...]]:
        """Return for each weekday those that share its profile, itself included."""
        means = {w: _means_without_highest(days) for w, days in self._by_weekday.items()}
        counts = {w: len(days) for w, days in self._by_weekday.items()}
        pairs = {
            frozenset((w, u)) for w, u in combinations(means, 2) if _is_alike(means[w], means[u], counts[w], counts[u])
        }
        return {w: tuple(u for u in means if u == w or frozenset((w, u)) in pairs) for w in means}

    def pool(self, weekday: int) -> list[ArrivalDay]:
        """Return the days whose weekdays share the weekday's profile, in order."""
        alike = self._alike[weekday]
        return [day for day in self.recent if day.traits.weekday in alike]

    @cached_property
    def _clean(self) -> dict[date, Slots]:
        """Return each day's counts without spikes; what was not observed is as usual.

        Usual is the median over the weekdays alike, or what the weekday itself had at least every other time; of a day
        that was busier throughout it is more.
        """
        clean: dict[date, Slots] = {}
        usual_by_pool: dict[tuple[int, ...], Slots] = {}
        for weekday, days in self._by_weekday.items():
            alike = self._alike[weekday]
            if alike not in usual_by_pool:
                usual_by_pool[alike] = _usual_slots(self.pool(weekday))
            usual = tuple(map(max, usual_by_pool[alike], _repeated_slots(days)))
            margins = [SPIKE_DEVIATIONS * math.sqrt(u + 0.02 * u * u + 1) for u in usual]
            for day in days:
                ratios = [count / u for count, u in zip(day.counts, usual, strict=True) if u >= 1 and count is not None]
                busier = max(1.0, median(ratios)) if ratios else 1.0
                clean[day.day] = tuple(
                    [
                        u if c is None else c if not c or c <= u else min(float(c), busier * u + margin)
                        for c, u, margin in zip(day.counts, usual, margins, strict=True)
                    ]
                )
        return clean

    @cached_property
    def _totals(self) -> dict[date, float]:
        return {day: sum(slots) for day, slots in self._clean.items()}

    @cached_property
    def _own_shares(self) -> dict[int, Slots]:
        """Return for each weekday its mean share of each half hour, its days weighing the same."""
        shares = {}
        for weekday, days in self._by_weekday.items():
            rows = [(self._clean[day.day], total) for day in days if (total := self._totals[day.day])]
            means = [sum(column) for column in zip(*([v / total for v in row] for row, total in rows), strict=True)]
            shares[weekday] = _shares_of(means or [1.0] * SLOTS)
        return shares

    @cached_property
    def _shapes(self) -> dict[int, Slots]:
        return {}

    def _shape(self, weekday: int) -> Slots:
        if weekday not in self._shapes:
            self._shapes[weekday] = self._make_shape(weekday)
        return self._shapes[weekday]

    def _make_shape(self, weekday: int) -> Slots:
        """Return the share of each half hour: own weekday, shrunk to alike weekdays, neighbours and other centres."""
        own, pool = self._by_weekday[weekday], self.pool(weekday)
        tickets = sum(self._totals[day.day] for day in pool)
        level = tickets / len(pool)
        means = {w: (_at_level(self._own_shares[w], level), len(self._by_weekday[w])) for w in self._alike[weekday]}
        counts, _ = means.pop(weekday)
        days = float(len(own))
        if means:
            counts = _shrink_where_alike(counts, len(own), tuple(means.values()))
            days += min(WEEKDAY_WEIGHT_DAYS, len(pool) - len(own))
        shape = _shares_of(_mix(counts, _smooth_between_edges(counts, days), days / (days + SMOOTHING_DAYS)))
        if not self.pooled_shape:
            return shape
        return _shares_of(_mix(shape, self.pooled_shape, tickets / (tickets + TICKETS_FOR_OWN_PROFILE)))

    def _weekday_level(self, weekday: int) -> float:
        """Return the usual total of the weekday, shrunk to that of the weekdays alike."""
        own, pool = self._by_weekday[weekday], self.pool(weekday)
        pooled = _mean([self._totals[day.day] for day in pool])
        return _shrink([self._totals[day.day] for day in own], pooled, WEEKDAY_WEIGHT_DAYS)

    def _level(self, traits: DayTraits) -> float:
        """Return the expected total of a day: weekday × trend × what days beside holidays and month ends have."""
        totals = [self._totals[day.day] for day in self.pool(traits.weekday)]
        if _mean(totals) < SPARSE_DAY_TOTAL:
            return croston_level(totals)
        effects = 1.0
        for flag in ("after_holiday", "month_end"):
            if getattr(traits, flag):
                ratios = [r for day, r in self._ratios if getattr(day.traits, flag)]
                effects *= _shrink(ratios, 1.0, EFFECT_PRIOR_DAYS)
        return self._weekday_level(traits.weekday) * self._trend * effects

    @cached_property
    def _ratios(self) -> list[tuple[ArrivalDay, float]]:
        """Return each day's total ÷ its weekday's usual one."""
        levels = {weekday: self._weekday_level(weekday) for weekday in self._by_weekday}
        return [
            (day, self._totals[day.day] / level) for day in self.recent if (level := levels[day.traits.weekday]) > 0
        ]

    @cached_property
    def _trend(self) -> float:
        """Return how the last days' totals compare with their weekdays' usual ones, later days weighing more."""
        total, weights = TREND_PRIOR_DAYS, TREND_PRIOR_DAYS
        for age, (_, ratio) in enumerate(reversed(self._ratios)):
            weight = TREND_DECAY**age
            total, weights = total + weight * ratio, weights + weight
        return total / weights


@dataclass(frozen=True)
class ArrivalHistory:
    """Open days in order, and the model of each from the days before it; models are made once."""

    days: tuple[ArrivalDay, ...]
    pooled_shape: Slots = ()

    @cached_property
    def _models(self) -> dict[int, ArrivalsModel]:
        return {}

    def model_before(self, index: int) -> ArrivalsModel:
        """Return the model of the day at `index`, from at most HISTORY_DAYS days before it."""
        if index not in self._models:
            earlier = self.days[max(0, index - HISTORY_DAYS) : index]
            self._models[index] = ArrivalsModel(earlier, self.pooled_shape)
        return self._models[index]


def croston_level(totals: Sequence[float]) -> float:
    """Return the mean demand of a day with many empty days: (1 − w/2) × size ÷ interval, both smoothed by w.

    Syntetos and Boylan, The accuracy of intermittent demand estimates, International Journal of Forecasting 21, 2005.
    Size and interval begin at their means, so that a short history is not read as its first day; without empty days it
    is simple exponential smoothing.
    """
    sizes = [total for total in totals if total > 0]
    if not sizes:
        return 0.0
    size, interval = _mean(sizes), len(totals) / len(sizes)
    gap = 1
    for total in totals:
        if total > 0:
            size += CROSTON_SMOOTHING * (total - size)
            interval += CROSTON_SMOOTHING * (gap - interval)
            gap = 1
        else:
            gap += 1
    bias = 1 - CROSTON_SMOOTHING / 2 if len(sizes) < len(totals) else 1.0
    return bias * size / max(1.0, interval)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _shrink(values: Sequence[float], prior: float, prior_days: float) -> float:
    return (sum(values) + prior_days * prior) / (len(values) + prior_days)


def _mix(first: Sequence[float], second: Sequence[float], weight: float) -> Slots:
    return tuple(weight * a + (1 - weight) * b for a, b in zip(first, second, strict=True))


def _shares_of(values: Sequence[float]) -> Slots:
    total = sum(values)
    return tuple(value / total for value in values) if total else (1 / len(values),) * len(values)


def _at_level(values: Slots, level: float) -> Slots:
    return tuple(value * level for value in values)


def median(values: Sequence[float]) -> float:
    """Return the middle of the values, the mean of the middle two of an even number."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _observed_columns(days: Sequence[ArrivalDay]) -> Iterable[list[int]]:
    """Yield for each half hour the observed counts in ascending order; empty where there was never a ticket."""
    for column in zip(*(day.counts for day in days), strict=True):
        yield sorted(count for count in column if count is not None) if any(column) else []


def _medians(days: Sequence[ArrivalDay]) -> Slots:
    return tuple(median(column) if column else 0.0 for column in _observed_columns(days))


def _means_without_highest(days: Sequence[ArrivalDay]) -> Slots:
    """Return the mean of each half hour, of three days or more without the highest: sparse counts have no median."""
    return tuple(_mean(column[:-1] if len(column) >= 3 else column) for column in _observed_columns(days))


def _repeated_slots(days: Sequence[ArrivalDay]) -> Slots:
    """Return what each half hour had on at least half of a weekday's days; 0 for a single day."""
    if len(days) == 1:
        return (0.0,) * SLOTS
    return tuple(float(column[(len(column) - 1) // 2]) if column else 0.0 for column in _observed_columns(days))


def _usual_slots(pool: Sequence[ArrivalDay]) -> Slots:
    """Return what each half hour usually has: the median over days, or with fewer than 3 days over neighbours too."""
    medians = _medians(pool)
    if len(pool) >= 3:
        return medians
    return tuple(median(medians[max(0, slot - 3) : slot + 4]) for slot in range(SLOTS))


def _is_alike(first: Slots, second: Slots, first_days: int, second_days: int) -> bool:
    """Return whether two weekdays' profiles differ no more than ALIKE_DISTANCE beyond what chance makes differ.

    Chance: twice the mean difference of two means of Poisson counts, √(2/π · m(1/n + 1/k)).
    """
    difference = sum(abs(a - b) for a, b in zip(first, second, strict=True))
    spread = 1 / first_days + 1 / second_days
    chance = sum(math.sqrt((a + b) / math.pi * spread) for a, b in zip(first, second, strict=True))
    return difference - 2 * chance <= ALIKE_DISTANCE * (sum(first) + sum(second))


def _shrink_where_alike(own: Slots, own_days: int, others: Sequence[tuple[Slots, int]]) -> Slots:
    """Return a weekday's mean counts, shrunk to those of other weekdays where these are like it around the half hour.

    `others` are mean counts and how many days they are of.  The weight of another weekday falls with the mean squared
    difference of two and a half hours, in units of what chance makes differ (non-local means: Buades, Coll and Morel, A
    non-local algorithm for image denoising, CVPR 2005): an afternoon that is busy on some weekdays only stays theirs.
    All others together weigh WEEKDAY_WEIGHT_DAYS at most.
    """
    sums, weights = [0.0] * len(own), [0.0] * len(own)
    for other, days in others:
        differences = [
            (value - usual) ** 2 / (usual / own_days + (value + 2) / days)
            for value, usual in zip(other, own, strict=True)
        ]
        for slot, value in enumerate(other):
            around = differences[max(0, slot - 2) : slot + 3]
            weight = days * math.exp(-max(0.0, sum(around) / len(around) - 1) / LIKENESS_TONE)
            sums[slot] += weight * value
            weights[slot] += weight
    shrunk = []
    for value, total, weight in zip(own, sums, weights, strict=True):
        prior_days = min(WEEKDAY_WEIGHT_DAYS, weight)
        prior = total / weight if weight else 0.0
        shrunk.append((own_days * value + prior_days * prior) / (own_days + prior_days))
    return tuple(shrunk)


def _smooth_between_edges(counts: Sequence[float], days: float, reach: int = 5, width: float = 2.0) -> Slots:
    """Return means of `days` days smoothed over time where neighbours differ no more than chance: edges stay.

    Bilateral filter (C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images, ICCV 1998), its tone
    EDGE_TONE standard deviations of a difference of Poisson means.  Half hours without tickets lend nothing.
    """
    smooth = []
    for slot, centre in enumerate(counts):
        low, total, weights = max(0, slot - reach), 0.0, 0.0
        for other, value in enumerate(counts[low : slot + reach + 1], low):
            if value and centre:
                variance = EDGE_TONE * EDGE_TONE * (value + centre + 2) / days
                weight = math.exp(-(((other - slot) / width) ** 2 + (value - centre) ** 2 / variance) / 2)
                total, weights = total + weight * value, weights + weight
        smooth.append(total / weights if weights else centre)
    return tuple(smooth)
