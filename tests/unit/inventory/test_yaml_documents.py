"""YAML and JSON documents are read with the line of each, and what cannot be read is one fault with its line."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from motcua.cli.inventory.openslo import read_documents
from telemetry.errors import ConfigError
from telemetry.inventory import default_path, load
from telemetry.inventory.openslo_import import import_documents
from telemetry.inventory.yaml_documents import DocumentError, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

WORLD = load(default_path())
SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: %s, displayName: Portal}
spec:
  service: vn83-portal
  indicator: {spec: {ratioMetric: {good: {metricSource: {type: Any}}, total: {metricSource: {type: Any}}}}}
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""
OTHERS = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: web}
spec: {description: a web}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: latency}
spec: {thresholdMetric: {metricSource: {metricSourceRef: ds, spec: {query: x}}}}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 5m}}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: alerts}
spec: {conditions: [{conditionRef: fast}], notificationTargets: [{targetRef: mail}]}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: mail}
spec: {target: email}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: ds}
spec: {type: Prometheus, connectionDetails: {url: "http://x"}}
"""
ALPHA = """\
apiVersion: openslo/v1alpha
kind: SLO
metadata: {name: alpha}
spec:
  service: vn83-portal
  indicator: {thresholdMetric: {source: datadog, queryType: query, query: q}}
  timeWindows: [{unit: Week, count: 2, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: Good, target: 0.98, ratioMetrics: {incremental: true}}]
"""


def chain(form: str) -> str:
    """Return tables of which each names the one before it nine times."""
    names = "abcdefghij"
    lists = [(name, "[" + ", ".join([f"*{before}"] * 9) + "]") for before, name in pairwise(names)]
    return "".join(f"{name}: &{name} {form % aliases}\n" for name, aliases in lists)


def lines_of(text: str) -> list[tuple[int, object]]:
    return [(document.line, document.body) for document in read_yaml(text.encode())]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 1\n---\nb: 2\n", [(1, {"a": 1}), (3, {"b": 2})]),
        ("# list\n- a: 1\n\n- b: 2\n", [(2, {"a": 1}), (4, {"b": 2})]),
        ('[\n {"a": 1},\n {"b": [2]}\n]', [(2, {"a": 1}), (3, {"b": [2]})]),
        ("- &x {a: 1}\n- {<<: *x, b: 2}\n- *x\n", [(1, {"a": 1}), (2, {"a": 1, "b": 2}), (1, {"a": 1})]),
        ("a: Xa\u0303\n", [(1, {"a": "Xã"})]),
        ('{"a": 1}\n\n{"b": 1e3}\n', [(1, {"a": 1}), (3, {"b": 1000.0})]),
        ('{"a": 1}{"b": "\\/"}', [(1, {"a": 1}), (1, {"b": "/"})]),
        ('{\n\t"a": {\n\t\t"b": 1\n\t}\n}', [(1, {"a": {"b": 1}})]),
        ('[\n\t{"a": 1},\n\t{"b": [2]}\n]\n', [(2, {"a": 1}), (3, {"b": [2]})]),
        ("kind: List\nitems:\n- a: 1\n- {b: 2}\n", [(3, {"a": 1}), (4, {"b": 2})]),
        ('{"kind": "SLOList",\n "items": [\n  {"a": 1}]}', [(3, {"a": 1})]),
        ("kind: List\nitems: none\n", [(1, {"kind": "List", "items": "none"})]),
        ("a: 1\n---\n\ufeffb: 2\n\0\0", [(1, {"a": 1}), (3, {"b": 2})]),
        ("{a: 1}\n---\n[]\n", [(1, {"a": 1})]),
        ("[]", []),
        ("", []),
    ],
)
def test_documents_and_elements_of_lists_have_their_line(text: str, wanted: list[tuple[int, object]]) -> None:
    assert lines_of(text) == wanted


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is already on line 1"),
        ("x: 1\n---\n- a: 2026-13-40\n", 3, "'2026-13-40' cannot be read"),
        ("a:\n  " + "9" * 5000 + "\n", 2, "cannot be read"),
        ("a: 1\nb: [\n", 3, "is not YAML"),
        ("a:\n\tb: 1\n", 2, "not with tabs"),
        ("a:\n\u00a0\u00a0b: 1\n  c: 2\n", 3, "no-break space"),
        ('{"a": 1,\n "a": 2}', 2, "'a' is already on line 1"),
        ('{"a": 1}\n{"b": NaN', 2, "is not YAML"),
        ('[{"a": 1}\n{"b": 2}]', 2, "is not YAML"),
        ("a: 1\nb: \x01\n", 2, "is not YAML"),
        ("a: !!python/object:os.system x\n", 1, "is not YAML"),
        ("a: 1\n---\n" + "[" * 3000, 3, "nested too deeply"),
        ("a: 1\nb: {" + ", ".join(f"k{n}: 1" for n in range(10_001)) + "}\n", 2, "more than 10,000 keys"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_fault_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem) as caught:
        lines_of(text)
    assert caught.value.line == line


