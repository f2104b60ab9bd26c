"""The part of a centre's page about its next day: expected arrivals, counters needed, half hours that stood out.

It must not compute figures: they are those of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.charts.day import DayPoint, day_chart
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from telemetry.core.calendar.windows import day_window
from telemetry.core.inventory import local_date

if TYPE_CHECKING:
    from datetime import date

    from api.pages.charts.day import DayChart
    from api.pages.frame.language import PageLocale
    from telemetry.core.queueing.forecast_rows import DeviationNow
    from telemetry.core.queueing.staffing import PeriodStaffing
    from telemetry.queries.forecasts import CentreFlag, ExpectedHalfHour, ForecastStatus, StaffingPlan
    from telemetry.queries.service import Queries


@dataclass(frozen=True, slots=True)
class ForecastLine:
    """One half hour of the next day; `staffing` is None outside the opening hours."""

    label: str
    half_hour: ExpectedHalfHour
    staffing: PeriodStaffing | None


@dataclass(frozen=True, slots=True)
class FlagLine:
    """A flagged half hour in words: its day, when, what stood out, and the likely cause."""

    day: date
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
    sentence: str
    arrivals: DayChart
    counters: DayChart
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
    flags = () if forecast is None else queries.centre_days.judged_flags(centre)
    return ForecastSection(
        day=plan.day,
        status=plan.status if plan.rows or not rows else "ok",
        has_roster=plan.has_roster,
        expected=sum(row.expected for row in rows),
        sentence=staffing_sentence(plan, locale),
        arrivals=day_chart([_arrivals_point(line, locale) for line in lines]),
        counters=day_chart([_counters_point(line, locale, has_roster=plan.has_roster) for line in lines]),
        lines=lines,
        note=_note(plan, locale),
        flags=tuple(_flag_line(flag, locale) for flag in flags),
    )


def staffing_sentence(plan: StaffingPlan, locale: PageLocale) -> str:
    """Return how many counters the day needs at its peak, and when; empty without a plan.

    The peak is the longest run of half hours that need the most counters.
    """
    if not plan.rows:
        return ""
    most = max(row.rostered for row in plan.rows)
    runs: list[list[PeriodStaffing]] = [[]]
    for row in plan.rows:
        if row.rostered != most or (runs[-1] and runs[-1][-1].period.window.end != row.period.window.start):
            runs.append([])
        if row.rostered == most:
            runs[-1].append(row)
    peak = max(runs, key=len)
    start, end = locale.clock(peak[0].period.window.start), locale.clock(peak[-1].period.window.end)
    mean = sum(row.rostered for row in plan.rows) / len(plan.rows)
    day = locale.day(plan.day)
    if len(peak) == len(plan.rows):
        return locale.t("fc_needs_all_day", day=day, n=most)
    text = locale.t("fc_needs", day=day, n=most, start=start, end=end, mean=locale.decimal(mean))
    if plan.has_roster:
        missing = max(row.missing for row in plan.rows)
        roster = plan.rows[0].period.roster
        text += " " + locale.t("fc_missing" if missing else "fc_enough", roster=roster, missing=missing)
    return text


def _arrivals_point(line: ForecastLine, locale: PageLocale) -> DayPoint:
    row = line.half_hour
    tip = locale.t("fc_tip", at=line.label, expected=locale.decimal(row.expected), low=row.low, high=row.high)
    return DayPoint(line.label, tip, row.expected, row.low, row.high, closed=line.staffing is None)


def _counters_point(line: ForecastLine, locale: PageLocale, *, has_roster: bool) -> DayPoint:
    staffing = line.staffing
    if staffing is None:
        return DayPoint(line.label, f"{line.label}: {locale.t('closed')}", None, closed=True)
    tip = f"{line.label}: {locale.t('fc_tip_needed', needed=staffing.rostered)}"
    roster = staffing.period.roster if has_roster else None
    return DayPoint(line.label, tip, staffing.rostered, roster, roster)


def forecast_table(section: ForecastSection, locale: PageLocale) -> PageTable:
    """Return the next day by half hour: expected arrivals and counters."""
    columns = [
        TableColumn("half_hour", locale.t("half_hour")),
        TableColumn("expected", locale.t("key_expected"), "decimal"),
        TableColumn("p10", locale.t("fc_low"), "count"),
        TableColumn("p90", locale.t("fc_high"), "count"),
        TableColumn("needed_on_roster", locale.t("key_needed"), "count"),
    ]
    if section.has_roster:
        columns += [
            TableColumn("roster", locale.t("key_roster"), "count"),
            TableColumn("mean_wait_with_roster_s", locale.t("fc_wait_with_roster"), "minutes"),
        ]
    rows = tuple(
        _forecast_row(line, locale, has_roster=section.has_roster)
        for line in section.lines
        if line.staffing is not None or line.half_hour.high
    )
    caption = locale.t("fc_title", day=locale.day(section.day))
    return PageTable("forecast", caption, tuple(columns), rows)


def _forecast_row(line: ForecastLine, locale: PageLocale, *, has_roster: bool) -> PageTableRow:
    half_hour, staffing = line.half_hour, line.staffing
    cells = [
        TableCell(line.label, note="" if staffing else locale.t("closed")),
        TableCell(half_hour.expected),
        TableCell(half_hour.low),
        TableCell(half_hour.high),
        TableCell(None if staffing is None else staffing.rostered),
    ]
    if has_roster:
        cells += [
            TableCell(None if staffing is None else staffing.period.roster),
            TableCell(None if staffing is None else staffing.with_roster.mean_wait_s),
        ]
    return PageTableRow(tuple(cells))


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
    start = flag.window.start
    measures = tuple(_measure_text(deviation, locale) for deviation in flag.flag.deviations)
    at = f"{locale.clock(start)}, {locale.day_of(start)}"
    return FlagLine(local_date(start, locale.zone), at, measures, locale.t(f"fc_cause_{flag.flag.cause}"))


def _measure_text(deviation: DeviationNow, locale: PageLocale) -> str:
    format_value = {"arrivals": locale.decimal, "abandonment": locale.share}.get(deviation.measure, locale.minutes)
    return locale.t(
        f"fc_measure_{deviation.measure}",
        actual=format_value(deviation.actual),
        expected=format_value(deviation.expected),
    )
