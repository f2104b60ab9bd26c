"""Says how many clauses are built, checked, named or outside for a system, and that a finding opens its clauses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.check import check_cloud_plan
from infra.policy.cloud.clauses import CLAUSES_BY_LEVEL, REQUIREMENTS_BY_LEVEL, ClauseCounts, clause_counts
from tests.cloud_examples import ONESTOP, TODAY, base_declaration, hosted_system, with_components, with_system

BASE = base_declaration()


def counts(declaration: object = BASE) -> ClauseCounts:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)  # type: ignore[arg-type]
    (of_system,) = clause_counts(plan, check_cloud_plan(plan))
    return of_system


@pytest.mark.parametrize("level", sorted(CLAUSES_BY_LEVEL))
def test_each_requirement_names_known_rules_that_hold_at_its_level(level: int) -> None:
    for requirement in CLAUSES_BY_LEVEL[level]:
        assert requirement.clause.startswith(f"{level + 2}.")
        for rule in requirement.rules:
            assert CLOUD_RULES[rule].applies_to(level, "personal"), requirement
    assert len(CLAUSES_BY_LEVEL[level]) < REQUIREMENTS_BY_LEVEL[level]


def test_the_base_system_has_forty_of_195_requirements_in_hand() -> None:
    base = counts()
    assert (base.system, base.level, base.open) == (ONESTOP, 3, ())
    assert (base.built, base.checked, base.named, base.outside) == (14, 18, 8, 155)


def test_a_finding_opens_the_requirements_of_its_rule() -> None:
    lone = counts(with_components(BASE, f"{ONESTOP}/app", least=1))
    assert [(one.clause, one.by) for one in lone.open] == [("5.12.2.2 a", "replicas")]
    assert (lone.built, lone.checked, lone.named, lone.outside) == (14, 17, 8, 155)
    bare = counts(replace(BASE, protections={}))
    assert {one.by for one in bare.open} == {"siem", "edr", "ips", "dbf", "waf", "ddos", "admin-source"}


def test_a_refused_system_has_no_counts() -> None:
    plan = build_cloud_plan(with_system(BASE, hosted_system(level=5)), province="vn83", stage="prod", today=TODAY)
    assert clause_counts(plan, check_cloud_plan(plan)) == ()
