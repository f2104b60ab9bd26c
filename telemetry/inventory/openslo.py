"""Renders objectives as OpenSLO v1 documents (plain values for YAML); it must not write files or use YAML.

Values without an OpenSLO field become annotations under `motcua/`, so that an import loses nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.hosted.derived_systems import default_objectives
from telemetry.core.slo.burn_rate import burn_rate_threshold
from telemetry.inventory.objectives import burn_rules, usual_period_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.core.inventory import Inventory, Objective, ObjectivePeriod
    from telemetry.core.slo.burn_rate import BurnRateRule

API_VERSION = "openslo/v1"
ANNOTATION_PREFIX = "motcua/"
DATA_SOURCE = "motcua"
NOTIFICATION_TARGET = "alertmanager"
PERIOD_DURATIONS: dict[ObjectivePeriod, str] = {"day": "1d", "week": "1w", "month": "1M", "quarter": "1Q", "year": "1Y"}
CALENDAR_START = "2024-01-01 00:00:00"
"""A Monday that begins a week, a month, a quarter and a year."""
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"))
OpenSloNode = dict[str, object]


def export_documents(inventory: Inventory) -> list[OpenSloNode]:
    """Return a service per scope, an SLO per objective, and the burn-rate rules as conditions and policies."""
    policies: dict[str, OpenSloNode] = {}
    services: dict[str, OpenSloNode] = {}
    slos: list[OpenSloNode] = []
    derived = default_objectives(replace(inventory, objectives=()))  # they follow from the cloud
    for objective in (o for o in inventory.objectives if o not in derived):
        alert_documents = dict(_alert_documents(objective, usual_period_ms(objective, inventory)))
        policies |= alert_documents
        names = [name for name, document in alert_documents.items() if document["kind"] == "AlertPolicy"]
        service = _service_name(objective)
        services.setdefault(service, _reference_document("Service", service, {"description": objective.scope}))
        slos.append(_slo_document(objective, inventory.zone.key, names))
    base = [_reference_document("DataSource", DATA_SOURCE, {"type": "Prometheus", "connectionDetails": {}})]
    if policies:
        target: OpenSloNode = {"target": NOTIFICATION_TARGET}
        base.append(_reference_document("AlertNotificationTarget", NOTIFICATION_TARGET, target))
    return [*base, *services.values(), *policies.values(), *slos]


def _document(kind: str, name: str, spec: OpenSloNode, **more: object) -> OpenSloNode:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, **more}, "spec": spec}


def _reference_document(kind: str, name: str, spec: OpenSloNode) -> OpenSloNode:
    """Return a document that others refer to and that an import ignores."""
    return _document(kind, name, spec, annotations={ANNOTATION_PREFIX + "made": "export"})


def _service_name(objective: Objective) -> str:
    """Return a DNS name for the scope: OpenSLO names have no colon."""
    return objective.scope.replace(":", ".")


def _slo_document(objective: Objective, zone: str, policies: list[str]) -> OpenSloNode:
    spec: OpenSloNode = {
        "description": objective.name_en,
        "service": _service_name(objective),
        "indicator": {"metadata": {"name": f"{objective.id}-sli"}, "spec": {"ratioMetric": _ratio_metric(objective)}},
        "timeWindow": [_time_window(objective, zone)],
        "budgetingMethod": "Occurrences",
        "objectives": [{"displayName": objective.name_en, "target": objective.goal}],
    }
    if objective.alert:
        spec["alertPolicies"] = [{"alertPolicyRef": name} for name in policies]
    return _document("SLO", objective.id, spec, displayName=objective.name_en, annotations=_annotations(objective))


def _annotations(objective: Objective) -> dict[str, str]:
    facts = {
        "name-vi": objective.name_vi,
        "name-en": objective.name_en,
        "scope": objective.scope,
        "sli": objective.sli,
        "clock": objective.clock,
        "unknown": objective.unknown,
        "threshold-ms": str(objective.threshold_ms),
    }
    return {ANNOTATION_PREFIX + key: value for key, value in facts.items()}


def _ratio_metric(objective: Objective) -> OpenSloNode:
    """Return the SLI as it is published: good ÷ (good + bad) over the objective's own period."""
    query = f'motcua_slo_sli_ratio{{slo="{objective.id}",bound="official"}}'
    source: OpenSloNode = {"metricSourceRef": DATA_SOURCE, "type": "Prometheus", "spec": {"query": query}}
    return {"counter": False, "rawType": "success", "raw": {"metricSource": source}}


