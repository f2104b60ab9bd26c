"""Says what holds for the rules whatever is declared: a higher level, another order, a secret in a text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.catalogue import CLOUD_RULES, HIGHEST_HOSTED_LEVEL, LEVELS
from infra.policy.cloud.check import check_cloud_plan, cloud_breaches
from tests.cloud_declarations import declarations
from tests.cloud_examples import TODAY
from tests.property_sizes import sized

if TYPE_CHECKING:
    from infra.policy.catalogue import Finding
    from telemetry.core.cloud.values import CloudDeclaration

SECRET = "postgresql://app:hunter2-very-secret@db/onestop"
ANSWERED_BY_A_HIGHER_LEVEL = {"level-least"}
VIETNAMESE = re.compile(r"[À-ỹ]")
ENGLISH = re.compile(r"\b(?:the|of|is|are|has|have|and|with|its|not|for|at least|write|declare)\b")
WAYS = {"flow-zone", "system-apart", "egress-closed"}
"""One connection is reported by the rule that fits its level best."""


def findings(declaration: CloudDeclaration, stage: str = "prod") -> list[Finding]:
    return check_cloud_plan(build_cloud_plan(declaration, province="vn83", stage=stage, today=TODAY))


def broken(declaration: CloudDeclaration) -> set[tuple[str, str]]:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    return {
        ("way" if breach.rule in WAYS else breach.rule, breach.place)
        for breach in cloud_breaches(plan)
        if breach.rule not in ANSWERED_BY_A_HIGHER_LEVEL
    }


def raised(declaration: CloudDeclaration) -> CloudDeclaration:
    """Return the declaration with every hosted level raised by one, up to the highest that a shared cloud may host."""
    systems = {
        ident: replace(system, level=max(system.level, min(system.level + 1, HIGHEST_HOSTED_LEVEL)))
        for ident, system in declaration.systems.items()
    }
    return replace(declaration, systems=systems)


@sized(40, 500)
@given(declarations())
def test_raising_levels_removes_no_finding(declaration: CloudDeclaration) -> None:
    assert broken(declaration) - broken(raised(declaration)) == set()


@sized(40, 500)
@given(declarations())
def test_each_finding_has_a_vietnamese_text_without_an_english_sentence(declaration: CloudDeclaration) -> None:
    for finding in findings(declaration):
        for text in (finding.problem_vi, finding.remedy_vi):
            assert VIETNAMESE.search(text), text
            assert not ENGLISH.search(text), text


def test_the_guard_sees_an_english_sentence_in_a_vietnamese_text() -> None:
    assert ENGLISH.search("Ổ đĩa: volumes are not encrypted")
    assert not VIETNAMESE.search("volumes are not encrypted")


def test_a_rule_holds_for_every_higher_level_and_is_never_less_severe_there() -> None:
    for rule in CLOUD_RULES.values():
        held = [rule.applies_to(level) for level in LEVELS]
        assert held == sorted(held), rule.id
        faults = [rule.severity(level, TODAY) == "mandatory" for level in LEVELS]
        assert faults == sorted(faults), rule.id


@sized(40, 500)
@given(declarations(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_finding(declaration: CloudDeclaration, random: object) -> None:
    def shuffled(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        order = list(rows)
        random.shuffle(order)  # type: ignore[attr-defined]
        return tuple(order)

    other = replace(
        declaration,
        systems=dict(shuffled(tuple(declaration.systems.items()))),
        components=shuffled(declaration.components),
        flows=shuffled(declaration.flows),
        backups=shuffled(declaration.backups),
        drills=shuffled(declaration.drills),
        exceptions=shuffled(declaration.exceptions),
        zone_networks=shuffled(declaration.zone_networks),
        lock=shuffled(declaration.lock),
    )
    assert findings(other) == findings(declaration)


@sized(40, 500)
@given(declarations())
def test_no_finding_holds_a_secret_of_any_text(declaration: CloudDeclaration) -> None:
    leaking = replace(
        declaration,
        flows=tuple(replace(flow, why=SECRET, no_tls_reason=SECRET) for flow in declaration.flows),
        components=tuple(replace(one, health=SECRET, image=SECRET) for one in declaration.components),
        exceptions=tuple(replace(one, why=SECRET) for one in declaration.exceptions),
        drills=tuple(replace(one, evidence=SECRET) for one in declaration.drills),
        protections={name: replace(one, evidence=SECRET) for name, one in declaration.protections.items()},
    )
    assert not [str(finding) for finding in findings(leaking) if "hunter2" in str(finding)]


@sized(40, 500)
@given(declarations())
def test_every_finding_names_a_rule_a_place_and_a_remedy(declaration: CloudDeclaration) -> None:
    for finding in findings(declaration):
        assert finding.rule in CLOUD_RULES
        assert finding.where
        assert finding.remedy
