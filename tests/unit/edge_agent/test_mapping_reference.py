"""The reference of replay mappings has every key with its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from msgspec.structs import fields

from edge_agent.mapping.clock_forms import CLOCK_UNITS, UNIT_MS
from edge_agent.mapping.conditions import Condition
from edge_agent.mapping.document import MAPPING_DEFAULTS, MAPPING_KEYS, load_mapping, shipped_mappings
from edge_agent.mapping.expressions import EXPRESSION_TYPES, TimeForm
from edge_agent.mapping.ticket_ledger import RepeatRule

if TYPE_CHECKING:
    from msgspec.structs import FieldInfo

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = (ROOT / "docs/reference/replay-mapping.md").read_text("utf-8")
REQUIRED = ("name", "title", "zone", "services", "event")


def table(heading: str) -> list[list[str]]:
    part = REFERENCE.split(f"\n{heading}\n", 1)[1]
    rows: list[str] = []
    for line in part.splitlines():
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            break
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in rows[2:]]


def in_words(field: FieldInfo) -> str:
    if field.required:
        return "required"
    value: Any = field.default
    if value in (None, ()):
        return "none"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def test_every_top_level_key_has_its_default() -> None:
    documented = {key.strip("`"): default.strip("`") for key, default, _ in table("## Top-level keys")}
    expected = {key: "required" if key in REQUIRED else "none" for key in MAPPING_KEYS}
    assert documented == expected | {key: f'"{value}"' for key, value in MAPPING_DEFAULTS.items()}


def test_every_key_of_a_field_has_its_default() -> None:
    documented = {
        (first.strip("`"), key.strip("` ")): default.strip("`")
        for first, keys, default, _ in table("## Fields")
        for key in keys.split(",")
    }
    assert documented == {
        (first, field.encode_name): in_words(field)
        for first, kind in EXPRESSION_TYPES.items()
        for field in fields(kind)
    }


def test_every_key_of_a_test_has_its_default() -> None:
    documented = {key.strip("`"): default for key, default, _ in table("### `when`")}
    assert documented == {field.encode_name: in_words(field) for field in fields(Condition)}


def test_every_unit_and_every_rule_of_repeats_is_explained() -> None:
    units = {unit.strip('"') for row in table("### Durations") for unit in re.findall(r'`("[^`]+")`', row[0])}
    assert units == {*UNIT_MS, *CLOCK_UNITS}
    forms = {row[0].strip('`"') for row in table("### Times of day")}
    assert forms == set(get_args(TimeForm))
    rules = {row[0].strip('`"') for row in table("## Repeated tickets")}
    assert rules == set(get_args(RepeatRule))


def test_the_examples_are_faultless() -> None:
    for name in (*shipped_mappings(), *map(str, sorted((ROOT / "docs/examples").glob("*.toml")))):
        assert load_mapping(name).rules


def test_the_references_example_is_faultless(tmp_path: Path) -> None:
    path = tmp_path / "my-hall.toml"
    path.write_text(REFERENCE.split("```toml\n", 1)[1].split("```", 1)[0], "utf-8")
    assert load_mapping(str(path)).name == "my-hall"
