"""Half hours of a centre's past → the forecast that is stored. Pure: it must not read a store nor the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.queueing.anomalies import flag_day, half_hour_references
from telemetry.core.queueing.arrivals import (
    HISTORY_DAYS,
    SLOTS,
    ArrivalHistory,
    ArrivalsModel,
    Slots,
    same_slot_mean,
)
from telemetry.core.queueing.arrivals_backtest import (
    FIRST_CHAMPION,
    SCORED_DAYS,
    choose_model,
    forecast_days_ahead,
)
from telemetry.core.queueing.forecast_rows import (
    BacktestNow,
    CentreForecast,
    DayForecastNow,
    DeviationNow,
    FlagNow,
    QueueSumsNow,
)
from telemetry.core.queueing.half_hours import arrival_days, day_traits, open_slots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from telemetry.core.inventory import Centre
    from telemetry.core.queueing.anomalies import FlaggedHalfHour, HalfHourReference
    from telemetry.core.queueing.arrivals import ArrivalDay, ModelName
    from telemetry.core.queueing.arrivals_backtest import ModelChoice
    from telemetry.core.queueing.half_hours import CentreHalfHours, HalfHourKey

HORIZON_DAYS = 11
"""Open days that are forecast, the day of the forecast included: ten working days remain after it."""
_HORIZON_CALENDAR_DAYS = 31
HISTORY_CALENDAR_DAYS = 63
"""Calendar days in which HISTORY_DAYS open days of a five-day week lie, holidays included."""
JUDGED_DAYS = 14
"""The newest days whose half hours are judged."""
LIVE_JUDGED_AFTER_DAYS = 10
"""A day with fewer open days before it is judged by the days after it too."""
ServiceShares = dict[str, Slots]
"""The share of each service in the arrivals of each half hour."""
_SERVICE_PRIOR_TICKETS = 20.0
"""A service's share of a half hour is shrunk to its share of all, half with so many tickets."""


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """What a forecast is made of: the centre, its half hours, and the day from which on it is for.

    `champion` is the model in force until now, `pooled_shape` the shares of half hours at all centres of the level.
    """

    centre: Centre
    half_hours: CentreHalfHours
    origin: date
    champion: ModelName = FIRST_CHAMPION
    pooled_shape: Slots = ()


def forecast_centre(inputs: ForecastInputs, at: int) -> CentreForecast:
    """Return the forecast of a centre, made at `at` (Unix ms)."""
    days = arrival_days(inputs.centre, inputs.half_hours, inputs.origin)[-HISTORY_DAYS:]
    history = ArrivalHistory(days, inputs.pooled_shape)
    choice = choose_model(forecast_days_ahead(history, newest=SCORED_DAYS), inputs.champion)
    judged = days[-JUDGED_DAYS:]
    return CentreForecast(
        centre=inputs.centre.id,
        at=at,
        origin=inputs.origin,
        history_from=days[0].day if days else None,
        history_days=len(days),
        model=choice.champion,
        dispersion=round(choice.dispersion, 4),
        backtest=_backtest_of(choice),
        sums=_sums_of(inputs.half_hours, days),
        profile=_profile_of(days),
        days=tuple(_forecast_days(inputs, history, choice.champion)),
        judged_from=judged[0].day if judged else None,
        flags=tuple(_flags(history, inputs.half_hours)),
        references=_references_of_origin(inputs, history),
    )


def coming_open_days(centre: Centre, first: date, count: int = HORIZON_DAYS) -> list[date]:
    """Return the next open days from `first` on, within a month; every day of a centre that is always open."""
    days = (first + timedelta(days=n) for n in range(_HORIZON_CALENDAR_DAYS))
    opened = (day for day in days if centre.hours == ALWAYS_OPEN or any(open_slots(centre, day)))
    return [day for _, day in zip(range(count), opened, strict=False)]


def pool_shapes(profiles: Iterable[Sequence[int]]) -> Slots:
    """Return the share of each half hour in the arrivals of several centres; empty without any."""
    total = [sum(column) for column in zip(*(profile for profile in profiles if profile), strict=True)]
    tickets = sum(total)
    return tuple(count / tickets for count in total) if tickets else ()


def _forecast_days(inputs: ForecastInputs, history: ArrivalHistory, model_name: ModelName) -> Iterable[DayForecastNow]:
    model = history.model_before(len(history.days))
    shares: dict[int, ServiceShares] = {}
    for day in coming_open_days(inputs.centre, inputs.origin):
        traits = day_traits(inputs.centre, day)
        expected = model.expected_arrivals(traits)
        if expected is not None and model_name == "same_slot_mean":
            expected = same_slot_mean(history.days, traits.weekday)
        if expected is None:
            yield DayForecastNow(day=day)
            continue
        expected = _within_hours(inputs.centre, day, expected)
        used = [slot for slot, value in enumerate(expected) if value >= 0.005]
        first, end = (used[0], used[-1] + 1) if used else (0, 0)
        if traits.weekday not in shares:
            pool = [other.day for other in model.pool(traits.weekday)]
            shares[traits.weekday] = service_shares(inputs.half_hours.issued, pool)
        services = {name: _product(expected, part) for name, part in shares[traits.weekday].items()}
        yield DayForecastNow(
            day=day,
            first=first,
            expected=_rounded_slice(expected, first, end),
            services={name: _rounded_slice(part, first, end) for name, part in services.items()},
        )


