"""The part of a centre's page about its next day: expected arrivals, counters needed, half hours that stood out.

It must not compute figures: they are those of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.charts import ChartSeries, ColumnText, time_chart
from telemetry.core.calendar.windows import day_window

if TYPE_CHECKING:
    from datetime import date

    from api.pages.charts import TimeChart
    from api.pages.language import PageLocale
    from telemetry.core.queueing.forecast_rows import DeviationNow
    from telemetry.core.queueing.staffing import PeriodStaffing
    from telemetry.queries.forecasts import CentreFlag, ExpectedHalfHour, ForecastStatus, StaffingPlan
    from telemetry.queries.service import Queries


@dataclass(frozen=True, slots=True)
class ForecastLine:
    """One half hour of the table; `staffing` is None outside the opening hours."""

    label: str
    half_hour: ExpectedHalfHour
    staffing: PeriodStaffing | None


@dataclass(frozen=True, slots=True)
class FlagLine:
    """A flagged half hour in words: when, what stood out, and the likely cause."""

    at: str
    measures: tuple[str, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class ForecastSection:
    """What the page shows of the next day; without a forecast `lines` is empty and `status` says why."""

    day: date
    status: ForecastStatus
    has_roster: bool
    expected: float
    arrivals: TimeChart
    counters: TimeChart
    lines: tuple[ForecastLine, ...]
    note: str
    flags: tuple[FlagLine, ...]


def build_forecast_section(queries: Queries, locale: PageLocale, centre: str) -> ForecastSection:
    """Gather the next forecast day of a centre and the half hours that stood out on the last days."""
    plan = queries.next_staffing(centre)
    zone, forecast = plan.centre.zone, plan.forecast
    rows = queries.arrivals_forecast(centre, day_window(plan.day, zone)).rows
    staffing = {row.period.window.start: row for row in plan.rows}
    lines = tuple(
        ForecastLine(
            locale.clock(row.window.start),
            row,
            next((s for t, s in staffing.items() if row.window.start <= t < row.window.end), None),
        )
        for row in rows
    )
    texts = [_column_text(line, locale) for line in lines]
    flags = () if forecast is None else queries.centre_days.judged_flags(centre)
    return ForecastSection(
        day=plan.day,
        status=plan.status if plan.rows or not rows else "ok",
        has_roster=plan.has_roster,
        expected=sum(row.expected for row in rows),
        arrivals=time_chart(_arrivals_series(lines), texts),
        counters=time_chart(_counter_series(lines, plan), texts),
        lines=lines,
        note=_note(plan, locale),
        flags=tuple(_flag_line(flag, locale) for flag in flags),
    )


def _arrivals_series(lines: tuple[ForecastLine, ...]) -> list[ChartSeries]:
    shown = [line.half_hour if line.staffing or line.half_hour.high else None for line in lines]
    return [
        ChartSeries("expected", tuple(row.expected if row else None for row in shown)),
        ChartSeries("low_arrivals", tuple(float(row.low) if row else None for row in shown), as_line=True),
        ChartSeries("high_arrivals", tuple(float(row.high) if row else None for row in shown), as_line=True),
    ]


def _counter_series(lines: tuple[ForecastLine, ...], plan: StaffingPlan) -> list[ChartSeries]:
    needed = tuple(float(line.staffing.rostered) if line.staffing else None for line in lines)
    series = [ChartSeries("needed", needed)]
    if plan.has_roster:
        roster = tuple(float(line.staffing.period.roster) if line.staffing else None for line in lines)
        series.append(ChartSeries("roster", roster, as_line=True))
    return series


def _column_text(line: ForecastLine, locale: PageLocale) -> ColumnText:
    half_hour, staffing = line.half_hour, line.staffing
    tip = locale.t(
        "fc_tip", at=line.label, expected=locale.decimal(half_hour.expected), low=half_hour.low, high=half_hour.high
    )
    if staffing is None:
        return ColumnText(line.label, tip, closed=True)
    return ColumnText(line.label, f"{tip}; {locale.t('fc_tip_needed', needed=staffing.rostered)}")


def _note(plan: StaffingPlan, locale: PageLocale) -> str:
    """Return from what and how well the forecast was made; empty without one."""
    forecast = plan.forecast
    if forecast is None or forecast.history_from is None:
        return ""
    text = locale.t("fc_note", days=forecast.history_days, first=locale.plain_date(forecast.history_from))
    backtest = forecast.backtest
    if backtest.actual:
        errors = (backtest.profile_absolute, backtest.same_slot_absolute)
        error = errors[0 if forecast.model == "profile" else 1] / backtest.actual
        text += " " + locale.t("fc_error", days=backtest.days, error=locale.share(min(error, 1.0)))
    return text


def _flag_line(flag: CentreFlag, locale: PageLocale) -> FlagLine:
    day, clock = locale.day_of(flag.window.start), locale.clock(flag.window.start)
    measures = tuple(_measure_text(deviation, locale) for deviation in flag.flag.deviations)
    return FlagLine(f"{clock}, {day}", measures, locale.t(f"fc_cause_{flag.flag.cause}"))


def _measure_text(deviation: DeviationNow, locale: PageLocale) -> str:
    format_value = {"arrivals": locale.decimal, "abandonment": locale.share}.get(deviation.measure, locale.minutes)
    return locale.t(
        f"fc_measure_{deviation.measure}",
        actual=format_value(deviation.actual),
        expected=format_value(deviation.expected),
    )
