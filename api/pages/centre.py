"""A centre's page: a summary sentence, its queues and devices, four weeks of days, today's tickets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.pages.charts import HALF_HOUR_MS, bar_chart, day_strip
from telemetry.core.calendar.windows import DAY, Window, day_window, floor, to_local
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from api.pages.charts import BarChart
    from api.pages.language import PageLocale
    from telemetry.queries.queues import QueueHistory
    from telemetry.queries.service import Queries
    from telemetry.queries.slos import ScopedSlo
    from telemetry.queries.views import CentreView

STRIP_DAYS = 28


def build_context(queries: Queries, locale: PageLocale, ident: str) -> dict[str, Any]:
    """Gather what the template shows; an imported log is shown around its own last day."""
    view = queries.centre(ident)
    shown_at = _shown_at(queries, view)
    today = day_window(to_local(shown_at, view.centre.zone).date(), view.centre.zone)
    month = Window(
        day_window(to_local(today.end - STRIP_DAYS * DAY, view.centre.zone).date(), view.centre.zone).start, today.end
    )
    history = queries.availability(Scope.centre(ident), month, "1d")
    day = history.rows[-1][1]
    services = queries.inventory().services
    return {
        "title": locale.name(view.centre),
        "view": view,
        "now": view.now,
        "simulated": view.has_simulated_data or queries.inventory().simulated,
        "stale": view.stale and view.open and view.condition != "imported",
        "last_data": view.last_data,
        "sentence": summary_sentence(view, locale),
        "mood": "unknown" if view.stale and view.open and not view.centre.imported else view.condition,
        "queues": queries.current_queues(ident),
        "service_name": lambda s: locale.name(services.get(s), s),
        "cells": day_strip(history.rows),
        "slo_cards": slo_cards(queries, ident),
        "days": len(history.rows),
        "day": day,
        "day_date": to_local(shown_at, view.centre.zone).date(),
        "is_today": shown_at == view.now,
        "chart": ticket_bars(view, today, queries.queue_history(ident, None, today, "30m")),
        "figures": view.today,
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
        "availability": day.availability("exclude"),
    }


@dataclass(frozen=True, slots=True)
class SloCard:
    """One objective of the page; `bar` is the remaining share of its budget, 0 to 100."""

    slo: ScopedSlo
    bar: float | None


def slo_cards(queries: Queries, ident: str) -> list[SloCard]:
    """Return the centre's objectives, the least budget left first."""
    return [SloCard(slo, _remaining_percent(slo)) for slo in queries.slo_index().at_scope(Scope.centre(ident))]


def _remaining_percent(slo: ScopedSlo) -> float | None:
    remaining_ratio = slo.budget.remaining_ratio
    return None if remaining_ratio is None else round(100 * min(1.0, max(0.0, remaining_ratio)), 1)


def _shown_at(queries: Queries, view: CentreView) -> int:
    last = queries.last_day_with_tickets(view.centre.id) if view.condition == "imported" else None
    return view.now if last is None else last


def ticket_bars(view: CentreView, day: Window, history: QueueHistory) -> BarChart:
    """Add the services' half hours and lay them out, over at least the opening hours."""
    counts: dict[int, tuple[int, int, int]] = {}
    for open_window in () if view.centre.imported else view.centre.open_windows(day):
        counts.update(
            dict.fromkeys(range(floor(open_window.start, HALF_HOUR_MS), open_window.end, HALF_HOUR_MS), (0, 0, 0))
        )
    for row in history.rows:
        issued, called, served = counts.get(row.window.start, (0, 0, 0))
        q = row.figures
        counts[row.window.start] = (issued + q.issued, called + q.called, served + q.served)
    return bar_chart(counts)


def summary_sentence(view: CentreView, locale: PageLocale) -> str:
    """Return a sentence: whether the centre is open, what works, and when it next opens or closes."""
    if view.condition == "imported":
        return locale.t("s_imported")
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
    kinds = Counter(d.now.kind for d in view.devices)
    for kind, total in sorted(kinds.items()):
        up = sum(d.state == "up" for d in view.devices if d.now.kind == kind)
        texts.append(locale.t("s_devices", part=up, whole=total, kind=locale.messages.get(f"kind_{kind}", kind)))
    return texts