def _rounded_slice(values: Slots, first: int, end: int) -> tuple[float, ...]:
    return tuple(round(value, 2) for value in values[first:end])


def _within_hours(centre: Centre, day: date, expected: Slots) -> Slots:
    """Return the expected arrivals in and beside the opening hours of the day; nobody comes to a closed centre."""
    if centre.hours == ALWAYS_OPEN:
        return expected
    opened = open_slots(centre, day)
    return tuple(value if any(opened[max(0, slot - 1) : slot + 2]) else 0.0 for slot, value in enumerate(expected))


def service_shares(issued: Mapping[str, Mapping[HalfHourKey, int]], days: Sequence[date]) -> ServiceShares:
    """Return each service's share of the arrivals of each half hour on `days`, shrunk to its share of all."""
    counts = {name: _counts_on(by_half_hour, frozenset(days)) for name, by_half_hour in sorted(issued.items())}
    tickets = sum(map(sum, counts.values()))
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    return {
        name: tuple(
            (count + _SERVICE_PRIOR_TICKETS * sum(column) / tickets) / (total + _SERVICE_PRIOR_TICKETS)
            for count, total in zip(column, totals, strict=True)
        )
        for name, column in counts.items()
        if any(column)
    }


def _counts_on(by_half_hour: Mapping[HalfHourKey, int], days: Collection[date]) -> list[int]:
    counts = [0] * SLOTS
    for (day, slot), count in by_half_hour.items():
        if day in days:
            counts[slot] += count
    return counts


def _product(first: Slots, second: Slots) -> Slots:
    return tuple(a * b for a, b in zip(first, second, strict=True))


def _backtest_of(choice: ModelChoice) -> BacktestNow:
    profile, plain = choice.errors["profile"], choice.errors["same_slot_mean"]
    return BacktestNow(
        days=profile.days,
        actual=profile.actual,
        profile_absolute=round(profile.absolute, 1),
        same_slot_absolute=round(plain.absolute, 1),
    )


def _sums_of(half_hours: CentreHalfHours, days: Sequence[ArrivalDay]) -> QueueSumsNow:
    names = QueueSumsNow.__struct_fields__
    known = {day.day for day in days}
    rows = [sums for (day, _), sums in half_hours.sums.items() if day in known]
    return QueueSumsNow(**{name: sum(row.get(name, 0) for row in rows) for name in names})


def _profile_of(days: Sequence[ArrivalDay]) -> tuple[int, ...]:
    return tuple(sum(day.counts[slot] or 0 for day in days) for slot in range(SLOTS)) if days else ()


def _flags(history: ArrivalHistory, half_hours: CentreHalfHours) -> Iterable[FlagNow]:
    """Yield the flags of the newest days, each judged by the days before it where these suffice."""
    days = history.days
    for index in range(max(0, len(days) - JUDGED_DAYS), len(days)):
        is_live = index >= LIVE_JUDGED_AFTER_DAYS
        others = ArrivalsModel((*days[:index], *days[index + 1 :]))
        for flag in flag_day(days[index], history.model_before(index) if is_live else others, half_hours.sums):
            yield stored_flag(flag, is_live=is_live)


def _references_of_origin(inputs: ForecastInputs, history: ArrivalHistory) -> tuple[HalfHourReference, ...]:
    """Return what the forecast's first day is judged by as it passes; an imported log has no such day."""
    centre, days = inputs.centre, len(history.days)
    if centre.imported or days < LIVE_JUDGED_AFTER_DAYS or not any(open_slots(centre, inputs.origin)):
        return ()
    traits = day_traits(centre, inputs.origin)
    return half_hour_references(history.model_before(days), traits, inputs.half_hours.sums)


def stored_flag(flag: FlaggedHalfHour, *, is_live: bool) -> FlagNow:
    """Return a flag as it is stored; `is_live`: judged by earlier days alone."""
    deviations = tuple(
        DeviationNow(
            measure=d.measure,
            actual=round(d.actual, 4),
            expected=round(d.expected, 4),
            low=round(d.low, 4),
            high=round(d.high, 4),
            deviations=round(d.deviations, 2),
        )
        for d in flag.deviations
    )
    return FlagNow(day=flag.day, slot=flag.slot, cause=flag.cause, deviations=deviations, live=is_live)
