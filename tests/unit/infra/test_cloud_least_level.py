"""The least level of a system by each criterion of Decree 331/2026, with its clause."""

from __future__ import annotations

from typing import Any

import pytest

from infra.plan.cloud.least_level import level_reasons, refusal_clause
from tests.cloud_examples import hosted_system


@pytest.mark.parametrize(
    ("changes", "level", "clause"),
    [
        ({"procedures": True, "subjects": 0}, 3, "331 Art. 13.2.b"),
        ({"procedures": False, "subjects": 99_999}, 2, "331 Art. 12.2.b"),
        ({"procedures": False, "subjects": 100_000}, 3, "331 Art. 13.2.c"),
        ({"procedures": False, "data": "sensitive", "subjects": 9_999}, 2, "331 Art. 12.2.b"),
        ({"procedures": False, "data": "sensitive", "subjects": 10_000}, 3, "331 Art. 13.2.c"),
        ({"procedures": False, "data": "private", "subjects": 100_000}, 3, "331 Art. 13.2.c"),
        ({"procedures": False, "data": "public"}, 2, "331 Art. 12.2.a"),
        ({"procedures": False, "serves": "infrastructure"}, 3, "331 Art. 13.3"),
        ({"procedures": False, "serves": "control"}, 3, "331 Art. 13.4"),
        ({"procedures": False, "serves": "internal"}, 2, "331 Art. 12.1"),
        ({"procedures": False, "serves": "internal", "data": "public"}, 1, "331 Art. 11.1"),
        ({"procedures": False, "serves": "other", "data": "public"}, 1, "331 Art. 11.2"),
        ({"procedures": False, "serves": "other"}, 2, "331 Art. 12.4"),
        ({"procedures": False, "serves": "internal", "data": "secret"}, 3, "331 Art. 13.1"),
    ],
)
def test_the_highest_criterion_comes_first(changes: dict[str, Any], level: int, clause: str) -> None:
    first = level_reasons(hosted_system(**changes))[0]
    assert (first.level, first.clause) == (level, clause)
    assert first.reason_vi
    assert first.reason_en


def test_every_criterion_that_is_met_is_listed() -> None:
    assert [reason.clause for reason in level_reasons(hosted_system())] == ["331 Art. 13.2.b", "331 Art. 13.2.c"]


def test_numbers_of_persons_are_written_as_each_language_does() -> None:
    reason = level_reasons(hosted_system(procedures=False, subjects=99_999))[0]
    assert "dưới 100.000 người" in reason.reason_vi
    assert "fewer than 100,000 persons" in reason.reason_en


@pytest.mark.parametrize(
    ("changes", "clause"), [({"level": 5}, "331 Art. 30.9"), ({"data": "secret"}, "331 Art. 13.1"), ({"level": 4}, "")]
)
def test_what_a_shared_cloud_may_not_host(changes: dict[str, Any], clause: str) -> None:
    assert refusal_clause(hosted_system(**changes)) == clause
