"""What readers copy from a page: every example parses, every setting has the default that the page says."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from edge_agent import config as agent_config
from telemetry.config import SETTING_NAMES, load_settings
from telemetry.core.inventory import DEFAULT_COVERAGE_FLOOR
from telemetry.inventory.build import PROVINCE_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads, "toml": tomllib.loads, "yaml": lambda text: list(yaml.safe_load_all(text)),
}  # fmt: skip
LANGUAGES = {
    *PARSERS,
    "sh",
    "python",
    "promql",
    "flux",
    "sql",
    "http",
    "csv",
    "tsv",
    "jsonl",
    "ini",
    "text",
    "diff",
    "mermaid",
    "",
}
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(found["language"], textwrap.dedent(found["text"]), id=f"{path.relative_to(ROOT)}-{number}")
    for path in PAGES
    for number, found in enumerate(FENCE.finditer(path.read_text(encoding="utf-8")), 1)
]
"""Language and text of every fenced block."""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_fence_is_closed_and_names_a_language_that_is_checked_or_known(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks)
    assert {block["language"].split()[0] if block["language"] else "" for block in blocks} <= LANGUAGES


@pytest.mark.parametrize(("language", "text"), [one for one in EXAMPLES if one.values[0] in {*PARSERS, "jsonl"}])
def test_every_example_parses(language: str, text: str) -> None:
    if language == "jsonl":
        assert all(isinstance(json.loads(line), dict) for line in text.splitlines() if line)
    else:
        assert PARSERS[language](text)


def test_what_the_steps_of_a_page_write_into_the_examples_is_ignored_by_git() -> None:
    ignored = [line.removeprefix("/docs/examples/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
    steps = [
        block["text"]
        for path in PAGES
        for text in [path.read_text(encoding="utf-8")] if "cd docs/examples" in text
        for block in FENCE.finditer(text) if block["language"] == "sh"
    ]  # fmt: skip
    written = {name for step in steps for name in re.findall(r"(?: > |sqlite:///)([\w.-]+)", step)}
    assert {"my-logs.db", "one-stop.db", "until-wednesday.csv"} <= written
    assert [name for name in sorted(written) if not any(fnmatch(name, pattern) for pattern in ignored)] == []


def table(page: str, heading: str) -> dict[str, str]:
    """Return the defaults of the tables below a heading, by name, as the page writes them."""
    section = (ROOT / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {name: row[1].strip() for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def written(value: object) -> str:
    """Return a default as a page writes it; what is empty is `none`, with a reason or without."""
    return f"`{value}`" if value not in (None, "", ()) else "none"


def plain(cell: str) -> str:
    return "none" if cell.startswith("none") else cell


def test_every_setting_of_the_server_has_its_default() -> None:
    found = load_settings({})
    values: dict[str, Any] = {
        "MOTCUA_INVENTORY": found.inventory, "MOTCUA_STORE": found.store, "MOTCUA_STORE_TOKEN": found.store_token,
        "MOTCUA_MQTT": f"mqtt://{found.mqtt.host}:{found.mqtt.port}", "MOTCUA_MQTT_CA": found.mqtt.ca,
        "MOTCUA_MQTT_CERT": found.mqtt.cert, "MOTCUA_MQTT_KEY": found.mqtt.key, "MOTCUA_STATE": found.state,
        "MOTCUA_ALERTMANAGER": found.alertmanager, "MOTCUA_API_LISTEN": "{}:{}".format(*found.listen),
        "MOTCUA_LOG": found.log, "MOTCUA_MAX_EVENT_AGE_DAYS": found.max_event_age_days,
        "MOTCUA_OPERATORS": found.operators, "MOTCUA_ALERTMANAGER_CA": found.alertmanager_ca,
    }  # fmt: skip
    assert set(values) == set(SETTING_NAMES)
    own = {
        "MOTCUA_CA_CERT": None,
        "MOTCUA_CA_KEY": None,
        "MOTCUA_INFLUX_TOKEN": None,
        "MOTCUA_INGEST_METRICS": None,
        "MOTCUA_ROLLUP_METRICS": None,
        "MOTCUA_SIGNING_KEY": None,
    }
    said = table("docs/reference/settings.md", "Of the server's roles and commands")
    assert {name: plain(cell) for name, cell in said.items()} == {n: written(v) for n, v in (values | own).items()}


def test_every_key_of_a_province_has_its_default() -> None:
    required = {*PROVINCE_KEYS.required}
    defaults = {
        "coverage_floor": written(DEFAULT_COVERAGE_FLOOR),
        "centre_hours": "none",
        "licence": "none",
        "attribution": "none",
    }
    said = table("docs/reference/settings.md", "Of the province: `province.toml`")
    assert set(defaults) == {*PROVINCE_KEYS.optional}
    assert said == dict.fromkeys(required, "required") | defaults


def test_every_key_of_an_agent_has_its_default(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('device = "vn83-83-kiosk1"\ncentre = "vn83-83"\n')
    found = agent_config.load(file)
    ca, cert, key = found.tls
    values = dataclasses.asdict(found) | {"mqtt_ca": ca, "mqtt_cert": cert, "mqtt_key": key, "kind": None}
    del values["tls"]
    values["source"] = values.pop("sources")
    assert values["outbox"] == tmp_path / "vn83-83-kiosk1.db"
    values["outbox"] = None
    said = table("docs/reference/settings.md", "Of an agent: `agent.toml`")
    assert set(said) == set(values) == agent_config._KEYS
    required = {"device", "centre"}
    assert {name for name, cell in said.items() if cell == "required"} == required
    kept = {name: written(value) for name, value in values.items() if name not in required}
    assert {name: plain(cell) for name, cell in said.items() if name not in required} == kept
