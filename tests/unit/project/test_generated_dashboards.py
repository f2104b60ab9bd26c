"""Shipped dashboards and rules are those that the sample inventory and the catalogue give: a difference is a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.generate import outdated_files, shipped_texts, write_files

if TYPE_CHECKING:
    from pathlib import Path


def test_shipped_dashboards_and_rules_match_the_catalogue() -> None:
    assert outdated_files() == [], "run python -m dashboards.generate --write"


def test_a_file_that_differs_is_missing_or_is_left_over_is_named(tmp_path: Path) -> None:
    write_files(tmp_path)
    assert outdated_files(tmp_path) == []
    (tmp_path / "grafana/fleet.json").write_text("{}")
    (tmp_path / "rules/objectives.yaml").unlink()
    (tmp_path / "grafana/old.json").write_text("{}")
    assert outdated_files(tmp_path) == ["grafana/fleet.json", "grafana/old.json", "rules/objectives.yaml"]
    write_files(tmp_path)
    assert (outdated_files(tmp_path), (tmp_path / "grafana/old.json").exists()) == ([], False)
    assert "grafana/fleet.json" in shipped_texts()
