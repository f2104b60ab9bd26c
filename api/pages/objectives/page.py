"""The list of objectives at all their places, least budget left first; it must not compute a figure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from api.pages.frame.freshness import STALE_AFTER_MS
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.objectives.texts import (
    budget_words,
    objective_place,
    objective_words,
    place_name,
)
from telemetry.core.administrative_tree import units_of_level
from telemetry.queries.slo_filter import LEVELS, PLACE_KINDS, SLI_KINDS, SloFilter, check_unit
from telemetry.queries.slos import SLO_STATES, count_slo_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.fold.live_row_types import SloState
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.queries.service import Queries
    from telemetry.queries.slos import ScopedSlo

PART_SIZE = 25


Choice = TypeVar("Choice", bound=str)


def read_filter(params: Mapping[str, str], queries: Queries) -> SloFilter:
    """Read a page's parameters; raises NotFound for an unknown objective or district, ignores other values."""
    objective, district = params.get("objective") or None, params.get("district") or None
    if objective is not None:
        queries.slo_index().objective(objective)
    if district is not None:
        check_unit(district, queries.inventory())
    return SloFilter(
        objective,
        _one_of(params.get("status"), SLO_STATES),
        _one_of(params.get("sli"), SLI_KINDS),
        _one_of(params.get("kind"), PLACE_KINDS),
        district,
        _one_of(params.get("level"), LEVELS),
    )


def _one_of(value: str | None, allowed: Sequence[Choice]) -> Choice | None:
    return next((choice for choice in allowed if choice == value), None)


