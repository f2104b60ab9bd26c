"""Expected arrivals, counters needed and flagged half hours, from the stored forecast; it reads no totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import MINUTE, Window, day_window, to_local
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.queueing.anomalies import flag_half_hours
from telemetry.core.queueing.arrivals import MIN_DAYS, SLOTS
from telemetry.core.queueing.centre_forecast import stored_flag
from telemetry.core.queueing.count_distribution import count_interval
from telemetry.core.queueing.erlang import QueueDemand
from telemetry.core.queueing.half_hours import open_slots, slot_of, slot_window
from telemetry.core.queueing.staffing import PeriodStaffing, StaffedPeriod, StaffingRules, WhatIf, change_day, plan_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.core.inventory import Centre
    from telemetry.core.queueing.forecast_rows import CentreForecast, DayForecastNow, FlagNow, QueueSumsNow
    from telemetry.core.queueing.half_hours import CentreHalfHours

ForecastStatus = Literal["ok", "not_made", "too_little_data", "no_service_time", "closed", "beyond_limits"]
"""Why there are no figures: no forecast was made yet, its history is too short, nothing was served, a closed day, or a
demand of more than MAX_DAY_ARRIVALS tickets or MAX_OFFERED_LOAD erlangs."""
MAX_DAY_ARRIVALS = 6_000
MAX_OFFERED_LOAD = 300
PATIENCE_FROM_ABANDONMENT = 0.05
"""Customers' patience is taken into account when more than this share of tickets was abandoned."""
_LONGEST_PATIENCE_S = 86_400.0
SETTLING_MS = 10 * MINUTE
"""A half hour of today is judged so long after its end, when its events have arrived."""


@dataclass(frozen=True, slots=True)
class ExpectedHalfHour:
    """Expected arrivals of one half hour at a centre, with the interval in which eight of ten end (p10–p90)."""

    window: Window
    expected: float
    low: int
    high: int
    services: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ArrivalsForecast:
    """The forecast half hours of a centre in a window; `forecast` is what they come from, None when none was made."""

    centre: Centre
    status: ForecastStatus
    forecast: CentreForecast | None
    rows: tuple[ExpectedHalfHour, ...]


@dataclass(frozen=True, slots=True)
class ServiceInputs:
    """What a staffing plan takes from the past: the mean service time and, where many leave, the mean patience.

    patience = mean wait of called tickets ÷ share abandoned: those who left waited as long on average.
    """

    sums: QueueSumsNow
    service_s: float | None
    patience_s: float | None


@dataclass(frozen=True, slots=True)
class StaffingPlan:
    """The counters of one day of a centre; `has_roster`: the centre declares counters."""

    centre: Centre
    status: ForecastStatus
    forecast: CentreForecast | None
    day: date
    inputs: ServiceInputs | None
    has_roster: bool
    rows: tuple[PeriodStaffing, ...]


@dataclass(frozen=True, slots=True)
class CentreFlag:
    """A flagged half hour of a centre."""

    centre: Centre
    window: Window
    flag: FlagNow


def expected_half_hours(
    centre: Centre, forecast: CentreForecast | None, window: Window, service: str | None = None
) -> ArrivalsForecast:
    """Return the forecast half hours that begin in the window, of all services or of one."""
    if forecast is None:
        return ArrivalsForecast(centre, "not_made", None, ())
    rows = tuple(
        row
        for day in forecast.days
        if day_window(day.day, centre.zone).clip(window)
        for row in _day_rows(centre, forecast, day, service)
        if window.start <= row.window.start < window.end
    )
    enough = forecast.history_days >= MIN_DAYS and any(day.expected for day in forecast.days)
    return ArrivalsForecast(centre, "ok" if enough else "too_little_data", forecast, rows)


def _day_rows(
    centre: Centre, forecast: CentreForecast, day: DayForecastNow, service: str | None
) -> Iterator[ExpectedHalfHour]:
    values = day.expected if service is None else day.services.get(service, ())
    for index, expected in enumerate(values):
        low, high = count_interval(expected, forecast.dispersion)
        services = {name: part[index] for name, part in day.services.items() if service in (None, name)}
        window = slot_window(day.day, day.first + index, centre.zone)
        yield ExpectedHalfHour(window, expected, low, high, services)


def next_forecast_day(centre: Centre, forecast: CentreForecast | None, now: int) -> date:
    """Return the first forecast day after today, or tomorrow; of an imported log, whose days are past, the first."""
    days = [day.day for day in forecast.days] if forecast else []
    today = to_local(now, centre.zone).date()
    later = [day for day in days if day > today]
    return (later or days or [today + timedelta(days=1)])[0]


def service_inputs(sums: QueueSumsNow) -> ServiceInputs:
    """Return what the sums of the history say about service times and patience."""
    if not sums.service_count or not sums.service_sum_ms:
        return ServiceInputs(sums, None, None)
    service_s = sums.service_sum_ms / sums.service_count / 1000
    patience_s = None
    if sums.called and sums.wait_sum_ms and sums.abandoned > PATIENCE_FROM_ABANDONMENT * sums.issued:
        ended = sums.called + sums.abandoned
        patience_s = min(_LONGEST_PATIENCE_S, sums.wait_sum_ms / sums.called / 1000 * ended / sums.abandoned)
    return ServiceInputs(sums, service_s, patience_s)


