"""Objectives as OpenSLO v1 and back: nothing is lost on the way, and what is foreign is told part by part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from motcua.cli.inventory.openslo import dump_yaml
from telemetry.core.inventory import Device, Inventory
from telemetry.inventory import default_path, load
from telemetry.inventory.openslo import export_documents
from telemetry.inventory.openslo_import import ImportResult, import_documents
from tests.unit import inventories

CENTRE = inventories.centre("vn83-1", "vn83")
GATE = Device("vn83-1-gateway1", "vn83-1", "gateway")
WORLD = inventories.inventory("vn83", {CENTRE.id: CENTRE}, {GATE.id: GATE})
SPEC: dict[str, dict[str, type | tuple[type, ...]]] = {
    "DataSource": {"type": str, "connectionDetails": dict},
    "Service": {"description": str},
    "AlertNotificationTarget": {"target": str},
    "AlertCondition": {"severity": str, "condition": dict},
    "AlertPolicy": {
        "alertWhenNoData": bool, "alertWhenResolved": bool, "alertWhenBreaching": bool, "conditions": list,
        "notificationTargets": list,
    },
    "SLO": {
        "description": str, "service": str, "indicator": dict, "timeWindow": list, "budgetingMethod": str,
        "objectives": list, "alertPolicies": list,
    },
}  # fmt: skip
"""The fields of each kind in OpenSLO v1 that we write, by hand from the specification."""


def through_yaml(documents: list[dict[str, object]]) -> list[tuple[str, object]]:
    return [(f"slo.yaml#{at}", body) for at, body in enumerate(yaml.safe_load_all(dump_yaml(documents)), start=1)]


@settings(deadline=None)
@given(st.data())
def test_what_is_exported_comes_back_as_it_was(data: st.DataObject) -> None:
    drawn = data.draw(st.lists(inventories.objectives(WORLD), max_size=4, unique_by=lambda one: one.id))
    taken = import_documents(through_yaml(export_documents(replace(WORLD, objectives=tuple(drawn)))), WORLD)
    assert [one for _, one in taken.objectives] == drawn
    assert taken.notes == ()


@pytest.fixture(scope="module")
def sample() -> Inventory:
    return load(default_path())


def of_kind(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in documents if one["kind"] == kind]


def test_the_sample_has_the_shape_of_v1(sample: Inventory) -> None:
    documents: list[dict[str, Any]] = export_documents(sample)
    for one in documents:
        assert set(one) == {"apiVersion", "kind", "metadata", "spec"}
        assert one["apiVersion"] == "openslo/v1"
        for key, value in one["spec"].items():
            assert isinstance(value, SPEC[one["kind"]][key]), f"{one['kind']}.{key}"
    named = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(set(named)) == len(named)


def test_every_reference_leads_to_a_document(sample: Inventory) -> None:
    documents: list[dict[str, Any]] = export_documents(sample)
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    for slo in of_kind(documents, "SLO"):
        assert ("Service", slo["spec"]["service"]) in names
        assert {("AlertPolicy", one["alertPolicyRef"]) for one in slo["spec"]["alertPolicies"]} <= names
    for policy in of_kind(documents, "AlertPolicy"):
        assert [("AlertCondition", one["conditionRef"]) in names for one in policy["spec"]["conditions"]] == [True]
        assert [("AlertNotificationTarget", t["targetRef"]) in names for t in policy["spec"]["notificationTargets"]]


def test_the_thresholds_are_those_of_a_usual_week(sample: Inventory) -> None:
    found = {one["metadata"]["name"]: one["spec"] for one in of_kind(export_documents(sample), "AlertCondition")}
    assert found["page-fast-open-160h-condition"] == {
        "severity": "page",
        "condition": {"kind": "burnrate", "op": "gt", "threshold": 8.0, "lookbackWindow": "1h", "alertAfter": "0m"},
    }
    assert found["page-fast-wall-28d-condition"]["condition"]["threshold"] == 13.44


def test_an_objective_that_never_alerts_has_no_policy() -> None:
    quiet = replace(load(default_path()).objectives[0], alert=False)
    documents: list[dict[str, Any]] = export_documents(replace(WORLD, objectives=(quiet,)))
    assert of_kind(documents, "AlertPolicy") == []
    assert "alertPolicies" not in of_kind(documents, "SLO")[0]["spec"]


def test_of_the_objectives_of_hosted_systems_only_declared_ones_are_written(sample: Inventory) -> None:
    declared = [o for o in sample.objectives if not o.level and not o.part_kind]
    own = replace(next(o for o in sample.objectives if o.id == "hosted-level-3"), goal=0.9)
    others = [o for o in sample.objectives if o.id != own.id]
    for world, written in (sample, declared), (replace(sample, objectives=(*others, own)), [*declared, own]):
        documents: list[dict[str, Any]] = export_documents(world)
        assert [slo["metadata"]["name"] for slo in of_kind(documents, "SLO")] == [o.id for o in written]


FOREIGN = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: ngsp-web, displayName: NGSP web, labels: {team: [a]}}
spec:
  service: vn-ngsp
  indicator: {metadata: {name: x}, spec: {ratioMetric: {counter: true}}}
  timeWindow: [{duration: 1M, isRolling: false, calendar: {startTime: 2022-01-01 00:00:00, timeZone: Europe/Paris}}]
  budgetingMethod: Timeslices
  objectives: [{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1m}]
"""


