"""docs/explanation/architecture.md is true: every file of a walk exists, and each walk has as many as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
WALKS = {
    match["name"]: (int(match["count"]), re.findall(r"^\d+\. `([^`]+)`", match["list"], re.MULTILINE))
    for match in re.finditer(
        r"<!-- walk: (?P<name>\w+) (?P<count>\d+) -->\n(?P<list>(?:\d+\. .*\n)+)", DOCUMENT
    )
}  # fmt: skip
LIMITS = {"ticket": 35, "heartbeat": 18, "objective": 18, "retention": 11, "get": 16}


def test_there_is_a_walk_for_each_limit() -> None:
    assert set(WALKS) == set(LIMITS)


@pytest.mark.parametrize("name", LIMITS)
def test_a_walk_lists_existing_files_once_and_as_many_as_it_says(name: str) -> None:
    count, files = WALKS[name]
    assert len(files) == len(set(files)) == count <= LIMITS[name]
    assert [file for file in files if not (ROOT / file).is_file()] == []


PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("tutorials", "how-to", "reference", "explanation")
    for path in (ROOT / "docs" / folder).rglob("*.md")
)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", "docs/index.md", *PAGES])
def test_every_path_of_the_code_in_a_document_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:telemetry|edge_agent|api|infra|motcua|tests|dashboards|scripts)/[\w./-]+)`", text)
    ours = [path for path in paths if not path.startswith(("motcua/v1/", "motcua/scope")) and "NAME" not in path]
    assert [path for path in ours if not (ROOT / path).exists()] == []
