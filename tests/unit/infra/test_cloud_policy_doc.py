"""Says that the page of the rules for hosted systems is the catalogue's, and never says that a system complies."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import rule_reference
from infra.policy.cloud import catalogue, clauses

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_has_the_tables_of_the_catalogue() -> None:
    text = (ROOT / rule_reference.PAGE).read_text("utf-8")
    assert rule_reference.page_with_tables(text) == text, "run python -m infra.rule_reference --write"
    for rule in catalogue.CLOUD_RULES:
        assert f"`{rule}`" in text


@pytest.mark.parametrize(
    "path", [rule_reference.PAGE, Path(str(clauses.__file__)), Path("motcua/cli/cloud/check.py")], ids=str
)
def test_nothing_says_that_a_system_complies(path: Path) -> None:
    text = (ROOT / path).read_text("utf-8").casefold().replace("vn-cyber-compliance", "")
    assert not [word for word in ("complies", "compliant", "compliance", "tuân thủ") if word in text]
