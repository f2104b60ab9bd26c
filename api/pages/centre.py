"""A centre's page: a summary sentence, its queues and devices, four weeks of days, today's tickets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any

from api.pages.charts import day_strip
from api.pages.forecast import build_forecast_section
from api.pages.freshness import Freshness
from api.pages.history import tickets_chart, time_table
from api.pages.periods import period_query
from api.pages.picker import build_picker
from api.pages.places import ServiceNames, has_simulated_data, newest_day, threshold_of
from telemetry.core.calendar.windows import DAY, Window, day_window, to_local
from telemetry.core.scope import Scope
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from datetime import date

    from api.pages.language import PageLocale
    from api.pages.places import HistoryPlace
    from telemetry.queries.service import Queries
    from telemetry.queries.slos import ScopedSlo
    from telemetry.queries.views import CentreView

STRIP_DAYS = 28
_ROUNDING = 1e-6
"""A count this close below a whole number is that number."""


def build_context(queries: Queries, locale: PageLocale, place: HistoryPlace) -> dict[str, Any]:
    """Gather what the template shows; before today's first ticket the tickets are those of the newest day with any."""
    centre = place.centre
    if centre is None:
        msg = "the province has a page of its own"
        raise ValueError(msg)
    view = queries.centre(centre.id)
    today = day_window(to_local(view.now, centre.zone).date(), centre.zone)
    month = Window(day_window(to_local(today.end - STRIP_DAYS * DAY, centre.zone).date(), centre.zone).start, today.end)
    history = queries.availability(Scope.centre(centre.id), month, "1d")
    day = history.rows[-1][1]
    return {
        "title": locale.name(centre),
        "view": view,
        "now": view.now,
        "simulated": has_simulated_data(queries, view),
        "stale": view.stale and view.condition == "unknown",
        "last_data": view.last_data,
        "freshness": Freshness(view.last_data, view.now),
        "picker": build_picker(queries, locale, place, None),
        "sentence": summary_sentence(view, locale),
        "mood": view.condition,
        "queues": queries.current_queues(centre.id),
        "service_name": ServiceNames(queries, locale, centre),
        "cells": day_strip(history),
        "slo_cards": slo_cards(queries, centre.id, locale),
        "days": len(history.rows),
        "figures": view.today,
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
        "availability": history.ratio_of(day),
        "forecast": build_forecast_section(queries, locale, centre.id),
        **_tickets_context(queries, locale, place, to_local(view.now, centre.zone).date()),
    }


def _tickets_context(queries: Queries, locale: PageLocale, place: HistoryPlace, today: date) -> dict[str, Any]:
    """Gather today's tickets by half hour, before the first ticket those of the newest day with any."""
    days = DayRange(today, today, place.zone)
    tickets = queries.period_history(place.ident, days)
    if tickets.is_empty:
        days = newest_day(queries, place)
        tickets = queries.period_history(place.ident, days)
    return {
        "day_date": days.first,
        "is_today": days.first == today,
        "day_href": place.path + period_query(days),
        "chart": tickets_chart(tickets, locale, place),
        "tickets_table": time_table(tickets, locale, place),
        "threshold_s": threshold_of(queries),
    }


@dataclass(frozen=True, slots=True)
class SloCard:
    """One objective of the page; `bar` is the remaining share of its budget, 0 to 100."""

    slo: ScopedSlo
    bar: float | None
    budget_text: str


def slo_cards(queries: Queries, ident: str, locale: PageLocale) -> list[SloCard]:
    """Return the centre's objectives, the least budget left first."""
    slos = queries.slo_index().at_scope(Scope.centre(ident))
    return [SloCard(slo, _remaining_percent(slo), budget_text(slo, locale)) for slo in slos]


def budget_text(slo: ScopedSlo, locale: PageLocale) -> str:
    """Return how much of the error budget is left, or by what it is exceeded: minutes, whole tickets, probes or days.

    A budget of less than one ticket, probe or day allows none.
    """
    budget = slo.budget
    counts = (budget.total, budget.consumed, budget.remaining)
    amounts: tuple[float, ...] = budget.minutes if slo.in_seconds else tuple(floor(n + _ROUNDING) for n in counts)
    if budget.remaining >= 0 and budget.total > 0 and not amounts[0]:
        return locale.t("budget_none")
    whole, spent, left = (locale.decimal(amount) for amount in amounts)
    if budget.remaining < 0:
        key = "budget_over" if slo.in_seconds else f"budget_over_{slo.objective.sli}"
        return locale.t(key, spent=spent, whole=whole)
    return locale.t("budget_of" if slo.in_seconds else f"budget_count_{slo.objective.sli}", left=left, whole=whole)


def _remaining_percent(slo: ScopedSlo) -> float | None:
    remaining_ratio = slo.budget.remaining_ratio
    return None if remaining_ratio is None else round(100 * min(1.0, max(0.0, remaining_ratio)), 1)


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
