"""The interactive charts of a period: arrivals, waits, the share within target, losses, the time of day.

It must not read the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.charts.interactive import ChartFrame, PlottedColumn, PlottedSeries, TargetLine, build_interactive_chart
from api.pages.frame.periods import period_query
from api.pages.places import day_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.charts.interactive import ChartUnit, InteractiveChart
    from api.pages.frame.language import PageLocale
    from api.pages.places import HistoryPlace
    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.inventory import Target
    from telemetry.queries.period_history import PeriodHistory

TIME_HEADINGS = {"30m": "half_hour", "1h": "half_hour", "1d": "day", "1mo": "month"}


def build_charts(
    history: PeriodHistory, locale: PageLocale, place: HistoryPlace, threshold_s: int, wait_target: Target | None
) -> list[InteractiveChart]:
    """Lay out arrivals, waits, the share within target and losses over the period, then arrivals by time of day."""
    columns, bucket = _columns(history, locale, place), history.bucket
    figures = [point.figures for point in history.by_time]
    limit, heading = locale.minutes(threshold_s), locale.t(TIME_HEADINGS[bucket])

    def chart(
        ident: str, title: str, unit: ChartUnit, series: list[PlottedSeries], target: TargetLine | None = None
    ) -> InteractiveChart:
        frame = ChartFrame(f"chart-{ident}", locale.t(title, limit=limit), unit, heading)
        return build_interactive_chart(locale, frame, series, columns, target)

    target = wait_target and TargetLine(
        wait_target.value / 60, locale.t("chart_wait_target", value=locale.minutes(wait_target.value))
    )
    charts = [
        chart("arrivals", f"h_arrivals_{bucket}", "number", _counts(figures, locale, "issued", "served")),
        chart("waits", f"h_waits_{bucket}", "minutes", _waits(figures, locale), target or None),
        chart("within", "h_within", "percent", [_within(figures, locale, threshold_s)]),
        chart("losses", "h_losses", "number", _counts(figures, locale, "abandoned", "no_show")),
    ]
    if history.by_time_of_day:
        charts.append(_time_of_day_chart(history, locale))
    return [chart for chart in charts if chart.has_data]


def _columns(history: PeriodHistory, locale: PageLocale, place: HistoryPlace) -> list[PlottedColumn]:
    columns = []
    for point in history.by_time:
        figures, start, bucket = point.figures, point.window.start, history.bucket
        at, mean = time_label(start, bucket, locale), locale.minutes(figures.wait.mean_s)
        tip = locale.t("h_tip", at=at, issued=figures.issued, served=figures.served, mean=mean)
        href = place.path + period_query(day_of(start, place), service=place.service or "") if bucket == "1d" else ""
        short = time_label(start, bucket, locale, short=True)
        columns.append(PlottedColumn(at, short, is_closed(place, point.window), href, tip))
    return columns


def _time_of_day_chart(history: PeriodHistory, locale: PageLocale) -> InteractiveChart:
    profile = history.by_time_of_day
    labels = [minute_label(point.minute) for point in profile]
    columns = [
        PlottedColumn(at, at, tip=locale.t("h_tip_mean", at=at, mean=locale.decimal(point.issued_per_day)))
        for at, point in zip(labels, profile, strict=True)
    ]  # fmt: skip
    series = PlottedSeries(locale.t("key_issued"), tuple(point.issued_per_day for point in profile), as_bars=True)
    frame = ChartFrame("chart-day", locale.t("h_arrivals_of_day"), "number", locale.t("half_hour"))
    return build_interactive_chart(locale, frame, [series], columns)


def _counts(figures: Sequence[QueueFigures], locale: PageLocale, *names: str) -> list[PlottedSeries]:
    return [
        PlottedSeries(locale.t(f"key_{name}"), tuple(float(getattr(f, name)) for f in figures), as_bars=True)
        for name in names
    ]


def _waits(figures: Sequence[QueueFigures], locale: PageLocale) -> list[PlottedSeries]:
    means = tuple(None if f.wait.mean_s is None else f.wait.mean_s / 60 for f in figures)
    p90s = tuple(None if (p90 := f.wait.percentile_s(0.9)) is None else p90 / 60 for f in figures)
    return [PlottedSeries(locale.t("key_mean"), means, as_bars=True), PlottedSeries(locale.t("key_p90"), p90s)]


def _within(figures: Sequence[QueueFigures], locale: PageLocale, threshold_s: int) -> PlottedSeries:
    ratios = (f.wait.within_threshold(threshold_s).ratio for f in figures)
    values = tuple(None if ratio is None else 100 * ratio for ratio in ratios)
    return PlottedSeries(locale.t("key_within"), values, as_bars=True)


def time_label(start: int, bucket: str, locale: PageLocale, *, short: bool = False) -> str:
    """Return how a bucket is named: a time of day, a day or a month."""
    if bucket in ("30m", "1h"):
        return locale.clock(start)
    if bucket == "1mo":
        return locale.month_of(start)
    return locale.short_day_of(start) if short else locale.day_of(start)


def minute_label(minute: int) -> str:
    """Return a time of day, given in minutes since midnight."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def is_closed(place: HistoryPlace, window: Window) -> bool:
    """Return whether a centre was closed throughout a window; the province never is."""
    return place.centre is not None and not place.centre.open_windows(window)
