"""A machine's copy of an inventory is the inventory: same files, same bytes, same version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.config.options import StackOptions
from infra.plan import build_plan
from infra.targets.local.documents import role_settings as told
from infra.targets.shared import inventory_files
from telemetry import inventory
from telemetry.config import load_settings
from telemetry.errors import InventoryError
from telemetry.inventory.files import bundle_files
from tests.carried import with_months, written
from tests.kubernetes import DAY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("months", [(), ("2026-09", "2026-10")])
def test_a_copy_has_the_version_of_its_original(tmp_path: Path, months: tuple[str, ...]) -> None:
    folder = with_months(tmp_path / "declared", *months)
    copy = written(tmp_path / "copy", bundle_files(folder))
    assert inventory.load(copy).version == inventory.load(folder).version
    assert inventory.load(copy).published == inventory.load(folder).published
    assert (copy / "calendar.toml").read_bytes() == (folder / "calendar.toml").read_bytes()


def test_a_copy_keeps_a_byte_order_mark(tmp_path: Path) -> None:
    folder = with_months(tmp_path / "declared")
    (folder / "centres.csv").write_bytes(b"\xef\xbb\xbf" + (folder / "centres.csv").read_bytes())
    copy = written(tmp_path / "copy", bundle_files(folder))
    assert inventory.load(copy).version == inventory.load(folder).version


def test_what_the_version_does_not_know_is_not_carried(tmp_path: Path) -> None:
    folder = with_months(tmp_path / "declared", "2026-10")
    for name in ("README.md", "published/notes.md", ".gitignore"):
        (folder / name).write_text("not of the inventory")
    assert set(bundle_files(folder)) == {*inventory.INVENTORY_FILES, "published/2026-10.csv"} - {"signers.csv"}
    (folder / "published/2026-10.json").write_text("{}")
    assert bundle_files(folder)["published/2026-10.json"] == "{}"


def test_every_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = with_months(tmp_path / "declared", "2026-10")
    (folder / "units.csv").unlink()
    (folder / "published/2026-10.csv").write_bytes(b"scope\xff")
    with pytest.raises(InventoryError) as told_of:
        bundle_files(folder)
    assert [fault.file for fault in told_of.value.faults] == [
        str(folder / "units.csv"), str(folder / "published/2026-10.csv"),
    ]  # fmt: skip


def test_targets_of_the_engine_carry_the_folder_that_the_options_name(tmp_path: Path) -> None:
    folder = with_months(tmp_path / "declared", "2026-10")
    options = StackOptions(stage="dev", target="kubernetes", inventory="declared")
    assert inventory_files(tmp_path, options) == bundle_files(folder)


def test_the_local_target_reads_the_folder_itself_and_so_its_months(tmp_path: Path) -> None:
    folder = with_months(tmp_path / "declared", "2026-10")
    options = StackOptions(stage="dev", target="local")
    found = build_plan(inventory.load(folder), options, DAY)
    lines = told(found, options, str(folder), str(tmp_path)).splitlines()
    read = load_settings(dict(line.split("=", 1) for line in lines)).inventory
    assert read is not None
    assert inventory.load(read).version == found.inventory_version