def staffing_plan(
    centre: Centre, forecast: CentreForecast | None, day: date, rules: StaffingRules, change: WhatIf
) -> StaffingPlan:
    """Return the counters needed in each open half hour of a day, with the change applied."""
    inputs = None if forecast is None else service_inputs(forecast.sums)
    status, periods = _periods_of(centre, forecast, day, inputs)
    changed = change_day(periods, change)
    loads = [period.demand.offered_load for period in changed]
    if max(loads, default=0.0) > MAX_OFFERED_LOAD or sum(p.demand.arrivals for p in changed) > MAX_DAY_ARRIVALS:
        status, changed = "beyond_limits", ()
    return StaffingPlan(centre, status, forecast, day, inputs, centre.counters > 0, plan_day(changed, rules))


def most_counters(plan: StaffingPlan) -> int | None:
    """Return the most counters on the roster that a plan needs at once, None when there is no plan."""
    return max((row.rostered for row in plan.rows), default=None) if plan.status == "ok" else None


def _periods_of(
    centre: Centre, forecast: CentreForecast | None, day: date, inputs: ServiceInputs | None
) -> tuple[ForecastStatus, Sequence[StaffedPeriod]]:
    """Return the demand of the open half hours of a day, or why there is none."""
    if forecast is None or inputs is None:
        return "not_made", ()
    expected_day = next((d for d in forecast.days if d.day == day), None)
    if expected_day is None:
        is_within = bool(forecast.days) and forecast.origin <= day <= forecast.days[-1].day
        return "closed" if is_within else "not_made", ()
    if not expected_day.expected or inputs.service_s is None:
        return "no_service_time" if expected_day.expected else "too_little_data", ()
    periods = _staffed_periods(centre, day, expected_day, inputs.service_s, inputs.patience_s)
    return "ok" if periods else "closed", periods


def _staffed_periods(
    centre: Centre, day: date, expected_day: DayForecastNow, service_s: float, patience_s: float | None
) -> list[StaffedPeriod]:
    """Return the open half hours of a day; tickets taken while closed are served when the centre is next open."""
    if centre.hours == ALWAYS_OPEN:
        opened = [w if (w := slot_window(day, slot, centre.zone)).length else None for slot in range(SLOTS)]
    else:
        opened = list(open_slots(centre, day))
    arrivals = dict(enumerate(expected_day.expected, expected_day.first))
    open_numbers = [slot for slot, window in enumerate(opened) if window]
    by_slot = dict.fromkeys(open_numbers, 0.0)
    for slot, expected in arrivals.items() if open_numbers else ():
        following = next((number for number in open_numbers if number >= slot), open_numbers[-1])
        by_slot[following] += expected
    return [
        StaffedPeriod(window, QueueDemand(by_slot[slot], window.length / 1000, service_s, patience_s), centre.counters)
        for slot, window in enumerate(opened)
        if window
    ]


def flagged_half_hours(
    centres: Iterable[Centre], forecasts: Mapping[str, CentreForecast], window: Window
) -> list[CentreFlag]:
    """Return the flagged half hours that begin in the window, by centre and time."""
    flags = []
    for centre in sorted(centres, key=lambda c: c.id):
        forecast = forecasts.get(centre.id)
        for flag in forecast.flags if forecast else ():
            half_hour = slot_window(flag.day, flag.slot, centre.zone)
            if window.start <= half_hour.start < window.end:
                flags.append(CentreFlag(centre, half_hour, flag))
    return flags


def window_of_today(centre: Centre, forecast: CentreForecast | None, now: int) -> Window | None:
    """Return the half hours of today that can be judged: those that ended SETTLING_MS ago; None when there are none."""
    if forecast is None or not forecast.references or to_local(now, centre.zone).date() != forecast.origin:
        return None
    start = slot_window(forecast.origin, 0, centre.zone).start
    end = max(start, now - SETTLING_MS)
    _, slot = slot_of(end, centre.zone)
    until = slot_window(forecast.origin, slot, centre.zone).start if end > start else start
    return Window(start, until) if until > start else None


def flags_of_today(
    centre: Centre, forecast: CentreForecast, half_hours: CentreHalfHours, window: Window
) -> list[CentreFlag]:
    """Return the flagged half hours of today's passed ones, those in `window`."""
    slots = [slot for slot in range(SLOTS) if slot_window(forecast.origin, slot, centre.zone).end <= window.end]
    flags = flag_half_hours(forecast.origin, slots, forecast.references, half_hours.sums)
    return [
        CentreFlag(centre, slot_window(flag.day, flag.slot, centre.zone), stored_flag(flag, is_live=True))
        for flag in flags
    ]
