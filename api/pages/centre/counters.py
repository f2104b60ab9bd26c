"""A centre's counters: open, serving, idle and paused by half hour of a day and by day; it must not compute figures.

Counters are counted, never named with people: no event says who works at one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.charts.day import DayPoint, day_chart
from api.pages.frame.freshness import Freshness
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.places import has_simulated_data
from api.times import rfc3339
from telemetry.core.calendar.windows import HOUR, Window, day_window, to_local
from telemetry.core.inventory import local_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Centre
    from telemetry.queries.centre_days import CounterBucket
    from telemetry.queries.service import Queries

PAST_DAYS = 28
"""Days of the second table, the shown one included."""


def build_context(queries: Queries, locale: PageLocale, centre: Centre, day: date | None) -> dict[str, Any]:
    """Gather what the template shows of a day; None: today, on a closed day the last one with tickets."""
    view = queries.centre(centre.id)
    today = local_date(view.now, centre.zone)
    shown = day or _newest_day(queries, centre, today)
    window = day_window(shown, centre.zone)
    half_hours = [b for b in queries.centre_days.counters(centre.id, window, "30m") if _is_shown(centre, b)]
    past = Window(day_window(shown - timedelta(days=PAST_DAYS - 1), centre.zone).start, window.end)
    days = [b for b in queries.centre_days.counters(centre.id, past, "1d") if b.known_ms or _is_shown(centre, b)]
    api = {"centre": centre.id, "by": "centre", "bucket": "30m"}
    edges = {"from": rfc3339(window.start, centre.zone), "to": rfc3339(window.end, centre.zone)}
    return {
        "title": locale.t("counters_title", centre=locale.name(centre)),
        "view": view,
        "now": view.now,
        "day": shown,
        "is_today": shown == today,
        "sentence": _sentence(half_hours, locale),
        "any": any(b.known_ms or b.figures.service_ms for b in half_hours),
        "chart": day_chart([_point(b, locale) for b in half_hours]),
        "api_href": "/api/v1/queues/history?" + urlencode({**api, **edges}),
        "simulated": has_simulated_data(queries, view),
        "freshness": Freshness(view.last_data, view.now, follows=shown == today),
        "mood": view.condition if shown == today else "period",
        "stale": shown == today and view.stale and view.condition == "unknown",
        "last_data": view.last_data,
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
        "tables": [half_hours_table(half_hours, locale), days_table(days, centre, locale)],
    }


def _newest_day(queries: Queries, centre: Centre, today: date) -> date:
    if centre.calendar.day_plan(today).hours:
        return today
    last = queries.centre_days.past(centre.id).last_day
    return today if last is None else last.day


def _is_shown(centre: Centre, bucket: CounterBucket) -> bool:
    """Return whether something is known of the bucket's counters, or they should have been open."""
    return bool(bucket.known_ms or bucket.figures.service_ms or centre.open_windows(bucket.window))


def _sentence(half_hours: Sequence[CounterBucket], locale: PageLocale) -> str:
    opened = sum(b.figures.utilisation.denominator for b in half_hours)
    busy = sum(b.figures.utilisation.numerator for b in half_hours)
    if not opened:
        return locale.t("counters_unknown")
    scheduled = sum(b.figures.open_against_schedule.denominator for b in half_hours)
    text = locale.t(
        "counters_summary",
        open=locale.decimal(opened / HOUR), busy=locale.decimal(busy / HOUR), share=locale.share(busy / opened),
    )  # fmt: skip
    if scheduled:
        scheduled_open = sum(b.figures.open_against_schedule.numerator for b in half_hours) / scheduled
        text += " " + locale.t(
            "counters_schedule", share=locale.share(scheduled_open), hours=locale.decimal(scheduled / HOUR)
        )
    return text


def _mean(ms: int, bucket: CounterBucket) -> float:
    """Return how many counters a sum of their time is on average."""
    return ms / bucket.window.length


