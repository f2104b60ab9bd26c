"""The history of a centre or of the province over a period: cards, charts and tables. It must not read the store.

The same rows are offered as CSV by `downloads.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.charts.plots import ChartSeries, ColumnText
from api.pages.frame.freshness import Freshness
from api.pages.frame.periods import Period, period_query
from api.pages.history.charts import TIME_HEADINGS, build_charts, is_closed, minute_label, time_label
from api.pages.history.picker import build_picker, day_texts, period_title
from api.pages.places import ServiceNames, day_of, has_simulated_data, threshold_of
from api.times import rfc3339
from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from api.pages.places import HistoryPlace
    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.queries.period_history import PeriodHistory
    from telemetry.queries.service import Queries

SETTLING_MS = 7 * DAY
"""Figures this young may still change: devices send late what they could not send before, ms."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One line of a table of figures: its heading, whether it was closed throughout, and its figures."""

    label: str
    figures: QueueFigures
    closed: bool = False
    issued_per_day: float | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table of figures; `ident` names it in the page and in its download."""

    ident: str
    caption: str
    heading: str
    rows: tuple[FigureRow, ...]

    @property
    def has_means(self) -> bool:
        """Return whether its rows have a mean per day."""
        return any(row.issued_per_day is not None for row in self.rows)


@dataclass(frozen=True, slots=True)
class _DayLink:
    """A link to a day: the query of its page, and the key of its text."""

    query: str
    text: str


def build_context(
    queries: Queries, locale: PageLocale, place: HistoryPlace, days: DayRange, *, is_chosen: bool
) -> dict[str, Any]:
    """Gather what the template shows; `is_chosen` is false when the page itself chose the newest day with data."""
    now = queries.now()
    period = Period(days, local_date(now, place.zone))
    history = queries.period_history(place.ident, days, place.service)
    names = ServiceNames(queries, locale, place.centre)
    threshold_s = threshold_of(queries)
    view = queries.centre(place.ident) if place.ident else None
    status = queries.network_status()
    return {
        "title": f"{locale.name(place.centre or queries.inventory())} · {period_title(period, locale)}",
        "place": place,
        "picker": build_picker(queries, locale, place, period),
        "history": history,
        "figures": history.overall,
        "counters": queries.period_counters(place.ident, days) if place.ident and not history.is_empty else None,
        "within": history.overall.wait.within_threshold(threshold_s),
        "threshold_s": threshold_s,
        "sentence": summary_sentence(history, locale, threshold_s, empty_key(queries, place, period)),
        "reason": "" if is_chosen else locale.t("newest_period", **day_texts(days, locale)),
        "opening_hours": opening_hours_note(place, locale),
        "is_settling": days.window.end > now - SETTLING_MS and not (place.centre and place.centre.imported),
        "stale": False,
        "last_data": None,
        "mood": "closed" if history.is_empty else "imported" if place.centre and place.centre.imported else "period",
        "simulated": has_simulated_data(queries, view),
        "now": now,
        "freshness": Freshness(
            newest=view.last_data if view else status.last_data, now=now, follows=period.includes_today
        ),
        "charts": build_charts(history, locale, place, threshold_s, queries.wait_target()),
        "tables": build_tables(history, locale, place, names, queries),
        "csv_href": place.path.rstrip("/") + "/history.csv" + period_query(days, service=place.service or ""),
        "compare_href": _compare_href(place, days),
        "api_href": _api_href(place, days),
        "availability": _availability(queries, place, days, now),
        "day_with_data": _day_with_data(queries, place, days) if history.is_empty else None,
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
    }  # fmt: skip


def opening_hours_note(place: HistoryPlace, locale: PageLocale) -> str:
    """Return from where an imported log's opening hours are; empty for a place of the inventory."""
    centre = place.centre
    if centre is None or not centre.imported:
        return ""
    if not centre.derived_hours and centre.hours == ALWAYS_OPEN:  # an import of an earlier version names none
        return ""
    if centre.derived_hours:
        return locale.t("hours_derived", hours=locale.weekly_hours(centre.derived_hours))
    return locale.t("hours_declared", hours=locale.weekly_hours(centre.hours))


def empty_key(queries: Queries, place: HistoryPlace, period: Period) -> str:
    """Return the message that says why a period without tickets may have none: ahead, closed or not in service."""
    if period.is_ahead:
        return "h_ahead"
    if place.centre is None:
        return "h_none"
    window = period.days.window
    if not place.centre.open_windows(window):
        return "h_closed_day" if period.days.days == 1 else "h_closed"
    in_service = queries.service_periods().window_of(f"centre:{place.centre.id}")
    return "h_none" if window.clip(in_service) else "h_not_in_service"