def took(text: str) -> ImportResult:
    return import_documents([(f"f#{at}", body) for at, body in enumerate(yaml.safe_load_all(text), start=1)], WORLD)


def test_a_foreign_slo_of_a_known_system_is_taken_and_every_rest_told() -> None:
    taken = took(FOREIGN)
    ((_, one),) = taken.objectives
    assert (one.scope, one.sli, one.goal, one.period, one.alert) == (
        "system:vn-ngsp",
        "availability",
        0.99,
        "month",
        False,
    )
    assert {note.path for note in taken.notes} == {
        "metadata.labels.team",
        "metadata.displayName",
        "spec.indicator",
        "spec.budgetingMethod",
        "spec.objectives[0].timeSliceTarget",
        "spec.objectives[0].timeSliceWindow",
        "spec.timeWindow[0].calendar.timeZone",
    }
    assert {note.document for note in taken.notes} == {"f#1 SLO ngsp-web"}


@pytest.mark.parametrize("version", ["openslo/v1", "openslo.com/v2alpha"])
def test_both_versions_are_read(version: str) -> None:
    assert len(took(FOREIGN.replace("openslo/v1", version)).objectives) == 1


def test_several_targets_become_several_objectives() -> None:
    taken = took(FOREIGN.replace("[{target: 0.99,", "[{targetPercent: 99.5}, {target: 0.9,"))
    assert [(one.id, one.goal) for _, one in taken.objectives] == [("ngsp-web", 0.995), ("ngsp-web-2", 0.9)]


@pytest.mark.parametrize(
    ("before", "after", "days"),
    [("28d, isRolling: true", "", 28), ("4w", "", 28), ("72h", "", 3)],
)
def test_rolling_windows_become_days(before: str, after: str, days: int) -> None:
    window = f"[{{duration: {before}{after}}}]"
    text = FOREIGN.replace(FOREIGN[FOREIGN.index("[{duration") : FOREIGN.index("\n  budgeting")], window)
    assert [(one.period, one.days) for _, one in took(text).objectives] == [("rolling", days)]


