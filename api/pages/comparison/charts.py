"""The charts of a comparison: days of two periods, or of several centres, over one another. It must not read stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babel.dates import get_day_names

from api.pages.charts.interactive import ChartFrame, PlottedColumn, PlottedSeries, TargetLine, build_interactive_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.pages.charts.interactive import InteractiveChart
    from api.pages.comparison.choices import PeriodPair
    from api.pages.comparison.tables import ComparedColumn
    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Target
    from telemetry.queries.comparison import ComparedDay


def comparison_charts(
    locale: PageLocale, columns: Sequence[ComparedColumn], pair: PeriodPair, target: Target | None
) -> list[InteractiveChart]:
    """Lay out mean waits and tickets by day: of centres by date, of periods by the place of a day in its period."""
    days = [column.side.days for column in columns]
    length = max(map(len, days))
    shown_pair = None if columns[0].is_place else pair
    heads = [_column(locale, days, place, shown_pair) for place in range(length)]
    line = target and TargetLine(target.value / 60, locale.t("chart_wait_target", value=locale.minutes(target.value)))
    waits = [PlottedSeries(column.name, _values(column.side.days, length, _mean_wait)) for column in columns]
    tickets = [PlottedSeries(column.name, _values(column.side.days, length, _tickets_issued)) for column in columns]
    frames = (
        ChartFrame("chart-waits", locale.t("cmp_chart_waits"), "minutes", locale.t("day")),
        ChartFrame("chart-issued", locale.t("cmp_chart_issued"), "number", locale.t("day")),
    )
    charts = (
        build_interactive_chart(locale, frames[0], waits, heads, line or None),
        build_interactive_chart(locale, frames[1], tickets, heads),
    )
    return [chart for chart in charts if chart.has_data and length > 1]


def _column(
    locale: PageLocale, days: Sequence[Sequence[ComparedDay]], place: int, pair: PeriodPair | None
) -> PlottedColumn:
    """Return the head of one day: its date, or with a pair of periods its weekday or number."""
    present = [of_side[place] for of_side in days if place < len(of_side)]
    closed = all(day.closed for day in present)
    day = present[0].day
    if pair is None:
        return PlottedColumn(locale.day(day), locale.short_date(day), closed)
    if "week" in pair:
        wide, short = (get_day_names(width, locale=locale.lang) for width in ("wide", "abbreviated"))
        return PlottedColumn(str(wide[day.weekday()]), str(short[day.weekday()]), closed)
    return PlottedColumn(locale.t("cmp_nth_day", n=place + 1), str(place + 1), closed)


def _values(
    days: Sequence[ComparedDay], length: int, value_of: Callable[[ComparedDay], float | None]
) -> tuple[float | None, ...]:
    values = [value_of(day) for day in days]
    return (*values, *[None] * (length - len(values)))


def _mean_wait(day: ComparedDay) -> float | None:
    mean = day.figures.wait.mean_s
    return None if mean is None else mean / 60


def _tickets_issued(day: ComparedDay) -> float | None:
    return None if day.closed else float(day.figures.issued)
