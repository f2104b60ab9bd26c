"""Published months as files: read once for each text, with every fault told again, and quickly when many."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from telemetry.core.inventory import PublishedFigures
from telemetry.errors import InventoryError
from telemetry.inventory import default_path, load, load_with_warnings, published

if TYPE_CHECKING:
    from pathlib import Path

ROW = PublishedFigures("2026-10", "country", "", 10, 8, 1, 1, 0)
GONE = PublishedFigures("2026-10", "device:vn83-gone-kiosk1", "old-promise", 10, 8, 1, 1, 0, 8, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "world"
    shutil.copytree(default_path(), found)
    (found / "published").mkdir()
    return found


def put(folder: Path, text: str, month: str = "2026-10") -> None:
    (folder / "published" / f"{month}.csv").write_text(text, encoding="utf-8")


def test_a_text_is_parsed_once_however_often_the_inventory_is_loaded(folder: Path) -> None:
    put(folder, published.to_csv([ROW]))
    first, second = load(folder).published, load(folder).published
    assert first == {("2026-10", "country", ""): ROW}
    assert second["2026-10", "country", ""] is first["2026-10", "country", ""]


def test_the_same_text_is_another_month_under_another_name(folder: Path) -> None:
    for month in ("2026-09", "2026-10"):
        put(folder, published.to_csv([ROW]), month)
    assert {key[0]: row.month for key, row in load(folder).published.items()} == {
        "2026-09": "2026-09", "2026-10": "2026-10",
    }  # fmt: skip


def test_a_changed_text_is_read_again(folder: Path) -> None:
    put(folder, published.to_csv([ROW]))
    old = load(folder)
    put(folder, published.to_csv([GONE]))
    new = load(folder)
    assert (set(new.published), new.version == old.version) == ({("2026-10", GONE.scope, GONE.objective)}, False)


def test_what_is_no_longer_declared_warns_each_time_with_its_line(folder: Path) -> None:
    put(folder, published.to_csv([ROW, GONE]))
    for _ in range(2):
        inventory, warnings = load_with_warnings(folder)
        said = {(w.line, w.field) for w in warnings if w.file.endswith("2026-10.csv")}
        assert said == {(3, "scope"), (3, "objective")}
        assert len(inventory.published) == 2


@pytest.mark.parametrize(
    "line",
    [
        "country,,10,8,1,2,0,0,0", "country,,x,8,1,1,0,0,0", "town:1,,10,8,1,1,0,0,0", "country,,-1,8,1,1,0,0,0",
        "country",
    ],
)  # fmt: skip
def test_a_fault_is_told_each_time_with_its_line(folder: Path, line: str) -> None:
    put(folder, published.to_csv([GONE]) + line + "\n")
    for _ in range(2):
        with pytest.raises(InventoryError, match=r"2026-10\.csv:3:"):
            load(folder)


def test_a_file_edited_by_hand_is_still_read(folder: Path) -> None:
    put(folder, "\ufeff" + published.to_csv([ROW]).replace(",", " , ").replace("\n", "\r\n\r\n"))
    assert load(folder).published == {("2026-10", "country", ""): ROW}
