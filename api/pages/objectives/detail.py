"""One objective at one place: its budget over time and what spent it; it must not compute a figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.charts.budget import BudgetDay, budget_chart
from api.pages.frame.freshness import STALE_AFTER_MS
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.objectives.page import bar_of, burn_words
from api.pages.objectives.texts import (
    amount_words,
    budget_words,
    duration_words,
    objective_words,
    period_words,
    place_href,
    place_name,
)
from telemetry.core.calendar.windows import align_to_slots
from telemetry.core.inventory import local_date
from telemetry.queries.slo_history import current_period, spend_cause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.fold.live_row_types import BurnRateNow
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.queries.service import Queries
    from telemetry.queries.slo_history import ScopedSloQuery
    from telemetry.queries.slos import ScopedSlo

MAX_SPENDS = 15
MAX_DAYS = 92


@dataclass(frozen=True, slots=True)
class SloPage:
    """An objective at one place with what its page needs to say it in words."""

    slo: ScopedSlo
    slo_query: ScopedSloQuery
    queries: Queries
    locale: PageLocale
    served: frozenset[str]

    @property
    def place(self) -> str:
        """The name of the place."""
        return place_name(self.slo.scope, self.queries.inventory(), self.locale)

    def amount(self, amount: float) -> str:
        """Return an amount of the budget in words; of time in seconds."""
        return amount_words(amount, self.slo.objective, self.locale)


def build_context(
    queries: Queries, locale: PageLocale, ident: str, scope: str, served: frozenset[str]
) -> dict[str, Any]:
    """Gather what the template shows; raises NotFound for an objective that does not apply to the scope."""
    slo, slo_query = queries.slo_index().find(ident, scope), queries.scoped_slo(ident, scope)
    page = SloPage(slo, slo_query, queries, locale, served)
    now, centre = queries.now(), queries.centre_of(scope)
    window = align_to_slots(current_period(slo_query, now))
    points = queries.slo_history(slo_query, window, "1d")[-MAX_DAYS:]
    spends = queries.budget_spending(slo_query, window)
    is_stale = slo.evaluated_at is None or now - slo.evaluated_at > STALE_AFTER_MS
    quoted = urlencode({"scope": scope})
    return {
        "title": locale.name(slo.objective),
        "words": objective_words(slo.objective, locale, page.place),
        "place": page.place,
        "place_href": place_href(scope, queries.inventory(), served),
        "slo": slo,
        "left_text": budget_words(slo, locale),
        "left_share": bar_of(slo),
        "exhausts": slo.row.exhausts_at,
        "is_stale": is_stale,
        "mood": "unknown" if is_stale else _MOODS[slo.slo_state],
        "chart": budget_chart([_budget_day(page, point) for point in points]),
        "tables": [spending_table(page, spends[:MAX_SPENDS]), days_table(page, points), burn_table(page)],
        "spend_count": len(spends),
        "max_spends": MAX_SPENDS,
        "period": period_words(slo.objective, locale),
        "window": window,
        "calendar_version": centre.calendar.version if centre and slo.objective.clock == "open" else "",
        "settled_until": slo_query.settled_until,
        "revision": queries.snapshot().version,
        "api_hrefs": [
            (name, f"/api/v1/slos/{ident}/{part}?{quoted}")
            for name, part in (("slo_api_status", "status"), ("slo_api_history", "history"),
                               ("slo_api_spending", "spending"))
        ],
        "simulated": queries.network_status().has_simulated_data,
        "now": now,
        "inventory": queries.inventory(),
        "health": queries.store_stats(),
    }  # fmt: skip


_MOODS = {"exhausted": "below_target", "at_risk": "degraded", "healthy": "operational", "no_data": "unknown"}


def _budget_day(page: SloPage, point: HistoryPoint) -> BudgetDay:
    locale, budget = page.locale, point.budget
    left = budget.remaining_ratio
    tip = locale.t(
        "slo_day_tip",
        day=locale.day_of(point.bucket.start),
        left="–" if left is None else page.amount(budget.remaining),
        whole=page.amount(budget.total),
        spent=page.amount(point.good_bad.bad),
    )
    return BudgetDay(locale.short_day_of(point.bucket.start), left, tip)


def days_table(page: SloPage, points: Sequence[HistoryPoint]) -> PageTable:
    """Return the twin of the chart: each day's own figures and what was left at its end, newest first."""
    locale = page.locale
    columns = (
        TableColumn("day", locale.t("slo_day"), "date"),
        TableColumn("measured", locale.t("slo_measured"), "ratio"),
        TableColumn("bad", locale.t("slo_bad"), "decimal"),
        TableColumn("burn", locale.t("slo_burn"), "decimal"),
        TableColumn("left", locale.t("budget_left"), "decimal"),
        TableColumn("left_share", locale.t("slo_left_share"), "ratio"),
    )
    rows = tuple(_day_row(page, point) for point in reversed(points))
    return PageTable("days", locale.t("slo_days"), columns, rows)


