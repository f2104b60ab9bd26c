"""Says what a reviewer reads about an edit of the inventory: what came, what went, what changed, and nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sized
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from infra.inventory_changes import (
    CHANGES_OUTPUT,
    MAX_LINES,
    RECORD_OUTPUT,
    change_outputs,
    cloud_record,
    decode_record,
    describe_changes,
    encode_record,
    inventory_record,
)
from telemetry import inventory
from telemetry.core.cloud.values import CloudDeclaration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry.core.inventory import Inventory

Edit = tuple[str, str, str]


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Inventory]:
    """Return a function that replaces texts in files of a copy of the sample and loads it."""

    def load(*edits: Edit) -> Inventory:
        folder = tmp_path / f"inventory{len(list(tmp_path.iterdir()))}"
        shutil.copytree(inventory.default_path(), folder)
        for file, old, new in edits:
            text = (folder / file).read_text(encoding="utf-8")
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return inventory.load(folder)

    return load


def lines(old: Inventory, new: Inventory) -> list[str]:
    return describe_changes(inventory_record(old), inventory_record(new))


def last_line(file: str) -> str:
    return (inventory.default_path() / file).read_text(encoding="utf-8").splitlines()[-1] + "\n"


def test_devices_that_came_and_went_and_changed_are_listed_by_id(edited: Callable[..., Inventory]) -> None:
    last = last_line("devices.csv")
    more = edited(("devices.csv", last, last + "vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n"))
    slower = edited(("devices.csv", last, last + "vn83-83-kiosk9,vn83-83,kiosk,30000,yes\n"))
    assert lines(edited(), more) == ["+ device vn83-83-kiosk9 (kiosk, vn83-83)"]
    assert lines(more, edited()) == ["- device vn83-83-kiosk9 (kiosk, vn83-83)"]
    assert lines(more, slower) == ["~ device vn83-83-kiosk9: every_ms 60000 → 30000"]


def test_a_changed_objective_is_listed_with_both_goals(edited: Callable[..., Inventory]) -> None:
    (changed,) = lines(edited(), edited(("objectives.toml", "98", "97")))
    assert changed.startswith("~ objective centres-open: goal 0.98 → 0.97")


def test_a_declared_licence_is_listed(edited: Callable[..., Inventory]) -> None:
    (added,) = lines(edited(), edited(("province.toml", '"CC-BY-4.0"', '"CC0-1.0"')))
    assert added == "~ open data terms: licence CC-BY-4.0 → CC0-1.0"


def test_a_retired_centre_is_listed_with_its_devices(edited: Callable[..., Inventory]) -> None:
    old, new = inventory_record(edited()), inventory_record(edited())
    del new["centres"]["vn83-83"]
    del new["devices"]["vn83-83-kiosk1"]
    found = describe_changes(old, new)
    assert found[0].startswith("- centre vn83-83 (")
    assert found[1].startswith("- device vn83-83-kiosk1 (kiosk, vn83-83")


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        (
            "systems.toml", 'owner = "vn83-vpubnd"', 'owner = "vn83-ubnd"',
            "~ hosted system vn83-portal: owner vn83-vpubnd → vn83-ubnd",
        ),
        (
            "components.csv", "vn83-portal,app,app,server,M,2,4", "vn83-portal,app,app,server,L,2,4",
            "~ component vn83-portal/app: size M → L",
        ),
        (
            "flows.csv", "vn83-portal/app,vn83-identity/api,8443,cán bộ đăng nhập\n", "",
            "- flow vn83-portal/app → vn83-identity/api:8443",
        ),
        (
            "agencies.csv", "vn83-stttt,2020-06-01,,", "vn83-ubnd,2020-06-01,,",
            "~ agency vn83-ttcntt: parent vn83-stttt → vn83-ubnd",
        ),
        ("cloud.toml", '"10.20.0.0/16"', '"10.21.0.0/16"', "~ peer office: cidrs 10.20.0.0/16 → 10.21.0.0/16"),
        ("cloud.toml", "latitude = 10.0301", "latitude = 10.04", "~ site can-tho: latitude 10.0301 → 10.04"),
        ("cloud.toml", "keep_days = 365", "keep_days = 90", "~ log store of the cloud: keep_days 365 → 90"),
        ("cloud.toml", "cpu_core = 350000", "cpu_core = 400000", "~ prices of the cloud: cpu_core 350000 → 400000"),
    ],
)  # fmt: skip
def test_an_edit_of_the_cloud_is_listed_by_name(
    edited: Callable[..., Inventory], file: str, old: str, new: str, line: str
) -> None:
    assert lines(edited(), edited((file, old, new))) == [line]


def test_a_new_component_and_another_level_are_one_line_each(edited: Callable[..., Inventory]) -> None:
    """Probes, vantage points and objectives that follow from them repeat nothing."""
    last = last_line("components.csv")
    more = edited(("components.csv", last, last + "vn83-portal,render,app,server,S,1,1,,8090,/health,render\n"))
    assert lines(edited(), more) == ["+ component vn83-portal/render (app)"]
    head = 'id = "vn83-portal"'
    text = (inventory.default_path() / "systems.toml").read_text(encoding="utf-8")
    portal = text[text.index(head) :].partition("[[system]]")[0]
    level = portal[portal.index("\nlevel = ") :].split("\n")[1]
    changed = edited(("systems.toml", portal, portal.replace(level, "level = 4")))
    assert lines(edited(), changed) == [f"~ hosted system vn83-portal: level {level[-1]} → 4"]
    assert [name for name in inventory_record(more)["devices"] if "cloud" in name or "replay" in name] == []


def test_everything_that_is_declared_of_the_cloud_is_compared() -> None:
    cloud = inventory.load(inventory.default_path()).cloud
    record = cloud_record(cloud)
    counts = {field.name: getattr(cloud, field.name) for field in fields(cloud)}
    assert sum(len(items) for items in record.values()) == sum(
        len(value) if isinstance(value, Sized) else value is not None for value in counts.values()
    )
    assert cloud_record(CloudDeclaration()) == {}


def test_what_is_long_is_named_without_its_value(edited: Callable[..., Inventory]) -> None:
    old, new = inventory_record(edited()), inventory_record(edited())
    new["centres"]["vn83-83"]["hours"] = "#00000000"
    assert describe_changes(old, new) == ["~ centre vn83-83: hours changed"]


def test_every_section_of_an_inventory_is_compared() -> None:
    loaded = inventory.load(inventory.default_path()).declared
    assert loaded
    record = inventory_record(loaded)
    for name in (
        "units",
        "centres",
        "devices",
        "services",
        "systems",
        "targets",
        "objectives",
        "procedures",
        "sources",
    ):
        assert len(record[name]) == len(getattr(loaded, name)), name


def test_a_long_list_ends_with_the_number_of_the_others() -> None:
    many = {"devices": {f"d{number}": {"kind": "kiosk"} for number in range(MAX_LINES + 7)}}
    found = describe_changes({"devices": {}}, many)
    assert (len(found), found[-1]) == (MAX_LINES + 1, "… and 7 more")


def test_a_second_run_changes_no_output_and_an_edit_names_both_versions(edited: Callable[..., Inventory]) -> None:
    first = edited()
    outputs = {"inventoryVersion": first.version, **change_outputs(first, {})}
    assert str(outputs[CHANGES_OUTPUT][0]).startswith("first roll-out: ")
    assert change_outputs(first, outputs) == {name: outputs[name] for name in (CHANGES_OUTPUT, RECORD_OUTPUT)}
    last = last_line("devices.csv")
    second = edited(("devices.csv", last, last + "vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n"))
    after = {"inventoryVersion": second.version, **change_outputs(second, outputs)}
    assert after[CHANGES_OUTPUT] == [
        f"inventory {first.version} → {second.version}", "+ device vn83-83-kiosk9 (kiosk, vn83-83)",
    ]  # fmt: skip
    assert change_outputs(second, after)[CHANGES_OUTPUT] == after[CHANGES_OUTPUT]


def test_an_edit_of_comments_says_that_nothing_declared_has_changed(edited: Callable[..., Inventory]) -> None:
    assert lines(edited(), edited()) == ["nothing that the inventory declares; only the text of its files"]


@pytest.mark.parametrize("text", ["", "nonsense", "eJwDAAAAAAE=", "4pyT"])
def test_a_record_that_cannot_be_read_counts_as_none(text: str) -> None:
    assert decode_record(text) is None


def test_a_record_is_the_same_in_every_process() -> None:
    program = (
        "from infra.inventory_changes import *; from telemetry import inventory; import sys;"
        "sys.stdout.write(encode_record(inventory_record(inventory.load(inventory.default_path()))))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {encode_record(inventory_record(inventory.load(inventory.default_path()))).encode()}
