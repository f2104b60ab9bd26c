"""Writes objectives as OpenSLO v1 documents (plain values, ready for YAML); it must not write files or know YAML.

What OpenSLO has no field for is kept as annotations under `motcua/`, so that reading them back loses nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.slo.burn_rate import threshold
from telemetry.inventory.objectives import rules, usual_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.core.inventory import Inventory, Objective, Period
    from telemetry.core.slo.burn_rate import Rule

VERSION = "openslo/v1"
MARK = "motcua/"
SOURCE = "motcua"
TARGET = "alertmanager"
DURATIONS: dict[Period, str] = {"day": "1d", "week": "1w", "month": "1M", "quarter": "1Q", "year": "1Y"}
CALENDAR_START = "2024-01-01 00:00:00"
"""A Monday that begins a week, a month, a quarter and a year."""
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"))
Node = dict[str, object]


def export(world: Inventory) -> list[Node]:
    """Return a service per scope, an SLO per objective, and our burn-rate rules as conditions and policies."""
    policies: dict[str, Node] = {}
    services: dict[str, Node] = {}
    slos: list[Node] = []
    for objective in world.objectives:
        made = dict(_alerting(objective, usual_ms(objective, world)))
        policies |= made
        names = [name for name, document in made.items() if document["kind"] == "AlertPolicy"]
        services.setdefault(
            _service(objective), _base("Service", _service(objective), {"description": objective.scope})
        )
        slos.append(_slo(objective, world.zone.key, names))
    base = [_source(), *([_notification()] if policies else [])]
    return [*base, *services.values(), *policies.values(), *slos]


def _document(kind: str, name: str, spec: Node, **more: object) -> Node:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name, **more}, "spec": spec}


def _base(kind: str, name: str, spec: Node) -> Node:
    """Return a document that only gives others something to refer to; reading it back passes it over."""
    return _document(kind, name, spec, annotations={MARK + "made": "export"})


def _source() -> Node:
    return _base("DataSource", SOURCE, {"type": "Prometheus", "connectionDetails": {}})


def _notification() -> Node:
    return _base("AlertNotificationTarget", TARGET, {"target": TARGET})


def _service(objective: Objective) -> str:
    """Return a DNS name for the scope: names in OpenSLO have no colon."""
    return objective.scope.replace(":", ".")


def _slo(one: Objective, zone: str, policies: list[str]) -> Node:
    spec: Node = {
        "description": one.name_en,
        "service": _service(one),
        "indicator": {"metadata": {"name": f"{one.id}-sli"}, "spec": {"ratioMetric": _metric(one)}},
        "timeWindow": [_window(one, zone)],
        "budgetingMethod": "Occurrences",
        "objectives": [{"displayName": one.name_en, "target": one.goal}],
    }
    if one.alert:
        spec["alertPolicies"] = [{"alertPolicyRef": name} for name in policies]
    return _document("SLO", one.id, spec, displayName=one.name_en, annotations=_annotations(one))


def _annotations(one: Objective) -> dict[str, str]:
    facts = {
        "name-vi": one.name_vi,
        "name-en": one.name_en,
        "scope": one.scope,
        "sli": one.sli,
        "clock": one.clock,
        "unknown": one.unknown,
        "threshold-ms": str(one.threshold_ms),
    }
    return {MARK + key: value for key, value in facts.items()}


def _metric(one: Objective) -> Node:
    """Return the SLI as we publish it: good ÷ (good + bad) over the objective's own period."""
    query = f'motcua_slo_sli_ratio{{slo="{one.id}",bound="official"}}'
    source: Node = {"metricSourceRef": SOURCE, "type": "Prometheus", "spec": {"query": query}}
    return {"counter": False, "rawType": "success", "raw": {"metricSource": source}}


def _window(one: Objective, zone: str) -> Node:
    if one.period == "rolling":
        return {"duration": f"{one.days}d", "isRolling": True}
    start = {"startTime": CALENDAR_START, "timeZone": zone}
    return {"duration": DURATIONS[one.period], "isRolling": False, "calendar": start}


def _alerting(one: Objective, period: int) -> Iterator[tuple[str, Node]]:
    """Yield a condition and a policy for each rule; objectives with the same clock and period share them."""
    for rule in rules(one) if one.alert else ():
        name = f"{rule.name}-{one.clock}-{duration(period)}"
        yield f"{name}-condition", _condition(f"{name}-condition", rule, one, period)
        yield name, _policy(name)


def _policy(name: str) -> Node:
    spec: Node = {
        "alertWhenNoData": False,
        "alertWhenResolved": True,
        "alertWhenBreaching": True,
        "conditions": [{"conditionRef": f"{name}-condition"}],
        "notificationTargets": [{"targetRef": TARGET}],
    }
    return _document("AlertPolicy", name, spec, annotations={MARK + "rule": name})


def _condition(name: str, rule: Rule, one: Objective, period: int) -> Node:
    """Return a rule; its short window, which OpenSLO has no field for, is an annotation."""
    facts = {"rule": rule.name, "clock": one.clock, "short-window": duration(rule.short), "share": str(rule.share)}
    condition: Node = {
        "kind": "burnrate",
        "op": "gt",
        "threshold": round(threshold(rule, period), 4),
        "lookbackWindow": duration(rule.long),
        "alertAfter": "0m",
    }
    annotations = {MARK + key: value for key, value in facts.items()}
    return _document(
        "AlertCondition", name, {"severity": rule.severity, "condition": condition}, annotations=annotations
    )


def duration(ms: int) -> str:
    """Return a whole number of days, hours or minutes as OpenSLO writes it."""
    unit, letter = next((pair for pair in _UNITS if ms % pair[0] == 0), (MINUTE, "m"))
    return f"{ms // unit}{letter}"


def toml(objectives: Iterable[Objective]) -> str:
    """Return objectives as the text of an objectives.toml."""
    return "\n".join(_table(one) for one in objectives)


def _table(one: Objective) -> str:
    timed = one.sli not in ("wait", "latency")
    rows: dict[str, object] = {"id": one.id, "name_vi": one.name_vi, "name_en": one.name_en, "scope": one.scope}
    rows |= {"sli": one.sli, "clock": one.clock, "goal": one.goal}
    rows |= {"days": one.days} if one.period == "rolling" else {"period": one.period}
    rows |= {"unknown": one.unknown} if timed else {}
    rows |= {"threshold_s": one.threshold_ms // 1000} if one.sli == "wait" else {}
    rows |= {"threshold_ms": one.threshold_ms} if one.sli == "latency" else {}
    rows |= {} if one.alert else {"alert": False}
    return "[[objective]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in rows.items())


def _value(value: object) -> str:
    """Return a TOML value: JSON's texts and numbers are TOML's, but for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
