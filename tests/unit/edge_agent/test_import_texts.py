"""Delimited text and JSON as programs and people write it: what an import reads, and what is a fault at which line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING

import pytest

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import ImportedLog, check_log

if TYPE_CHECKING:
    from pathlib import Path

MAPPING = """
name = "hall"
title = { vi = "Sảnh", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
ENCODING
[services]
land = { vi = "Đất đai", en = "Land", values = ["Đất đai", "Đất; đai", "Đất\\nđai", 'Đất "đai"'] }
[[event]]
type = "ticket.issued"
ticket = { ticket = ["Ngày", "Số"] }
service = { service = "Lĩnh vực" }
t = { date = "Ngày", date_format = "%d/%m/%Y", time = "Giờ" }
"""
COLUMNS = "Ngày;Số;Lĩnh vực;Giờ\n"
ROWS = "02/11/2026;1;Đất đai;7:31\n03/11/2026;2;Đất đai;7h32\n"
TEXT = COLUMNS + ROWS
FIRST, SECOND = (dict(zip(COLUMNS.strip().split(";"), row.split(";"), strict=True)) for row in ROWS.splitlines())
NOW = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
TIMES = [datetime(2026, 11, 2, 0, 31, tzinfo=UTC), datetime(2026, 11, 3, 0, 32, tzinfo=UTC)]
Fault = tuple[int, str, str]


def checked(folder: Path, content: bytes, mapping: str = MAPPING.replace("ENCODING", "")) -> ImportedLog:
    (folder / "hall.toml").write_text(mapping, "utf-8")
    (folder / "log").write_bytes(content)
    return check_log(load_mapping(str(folder / "hall.toml")), folder / "log", now=NOW)


def times(log: ImportedLog) -> list[datetime]:
    assert not log.check.faults.kinds
    return [datetime.fromtimestamp(event.t / 1000, UTC) for event in log.events()]


def faults(log: ImportedLog) -> list[Fault]:
    kinds = log.check.faults.kinds.values()
    return [(fault.line, kind.column, kind.problem) for kind in kinds for fault in kind.first]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_in_every_form(tmp_path: Path, encoding: str) -> None:
    assert times(checked(tmp_path, TEXT.encode(encoding))) == TIMES


def test_another_coding_is_read_when_the_mapping_names_it_and_a_fault_at_its_line_when_not(tmp_path: Path) -> None:
    text = "Ngày;So;Phòng;Gio\n02/11/2026;1;Thuê;7:31\n"
    names = {'"Số"': '"So"', "Lĩnh vực": "Phòng", '"Giờ"': '"Gio"', '"Đất đai",': '"Thuê",'}
    mapping = reduce(lambda mapping, item: mapping.replace(*item), names.items(), MAPPING)
    content = text.encode("latin-1")
    assert times(checked(tmp_path, content, mapping.replace("ENCODING", 'encoding = "utf-8, latin-1"'))) == TIMES[:1]
    ((line, field, problem),) = faults(checked(tmp_path, content, mapping.replace("ENCODING", "")))
    assert (line, field, problem) == (1, "encoding", "is not utf-8")


@pytest.mark.parametrize("sign", [";", ",", "\t", "|"])
@pytest.mark.parametrize("is_named", [False, True])
def test_the_delimiter_is_the_one_of_the_first_line_or_that_of_sep(
    tmp_path: Path, sign: str, *, is_named: bool
) -> None:
    first = f"sep={sign}\n" if is_named else ""
    assert times(checked(tmp_path, (first + TEXT.replace(";", sign)).encode())) == TIMES


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(tmp_path: Path, end: str) -> None:
    assert times(checked(tmp_path, TEXT.replace("\n", end).encode())) == TIMES


@pytest.mark.parametrize("cell", ['"Đất; đai"', '"Đất\nđai"', '"Đất ""đai"""'])
def test_a_text_in_quotation_marks_has_delimiters_line_breaks_and_quotation_marks(tmp_path: Path, cell: str) -> None:
    assert times(checked(tmp_path, TEXT.replace("Đất đai", cell).encode())) == TIMES


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", ";;;\n"),
        COLUMNS + ";;;\n\n" + ROWS + ";;;\n\n",
        COLUMNS + "# exported on 3 November;;;\n" + ROWS,
    ],
    ids=["cells beyond the header", "rows without text", "a comment"],
)
def test_what_says_nothing_is_left_out(tmp_path: Path, text: str) -> None:
    assert times(checked(tmp_path, text.encode())) == TIMES


