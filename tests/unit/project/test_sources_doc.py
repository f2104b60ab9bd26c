"""The reference of sources has every setting of every kind; its TOML is accepted; each claim names its test."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from edge_agent import config
from telemetry import inventory
from telemetry.core.protocol.events import AlarmCode
from telemetry.source_settings import SOURCE_KINDS, SourceKind, SourceSetting

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("docs/reference/sources.md", "docs/how-to/run-a-province.md")
CLAIMING_PAGES = (PAGES[0], "docs/reference/mqtt.md", "docs/reference/replay-mapping.md")
DEVICE = "vn83-83-kiosk1"
HEADER = "| setting | value | default | meaning | example |\n|---|---|---|---|---|"
CLAIMS_HEADER = "| outcome | what comes | what happens | alarm | shown by |\n|---|---|---|---|---|"
OUTCOMES = ("followed", "refused")


def value_words(setting: SourceSetting) -> str:
    if setting.type == "whole number":
        return f"{setting.minimum} to {setting.maximum}"
    return {"flag": "`true` or `false`"}.get(setting.type, setting.type)


def table_rows(kind: SourceKind) -> list[str]:
    rows = [
        f"| `{s.key}` | {value_words(s)} | {s.default or 'required'} | {s.meaning} | `{s.key} = {s.example}` |"
        for s in kind.settings
    ]
    return [*HEADER.splitlines(), *rows]


def sections() -> dict[str, str]:
    text = (ROOT / PAGES[0]).read_text(encoding="utf-8")
    return dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))


def blocks() -> list[str]:
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    return [block for text in texts for block in re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of a table that says what a source does, with the tests that show it."""

    outcome: str
    comes: str
    happens: str
    alarms: tuple[str, ...]
    tests: tuple[str, ...]


def claims(section: str) -> list[Claim]:
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        for line in section.partition(CLAIMS_HEADER)[2].splitlines()
        if line.startswith("|")
    ]
    assert {len(row) for row in rows} <= {5}
    return [
        Claim(outcome, comes, happens, tuple(re.findall(r"`(\w+)`", alarm)), tuple(re.findall(r"`([^`]+)`", shown)))
        for outcome, comes, happens, alarm, shown in rows
    ]


def all_claims() -> list[Claim]:
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in CLAIMING_PAGES]
    return [claim for text in texts for section in re.split(r"(?m)^(?=##+ )", text) for claim in claims(section)]


def functions_by_module() -> dict[str, set[str]]:
    functions: dict[str, set[str]] = {}
    for path in ROOT.glob("tests/**/test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions.setdefault(path.stem, set()).update(n.name for n in tree.body if isinstance(n, ast.FunctionDef))
    return functions


def test_each_claim_of_a_source_names_a_test_that_exists() -> None:
    functions = functions_by_module()
    shown = {test for claim in all_claims() for test in claim.tests}
    assert [claim for claim in all_claims() if not claim.tests] == []
    assert [
        test
        for test in sorted(shown)
        for module, _, function in [test.partition("::")]
        if not function.startswith("test_") or function not in functions.get(module, set())
    ] == []


def test_each_claim_has_an_outcome_and_an_alarm_that_exists() -> None:
    rows = all_claims()
    assert [claim for claim in rows if claim.outcome not in OUTCOMES or not claim.comes or not claim.happens] == []
    assert {alarm for claim in rows for alarm in claim.alarms} <= set(get_args(AlarmCode))


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_kind_of_source_says_what_it_follows(kind: str) -> None:
    assert "followed" in {claim.outcome for claim in claims(sections()[kind])}


def test_every_kind_of_source_has_its_section_and_no_other() -> None:
    assert list(sections()) == list(SOURCE_KINDS)


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_setting_is_listed_with_its_range_default_and_example(kind: str) -> None:
    found = [line for line in sections()[kind].partition(CLAIMS_HEADER)[0].splitlines() if line.startswith("|")]
    assert found == table_rows(SOURCE_KINDS[kind])


def test_every_example_is_accepted_by_the_agent_or_the_inventory(tmp_path: Path) -> None:
    texts = blocks()
    assert len(texts) >= len(SOURCE_KINDS)
    folder = tmp_path / "inventory"
    shutil.copytree(inventory.default_path(), folder)
    (folder.parent / "agent.d").mkdir()
    agent = folder.parent / "agent.toml"
    for text in texts:
        tables = tomllib.loads(text)["source"]
        if any(key in table for table in tables for key in ("device_kind", "centre", "device")):
            (folder / "sources.toml").write_text(text, encoding="utf-8")
            assert inventory.load(folder).sources
        else:
            agent.write_text(inventory.render_agent(inventory.load(inventory.default_path()), DEVICE), encoding="utf-8")
            (agent.parent / "agent.d/local.toml").write_text(text, encoding="utf-8")
            names = {source.name for source in config.load(agent).sources}
            assert len(names) >= len(tables)
