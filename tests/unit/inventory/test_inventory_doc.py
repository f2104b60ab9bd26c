"""docs/reference/inventory.md: its smallest inventory has no fault, and its tables have every column and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from telemetry import inventory
from telemetry.errors import InventoryError
from telemetry.inventory.build import CENTRE_KEYS, DEVICE_KEYS, SERVICE_KEYS, SYSTEM_KEYS, UNIT_KEYS
from telemetry.inventory.kpi_files import PROCEDURE_KEYS

if TYPE_CHECKING:
    from telemetry.inventory.record import AllowedKeys

PAGE: Final = (Path(__file__).resolve().parents[3] / "docs/reference/inventory.md").read_text(encoding="utf-8")
FILES: Final = dict(re.findall(r"<!-- tested: inventory (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
EMPTY: Final = ("objectives.toml", "systems.toml", "targets.toml")


def write(folder: Path) -> Path:
    for name, text in {**dict.fromkeys(EMPTY, ""), **FILES}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_smallest_inventory_is_without_fault_or_warning(tmp_path: Path) -> None:
    province, warnings = inventory.load_with_warnings(write(tmp_path))
    assert (list(province.centres), list(warnings)) == (["vn49-503"], [])
    assert {"vn49-503-gateway1", "vn49-503-kiosk1"} <= set(province.devices)


@pytest.mark.parametrize("name", sorted({*FILES, *EMPTY} - {"sources.toml"}))
def test_no_file_of_the_smallest_inventory_may_be_left_out(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(InventoryError, match=name):
        inventory.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("units.csv", UNIT_KEYS), ("centres.csv", CENTRE_KEYS), ("devices.csv", DEVICE_KEYS),
        ("services.toml", SERVICE_KEYS), ("systems.toml", SYSTEM_KEYS), ("procedures.csv", PROCEDURE_KEYS),
    ],
)  # fmt: skip
def test_a_files_table_has_its_keys_and_marks_those_that_are_needed(name: str, keys: AllowedKeys) -> None:
    section = PAGE.split(f"\n## `{name}`\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if re.match(r"\| \**`", line)]
    named = [key for cell in cells for key in re.findall(r"(\**)`(\w+)`", cell)]
    assert {key for bold, key in named if bold} == set(keys.required)
    assert {key for bold, key in named if not bold} == set(keys.optional)