def test_cells_left_out_at_the_end_of_a_row_are_empty_and_a_fault_where_they_are_needed(tmp_path: Path) -> None:
    text = "Ngày;Số;Lĩnh vực;Giờ;Khác\n" + ROWS
    assert times(checked(tmp_path, text.encode())) == TIMES
    needed = faults(checked(tmp_path, (COLUMNS + "02/11/2026;1;Đất đai\n").encode()))
    assert [(line, column) for line, column, _ in needed] == [(2, "row")]
    (cut,) = faults(checked(tmp_path, (COLUMNS + ROWS + "03/11/2026;3;Đất").encode()))
    assert cut == (4, "row", "the row has 3 cells, the header has 4: the file ends in the middle of it")


def test_a_long_cell_is_read_and_excel_s_text_of_digits_too(tmp_path: Path) -> None:
    row = "02/11/2026;{};Đất đai;7:31;" + "x" * 300_000 + "\n"
    text = COLUMNS.strip() + ";Khác\n" + row.format('="0123"') + row.format("0123")
    log = checked(tmp_path, text.encode())
    assert (times(log), log.check.ticket_count) == (TIMES[:1], 1)


@pytest.mark.parametrize(
    ("row", "line", "column"),
    [
        ("03/11/2026;1.23457E+12;Đất đai;7:31\n", 4, "Số"),
        ("03/11/2026;3;Đất\x00 đai;7:31\n", 4, ""),
        ('03/11/2026;3;"Đất đai;7:31\n', 4, ""),
        ('03/11/2026;3;Đất "đai" x"y;7:31\n', 4, "Lĩnh vực"),
        ("03/11/2026;3;Đất đai;7:31;8;9\n", 4, "row"),
    ],
    ids=["a number that was shortened", "NUL bytes", "an open quotation mark", "a stray one", "too many cells"],
)
def test_a_damaged_row_is_a_fault_with_its_line(tmp_path: Path, row: str, line: int, column: str) -> None:
    found = faults(checked(tmp_path, (TEXT + row).encode()))
    assert {at for at, _, _ in found} == {line}
    assert {field for _, field, _ in found} == {column} or not column


def test_a_column_that_is_missing_or_there_twice_is_a_fault_of_the_header(tmp_path: Path) -> None:
    missing = faults(checked(tmp_path, TEXT.replace("Giờ", "Time").encode()))
    twice = faults(checked(tmp_path, TEXT.replace("Số", "Giờ").encode()))
    assert {line for line, _, _ in (*missing, *twice)} == {1}
    assert "Giờ" in {field for _, field, _ in missing} & {field for _, field, _ in twice}


def nested(cell: str) -> str:
    return json.dumps({**FIRST, "desk": {"at": {"Giờ": cell}}, "calls": [{"n": 1}, {"n": 2}], "Quầy": None})


def test_a_key_in_an_object_or_a_list_is_a_path(tmp_path: Path) -> None:
    mapping = MAPPING.replace("ENCODING", "").replace('time = "Giờ"', 'time = "desk.at.Giờ"')
    mapping = mapping.replace('["Ngày", "Số"]', '["Ngày", "calls.1.n"]')
    assert times(checked(tmp_path, nested("7:31").encode(), mapping)) == TIMES[:1]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{json.dumps(FIRST)}\n[1]\n{json.dumps(SECOND)}\n", (2, "row", "is no JSON object")),
        (json.dumps([FIRST, 7], indent=1), (8, "row", "is no JSON object")),
        (json.dumps({k: v for k, v in FIRST.items() if k != "Giờ"}), (1, "Giờ", "is in no object of this file")),
        (
            f'{json.dumps(FIRST)}\n{{"a":{"[" * 5_000}{"]" * 5_000}}}\n',
            (2, "row", "is no JSON object"),
        ),
    ],
    ids=["a line", "an element", "a column in no object", "nesting"],
)
def test_json_that_is_no_row_is_a_fault_with_its_line(tmp_path: Path, text: str, fault: Fault) -> None:
    assert fault in faults(checked(tmp_path, text.encode()))
