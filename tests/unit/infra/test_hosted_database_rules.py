"""The alert rules of hosted databases, run by promtool: each fires for its cause, and silence is no good sign."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from infra.policy.cloud.alert_rules import VOLUME_SIZE, VOLUME_USED
from telemetry.core.hosted.database_figures import ARCHIVE_AGE, ARCHIVE_STATUS, COPY_TIME_S, IS_UP, LAG, LAST_COPY
from tests.cloud_examples import ONESTOP, base_declaration
from tests.hosted_objects import hosted_objects
from tests.unit.infra.test_kubernetes_faults import promtool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry.core.cloud.values import CloudDeclaration

NAMESPACE = f"{ONESTOP}-database"
POD = f'namespace="{NAMESPACE}",pod="db-{{}}"'
DAY_S = 86_400
AT_S = 7_200
"""When promtool asks, in seconds after 1970, where its clock begins."""


def figure(name: str, pod: int, value: str, more: str = "") -> dict[str, str]:
    return {"series": f"{name}{{{POD.format(pod)}{more}}}", "values": value}


def claim(name: str, value: str) -> dict[str, str]:
    return {"series": f'{name}{{namespace="{NAMESPACE}",persistentvolumeclaim="db-1"}}', "values": value}


def healthy(**changes: str) -> list[dict[str, str]]:
    """Return the figures of a database of three instances, each constant, with changed ones; "" leaves one out."""
    ages = {1: changes.get("age", "30x30"), 2: changes.get("standby", "-1x30"), 3: "90000x30"}
    series = [figure(IS_UP, pod, "1x30") for pod in (1, 2, *([] if "instances" in changes else [3]))]
    series += [figure(ARCHIVE_AGE, pod, age) for pod, age in ages.items() if age]
    series += [
        figure(ARCHIVE_STATUS, 1, changes.get("ready", "0x30"), ',value="ready"'),
        figure(LAG, 2, changes.get("lag", "1x30")),
        claim(VOLUME_USED, changes.get("used", "10x30")), claim(VOLUME_SIZE, "100x30"),
    ]  # fmt: skip
    copy = changes.get("copy", f"{AT_S - 3600}x30")
    return [*series, *([figure(LAST_COPY, 1, copy)] if copy else [])]


def rules_of(declaration: CloudDeclaration) -> dict[str, Any]:
    spec: dict[str, Any] = hosted_objects(declaration).one("PrometheusRule", f"{NAMESPACE}/db")["spec"]
    return spec


def names(declaration: CloudDeclaration) -> set[str]:
    return {rule["alert"] for group in rules_of(declaration)["groups"] for rule in group["rules"]}


CASES: tuple[tuple[list[dict[str, str]], str], ...] = (
    (healthy(), ""),
    (healthy(copy=f"{AT_S - DAY_S - 9000}x30"), "CopyOld"),
    (healthy(copy=""), "Unseen"),
    (healthy(age="700x30", ready="3x30"), "ArchiveStalled"),
    (healthy(age="-1x30", ready="3x30"), "ArchiveStalled"),
    (healthy(age="700x30"), ""),
    (healthy(age="30x30", ready="3x30"), ""),
    (healthy(used="80x30"), "DiskFull"),
    (healthy(used="79x30"), ""),
    (healthy(lag="301x30"), "ReplicaBehind"),
    (healthy(instances="two"), "Instances"),
    ([], "Unseen"),
)
"""Figures, and the end of the name of the one alert that fires by them; the last is silence."""


def test_each_cause_has_its_alert_and_silence_is_one(require: Callable[[str], str], tmp_path: Path) -> None:
    rules = {rule["alert"]: rule for group in rules_of(base_declaration())["groups"] for rule in group["rules"]}
    tests = [
        {"interval": "5m", "input_series": series, "alert_rule_test": [
            {"eval_time": f"{AT_S}s", "alertname": name, "exp_alerts": _expected(rule, name, fired)}
            for name, rule in rules.items()
        ]}
        for series, fired in CASES
    ]  # fmt: skip
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules_of(base_declaration())))
    promtool(require("promtool"), tmp_path, {
        "rule_files": ["rules.yaml"], "evaluation_interval": "5m", "tests": tests,
    })  # fmt: skip
    assert {f"HostedDatabase{fired}" for _, fired in CASES if fired} == set(rules), "each has a case"


def _expected(rule: dict[str, Any], name: str, fired: str) -> list[dict[str, Any]]:
    if name != f"HostedDatabase{fired}":
        return []
    more = {"namespace": NAMESPACE} if fired == "Unseen" else {}
    return [{"exp_labels": {**rule["labels"], **more}, "exp_annotations": rule["annotations"]}]


def test_a_database_without_copies_has_no_rule_of_them() -> None:
    without = replace(base_declaration(), backups=())
    assert names(base_declaration()) - names(without) == {"HostedDatabaseCopyOld", "HostedDatabaseArchiveStalled"}
    assert "HostedDatabaseUnseen" in names(without)


def test_a_copy_is_too_old_when_the_next_one_is_overdue() -> None:
    hourly = replace(base_declaration(), backups=(replace(base_declaration().backups[0], every_s=3600),))
    (rule,) = (one for group in rules_of(hourly)["groups"] for one in group["rules"] if "CopyOld" in one["alert"])
    assert rule["expr"].endswith(f"> {3600 + COPY_TIME_S}")