def summary_sentence(history: PeriodHistory, locale: PageLocale, threshold_s: int, empty: str) -> str:
    """Return the period's figures in a sentence; the message `empty` when there are none."""
    if history.is_empty:
        return locale.t(empty)
    wait = history.overall.wait
    sentence = locale.t("h_summary", n=history.overall.issued)
    if wait.count:
        within = locale.share(wait.within_threshold(threshold_s).ratio)
        sentence += locale.t(
            "h_summary_wait", mean=locale.minutes(wait.mean_s), within=within, limit=locale.minutes(threshold_s)
        )
    return sentence + "."


def _compare_href(place: HistoryPlace, days: DayRange) -> str:
    """Return the page that compares these days with those before."""
    return "/compare" + period_query(days, periods="own", centre1=place.ident or "", service=place.service or "")


def _api_href(place: HistoryPlace, days: DayRange) -> str:
    """Return the address of the same figures in the API."""
    start, end = (rfc3339(t, place.zone) for t in (days.window.start, days.window.end))
    fields = {"centre": place.ident or "", "service": place.service or "", "from": start, "to": end}
    return "/api/v1/queues/history?" + urlencode({name: value for name, value in fields.items() if value})


def _availability(queries: Queries, place: HistoryPlace, days: DayRange, now: int) -> CoveredRatio | None:
    window = days.window.clip(Window(0, now))
    if window is None or (place.centre is not None and place.centre.imported):
        return None
    scope = Scope.centre(place.centre.id) if place.centre else Scope.province(queries.inventory().province)
    result = queries.availability(scope, window)
    return result.ratio_of(result.overall) if result.overall.open else None


def _day_with_data(queries: Queries, place: HistoryPlace, days: DayRange) -> _DayLink | None:
    """Return where an empty period leads: to the last day with data before it, else to the newest one; None without."""
    before = queries.newest_day_with_tickets(place.ident, days.window.start)
    if before is not None:
        return _DayLink(period_query(day_of(before, place)), "go_to_last_before")
    newest = queries.newest_day_with_tickets(place.ident)
    return None if newest is None else _DayLink(period_query(day_of(newest, place)), "go_to_newest")


def _column_texts(history: PeriodHistory, locale: PageLocale, place: HistoryPlace) -> list[ColumnText]:
    texts = []
    for point in history.by_time:
        figures, start = point.figures, point.window.start
        at, mean = time_label(start, history.bucket, locale), locale.minutes(figures.wait.mean_s)
        tip = locale.t("h_tip", at=at, issued=figures.issued, served=figures.served, mean=mean)
        label = time_label(start, history.bucket, locale, short=True)
        texts.append(ColumnText(label, tip, is_closed(place, point.window)))
    return texts


def _counts(figures: Sequence[QueueFigures], *names: str) -> list[ChartSeries]:
    return [ChartSeries(name, tuple(float(getattr(f, name)) for f in figures)) for name in names]


def build_tables(
    history: PeriodHistory, locale: PageLocale, place: HistoryPlace, names: ServiceNames, queries: Queries
) -> list[FigureTable]:
    """Return the tables under the charts: by time, time of day, service, centre; those without rows are left out."""
    centres = queries.inventory().centres
    profile = tuple(
        FigureRow(minute_label(point.minute), point.figures, issued_per_day=point.issued_per_day)
        for point in history.by_time_of_day
    )
    services = tuple(FigureRow(names(one.ident), one.figures) for one in history.by_service)
    by_centre = tuple(
        FigureRow(
            locale.name(centres.get(one.ident), one.ident), one.figures,
            href=f"/centres/{one.ident}" + period_query(history.days, service=place.service or ""),
        )
        for one in history.by_centre
    )  # fmt: skip
    tables = [
        time_table(history, locale, place),
        FigureTable("time-of-day", locale.t("h_by_time_of_day", n=history.open_days), locale.t("half_hour"), profile),
        FigureTable(
            "service", locale.t("h_by_service"), locale.t("service"), services if place.service is None else ()
        ),
        FigureTable("centre", locale.t("h_by_centre"), locale.t("centre"), by_centre if place.centre is None else ()),
    ]
    return [table for table in tables if table.rows]


def time_table(history: PeriodHistory, locale: PageLocale, place: HistoryPlace) -> FigureTable:
    """Return the table by half hour, hour, day or month."""
    rows = tuple(
        FigureRow(time_label(p.window.start, history.bucket, locale), p.figures, is_closed(place, p.window))
        for p in history.by_time
    )
    return FigureTable("time", locale.t(f"h_by_{history.bucket}"), locale.t(TIME_HEADINGS[history.bucket]), rows)
