"""The rules made from objectives and targets: promtool plays the API's series, one place that burns after the other.

A test an alert and objective; what is expected is written here in words, not taken from the rules.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dashboards.files import OBJECTIVE_RULES, STACK_RULES, provisioned_files
from dashboards.objective_rules import indicators_with_targets
from telemetry import inventory
from telemetry.core.inventory import Objective, OwnIndicator, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from telemetry.core.inventory import Inventory
    from telemetry.core.kpi.indicators import Indicator

SAMPLE = inventory.load(inventory.default_path())
Json = dict[str, Any]
OBJECTIVES_PAGE, INDICATORS_PAGE = "docs/reference/objectives.md", "docs/reference/indicators.md"
SECOND = Target("DG-02", "Số hoá", "Digitised", 0.5, "ratio", date(2027, 12, 31))
DELIVERED = 'alertmanager_alerts_received_total{job="alertmanager"}'


def own_inventory() -> Inventory:
    """Return the sample with what others may declare: an objective that never alerts, and an indicator."""
    quiet = Objective("quiet", "Lặng", "Quiet", "kiosk", "connectivity", 0.9, 28, alert=False)
    row = OwnIndicator("BT-01", "Bưu chính", "Post", "procedures", "Sở", ("received_post",), ("received",))
    target = Target("BT-01", "Bưu chính", "Post", 0.5, "ratio", date(2027, 12, 31))
    return replace(SAMPLE, objectives=(SAMPLE.objectives[0], quiet), own_indicators=(row,), targets=(target, SECOND))


def series(name: str, labels: str, values: str, instances: str = "ab") -> Iterator[Json]:
    """Yield the same series of two API replicas: they are one figure."""
    for instance in instances:
        text = f'{name}{{job="motcua-api",instance="{instance}"{"," * bool(labels)}{labels}}}'
        yield {"series": text, "values": values}


def check(at: str, name: str, *expected: Json) -> Json:
    """Return that exactly these alerts of a name fire at a time."""
    return {"eval_time": at, "alertname": name, "exp_alerts": list(expected)}


def alert(labels: Json, summary: str, page: str) -> Json:
    return {"exp_labels": labels, "exp_annotations": {"summary": summary, "runbook": page}}


def budget_test(objectives: Sequence[Objective]) -> Json:
    """Two places of every objective spend their budget, then late data give it back."""
    spent = 'slo="{}",standing="exhausted"'
    fires = [
        alert(
            {"severity": "warning", "objective": o.id},
            f"Objective {o.id}: the budget is spent at 2 places.",
            OBJECTIVES_PAGE,
        )
        for o in objectives
        if o.alert
    ]
    return {
        "interval": "1m",
        "input_series": [
            row for o in objectives for row in series("motcua_slo_scopes", spent.format(o.id), "0x9 2x49 0x60")
        ],
        "alert_rule_test": [
            check("30m", "MotcuaBudgetSpent"),
            check("50m", "MotcuaBudgetSpent", *fires),
            check("70m", "MotcuaBudgetSpent"),
        ],
    }


def difference_test(objectives: Sequence[Objective]) -> Json:
    """The API has other goals for twenty minutes."""
    text = "The API has no objective {} with a goal of {!r}; the rules' inventory is another."
    fires = [
        alert({"severity": "warning", "objective": o.id}, text.format(o.id, o.goal), OBJECTIVES_PAGE)
        for o in objectives
    ]
    goals = [
        row
        for o in objectives
        for row in series("motcua_slo_objective_ratio", f'slo="{o.id}"', f"{o.goal}x19 0.5x19 {o.goal}x20")
    ]
    return {
        "interval": "1m",
        "input_series": [*series("up", "", "1x60"), *goals],
        "alert_rule_test": [
            check("19m", "MotcuaObjectiveDiffers"),
            check("38m", "MotcuaObjectiveDiffers", *fires),
            check("58m", "MotcuaObjectiveDiffers"),
        ],
    }


def alarm_test(objectives: Sequence[Objective]) -> Json:
    """Two rules of one severity burn at a place of each; rollup's own alerts arrive for a time, and then do not."""
    label = 'slo="{}",scope="centre:c1",rule="{}",severity="page"'
    burning = [
        row
        for o in objectives
        for rule in ("page-fast", "page-slow")
        for row in series("motcua_slo_alarm_firing", label.format(o.id, rule), "1x60")
    ]
    fires = [
        alert(
            {"severity": "page", "objective": o.id, "scope": "centre:c1"},
            f"Objective {o.id} burns at centre:c1; rollup's alert is not delivered.",
            "docs/reference/alerts.md",
        )
        for o in objectives
        if o.alert and o.sli != "readiness"
    ]
    return {
        "interval": "1m",
        "input_series": [*burning, {"series": DELIVERED, "values": "0+1x20 20x40"}],
        "alert_rule_test": [check("20m", "MotcuaObjectiveBurns"), check("40m", "MotcuaObjectiveBurns", *fires)],
    }