REFUSED = [
    ("openslo/v1", "openslo/v0", "apiVersion", "none of openslo/v1"),
    ("kind: SLO", "kind: Service", "Service ngsp-web", "scopes come from the inventory"),
    ("kind: SLO", "kind: Sloo", "Sloo ngsp-web", "not known"),
    ("ngsp-web,", "NGSP web,", "metadata.name", "is not an id"),
    ("service: vn-ngsp", "service: shop", "spec.service", "no system 'shop' is declared"),
    ("1M", "3M", "spec.timeWindow[0].duration", "does not fit a calendar"),
    ("isRolling: false, calendar: {startTime: 2022-01-01 00:00:00, timeZone: Europe/Paris}", "isRolling: true",
     "spec.timeWindow[0].duration", "no whole number of days"),
    ("timeWindow: [", "timeWindow: [{}, ", "spec.timeWindow", "exactly one"),
    ("timeWindow: [", "timeWindow: [3] #", "spec.timeWindow[0]", "is not a table"),
    ("target: 0.99", "target: high", "spec.objectives[0].target", "is not a number"),
    ("target: 0.99", "target: 1", "ngsp-web: goal", "leaves no error budget"),
    ("objectives: [", "objectives: [] #", "spec.objectives", "there is none"),
    ("labels: {team: [a]}", "annotations: {motcua/sli: wait}", "ngsp-web: sli", "wait is not measured of systems"),
    ("labels: {team: [a]}", "annotations: {motcua/threshold-ms: x}", "metadata.annotations.motcua/threshold-ms",
     "is not a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "path", "reason"), REFUSED)
def test_what_cannot_be_taken_says_where_and_why(before: str, after: str, path: str, reason: str) -> None:
    assert before in FOREIGN
    taken = took(FOREIGN.replace(before, after))
    assert taken.objectives == ()
    told = [note for note in taken.notes if note.path == path and reason in note.reason]
    assert [note.reason.startswith("not imported: ") for note in told][:1] == [True], taken.notes


BOMB = (
    "["
    "&a [x, x, x, x, x, x, x, x]"
    + "".join(
        f", &{name} [{', '.join(['*' + before] * 8)}]" for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    + "]"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("service: vn-ngsp", "service: [a, b]"),
        ("service: vn-ngsp", "service: {a: b}"),
        ("service: vn-ngsp", "service: 7"),
        ("ngsp-web,", "7,"),
        ("ngsp-web,", "[a],"),
        ("target: 0.99", "target: '0.99'"),
        ("target: 0.99", "target: .nan"),
        ("target: 0.99", "target: .inf"),
        ("target: 0.99", "target: -1"),
        ("target: 0.99", "target: 0x" + "f" * 5000),
        ("target: 0.99", "target: 99.5"),
        ("target: 0.99", "target: true"),
        ("target: 0.99", f"target: {BOMB}"),
        ("duration: 1M", "duration: [1M]"),
        ("duration: 1M", f"duration: {BOMB}"),
        ("calendar: {", "calendar: 5, x: {"),
        ("apiVersion: openslo/v1", "apiVersion: {a: b}"),
        ("kind: SLO", f"kind: {BOMB}"),
        ("labels: {team: [a]}", "labels: 3"),
        ("labels: {team: [a]}", "annotations: {motcua/scope: [a]}"),
        ("labels: {team: [a]}", f"annotations: {{motcua/sli: {BOMB}}}"),
        ("metadata: {", "metadata: 3 #{"),
        ("spec:", "spec: &s\n  more: [*s]"),
    ],
)
def test_strange_values_are_refused_shortly_and_never_crash(before: str, after: str) -> None:
    assert before in FOREIGN
    taken = took(FOREIGN.replace(before, after, 1))
    strange = "more: [*s]" in after
    assert len(taken.objectives) == int(strange)
    assert taken.notes
    assert max(len(note.path + note.reason) for note in taken.notes) < 400


def test_a_list_of_documents_or_a_text_is_told_as_not_taken() -> None:
    for text in ("[{apiVersion: openslo/v1, kind: SLO}]", "only words", "3"):
        taken = took(text)
        assert (taken.objectives, [note.path for note in taken.notes]) == ((), ["apiVersion"])


def test_what_else_a_window_says_is_told() -> None:
    window = "[{duration: 28d, isRolling: false, count: 28}]"
    text = FOREIGN.replace(FOREIGN[FOREIGN.index("[{duration") : FOREIGN.index("\n  budgeting")], window)
    taken = took(text.replace("  service: vn-ngsp", "  description: words\n  alertPolicies: [x]\n  service: vn-ngsp"))
    assert len(taken.objectives) == 1
    assert {
        "spec.timeWindow[0].isRolling", "spec.timeWindow[0].count", "spec.description", "spec.alertPolicies",
    } <= {note.path for note in taken.notes}  # fmt: skip


def test_the_same_name_twice_is_taken_once() -> None:
    taken = took(f"{FOREIGN}---\n{FOREIGN}")
    assert len(taken.objectives) == 1
    assert [note.reason for note in taken.notes if note.path == "metadata.name"] == [
        "not imported: ngsp-web is already in f#1"
    ]
