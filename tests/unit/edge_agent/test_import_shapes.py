"""Exports of other shapes: a title above the table, JSON documents, numbers that nobody reads, spaces typed twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import openpyxl
import pytest

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import ImportedLog, check_log

if TYPE_CHECKING:
    from pathlib import Path

MAPPING = """
name = "hall"
title = { vi = "Sảnh", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
[services]
land = { vi = "Đất đai", en = "Land", values = ["Đất đai"] }
[[event]]
type = "ticket.issued"
ticket = { ticket = ["Ngày", "Số"] }
service = { service = "Lĩnh vực" }
t = { date = "Ngày", date_format = "%d/%m/%Y", time = "Giờ" }
"""
COLUMNS = "Ngày;Số;Lĩnh vực;Giờ\n"
ROWS = "02/11/2026;1;Đất đai;7:31\n03/11/2026;2;Đất đai;7h32\n"
OBJECTS = [dict(zip(COLUMNS.strip().split(";"), row.split(";"), strict=True)) for row in ROWS.splitlines()]
NOW = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
TIMES = [datetime(2026, 11, 2, 0, 31, tzinfo=UTC), datetime(2026, 11, 3, 0, 32, tzinfo=UTC)]


def checked(folder: Path, text: str) -> ImportedLog:
    (folder / "hall.toml").write_text(MAPPING, "utf-8")
    (folder / "log.csv").write_text(text, "utf-8")
    return check_log(load_mapping(str(folder / "hall.toml")), folder / "log.csv", now=NOW)


def times(log: ImportedLog) -> list[datetime]:
    assert not log.check.faults.kinds
    return [datetime.fromtimestamp(event.t / 1000, UTC) for event in log.events()]


@pytest.mark.parametrize(
    "title",
    [
        "BÁO CÁO LẤY SỐ\nTừ ngày 02/11/2026\n\n",
        "BÁO CÁO LẤY SỐ;;;\n;;;\nNgày in: 03/11/2026;;;\n",
        'sep=;\n"BÁO CÁO, tháng 11";;;\n',
        "# exported, by hand, today, twice\n",
    ],
    ids=range(4),
)
def test_a_title_above_the_column_names_is_left_out(tmp_path: Path, title: str) -> None:
    assert times(checked(tmp_path, title + COLUMNS + ROWS)) == TIMES


def test_a_fault_below_a_title_has_its_line_in_the_file(tmp_path: Path) -> None:
    log = checked(tmp_path, "BÁO CÁO\n\n" + COLUMNS + ROWS.replace("7h32", "late"))
    assert [kind.first[0].line for kind in log.check.faults.kinds.values()] == [5]


def test_a_title_in_a_workbook_is_left_out(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    table = [row.split(";") for row in (COLUMNS + ROWS).splitlines()]
    for row in (["BÁO CÁO LẤY SỐ"], [], ["Ngày in", "03/11/2026"], *table):
        sheet.append(row)
    (tmp_path / "hall.toml").write_text(MAPPING, "utf-8")
    book.save(tmp_path / "log.xlsx")
    log = check_log(load_mapping(str(tmp_path / "hall.toml")), tmp_path / "log.xlsx", now=NOW)
    assert times(log) == TIMES


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"total": 2, "data": OBJECTS}),
        json.dumps({"data": OBJECTS}, indent=2, ensure_ascii=False) + "\n\n",
        "\n".join(json.dumps(row, indent=2) for row in OBJECTS),
        "\n".join(json.dumps(row) for row in OBJECTS),
    ],
    ids=range(4),
)
def test_a_json_document_is_read_as_its_objects(tmp_path: Path, text: str) -> None:
    assert times(checked(tmp_path, text)) == TIMES


@pytest.mark.parametrize("value", ["9" * 5_000, "Infinity", "NaN"], ids=["digits", "infinity", "nan"])
@pytest.mark.parametrize("is_list", [True, False], ids=["list", "lines"])
def test_a_number_that_nobody_reads_stops_no_import(tmp_path: Path, value: str, *, is_list: bool) -> None:
    first, second = (json.dumps(row) for row in OBJECTS)
    first = f'{first[:-1]}, "x": {value}}}'
    assert times(checked(tmp_path, f"[{first},\n{second}]" if is_list else f"{first}\n{second}\n")) == TIMES


def test_a_torn_first_line_spoils_no_other(tmp_path: Path) -> None:
    log = checked(tmp_path, '{"Ngày": {"x": [\n' + "\n".join(json.dumps(row) for row in OBJECTS))
    faults = [(fault.line, kind.column) for kind in log.check.faults.kinds.values() for fault in kind.first]
    assert faults == [(1, "row")]


def test_a_space_typed_twice_is_the_same_service(tmp_path: Path) -> None:
    assert times(checked(tmp_path, COLUMNS + ROWS.replace("Đất đai", "Đất  đai"))) == TIMES


def test_a_place_in_a_list_counts_from_its_end_too(tmp_path: Path) -> None:
    steps = [{"at": "6:00"}, {"at": "7:00"}]
    rows = [{**row, "steps": [*steps, {"at": row["Giờ"]}]} for row in OBJECTS]
    (tmp_path / "hall.toml").write_text(MAPPING.replace('time = "Giờ"', 'time = "steps.-1.at"'), "utf-8")
    (tmp_path / "log.json").write_text(json.dumps(rows), "utf-8")
    log = check_log(load_mapping(str(tmp_path / "hall.toml")), tmp_path / "log.json", now=NOW)
    assert times(log) == TIMES


PHONE_LOG = """
name = "phone"
title = { vi = "Tổng đài", en = "Phone" }
zone = "Asia/Ho_Chi_Minh"
header = ["id", "day", "time", "queue"]
delimiter = "%s"
[services]
land = { vi = "Đất đai", en = "Land", values = ["700"] }
[[event]]
type = "ticket.issued"
ticket = { ticket = ["id"] }
service = { service = "queue" }
t = { date = "day", time = "time", time_format = "hhmm" }
"""


@pytest.mark.parametrize(
    ("delimiter", "text"),
    [
        (" ", "1 2026-11-02 73100 700\n2  2026-11-03   0732  700 \n"),
        ("|", "1|2026-11-02|073100|700\n2|2026-11-03|732|700\n\x1a"),
    ],
    ids=["spaces", "bars"],
)
def test_a_phone_log_without_a_header_is_read(tmp_path: Path, delimiter: str, text: str) -> None:
    (tmp_path / "phone.toml").write_text(PHONE_LOG % delimiter, "utf-8")
    (tmp_path / "log").write_text(text, "utf-8")
    log = check_log(load_mapping(str(tmp_path / "phone.toml")), tmp_path / "log", now=NOW)
    assert times(log) == TIMES
    assert log.check.warnings() == [], "a date that begins with its year is not doubtful"