def _point(bucket: CounterBucket, locale: PageLocale) -> DayPoint:
    utilisation, label = bucket.figures.utilisation, locale.clock(bucket.window.start)
    if not bucket.known_ms:
        return DayPoint(label, f"{label}: {locale.t('counters_no_state')}", None)
    serving, opened = (_mean(ms, bucket) for ms in (utilisation.numerator, utilisation.denominator))
    tip = locale.t("counters_tip", at=label, open=locale.decimal(opened), serving=locale.decimal(serving))
    return DayPoint(label, tip, serving, 0, opened)


def half_hours_table(half_hours: Sequence[CounterBucket], locale: PageLocale) -> PageTable:
    """Return the mean counters in each state by half hour."""
    columns = (
        TableColumn("half_hour", locale.t("half_hour")),
        TableColumn("open", locale.t("counters_open_mean"), "decimal"),
        TableColumn("serving", locale.t("counters_serving_mean"), "decimal"),
        TableColumn("idle", locale.t("counters_idle_mean"), "decimal"),
        TableColumn("paused_or_closed", locale.t("counters_paused_mean"), "decimal"),
        TableColumn("scheduled", locale.t("counters_scheduled_mean"), "decimal"),
        TableColumn("utilisation", locale.t("counters_utilisation"), "ratio"),
    )
    rows = tuple(PageTableRow(_half_hour_cells(bucket, locale)) for bucket in half_hours)
    return PageTable("half-hours", locale.t("counters_by_half_hour"), columns, rows)


def _half_hour_cells(bucket: CounterBucket, locale: PageLocale) -> tuple[TableCell, ...]:
    figures = bucket.figures
    busy, opened = figures.utilisation.numerator, figures.utilisation.denominator
    scheduled = figures.open_against_schedule.denominator
    known = (
        [_mean(ms, bucket) for ms in (opened, busy, opened - busy, max(0, bucket.known_ms - opened))]
        if bucket.known_ms
        else [None] * 4
    )
    return (
        TableCell(locale.clock(bucket.window.start)),
        *map(TableCell, known),
        TableCell(_mean(scheduled, bucket) if scheduled else None),
        TableCell(figures.utilisation.ratio, text=locale.share(figures.utilisation.ratio)),
    )


def days_table(days: Sequence[CounterBucket], centre: Centre, locale: PageLocale) -> PageTable:
    """Return the counters' hours by day, newest first."""
    columns = (
        TableColumn("day", locale.t("day"), "date"),
        TableColumn("open_h", locale.t("counters_open_hours"), "decimal"),
        TableColumn("busy_h", locale.t("counters_busy_hours"), "decimal"),
        TableColumn("utilisation", locale.t("counters_utilisation"), "ratio"),
        TableColumn("scheduled_h", locale.t("counters_scheduled_hours"), "decimal"),
        TableColumn("open_against_schedule", locale.t("counters_kept"), "ratio"),
    )
    rows = []
    for bucket in reversed(days):
        utilisation, schedule = bucket.figures.utilisation, bucket.figures.open_against_schedule
        day = to_local(bucket.window.start, centre.zone).date().isoformat()
        cells = (
            TableCell(day, text=locale.day_of(bucket.window.start), href=_own_href(centre, bucket.window.start)),
            TableCell(utilisation.denominator / HOUR if bucket.known_ms else None),
            TableCell(utilisation.numerator / HOUR if bucket.known_ms else None),
            TableCell(utilisation.ratio, text=locale.share(utilisation.ratio)),
            TableCell(schedule.denominator / HOUR if schedule.denominator else None),
            TableCell(schedule.ratio, text=locale.share(schedule.ratio)),
        )
        rows.append(PageTableRow(cells))
    return PageTable("days", locale.t("counters_by_day"), columns, tuple(rows))


def _own_href(centre: Centre, start: int) -> str:
    return f"/centres/{centre.id}/counters?from={to_local(start, centre.zone).date().isoformat()}"
