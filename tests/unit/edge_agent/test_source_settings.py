"""What each kind of source may be set to: the agent's file and the inventory are checked by the same rules."""

from __future__ import annotations

import tomllib

import pytest

from edge_agent.sources.probe import PROBES
from telemetry.source_settings import (
    PROBE_KINDS,
    SOURCE_KINDS,
    find_conflicts,
    find_setting_faults,
    probe_target_fault,
    source_name,
)
from tests.unit.source_tables import REFUSED_SOURCES


def toml_source(text: str) -> dict[str, object]:
    return tomllib.loads(text)


def test_the_agent_runs_every_probe_that_it_accepts_and_no_other() -> None:
    assert tuple(PROBES) == PROBE_KINDS


@pytest.mark.parametrize("kind", SOURCE_KINDS.values(), ids=lambda kind: kind.kind)
def test_the_example_of_every_setting_is_one_that_is_accepted(kind: object) -> None:
    source = SOURCE_KINDS[kind.kind]  # type: ignore[attr-defined]
    table = "\n".join([f'kind = "{source.kind}"', *(f"{s.key} = {s.example}" for s in source.settings)])
    assert find_setting_faults(toml_source(table)) == []


@pytest.mark.parametrize(("table", "field"), REFUSED_SOURCES)
def test_a_setting_that_cannot_work_is_refused_with_a_remedy(table: str, field: str) -> None:
    (fault,) = find_setting_faults(toml_source(table))
    assert fault.key == field
    assert fault.problem
    assert fault.remedy


def test_all_faults_of_a_source_are_reported_at_once() -> None:
    table = toml_source('kind = "queue_http"\ncolour = 1\nevery_ms = "often"\nisolate = 1')
    assert [fault.key for fault in find_setting_faults(table)] == ["colour", "url", "every_ms", "isolate"]


@pytest.mark.parametrize(
    ("probe", "target", "is_usable"),
    [
        ("http", "https://portal.example/", True),
        ("http", "http://10.0.0.1:8080/health", True),
        ("http", "portal.example", False),
        ("http", "http://", False),
        ("tcp", "ngsp.example:443", True),
        ("tls", "signature.example", True),
        ("tls", "signature.example:0", False),
        ("tls", "signature.example:99999", False),
        ("tcp", ":443", False),
        ("dns", "portal.example", True),
        ("dns", "[half", False),
    ],
)
def test_a_probe_s_target_is_one_that_the_probe_can_use(probe: str, target: str, *, is_usable: bool) -> None:
    assert (probe_target_fault(probe, target) is None) == is_usable


def test_a_source_s_name_is_its_own_or_that_of_its_origin() -> None:
    assert source_name("host", {}) == "host"
    assert source_name("http", {"port": 8137}) == "http"
    assert source_name("http", {"port": 8137, "name": "desk"}) == "desk"
    assert source_name("probe", {"system": "vn-ngsp"}) == "probe:vn-ngsp"
    assert source_name("file", {"path": "a.jsonl"}) == "file:a.jsonl"
    assert source_name("queue_http", {"url": "http://q/"}) == "queue_http:http://q/"


def test_sources_of_one_name_or_one_origin_conflict() -> None:
    conflicts = find_conflicts([
        {"kind": "http", "port": 8137},
        {"kind": "http", "port": 8138},
        {"kind": "http", "port": 8137, "name": "desk"},
        {"kind": "host"},
        {"kind": "host", "every_ms": 1000},
        {"kind": "http", "port": 8139, "name": "other"},
    ])  # fmt: skip
    assert [(c.first, c.second, c.fault.key) for c in conflicts] == [(0, 1, "kind"), (0, 2, "port"), (3, 4, "kind")]
