"""The alert rules of the store of logs, run by promtool: each fires for its cause, and silence is no good sign."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.policy.cloud.alert_rules import FREE_BYTES, SIZE_BYTES, VOLUME_SIZE, VOLUME_USED
from tests.cloud_examples import base_declaration
from tests.hosted_objects import hosted_objects
from tests.unit.infra.test_kubernetes_faults import promtool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry.core.cloud.values import CloudDeclaration

HOURS = 30
GB = 10**9
SIZE_GB = 2000
ALL = {"LogStoreFull", "LogStoreFillsSoon", "LogStoreDaysDoNotFit", "LogStoreSmall", "LogStoreUnseen"}
CASES: tuple[tuple[int, float, int, set[str]], ...] = (
    (500, 0, SIZE_GB, set()),
    (1599, 0, SIZE_GB, set()),
    (1600, 0, SIZE_GB, {"LogStoreFull"}),
    (1300, 4, SIZE_GB, {"LogStoreFillsSoon", "LogStoreDaysDoNotFit"}),
    (100, 0.9, SIZE_GB, set()),
    (100, 0.95, SIZE_GB, {"LogStoreDaysDoNotFit"}),
    (100, 0, 1899, {"LogStoreSmall"}),
    (0, 0, 0, {"LogStoreUnseen"}),
)
"""GB used at first, GB more an hour, GB in all (0: no figures), and what fires after 30 h; 90 days are declared.

0.926 GB an hour are 2,000 GB in 90 days.
"""


def on_machine(declaration: CloudDeclaration) -> CloudDeclaration:
    logs = replace(declaration.platform["logs"], namespace="", address="10.84.0.50")
    return replace(declaration, platform={**declaration.platform, "logs": logs})


def rules_of(declaration: CloudDeclaration) -> list[dict[str, Any]]:
    objects = [one for one in hosted_objects(declaration).ground if one["kind"] == "PrometheusRule"]
    return [rule for one in objects for group in one["spec"]["groups"] for rule in group["rules"]]


def grown(first: float, step: float) -> str:
    return f"{first * GB:.0f}{step * GB:+.0f}x{HOURS}"


def in_cluster(used: int, step: float, size: int) -> list[dict[str, str]]:
    labels = '{namespace="platform-logs",persistentvolumeclaim="store-0"}'
    return [
        {"series": f"{VOLUME_USED}{labels}", "values": grown(used, step)},
        {"series": f"{VOLUME_SIZE}{labels}", "values": grown(size, 0)},
    ]


def by_node_exporter(used: int, step: float, size: int) -> list[dict[str, str]]:
    labels = '{instance="10.84.0.50:9100",mountpoint="/var/lib/logs",fstype="ext4"}'
    other = '{instance="10.84.0.5:9100",mountpoint="/",fstype="ext4"}'
    return [
        {"series": f"{FREE_BYTES}{labels}", "values": grown(size - used, -step)},
        {"series": f"{SIZE_BYTES}{labels}", "values": grown(size, 0)},
        {"series": f"{FREE_BYTES}{other}", "values": grown(0, 0)},
        {"series": f"{SIZE_BYTES}{other}", "values": grown(SIZE_GB, 0)},
    ]


@pytest.mark.parametrize("place", ["cluster", "machine"])
def test_each_cause_has_its_alert_and_silence_is_one(require: Callable[[str], str], tmp_path: Path, place: str) -> None:
    declaration, series = base_declaration(), in_cluster
    if place == "machine":
        declaration, series = on_machine(declaration), by_node_exporter
    rules = rules_of(declaration)
    assert {rule["alert"] for rule in rules} == ALL == {name for *_, fired in CASES for name in fired}
    tests = [
        {"interval": "1h", "input_series": series(used, step, size) if size else [], "alert_rule_test": [
            {"eval_time": f"{HOURS}h", "alertname": rule["alert"], "exp_alerts": _expected(rule, fired, place)}
            for rule in rules
        ]}
        for used, step, size, fired in CASES
    ]  # fmt: skip
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "logs", "rules": rules}]}))
    promtool(require("promtool"), tmp_path, {
        "rule_files": ["rules.yaml"], "evaluation_interval": "1h", "tests": tests,
    })  # fmt: skip


def _expected(rule: dict[str, Any], fired: set[str], place: str) -> list[dict[str, Any]]:
    if rule["alert"] not in fired:
        return []
    more = {"namespace": "platform-logs"} if rule["alert"] == "LogStoreUnseen" and place == "cluster" else {}
    return [{"exp_labels": {**rule["labels"], **more}, "exp_annotations": rule["annotations"]}]


def test_without_a_store_or_a_place_for_rules_there_are_none() -> None:
    base = base_declaration()
    assert rules_of(replace(base, logs=None)) == []
    assert rules_of(replace(base, platform={k: v for k, v in base.platform.items() if k != "logs"})) == []
    homeless = on_machine(base)
    without = {k: v for k, v in homeless.platform.items() if k != "metrics"}
    assert rules_of(replace(homeless, platform=without)) == []
