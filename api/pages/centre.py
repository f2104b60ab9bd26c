"""What a centre's page says: one sentence, its queues and devices, four weeks of days, today's tickets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.pages.charts import HALF_HOUR, bars, strip
from telemetry.core.calendar.windows import Window, at, day_window, floor
from telemetry.queries.buckets import DAY

if TYPE_CHECKING:
    from api.pages.charts import Bars
    from api.pages.language import Words
    from telemetry.queries import CentreView, Queries, QueueHistory, Standpoint

DAYS = 28


def context(queries: Queries, words: Words, ident: str) -> dict[str, Any]:
    """Gather what the template shows; an imported log is shown around its own last day."""
    view = queries.centre(ident)
    shown = _shown_moment(queries, view)
    today = day_window(at(shown, view.centre.zone).date(), view.centre.zone)
    month = Window(day_window(at(today.end - DAYS * DAY, view.centre.zone).date(), view.centre.zone).start, today.end)
    history = queries.availability(f"centre:{ident}", month, "1d")
    day = history.rows[-1][1]
    services = queries.inventory().services
    return {
        "title": words.name(view.centre),
        "view": view,
        "now": view.now,
        "simulated": view.simulated or queries.inventory().simulated,
        "stale": view.stale and view.open and view.condition != "imported",
        "last_data": view.last_data,
        "sentence": sentence(view, words),
        "mood": "unknown" if view.stale and view.open and not view.centre.imported else view.condition,
        "queues": queries.queue_now(ident),
        "service_name": lambda s: words.name(services.get(s), s),
        "cells": strip(history.rows),
        "promises": promises(queries, ident),
        "days": len(history.rows),
        "day": day,
        "day_date": at(shown, view.centre.zone).date(),
        "is_today": shown == view.now,
        "chart": tickets(view, today, queries.queue_history(ident, None, today, "30m")),
        "figures": view.today,
        "health": queries.health(),
        "inventory": queries.inventory(),
        "availability": day.availability("exclude"),
    }


@dataclass(frozen=True, slots=True)
class Promise:
    """One objective of the page: how it stands, and the bar of what is left of its budget, 0 to 100."""

    found: Standpoint
    bar: float | None


def promises(queries: Queries, ident: str) -> list[Promise]:
    """Return the centre's objectives, the least budget left first."""
    return [Promise(one, _bar(one)) for one in queries.objectives().at(f"centre:{ident}")]


def _bar(found: Standpoint) -> float | None:
    left = found.budget.remaining_ratio
    return None if left is None else round(100 * min(1.0, max(0.0, left)), 1)


def _shown_moment(queries: Queries, view: CentreView) -> int:
    last = queries.last_day_of(view.centre.id) if view.condition == "imported" else None
    return view.now if last is None else last


def tickets(view: CentreView, day: Window, history: QueueHistory) -> Bars:
    """Add the services' half hours up and lay them out, over at least the opening hours."""
    counts: dict[int, tuple[int, int, int]] = {}
    for opened in () if view.centre.imported else view.centre.open_windows(day):
        counts.update(dict.fromkeys(range(floor(opened.start, HALF_HOUR), opened.end, HALF_HOUR), (0, 0, 0)))
    for row in history.rows:
        issued, called, served = counts.get(row.window.start, (0, 0, 0))
        q = row.figures
        counts[row.window.start] = (issued + q.issued, called + q.called, served + q.served)
    return bars(counts)


def sentence(view: CentreView, words: Words) -> str:
    """Say whether the centre is open, what works, and when that changes."""
    if view.condition == "imported":
        return words.t("s_imported")
    opening = words.t("s_open" if view.open else "s_closed")
    working = ", ".join(_working(view, words)) if view.open else ""
    change = view.centre.next_change(view.now)
    when = "" if change is None else words.t("s_closes" if view.open else "s_opens", at=words.since(change, view.now))
    return " ".join(part for part in (f"{opening} – {working}." if working else f"{opening}.", when) if part)


def _working(view: CentreView, words: Words) -> list[str]:
    out = []
    if view.centre.counters:
        out.append(words.t("s_counters", part=view.counters_open, whole=view.centre.counters))
    else:
        out.append(words.t("s_counters_open", n=view.counters_open))
    kinds = Counter(d.now.kind for d in view.devices)
    for kind, whole in sorted(kinds.items()):
        up = sum(d.state == "up" for d in view.devices if d.now.kind == kind)
        out.append(words.t("s_devices", part=up, whole=whole, kind=words.messages.get(f"kind_{kind}", kind)))
    return out
