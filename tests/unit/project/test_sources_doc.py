"""The reference of sources has every kind with every setting, its range, default and example; its TOML is accepted."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from edge_agent import config
from telemetry import inventory
from telemetry.source_settings import SOURCE_KINDS, SourceKind, SourceSetting

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("docs/reference/sources.md", "docs/how-to/run-a-province.md")
DEVICE = "vn83-83-kiosk1"
HEADER = "| setting | value | default | meaning | example |\n|---|---|---|---|---|"


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


def test_every_kind_of_source_has_its_section_and_no_other() -> None:
    assert list(sections()) == list(SOURCE_KINDS)


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_setting_is_listed_with_its_range_default_and_example(kind: str) -> None:
    found = [line for line in sections()[kind].splitlines() if line.startswith("|")]
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