def behind_test(indicators: Sequence[Indicator]) -> Json:
    """Every indicator is behind the path of its targets for two days."""
    text = "Indicator {}, level all, is not on the path of its targets."
    fires = [
        alert({"severity": "warning", "kpi": row.id, "level": "all"}, text.format(row.id), INDICATORS_PAGE)
        for row in indicators
    ]
    label = 'kpi="{}",level="all"'
    return {
        "interval": "1h",
        "input_series": [
            one for row in indicators for one in series("motcua_kpi_on_track", label.format(row.id), "1x9 0x47 1x10")
        ],
        "alert_rule_test": [
            check("32h", "MotcuaTargetMissed"),
            check("40h", "MotcuaTargetMissed", *fires),
            check("59h", "MotcuaTargetMissed"),
        ],
    }


def silent_test(indicators: Sequence[Indicator]) -> Json:
    """No indicator has a value for two days, then all have one again; what never had one is not missed."""
    text = "Indicator {} has a target, had a value in the last seven days, and has none now."
    fires = [
        alert({"severity": "warning", "kpi": row.id}, text.format(row.id), INDICATORS_PAGE) for row in indicators[1:]
    ]
    label = 'kpi="{}",level="all"'
    return {
        "interval": "1h",
        "input_series": [
            one
            for row in indicators[1:]
            for one in series("motcua_kpi_value", label.format(row.id), "0.4x9 _x47 0.4x10")
        ],
        "alert_rule_test": [
            check("32h", "MotcuaIndicatorSilent"),
            check("40h", "MotcuaIndicatorSilent", *fires),
            check("59h", "MotcuaIndicatorSilent"),
        ],
    }


def promtool_document(step: str, *tests: Json) -> Json:
    groups = ("motcua-figures", "motcua-summaries", "motcua-objectives", "motcua-targets")
    return {
        "rule_files": [STACK_RULES, OBJECTIVE_RULES],
        "evaluation_interval": step,
        "group_eval_order": list(groups),
        "tests": list(tests),
    }


def documents(world: Inventory) -> list[Json]:
    """Return the tests of every objective, minute by minute, and of every target, hour by hour."""
    rows = indicators_with_targets(world)
    return [
        promtool_document(
            "1m", budget_test(world.objectives), difference_test(world.objectives), alarm_test(world.objectives)
        ),
        promtool_document("1h", behind_test(rows), silent_test(rows)),
    ]


def run_promtool(program: str, folder: Path, files: Mapping[str, str], document: Json) -> str:
    """Write rules and tests, and return what promtool says; it must be content with each file."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "tests.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    words = [program, "test", "rules", str(folder / "tests.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr if done.returncode else "content"


@pytest.mark.parametrize("world", [SAMPLE, own_inventory()], ids=["sample", "own"])
def test_every_objective_and_target_has_rules_that_fire_and_end(
    world: Inventory, require: Callable[[str], str], tmp_path: Path
) -> None:
    assert len(world.objectives) >= 2 <= len(indicators_with_targets(world))
    files = {path: text for path, text in provisioned_files(world).items() if path.startswith("rules/")}
    for document in documents(world):
        assert run_promtool(require("promtool"), tmp_path, files, document) == "content"


def test_an_alert_that_nothing_expects_is_a_failure_of_the_test(require: Callable[[str], str], tmp_path: Path) -> None:
    """The tests above can fail: rules of an objective that alerts, where one is expected that does not."""
    (first, *others) = SAMPLE.objectives
    expected = documents(replace(SAMPLE, objectives=(replace(first, alert=False), *others)))[0]
    files = {path: text for path, text in provisioned_files(SAMPLE).items() if path.startswith("rules/")}
    assert "MotcuaBudgetSpent" in run_promtool(require("promtool"), tmp_path, files, expected)


def test_an_inventory_without_objectives_has_rules_that_are_read(require: Callable[[str], str], tmp_path: Path) -> None:
    """A group without a rule, and a file without a group, are left out of what Prometheus reads."""
    bare = replace(SAMPLE, objectives=(), targets=(), own_indicators=())
    rules = tmp_path / "objectives.yaml"
    rules.write_text(provisioned_files(bare)[OBJECTIVE_RULES])
    done = subprocess.run([require("promtool"), "check", "rules", str(rules)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [group["name"] for group in yaml.safe_load(rules.read_text())["groups"]] == ["motcua-summaries"]
