"""Says what the rules find in the base system and in each edit of it, and that the nearest good edit has no finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from telemetry.core.cloud.values import Component, Flow, PolicyException, Site
from tests.cloud_examples import (
    BACKUPS,
    LOGS,
    ONESTOP,
    PLATFORM,
    SITES,
    TODAY,
    base_declaration,
    component_end,
    hosted_system,
    outside,
    second_system,
    with_components,
    with_flows,
    with_system,
)

if TYPE_CHECKING:
    from infra.policy.catalogue import Finding
    from telemetry.core.cloud.values import CloudDeclaration

BASE = base_declaration()
OLD_AGE_S = 86_400


def findings(declaration: CloudDeclaration, today: date = TODAY, stage: str = "prod") -> list[Finding]:
    return check_cloud_plan(build_cloud_plan(declaration, province="vn83", stage=stage, today=today))


def faults(declaration: CloudDeclaration, today: date = TODAY, stage: str = "prod") -> list[tuple[str, str]]:
    """Return (rule, problem) of the mandatory findings."""
    found = findings(declaration, today, stage)
    return [(finding.rule, finding.problem) for finding in found if finding.severity == "mandatory"]


def system(**changes: Any) -> CloudDeclaration:  # noqa: ANN401 - fields of the dataclass
    return with_system(BASE, hosted_system(**changes))


def participation(subjects: int, data: str) -> CloudDeclaration:
    return system(procedures=False, subjects=subjects, data=data, level=2)


def one_fault(declaration: CloudDeclaration, today: date = TODAY) -> tuple[str, str]:
    (fault,) = faults(declaration, today)
    return fault


def test_1_the_base_system_breaks_no_rule() -> None:
    assert findings(BASE) == []
    assert findings(BASE, stage="dev") == []


def test_2_a_system_of_procedures_at_level_2_names_the_criterion() -> None:
    rule, problem = one_fault(system(level=2))
    assert rule == "level-least"
    assert problem.startswith("handles administrative procedures: at least 3 (331 Art. 13.2.b)")


@pytest.mark.parametrize(
    ("subjects", "data", "is_fault"),
    [
        (99_999, "personal", False), (100_000, "personal", True),
        (9_999, "sensitive", False), (10_000, "sensitive", True),
    ],
)  # fmt: skip
def test_3_the_number_of_subjects_raises_the_least_level(subjects: int, data: str, *, is_fault: bool) -> None:
    assert [rule for rule, _ in faults(participation(subjects, data))] == (["level-least"] if is_fault else [])


WEB_TO_DB = Flow(
    component_end(ONESTOP, "web"), component_end(ONESTOP, "db"), 5432, "short way", declared_at="flows.csv:5"
)


def test_4_the_dmz_reaches_a_database_up_to_level_2_only() -> None:
    rule, problem = one_fault(with_flows(BASE, WEB_TO_DB))
    assert rule == "flow-zone"
    assert "(dmz)" in problem
    assert "(database)" in problem
    assert findings(with_flows(BASE, WEB_TO_DB))[0].where == f"{ONESTOP}/web (flows.csv:5)"
    document_flow = system(procedures=False, subjects=100, data="private", serves="internal", level=2)
    assert faults(with_flows(document_flow, WEB_TO_DB)) == []


def test_5_another_system_enters_through_a_gateway() -> None:
    portal = second_system("vn83-portal")
    direct = Flow(component_end("vn83-portal", "app"), component_end(ONESTOP, "db"), 5432, "reads it")
    assert [rule for rule, _ in faults(with_flows(portal, direct))] == ["system-apart"]
    gateway = Component(ONESTOP, "gw", "gateway", "server", "S", 2, 2, port=8443, image="gateway")
    entered = Flow(component_end("vn83-portal", "app"), component_end(ONESTOP, "gw"), 8443, "asks it")
    with_gateway = replace(portal, components=(*portal.components, gateway))
    assert faults(with_flows(with_gateway, entered)) == []


def test_6_a_component_has_two_instances_from_level_3() -> None:
    rule, problem = one_fault(with_components(BASE, f"{ONESTOP}/app", least=1))
    assert rule == "replicas"
    assert "runs 1 of the 2 instances" in problem
    assert one_fault(with_components(BASE, f"{ONESTOP}/db", least=2))[0] == "replicas"
    low = system(procedures=False, subjects=1, level=2)
    assert faults(with_components(low, f"{ONESTOP}/app", least=1)) == []


@pytest.mark.parametrize("level", [1, 3])
def test_7_copies_outside_vietnam_are_a_fault_at_every_level(level: int) -> None:
    abroad = {**SITES, "backup": Site("backup", "SG", 1.35, 103.8, "backup")}
    internal = system(procedures=False, serves="internal", data="public", level=level)
    assert one_fault(replace(internal, sites=abroad))[0] == "site-country"
    assert faults(internal) == []


def test_8_the_promised_loss_is_compared_with_the_copies() -> None:
    low = system(procedures=False, subjects=1, level=2, rpo_s=0)
    rule, problem = one_fault(with_components(low, f"{ONESTOP}/db", least=1))
    assert rule == "rpo-met"
    assert "synchronous second instance" in problem
    assert faults(with_components(low, f"{ONESTOP}/db", least=2)) == []
    daily = tuple(replace(store, wal=False) for store in BACKUPS)
    assert one_fault(replace(BASE, backups=daily))[0] == "rpo-met"
    assert faults(replace(system(rpo_s=OLD_AGE_S), backups=daily)) == []
    assert one_fault(replace(system(rpo_s=OLD_AGE_S - 1), backups=daily))[0] == "rpo-met"


def test_9_logs_are_kept_as_long_as_level_and_provider_ask() -> None:
    assert "90 are wanted" in one_fault(replace(BASE, logs=replace(LOGS, keep_days=60)))[1]
    assert faults(replace(BASE, logs=replace(LOGS, keep_days=90))) == []
    hired = {**PLATFORM, "logs": replace(PLATFORM["logs"], provider="enterprise")}
    rule, problem = one_fault(replace(BASE, platform=hired))
    assert (rule, "365 are wanted" in problem) == ("log-kept", True)
    assert faults(replace(BASE, platform=hired, logs=replace(LOGS, keep_days=365))) == []
    half_year = replace(LOGS, keep_days=180, locked=True)
    fourth = system(level=4)
    assert faults(replace(fourth, logs=half_year)) == []
    assert "in which they arise" in one_fault(replace(fourth, logs=replace(half_year, zone="server")))[1]
    assert "can be changed" in one_fault(replace(fourth, logs=replace(half_year, locked=False)))[1]


@pytest.mark.parametrize("changes", [{"data": "secret"}, {"level": 5}])
def test_10_secrets_and_level_5_are_refused_and_planned_nowhere(changes: dict[str, Any]) -> None:
    refused = system(**changes)
    assert "level-refused" in [rule for rule, _ in faults(refused)]
    plan = build_cloud_plan(refused, province="vn83", stage="prod", today=TODAY)
    assert (plan.systems, plan.connections, plan.platform_connections) == ((), (), ())
    assert "level-refused" not in [rule for rule, _ in faults(system(level=4))]


def exception(days: int | None, rule: str = "pod-hardened", where: str = f"{ONESTOP}/web") -> PolicyException:
    until = None if days is None else TODAY + timedelta(days=days)
    return PolicyException(rule, where, "vendor's image", "vn83-dit", until, declared_at="cloud.toml:9")


def test_11_an_exception_has_an_end_and_makes_a_hint_that_names_it() -> None:
    assert one_fault(replace(BASE, exceptions=(exception(None),)))[0] == "exception-dated"
    (hint,) = findings(replace(BASE, exceptions=(exception(30),)))
    assert (hint.severity, hint.rule) == ("advisory", "pod-hardened")
    assert "excepted until 2026-12-29 by vn83-dit" in hint.problem
    assert hint.where == f"{ONESTOP}/web (cloud.toml:9)"


@pytest.mark.parametrize(("days", "is_fault"), [(-1, True), (0, False), (180, False), (181, True)])
def test_11_an_exception_ends_within_180_days(days: int, *, is_fault: bool) -> None:
    lone = with_components(replace(BASE, exceptions=(exception(days, "replicas", ONESTOP),)), f"{ONESTOP}/app", least=1)
    rules = [rule for rule, _ in faults(lone)]
    assert rules == (["exception-dated", "replicas"] if is_fault else [])
    assert [finding.rule for finding in findings(lone) if finding.severity == "advisory"] == (
        [] if is_fault else ["replicas"]
    )


def test_12_a_network_of_the_state_reaches_a_gateway_and_no_other_component() -> None:
    gateway = Component(ONESTOP, "xroad", "gateway", "dmz", "S", 2, 2, port=5500, image="gateway")
    wan = replace(system(exposure="wan"), components=(*BASE.components, gateway), flows=BASE.flows[1:])
    entry = Flow(outside("tslcd"), component_end(ONESTOP, "xroad"), 5500, "exchange")
    assert faults(with_flows(wan, entry)) == []
    astray = Flow(outside("tslcd"), component_end(ONESTOP, "app"), 5500, "exchange")
    assert {rule for rule, _ in faults(with_flows(wan, astray))} == {"flow-zone"}


def test_15_an_owner_that_ended_is_a_fault_that_names_its_successor() -> None:
    day = date(2025, 7, 1)
    old, new = BASE.agencies["vn83-ubnd"], replace(BASE.agencies["vn83-ubnd"], id="vn86-ubnd", unit="86")
    merged = replace(
        system(level_decision=None),
        agencies={
            **BASE.agencies,
            "vn83-ubnd": replace(old, valid_to=day, successor="vn86-ubnd"),
            "vn86-ubnd": replace(new, valid_from=day),
        },
        protections={},
        drills=(),
    )
    owners = [one for one in findings(merged, day) if one.rule == "one-owner"]
    assert [(one.severity, "its successor is vn86-ubnd" in one.problem) for one in owners] == [("mandatory", True)]
    assert [one for one in findings(merged, day - timedelta(days=1)) if one.rule == "one-owner"] == []
    edited = with_system(merged, replace(merged.systems[ONESTOP], owner="vn86-ubnd"))
    assert [one for one in findings(edited, day) if one.rule == "one-owner"] == []
