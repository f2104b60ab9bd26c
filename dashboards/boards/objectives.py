"""The dashboard of objectives: each of the inventory has a section; every figure is one that the API exports.

It must not evaluate burn rates or budgets: windows skip closed hours, which PromQL does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.panels import GREEN, ORANGE, RED, Dashboard, Panel, PanelQuery, Section, Threshold, graph, stat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.inventory import Objective, SliKind

WORST = 20
"""How many places the table of one objective has."""
TIME_BASED: frozenset[SliKind] = frozenset({"availability", "connectivity"})
"""What counts seconds and so has a coverage; tickets, probes and days have none."""
_BUDGET = (Threshold(None, RED), Threshold(0, ORANGE), Threshold(0.25, GREEN))


def objectives_board(objectives: Iterable[Objective], time_zone: str) -> Dashboard:
    """Return the dashboard: a summary, then a section an objective, each with its own queries."""
    return Dashboard(
        "motcua-objectives",
        "Motcua: objectives",
        "Budgets left, burn rates and coverage of every objective that the inventory declares.",
        (_summary(), *(_objective_section(objective) for objective in objectives)),
        period="now-24h",
        time_zone=time_zone,
    )


def _summary() -> Section:
    spent = 'sum(max by (slo) (motcua_slo_scopes{standing="exhausted"})) or vector(0)'
    return Section(
        "All objectives",
        (
            stat("Objectives", "count(max by (slo) (motcua_slo_objective_ratio))", "That the API evaluates."),
            stat("Places without budget", spent, "Their budget of the period is spent.", alarm=Threshold(1, RED)),
            stat("Pages", _alarms("page"), "Burn-rate alarms that fire, of all places.", alarm=Threshold(1, RED)),
            stat(
                "Tickets", _alarms("ticket"), "Burn-rate alarms that fire, of all places.", alarm=Threshold(1, ORANGE)
            ),
            stat(
                "Age of the evaluation",
                "time() - max(motcua_slo_evaluated_timestamp_seconds)",
                "Rollup evaluates every 15 seconds.",
                unit="s",
                alarm=Threshold(120, RED),
            ),
            graph(
                "Least budget left of any place, by objective",
                {"{{slo}}": "slo:motcua_slo_error_budget_remaining_ratio:min"},
                "Below 0 it is overspent.",
                unit="percentunit",
                width=24,
            ),
        ),
    )


def _alarms(severity: str) -> str:
    return f'max(motcua_alerts{{severity="{severity}",state="firing"}})'


def _objective_section(objective: Objective) -> Section:
    chosen = f'{{slo="{objective.id}"}}'
    places = f"max by (slo, standing) (motcua_slo_scopes{chosen})"
    burning = f"max by (rule, window) (motcua_slo_burn_rate_max{chosen})"
    worst = f"bottomk({WORST}, max by (scope) (motcua_slo_error_budget_remaining_ratio{chosen}))"
    names = f"{objective.name_vi} ({objective.id}). "
    panels: tuple[Panel, ...] = (
        stat("Goal", f"max(motcua_slo_objective_ratio{chosen})", f"{names}Share that must be good.",
             unit="percentunit"),
        Panel(
            "Least budget left", (PanelQuery(f"min(motcua_slo_error_budget_remaining_ratio{chosen})"),),
            "Of all centres and systems; below 0 it is overspent.", "stat", "percentunit", 3, 4, _BUDGET,
        ),
        *((_least_coverage(chosen),) if objective.sli in TIME_BASED else ()),
        graph("Places by state", {"{{standing}}": places}, width=15),
        Panel(f"Least budget left: {WORST} places", (PanelQuery(worst),), "", "table", "percentunit", 9, 8, _BUDGET),
        graph("Share that was good", {"{{scope}}": _worst_ratios(chosen)}, f"The {WORST} lowest.", unit="percentunit",
              width=15),
    )  # fmt: skip
    if objective.alert and objective.sli != "readiness":
        text = "1 spends exactly the budget. Each rule fires when both of its windows burn faster than its threshold."
        panels += (graph("Highest burn rate of any place", {"{{rule}}, {{window}}": burning}, text, width=24),)
    return Section(objective.name_en, panels, is_closed=True)


def _least_coverage(chosen: str) -> Panel:
    query = f"min(motcua_slo_coverage_ratio{chosen})"
    return stat("Least coverage", query, "Share of the time that is known.", unit="percentunit")


def _worst_ratios(chosen: str) -> str:
    selector = chosen.replace("}", ',bound="official"}')
    return f"bottomk({WORST}, max by (scope) (motcua_slo_sli_ratio{selector}))"
