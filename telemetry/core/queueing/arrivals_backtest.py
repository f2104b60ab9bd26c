"""How well arrivals were forecast a day ahead, which model is in force, and how far counts spread. Pure.

A forecast of a day is made from the days before it alone; it must not see the day itself nor a later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.queueing.arrivals import (
    ArrivalHistory,
    Slots,
    same_slot_mean,
)
from telemetry.core.queueing.count_distribution import count_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry.core.queueing.arrivals import ArrivalDay, ModelName

SCORED_DAYS = 10
"""The newest days on which models are compared."""
MIN_SCORED_DAYS = 5
"""With fewer days forecast by both models the champion stays."""
WINNING_MARGIN = 0.02
"""A challenger must have an error smaller by this share."""
DEFAULT_DISPERSION = 0.04
"""The spread of a half hour beyond chance when nothing is known yet: a standard deviation of 20 %."""
DISPERSION_PRIOR_DAYS = 3.0
INCIDENT_DEVIATIONS = 4.0
"""An error counts for the dispersion up to so many standard deviations: an incident is no spread."""
FIRST_CHAMPION: ModelName = "profile"


@dataclass(frozen=True, slots=True)
class DayAhead:
    """One day and what each model expected of its half hours from the days before; a model that could not is absent."""

    day: ArrivalDay
    expected: Mapping[ModelName, Slots]


def forecast_days_ahead(history: ArrivalHistory, newest: int = 0) -> tuple[DayAhead, ...]:
    """Return the day-ahead forecasts of a history's days, or of the `newest` ones; impossible ones are left out."""
    ahead = []
    for index in range(max(0, len(history.days) - newest) if newest else 0, len(history.days)):
        day, model = history.days[index], history.model_before(index)
        expected: dict[ModelName, Slots] = {}
        profile = model.expected_arrivals(day.traits)
        if profile is not None:
            expected["profile"] = profile
        plain = same_slot_mean(model.history, day.traits.weekday)
        if plain is not None:
            expected["same_slot_mean"] = plain
        if expected:
            ahead.append(DayAhead(day, expected))
    return tuple(ahead)


@dataclass(frozen=True, slots=True)
class ForecastError:
    """Sums over half hours: WAPE = Σ|actual − expected| ÷ Σ actual, bias = Σ(expected − actual) ÷ Σ actual."""

    absolute: float = 0.0
    signed: float = 0.0
    actual: int = 0
    days: int = 0

    @property
    def wape(self) -> float | None:
        """Return the weighted absolute percentage error; None when nobody arrived."""
        return self.absolute / self.actual if self.actual else None

    @property
    def bias(self) -> float | None:
        """Return the share by which too many (positive) or too few were expected; None when nobody arrived."""
        return self.signed / self.actual if self.actual else None


def forecast_error(ahead: Iterable[DayAhead], model: ModelName) -> ForecastError:
    """Return the error of a model over the days that it forecast; half hours not observed do not count."""
    absolute, signed, actual, days = 0.0, 0.0, 0, 0
    for row in ahead:
        if model not in row.expected:
            continue
        days += 1
        for count, expected in zip(row.day.counts, row.expected[model], strict=True):
            if count is not None:
                absolute += abs(count - expected)
                signed += expected - count
                actual += count
    return ForecastError(absolute, signed, actual, days)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model in force, both models' errors on the same newest days, and the dispersion of counts around it."""

    champion: ModelName
    errors: Mapping[ModelName, ForecastError]
    dispersion: float


def choose_model(ahead: Sequence[DayAhead], champion: ModelName = FIRST_CHAMPION) -> ModelChoice:
    """Return the model in force after `ahead`: the champion stays unless the challenger wins on the newest days."""
    both = [row for row in ahead if len(row.expected) == 2][-SCORED_DAYS:]
    names: tuple[ModelName, ModelName] = ("profile", "same_slot_mean")
    errors = {name: forecast_error(both, name) for name in names}
    challenger = names[1] if champion == names[0] else names[0]
    if len(both) >= MIN_SCORED_DAYS and (
        errors[challenger].absolute < errors[champion].absolute * (1 - WINNING_MARGIN)
    ):
        champion = challenger
    return ModelChoice(champion, errors, _dispersion(ahead[-SCORED_DAYS:], champion))


def _dispersion(ahead: Sequence[DayAhead], model: ModelName) -> float:
    """Return φ of variance = μ + φμ² by moments, incidents cut off, shrunk to the default.

    φ = Σ((count − μ)² − μ) ÷ Σμ².
    """
    excess, squares, days = 0.0, 0.0, 0
    for row in ahead:
        if model not in row.expected:
            continue
        days += 1
        for count, mean in zip(row.day.counts, row.expected[model], strict=True):
            if count is not None:
                cap = INCIDENT_DEVIATIONS**2 * (mean + DEFAULT_DISPERSION * mean * mean)
                excess += min((count - mean) ** 2, cap) - mean
                squares += mean * mean
    if not squares:
        return DEFAULT_DISPERSION
    prior = DISPERSION_PRIOR_DAYS * squares / days
    return max(0.0, (excess + DEFAULT_DISPERSION * prior) / (squares + prior))


@dataclass(frozen=True, slots=True)
class ShippedForecast:
    """What was expected of one day by the model then in force, with the 10 % and 90 % points of each half hour."""

    day: ArrivalDay
    model: ModelName
    expected: Slots
    intervals: tuple[tuple[int, int], ...]
    same_slot_mean: Slots | None


def backtest(days: Sequence[ArrivalDay], since: date, pooled_shape: Slots = ()) -> tuple[ShippedForecast, ...]:
    """Return what would have been shipped for each day from `since` on, the model in force chosen on the days before.

    Days with too little data before them have no row.
    """
    ahead = forecast_days_ahead(ArrivalHistory(tuple(days), pooled_shape))
    champion: ModelName = FIRST_CHAMPION
    shipped = []
    for index, row in enumerate(ahead):
        choice = choose_model(ahead[:index], champion)
        champion = choice.champion
        if champion in row.expected and row.day.day >= since:
            expected = row.expected[champion]
            intervals = tuple(count_interval(mean, choice.dispersion) for mean in expected)
            plain = row.expected.get("same_slot_mean")
            shipped.append(ShippedForecast(row.day, champion, expected, intervals, plain))
    return tuple(shipped)


@dataclass(frozen=True, slots=True)
class ArrivalsScore:
    """The errors of shipped forecasts and of the same-slot mean on the days that have both; `inside` of p10–p90.

    `ratio` is WAPE ÷ WAPE of the same-slot mean, `inside` the share of half hours within their interval, of those in
    which at least one ticket was expected; None without any.
    """

    error: ForecastError
    same_slot_error: ForecastError
    ratio: float | None
    inside: float | None


def score_forecasts(shipped: Sequence[ShippedForecast]) -> ArrivalsScore:
    """Return the score of what was shipped."""
    both = [
        DayAhead(row.day, {"profile": row.expected, "same_slot_mean": row.same_slot_mean})
        for row in shipped
        if row.same_slot_mean is not None
    ]
    error, plain = forecast_error(both, "profile"), forecast_error(both, "same_slot_mean")
    inside = [
        low <= count <= high
        for row in shipped
        for count, expected, (low, high) in zip(row.day.counts, row.expected, row.intervals, strict=True)
        if count is not None and expected >= 1
    ]
    return ArrivalsScore(
        error, plain, error.absolute / plain.absolute if plain.absolute else None,
        sum(inside) / len(inside) if inside else None,
    )  # fmt: skip