def _day_row(page: SloPage, point: HistoryPoint) -> PageTableRow:
    bad, left, zone = point.good_bad.bad, point.budget.remaining, page.slo_query.zone
    counted = point.good_bad.total
    return PageTableRow(
        (
            TableCell(local_date(point.bucket.start, zone).isoformat(), page.locale.day_of(point.bucket.start)),
            TableCell(point.good_bad.ratio),
            TableCell(_in_unit(page, bad) if counted else None, page.amount(bad) if counted else ""),
            TableCell(point.burn_rate, "" if point.burn_rate is None else burn_words(point.burn_rate, page.locale)),
            TableCell(_in_unit(page, left) if point.budget.total else None, page.amount(left)),
            TableCell(point.budget.remaining_ratio),
        )
    )


def _in_unit(page: SloPage, amount: float) -> float:
    """Return an amount as the tables hold it: minutes of time, else the count."""
    return amount / 60 if page.slo.in_seconds else amount


def burn_table(page: SloPage) -> PageTable:
    """Return the burn-rate rules with both windows, threshold and alarm."""
    locale = page.locale
    columns = (
        TableColumn("rule", locale.t("slo_rule")),
        TableColumn("long", locale.t("slo_long"), "decimal"),
        TableColumn("short", locale.t("slo_short"), "decimal"),
        TableColumn("threshold", locale.t("slo_threshold"), "decimal"),
        TableColumn("firing", locale.t("slo_firing"), "time"),
    )
    return PageTable(
        "burn", locale.t("slo_burns"), columns, tuple(_burn_row(page, row) for row in page.slo.row.readings)
    )


def _burn_row(page: SloPage, row: BurnRateNow) -> PageTableRow:
    locale = page.locale
    long, short = (duration_words(ms / 1000, locale) for ms in (row.long_ms, row.short_ms))
    words = {True: "slo_fires", False: "slo_quiet"}[row.fired is not None]
    since = locale.t(words, at=locale.since(row.fired, page.queries.now()))
    rule = locale.t("slo_rule_words", long=long, short=short)
    return PageTableRow(
        (
            TableCell(row.rule, rule, note=locale.t(f"rule_{row.severity}")),
            _rate_cell(row.long, locale),
            _rate_cell(row.short, locale),
            _rate_cell(row.threshold, locale),
            TableCell(row.fired, since),
        )
    )  # fmt: skip


def _rate_cell(rate: float | None, locale: PageLocale) -> TableCell:
    return TableCell(rate, "" if rate is None else burn_words(rate, locale))


def spending_table(page: SloPage, spends: Sequence[BudgetSpend]) -> PageTable:
    """Return what spent the budget, the greatest first, each with the page of that day."""
    locale = page.locale
    columns = (
        TableColumn("cause", locale.t("slo_cause")),
        TableColumn("from", locale.t("slo_from"), "time"),
        TableColumn("to", locale.t("slo_to"), "time"),
        TableColumn("bad", locale.t("slo_bad"), "decimal"),
        TableColumn("share", locale.t("slo_share"), "ratio"),
    )
    return PageTable("spending", locale.t("slo_spending"), columns, tuple(_spend_row(page, s) for s in spends))


def _spend_row(page: SloPage, spend: BudgetSpend) -> PageTableRow:
    locale, window = page.locale, spend.window
    first, last = (local_date(t, page.slo_query.zone) for t in (window.start, window.end - 1))
    query = "?" + urlencode({"from": first.isoformat(), "to": last.isoformat()})
    href = place_href(page.slo.scope, page.queries.inventory(), page.served, query)
    cause = locale.t(f"cause_{spend_cause(spend, page.slo_query)}")
    bad = spend.bad_ms / 1000
    return PageTableRow(
        (
            TableCell(cause, href=href, note=partial(_parts_words, page, spend)),
            TableCell(window.start),
            TableCell(window.end),
            TableCell(_in_unit(page, bad), page.amount(bad)),
            TableCell(spend.share),
        )
    )


def _parts_words(page: SloPage, spend: BudgetSpend) -> str:
    """Return how much of a run was down and how much unknown; empty for what counts something else."""
    if not page.slo.in_seconds:
        return ""
    parts = (("slo_part_down", spend.time_by_state.down), ("slo_part_unknown", spend.time_by_state.unknown))
    return ", ".join(page.locale.t(key, t=duration_words(ms / 1000, page.locale)) for key, ms in parts if ms)