def _time_window(objective: Objective, zone: str) -> OpenSloNode:
    if objective.period == "rolling":
        return {"duration": f"{objective.days}d", "isRolling": True}
    start = {"startTime": CALENDAR_START, "timeZone": zone}
    return {"duration": PERIOD_DURATIONS[objective.period], "isRolling": False, "calendar": start}


def _alert_documents(objective: Objective, period: int) -> Iterator[tuple[str, OpenSloNode]]:
    """Yield a condition and a policy for each rule; objectives with the same clock and period share them."""
    for rule in burn_rules(objective) if objective.alert else ():
        name = f"{rule.name}-{objective.clock}-{format_duration(period)}"
        yield f"{name}-condition", _alert_condition(f"{name}-condition", rule, objective, period)
        policy: OpenSloNode = {
            "alertWhenNoData": False,
            "alertWhenResolved": True,
            "alertWhenBreaching": True,
            "conditions": [{"conditionRef": f"{name}-condition"}],
            "notificationTargets": [{"targetRef": NOTIFICATION_TARGET}],
        }
        yield name, _document("AlertPolicy", name, policy, annotations={ANNOTATION_PREFIX + "rule": name})


def _alert_condition(name: str, rule: BurnRateRule, objective: Objective, period: int) -> OpenSloNode:
    """Return a rule; its short window, which OpenSLO has no field for, is an annotation."""
    facts = {
        "rule": rule.name,
        "clock": objective.clock,
        "short-window": format_duration(rule.short_ms),
        "share": str(rule.budget_share),
    }
    condition: OpenSloNode = {
        "kind": "burnrate",
        "op": "gt",
        "threshold": round(burn_rate_threshold(rule, period), 4),
        "lookbackWindow": format_duration(rule.long_ms),
        "alertAfter": "0m",
    }
    annotations = {ANNOTATION_PREFIX + key: value for key, value in facts.items()}
    return _document(
        "AlertCondition", name, {"severity": rule.severity, "condition": condition}, annotations=annotations
    )


def format_duration(ms: int) -> str:
    """Return a whole number of days, hours or minutes as an OpenSLO duration."""
    unit_ms, letter = next((pair for pair in _UNITS if ms % pair[0] == 0), (MINUTE, "m"))
    return f"{ms // unit_ms}{letter}"


def to_toml(objectives: Iterable[Objective]) -> str:
    """Return objectives as the text of an objectives.toml."""
    return "\n".join(_objective_table(objective) for objective in objectives)


def _objective_table(objective: Objective) -> str:
    timed = objective.sli not in ("wait", "latency")
    keys = ("id", "name_vi", "name_en", "scope", "sli", "clock", "goal")
    rows: dict[str, object] = {key: getattr(objective, key) for key in keys}
    rows |= {"days": objective.days} if objective.period == "rolling" else {"period": objective.period}
    rows |= {"unknown": objective.unknown} if timed else {}
    rows |= {"threshold_s": objective.threshold_ms // 1000} if objective.sli == "wait" else {}
    rows |= {"threshold_ms": objective.threshold_ms} if objective.sli == "latency" else {}
    rows |= {} if objective.alert else {"alert": False}
    return "[[objective]]\n" + "".join(f"{key} = {_toml_value(value)}\n" for key, value in rows.items())


def _toml_value(value: object) -> str:
    """Return a TOML value: JSON's strings and numbers are valid TOML, except for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
