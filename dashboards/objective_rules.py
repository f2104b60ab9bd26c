"""Prometheus rules of the inventory's objectives and targets; they must not evaluate a budget or a burn rate again.

Rollup evaluates each burn-rate rule on the open clock, which PromQL does not know, over both of its windows, and tells
Alertmanager. These rules are about what the API exports of that: alarms that rollup cannot deliver, spent budgets,
objectives that the API does not have, and indicators that fall silent or behind the path of their targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.kpi.targets import target_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.inventory import Inventory, Objective
    from telemetry.core.kpi.indicators import Indicator

Rule = dict[str, object]
OBJECTIVES_PAGE = "docs/reference/objectives.md"
INDICATORS_PAGE = "docs/reference/indicators.md"
FIGURES_GROUP, OBJECTIVES_GROUP, TARGETS_GROUP = "motcua-summaries", "motcua-objectives", "motcua-targets"
ALARM, BUDGET, DIFFERENCE = "MotcuaObjectiveBurns", "MotcuaBudgetSpent", "MotcuaObjectiveDiffers"
BEHIND, SILENT = "MotcuaTargetMissed", "MotcuaIndicatorSilent"
SEVERITIES = ("page", "ticket")


def rule_document(inventory: Inventory) -> dict[str, object]:
    """Return the rule file's content: summaries, then the alerts of every objective and of every target."""
    groups = (
        (FIGURES_GROUP, list(_summary_rules())),
        (OBJECTIVES_GROUP, [rule for objective in inventory.objectives for rule in objective_rules(objective)]),
        (
            TARGETS_GROUP,
            [rule for indicator in indicators_with_targets(inventory) for rule in _target_rules(indicator)],
        ),
    )
    return {"groups": [{"name": name, "rules": rules} for name, rules in groups if rules]}


def indicators_with_targets(inventory: Inventory) -> Sequence[Indicator]:
    """Return the indicators that have a target of any level, once each; milestones are left out: they have no value."""
    indicators = all_indicators(inventory.own_indicators)
    subjects = target_paths(inventory.targets, indicators)
    rows = dict.fromkeys(subject.indicator for subject in subjects)
    return [row for row in rows if row.unit != "milestone"]


def _summary_rules() -> Iterator[Rule]:
    """Yield what dashboards show of many series: API replicas all show the same, so each value is taken once."""
    yield {
        "record": "slo:motcua_slo_error_budget_remaining_ratio:min",
        "expr": "min by (slo) (motcua_slo_error_budget_remaining_ratio)",
    }
    yield {"record": "kpi:motcua_kpi_value:max", "expr": "max by (kpi, level) (motcua_kpi_value)"}


def objective_rules(objective: Objective) -> Iterator[Rule]:
    """Yield the alerts of one objective; one that never alerts has only that of its absence."""
    chosen = f'slo="{objective.id}"'
    yield _alert(
        DIFFERENCE,
        f'absent(motcua_slo_objective_ratio{{{chosen}}} == {objective.goal!r}) and on () up{{job="motcua-api"}} == 1',
        "15m",
        {"severity": "warning", "objective": objective.id},
        f"The API has no objective {objective.id} with a goal of {objective.goal!r}; the rules' inventory is another.",
        OBJECTIVES_PAGE,
    )
    if not objective.alert:
        return
    yield _alert(
        BUDGET,
        f'max(motcua_slo_scopes{{{chosen},standing="exhausted"}}) > 0',
        "30m",
        {"severity": "warning", "objective": objective.id},
        f"{objective.name_en} ({objective.id}): the budget is spent at {{{{ $value }}}} places.",
        OBJECTIVES_PAGE,
    )
    if objective.sli == "readiness":
        return
    for severity in SEVERITIES:
        yield _alert(
            ALARM,
            f'max by (scope) (motcua_slo_alarm_firing{{{chosen},severity="{severity}"}}) == 1'
            " unless on () (motcua:alerts_from_rollup:increase5m >= 1)",
            "5m",
            {"severity": severity, "objective": objective.id},
            f"{objective.name_en} ({objective.id}) burns at {{{{ $labels.scope }}}}; rollup's alert is not delivered.",
            "docs/reference/alerts.md",
        )


def _target_rules(indicator: Indicator) -> Iterator[Rule]:
    chosen = f'{{kpi="{indicator.id}"}}'
    labels = {"severity": "warning", "kpi": indicator.id}
    yield _alert(
        BEHIND,
        f"max by (level) (motcua_kpi_on_track{chosen}) == 0",
        "1d",
        labels,
        f"{indicator.name_en} ({indicator.id}), level {{{{ $labels.level }}}}, is not on the path of its targets.",
        INDICATORS_PAGE,
    )
    yield _alert(
        SILENT,
        # An indicator that never had a value is not silent: nobody reports it yet.
        f"max(max_over_time(motcua_kpi_value{chosen}[7d])) unless on () max(motcua_kpi_value{chosen})",
        "1d",
        labels,
        f"{indicator.name_en} ({indicator.id}) has a target, had a value in the last seven days, and has none now.",
        INDICATORS_PAGE,
    )


def _alert(name: str, expr: str, wait: str, labels: dict[str, str], summary: str, page: str) -> Rule:
    return {
        "alert": name, "expr": expr, "for": wait, "labels": labels,
        "annotations": {"summary": summary, "runbook": page},
    }  # fmt: skip