def test_aliases_of_aliases_are_read_without_being_multiplied() -> None:
    assert len(lines_of("a: &a [x, x, x]\n" + chain("%s"))) == 1


def test_merges_of_merges_are_read_or_refused_without_being_multiplied() -> None:
    """PyYAML before 6.0.4 repeats the keys, so that the bound of keys refuses them."""
    try:
        read = [(line, body["j"]) for line, body in lines_of("a: &a {x: 1}\n" + chain("{<<: %s}"))]  # type: ignore[index]
    except DocumentError as error:
        read = [(1, {"x": 1})] if "more than 10,000 keys" in error.problem else []
    assert read == [(1, {"x": 1})]


def test_a_file_of_every_kind_of_document_is_imported_where_it_can_be_and_named_where_not(tmp_path: Path) -> None:
    file = tmp_path / "slo.yaml"
    file.write_text(f"{OTHERS}---\n{SLO % 'portal'}---\n{ALPHA}", "utf-8")
    result = import_documents(read_documents(file), WORLD)
    assert [(label.split(":", 1)[1], o.id, o.days, o.goal) for label, o in result.objectives] == [
        ("31", "portal", 28, 0.99), ("41", "alpha", 14, 0.98)]  # fmt: skip
    notes = [f"{note.document}: {note.path}: {note.reason}".replace(str(file), "slo.yaml") for note in result.notes]
    kinds = "Service web", "SLI latency", "AlertCondition fast", "AlertPolicy alerts", "AlertNotificationTarget mail"
    for place, what in enumerate((*kinds, "DataSource ds")):
        beginning = f"slo.yaml:{place * 5 + 1} {what.split()[0]}: {what}: not imported: "
        assert any(note.startswith(beginning) for note in notes)


def test_a_list_of_documents_in_json_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "slo.json"
    bodies = [body for name in ("a", "b") for _, body in lines_of(SLO % name)]
    file.write_text(json.dumps(bodies, indent=1), "utf-8-sig")
    result = import_documents(read_documents(file), WORLD)
    assert [objective.id for _, objective in result.objectives] == ["a", "b"]


def test_a_fault_of_a_file_names_it_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "slo.yaml"
    file.write_text("a: 1\na: 2\n", "utf-8")
    with pytest.raises(ConfigError, match=r"slo.yaml:2: syntax: is not YAML: 'a' is already on line 1"):
        list(read_documents(file))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.text("{}[]:,-&*<!|>'\"#%@ \n\tab1290.eE~", max_size=60).map(str.encode))
def test_any_bytes_are_documents_or_a_fault(raw: bytes) -> None:
    try:
        list(import_documents(((str(d.line), d.body) for d in read_yaml(raw)), WORLD).notes)
    except DocumentError:
        return
