"""The table of counting traps names tests that exist, one for each of the sixteen traps."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
_ROW = re.compile(r"^\| (\d+) \|.*\| `(test_\w+)` \|$", re.MULTILINE)


def test_each_trap_has_a_test_of_its_name() -> None:
    rows = _ROW.findall((ROOT / "docs/reference/counting-traps.md").read_text("utf-8"))
    core = "".join(path.read_text("utf-8") for path in sorted((ROOT / "tests/unit/core").glob("test_*.py")))
    assert [int(number) for number, _ in rows] == list(range(1, 17))
    assert [name for _, name in rows if f"def {name}(" not in core] == []
