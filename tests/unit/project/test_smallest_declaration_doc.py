"""The smallest declaration that hosted-systems.md shows is enough for its level, and not more than is needed."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from motcua.cli.cloud.lock import lock
from telemetry import inventory
from tests.cloud_files import SMALL_INVENTORY

PAGE: Final = Path(__file__).resolve().parents[3] / "docs/reference/hosted-systems.md"
FILES: Final = dict(
    re.findall(r"<!-- tested: smallest (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)
PARTS: Final = tuple(FILES["cloud.toml"].strip().split("\n\n"))
TODAY: Final = date(2026, 11, 30)


def least_level(part: str) -> int:
    """Return from which level on a part of cloud.toml is needed, by the comment above it."""
    named = re.match(r"# From level (\d) on", part)
    return int(named[1]) if named else 1


def broken_rules(folder: Path, level: int, parts: list[str]) -> set[str]:
    """Return the mandatory rules that the declaration breaks at a level."""
    folder.mkdir(exist_ok=True)
    for name, text in {**SMALL_INVENTORY, **FILES, "cloud.toml": "\n\n".join(parts) + "\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    systems = FILES["systems.toml"].replace("level = 2", f"level = {level}")
    (folder / "systems.toml").write_text(systems, encoding="utf-8")
    lock(folder)
    plan = build_cloud_plan(inventory.load(folder).cloud, province="vn83", stage="prod", today=TODAY)
    return {finding.rule for finding in check_cloud_plan(plan) if finding.severity == "mandatory"}


@pytest.mark.parametrize("level", [2, 3, 4])
def test_the_parts_up_to_a_level_are_enough_for_it(tmp_path: Path, level: int) -> None:
    assert broken_rules(tmp_path, level, [part for part in PARTS if least_level(part) <= level]) == set()


@pytest.mark.parametrize(
    "part", [part for part in PARTS if least_level(part) > 1], ids=lambda part: part.split("\n")[1]
)
def test_a_part_with_a_level_is_needed_from_it_on(tmp_path: Path, part: str) -> None:
    level = least_level(part)
    assert broken_rules(tmp_path, level, [one for one in PARTS if one != part and least_level(one) <= level])