def build_context(queries: Queries, locale: PageLocale, params: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the template shows."""
    wanted, inventory, now = read_filter(params, queries), queries.inventory(), queries.now()
    index = queries.slo_index()
    slos = wanted.narrow(index.sorted_slos, inventory)
    judged_at = max((slo.evaluated_at for slo in index.unsorted_slos if slo.evaluated_at is not None), default=None)
    is_stale = judged_at is None or now - judged_at > STALE_AFTER_MS
    counts = count_slo_states(slos)
    shown = [objective for objective in index.declared.values() if wanted.includes_objective(objective)]
    tables = [slo_table(slos, inventory, locale)]
    if len(shown) > 1:
        tables.insert(0, objective_table(shown, slos, inventory, locale))
    return {
        "title": locale.t("objectives_title"),
        "tables": tables,
        "counts": counts,
        "total": len(slos),
        "wanted": wanted,
        "chosen": index.declared[wanted.objective] if wanted.objective else None,
        "words": _general_words(index.declared[wanted.objective], inventory, locale) if wanted.objective else "",
        "objectives": [(o.id, locale.name(o)) for o in index.declared.values()],
        "districts": [(unit.code, unit.name) for unit in units_of_level("district", inventory)],
        "levels": LEVELS,
        "slis": SLI_KINDS,
        "states": SLO_STATES,
        "kinds": PLACE_KINDS,
        "mood": _mood(counts, is_stale=is_stale),
        "is_stale": is_stale,
        "judged_at": judged_at,
        "api_href": f"/api/v1/slos?limit=500{_api_filter(wanted)}",
        "simulated": queries.network_status().has_simulated_data,
        "now": now,
        "inventory": inventory,
        "health": queries.store_stats(),
    }


def _general_words(objective: Objective, inventory: Inventory, locale: PageLocale) -> str:
    return objective_words(objective, locale, objective_place(objective, inventory, locale))


def _mood(counts: Mapping[SloState, int], *, is_stale: bool) -> str:
    """Return the condition in whose colour the head is; good only when every objective was judged and is kept."""
    if is_stale:
        return "unknown"
    if counts["exhausted"] or counts["at_risk"]:
        return "below_target" if counts["exhausted"] else "degraded"
    if not counts["healthy"]:
        return "unknown"
    return "period" if counts["no_data"] else "operational"


def _api_filter(wanted: SloFilter) -> str:
    named = {
        "slo": wanted.objective, "status": wanted.status, "sli": wanted.sli, "kind": wanted.kind,
        "district": wanted.district, "level": wanted.level,
    }  # fmt: skip
    return "".join(f"&{urlencode({name: value})}" for name, value in named.items() if value)


def detail_href(slo: ScopedSlo) -> str:
    """Return the page of an objective at one place."""
    return f"/objectives/{slo.objective.id}?scope={slo.scope}"


def bar_of(slo: ScopedSlo) -> float | None:
    """Return the share of the budget that is left, as long as a bar can show it; None without a budget."""
    ratio = slo.budget.remaining_ratio
    return None if ratio is None or slo.slo_state == "no_data" else min(1.0, max(0.0, ratio))


def left_cell(slo: ScopedSlo, locale: PageLocale) -> TableCell:
    """Return what is left of a budget: minutes, tickets, probes or days; negative when it is overspent."""
    if slo.slo_state == "no_data":
        return TableCell(None)
    left = slo.budget.minutes[2] if slo.in_seconds else slo.budget.remaining
    return TableCell(left, partial(budget_words, slo, locale), bar=bar_of(slo), tone=slo.slo_state)


def measured_cell(slo: ScopedSlo, locale: PageLocale) -> TableCell:
    """Return the measured share, with its coverage where it is about time."""
    note = partial(coverage_words, slo, locale) if slo.in_seconds and slo.account.coverage is not None else ""
    text = partial(locale.covered_ratio, slo.ratio)
    return TableCell(slo.ratio.value, text, note=note, uncertain=slo.ratio.form == "range")


def coverage_words(slo: ScopedSlo, locale: PageLocale) -> str:
    """Return which share of the time is known."""
    return locale.t("coverage_note", coverage=locale.percent(slo.account.coverage))


def burn_cell(slo: ScopedSlo, locale: PageLocale) -> TableCell:
    """Return the burn rate of the shortest rule now, and since when an alarm fires."""
    first = next(iter(slo.row.readings), None)
    firing = next((row for row in slo.row.readings if row.fired is not None), None)
    note = "" if firing is None else partial(locale.t, "burn_firing", rule=locale.t(f"rule_{firing.severity}"))
    if first is None or first.long is None:
        return TableCell(None, note=note)
    return TableCell(first.long, partial(burn_words, first.long, locale), note=note)


def burn_words(rate: float, locale: PageLocale) -> str:
    """Return a burn rate: how many times faster than allowed a budget is spent."""
    return f"{locale.decimal(rate)} ×"


def slo_table(slos: Sequence[ScopedSlo], inventory: Inventory, locale: PageLocale) -> PageTable:
    """Return all objectives at their places, least budget left first."""
    columns = (
        TableColumn("place", locale.t("slo_place")),
        TableColumn("objective", locale.t("objective")),
        TableColumn("goal", locale.t("goal"), "ratio"),
        TableColumn("measured", locale.t("slo_measured"), "ratio"),
        TableColumn("left", locale.t("budget_left"), "decimal"),
        TableColumn("burn", locale.t("slo_burn"), "decimal"),
        TableColumn("status", locale.t("condition"), "state", prefix="slo_"),
    )
    return PageTable(
        "slos", locale.t("slo_table"), columns, tuple(_slo_row(slo, inventory, locale) for slo in slos), PART_SIZE
    )


def _slo_row(slo: ScopedSlo, inventory: Inventory, locale: PageLocale) -> PageTableRow:
    objective, place = slo.objective, place_name(slo.scope, inventory, locale)
    return PageTableRow(
        (
            TableCell(place, href=detail_href(slo), note=partial(objective_words, objective, locale, place)),
            TableCell(locale.name(objective), href=f"/objectives?objective={objective.id}"),
            TableCell(objective.goal),
            measured_cell(slo, locale),
            left_cell(slo, locale),
            burn_cell(slo, locale),
            TableCell(slo.slo_state),
        )
    )


def objective_table(
    objectives: Sequence[Objective], slos: Sequence[ScopedSlo], inventory: Inventory, locale: PageLocale
) -> PageTable:
    """Return one row an objective, with how many places are in each state and the worst of them."""
    by_objective: dict[str, list[ScopedSlo]] = {objective.id: [] for objective in objectives}
    for slo in slos:
        by_objective[slo.objective.id].append(slo)
    columns = (
        TableColumn("objective", locale.t("objective")),
        *(TableColumn(state, locale.t(f"slo_{state}"), "count") for state in SLO_STATES),
        TableColumn("worst", locale.t("slo_worst")),
        TableColumn("left", locale.t("budget_left"), "decimal"),
    )
    ordered = sorted(
        (o for o in objectives if by_objective[o.id]), key=lambda o: by_objective[o.id][0].sort_key
    )  # fmt: skip
    rows = tuple(_objective_row(o, by_objective[o.id], inventory, locale) for o in ordered)
    return PageTable("objectives", locale.t("objectives_table"), columns, rows)


def _objective_row(
    objective: Objective, slos: Sequence[ScopedSlo], inventory: Inventory, locale: PageLocale
) -> PageTableRow:
    counts, worst = count_slo_states(slos), slos[0]
    return PageTableRow(
        (
            TableCell(
                locale.name(objective), href=f"/objectives?objective={objective.id}",
                note=_general_words(objective, inventory, locale),
            ),
            *(TableCell(counts[state]) for state in SLO_STATES),
            TableCell(place_name(worst.scope, inventory, locale), href=detail_href(worst)),
            left_cell(worst, locale),
        )
    )  # fmt: skip
