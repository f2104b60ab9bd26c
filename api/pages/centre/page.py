"""A centre's page: a sentence, queues now, what needs attention, today beside the usual day, past weeks, devices.

It must not compute figures: they are those of the API.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from api.pages.centre.forecast import build_forecast_section, forecast_table
from api.pages.centre.needs import build_needs
from api.pages.centre.tables import (
    day_href,
    days_table,
    devices_table,
    objectives_table,
    queues_table,
    today_table,
)
from api.pages.centre.today import build_today
from api.pages.charts.heat_map import build_heat_grids
from api.pages.charts.plots import day_strip
from api.pages.frame.freshness import Freshness
from api.pages.frame.links import PageLinks
from api.pages.frame.periods import period_query
from api.pages.history.picker import build_picker
from api.pages.objectives.budgets import readiness_days
from api.pages.places import ServiceNames, has_simulated_data, threshold_of
from telemetry.core.calendar.windows import to_local
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import settled_until
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from api.pages.places import HistoryPlace
    from telemetry.queries.centre_days import PastHalfHours
    from telemetry.queries.service import Queries
    from telemetry.queries.views import CentreView

STRIP_DAYS = 28
"""Days with opening hours that the strip has; the closed days between them come on top."""


@dataclass(frozen=True, slots=True)
class LastDay:
    """The last day with tickets before today in a sentence, and its page."""

    text: str
    href: str


def build_context(
    queries: Queries, locale: PageLocale, place: HistoryPlace, paths: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Gather what the template shows; `paths` are those of all pages, to link only what is served."""
    centre = place.centre
    if centre is None:
        msg = "the province has a page of its own"
        raise ValueError(msg)
    view, links = queries.centre(centre.id), PageLinks(paths)
    history = queries.availability(
        Scope.centre(centre.id), queries.centre_days.strip_window(centre.id, STRIP_DAYS), "1d"
    )
    cells, slos = day_strip(history), queries.slo_index().at_scope(Scope.centre(centre.id))
    forecast = build_forecast_section(queries, locale, centre.id)
    today, past = queries.centre_days.today(centre.id), queries.centre_days.past(centre.id)
    threshold_s, names = threshold_of(queries), ServiceNames(queries, locale, centre)
    return {
        "title": locale.name(centre),
        "view": view,
        "now": view.now,
        "simulated": has_simulated_data(queries, view),
        "stale": view.stale and view.condition == "unknown",
        "last_data": view.last_data,
        "freshness": Freshness(view.last_data, view.now),
        "settled": to_local(settled_until(view.now, centre.zone), centre.zone).date(),
        "days_picker": build_picker(queries, locale, place, None),
        "last_day": last_day(past, view, locale),
        "sentence": summary_sentence(view, locale),
        "mood": view.condition,
        "cells": cells,
        "day_hrefs": [day_href(centre, cell.start) for cell in cells],
        "needs": build_needs(queries, locale, view, forecast, links),
        "readiness": readiness_days(slos),
        "figures": view.today,
        "threshold_s": threshold_s,
        "today": build_today(today, view, locale),
        "heat_grids": build_heat_grids(past.profile, centre.id, locale),
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
        "availability": history.ratio_of(history.rows[-1][1]),
        "forecast": forecast,
        "tables": [
            queues_table(queries.current_queues(centre.id), view, names, threshold_s, locale),
            today_table(today, locale),
            forecast_table(forecast, locale),
            objectives_table(slos, centre, links, locale),
            days_table(cells, centre, locale),
            devices_table(view, links, locale),
        ],
    }


def last_day(past: PastHalfHours, view: CentreView, locale: PageLocale) -> LastDay | None:
    """Return how long people waited on the last day with tickets; None without any in the last weeks."""
    day = past.last_day
    if day is None:
        return None
    is_yesterday = day.day == local_date(view.now, view.centre.zone) - timedelta(days=1)
    name = locale.t("last_day_yesterday" if is_yesterday else "last_day_before", day=locale.day(day.day))
    waits = locale.t("last_day_waits", n=day.tickets, mean=locale.minutes(day.wait.mean_s))
    href = f"/centres/{view.centre.id}" + period_query(DayRange(day.day, day.day, view.centre.zone))
    return LastDay(f"{name}: {waits}", href)


def summary_sentence(view: CentreView, locale: PageLocale) -> str:
    """Return a sentence: whether the centre is open, what works, and when it next opens or closes."""
    if view.condition == "imported":
        return locale.t("s_imported")
    if view.condition in {"planned", "retired"}:
        return f"{locale.t(f'cond_{view.condition}')} – {locale.reason(view.assessment.reasons[0], view.now)}."
    opening_text = locale.t("s_open" if view.open else "s_closed")
    working = ", ".join(_working_texts(view, locale)) if view.open else ""
    change = view.centre.next_opening_change(view.now)
    when = "" if change is None else locale.t("s_closes" if view.open else "s_opens", at=locale.since(change, view.now))
    return " ".join(part for part in (f"{opening_text} – {working}." if working else f"{opening_text}.", when) if part)


def _working_texts(view: CentreView, locale: PageLocale) -> list[str]:
    texts = []
    if view.centre.counters:
        texts.append(locale.t("s_counters", part=view.counters_open, whole=view.centre.counters))
    else:
        texts.append(locale.t("s_counters_open", n=view.counters_open))
    kinds = Counter(d.now.kind for d in view.devices_in_service)
    for kind, total in sorted(kinds.items()):
        up = sum(d.state == "up" for d in view.devices_in_service if d.now.kind == kind)
        texts.append(locale.t("s_devices", part=up, whole=total, kind=locale.kind(kind, total)))
    return texts
