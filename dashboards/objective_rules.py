"""Prometheus rules of the inventory's objectives and targets; they must not evaluate a budget or a burn rate again.

Rollup evaluates each burn-rate rule on the open clock, which PromQL does not know, over both of its windows, and tells
Alertmanager. These rules are about what the API exports of that: alarms that rollup cannot deliver, spent budgets,
objectives that the API does not have, and indicators that fall silent or behind the path of their targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.kpi.targets import target_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    """Return the rule file's content: summaries, then the alerts of objectives and of targets."""
    groups = (
        (FIGURES_GROUP, list(_summary_rules())),
        (OBJECTIVES_GROUP, list(_objective_rules(inventory.objectives))),
        (TARGETS_GROUP, list(_target_rules([row.id for row in indicators_with_targets(inventory)]))),
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


def _objective_rules(objectives: Sequence[Objective]) -> Iterator[Rule]:
    """Yield the alerts of all objectives: those that never alert have only that of their absence.

    One rule is about many objectives, because a server's first boot gets them in user data, which have a limit.
    """
    yield from (_difference_rule(objective) for objective in objectives)
    alerting = [objective for objective in objectives if objective.alert]
    if alerting:
        spent = _by_objective("motcua_slo_scopes", alerting, 'standing="exhausted"', "objective")
        text = "Objective {{ $labels.objective }}: the budget is spent at {{ $value }} places."
        yield _alert(PrometheusAlert(BUDGET, f"{spent} > 0", "30m", "warning"), text, OBJECTIVES_PAGE)
    burning = [objective for objective in alerting if objective.sli != "readiness"]
    for severity in SEVERITIES if burning else ():
        firing = _by_objective("motcua_slo_alarm_firing", burning, f'severity="{severity}"', "objective, scope")
        expr = f"{firing} == 1 unless on () (motcua:alerts_from_rollup:increase5m >= 1)"
        text = "Objective {{ $labels.objective }} burns at {{ $labels.scope }}; rollup's alert is not delivered."
        yield _alert(PrometheusAlert(ALARM, expr, "5m", severity), text, "docs/reference/alerts.md")


def _difference_rule(objective: Objective) -> Rule:
    ident, goal = objective.id, repr(objective.goal)
    expr = f'absent(motcua_slo_objective_ratio{{slo="{ident}"}} == {goal}) and on () up{{job="motcua-api"}} == 1'
    text = f"The API has no objective {ident} with a goal of {goal}; the rules' inventory is another."
    return _alert(PrometheusAlert(DIFFERENCE, expr, "15m", "warning", {"objective": ident}), text, OBJECTIVES_PAGE)


def _by_objective(metric: str, objectives: Sequence[Objective], selector: str, labels: str) -> str:
    """Return the PromQL of a metric of these objectives, with the id as the label that rollup's alerts have."""
    idents = "|".join(objective.id for objective in objectives)
    named = f'label_replace({metric}{{slo=~"{idents}",{selector}}}, "objective", "$1", "slo", "(.+)")'
    return f"max by ({labels}) ({named})"


def _target_rules(idents: Sequence[str]) -> Iterator[Rule]:
    if not idents:
        return
    chosen = f'{{kpi=~"{"|".join(idents)}"}}'
    behind = f"max by (kpi, level) (motcua_kpi_on_track{chosen}) == 0"
    text = "Indicator {{ $labels.kpi }}, level {{ $labels.level }}, is not on the path of its targets."
    yield _alert(PrometheusAlert(BEHIND, behind, "1d", "warning"), text, INDICATORS_PAGE)
    # An indicator that never had a value is not silent: nobody reports it yet.
    earlier = f"max by (kpi) (max_over_time(motcua_kpi_value{chosen}[7d]))"
    silent = f"{earlier} unless on (kpi) motcua_kpi_value{chosen}"
    text = "Indicator {{ $labels.kpi }} has a target, had a value in the last seven days, and has none now."
    yield _alert(PrometheusAlert(SILENT, silent, "1d", "warning"), text, INDICATORS_PAGE)


@dataclass(frozen=True, slots=True)
class PrometheusAlert:
    """When an alert fires, after how long, and its labels beside those of the expression."""

    name: str
    expr: str
    wait: str
    severity: str
    labels: Mapping[str, str] = field(default_factory=dict)


def _alert(alert: PrometheusAlert, summary: str, page: str) -> Rule:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.wait,
        "labels": {"severity": alert.severity, **alert.labels},
        "annotations": {"summary": summary, "runbook": page},
    }
