"""Tables of pages: order, parts, words and files; what a reader downloads is what the page shows."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import PageLocale
from api.pages.frame.table_files import write_table
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn, arrange_table, format_cell

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
VI, EN = (PageLocale(lang, load_messages()[lang], ZONE) for lang in ("vi", "en"))
NINE = int(datetime(2026, 3, 7, 9, 5, tzinfo=ZONE).timestamp() * 1000)
COLUMNS = (
    TableColumn("centre", "Centre"),
    TableColumn("condition", "Condition", "state"),
    TableColumn("waiting", "Waiting", "count"),
    TableColumn("mean_wait_s", "Mean wait", "minutes"),
    TableColumn("up", "Up", "ratio"),
    TableColumn("since", "Since", "time"),
    TableColumn("day", "Day", "date"),
)


def row(name: str, waiting: int | None, **changed: TableCell) -> PageTableRow:
    cells = {
        "centre": TableCell(name, href="/centres/x"), "condition": TableCell("down"), "waiting": TableCell(waiting),
        "mean_wait_s": TableCell(90.0), "up": TableCell(0.5), "since": TableCell(NINE), "day": TableCell("2026-03-07"),
    }  # fmt: skip
    return PageTableRow(tuple({**cells, **changed}.values()))


TABLE = PageTable(
    "centres", "Centres: all", COLUMNS, (row("Đa Phước", 3), row("=1+1", None), row("An Định", 10), row("Ân Thi", 1))
)


def names(table: PageTable) -> list[object]:
    return [r.cells[0].value for r in table.shown_rows]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("centres.waiting", ["Ân Thi", "Đa Phước", "An Định", "=1+1"]),
        ("-centres.waiting", ["An Định", "Đa Phước", "Ân Thi", "=1+1"]),
        ("centres.centre", ["=1+1", "An Định", "Ân Thi", "Đa Phước"]),
        ("other.waiting", ["Đa Phước", "=1+1", "An Định", "Ân Thi"]),
        ("centres.nothing", ["Đa Phước", "=1+1", "An Định", "Ân Thi"]),
    ],
)
def test_rows_are_in_the_order_asked_for_and_those_without_a_value_last(sort: str, expected: list[str]) -> None:
    assert names(arrange_table(TABLE, "/centres", {"sort": sort})) == expected


def test_a_heading_sorts_and_once_more_the_other_way_round() -> None:
    waiting = COLUMNS[2]
    first = arrange_table(TABLE, "/centres", {"q": "an", "part": "centres.2"})
    assert first.sort_href(waiting) == "/centres?q=an&sort=centres.waiting#table-centres"
    assert first.aria_sort(waiting) == "none"
    second = arrange_table(TABLE, "/centres", {"sort": "centres.waiting"})
    assert second.sort_href(waiting) == "/centres?sort=-centres.waiting#table-centres"
    assert second.aria_sort(waiting) == "ascending"


@pytest.mark.parametrize(
    ("part", "shown"), [("", 3), ("centres.2", 1), ("centres.99", 1), ("centres.x", 3), ("o.2", 3)]
)
def test_a_long_table_is_shown_in_parts(part: str, shown: int) -> None:
    table = PageTable("centres", "Centres", COLUMNS, TABLE.rows, part_size=3)
    arranged = arrange_table(table, "/centres", {"part": part, "sort": "centres.waiting"})
    assert (len(arranged.shown_rows), arranged.parts) == (shown, 2)
    assert arranged.part_href(2) == "/centres?sort=centres.waiting&part=centres.2#table-centres"
    assert arranged.file_href("xlsx") == "/centres?sort=centres.waiting&table=centres&format=xlsx"


def test_cells_are_written_in_the_readers_language() -> None:
    cells = TABLE.rows[0].cells
    assert [format_cell(c, cell, VI) for c, cell in zip(COLUMNS, cells, strict=True)] == [
        "Đa Phước", "Ngừng phục vụ", "3", "1,5 phút", "50%", "09:05, 07/03/2026", "07/03/2026",
    ]  # fmt: skip
    assert format_cell(COLUMNS[2], TableCell(None), EN) == "–"


def test_a_csv_for_programs_has_plain_values_of_all_rows() -> None:
    lines = list(csv.reader(io.StringIO(write_table(TABLE, "csv", VI).body.decode())))
    assert lines[0] == ["centre", "condition", "waiting", "mean_wait_s", "up", "since", "day"]
    assert lines[1] == ["Đa Phước", "down", "3", "90", "0.5", "2026-03-07T09:05:00+07:00", "2026-03-07"]
    assert lines[2][:3] == ["'=1+1", "down", ""]
    assert len(lines) == 5


def test_a_csv_for_a_spreadsheet_is_written_as_the_reader_s_one_writes_it() -> None:
    text = write_table(TABLE, "csv-spreadsheet", VI).body.decode()
    assert text.startswith("\ufeffCentre;Condition;Waiting;Mean wait (phút);Up;Since;Day")
    assert "Đa Phước;Ngừng phục vụ;3;1,5;0,5;2026-03-07 09:05;2026-03-07" in text


def test_a_workbook_has_numbers_times_and_no_formula() -> None:
    sheet = load_workbook(io.BytesIO(write_table(TABLE, "xlsx", EN).body)).active
    assert sheet is not None
    assert sheet.title == "Centres  all"
    rows = [[cell.value for cell in line] for line in sheet.iter_rows()]
    assert rows[0] == ["Mean wait (minutes)" if c.kind == "minutes" else c.heading for c in COLUMNS]
    assert rows[1][2:6] == [3, 1.5, 0.5, datetime(2026, 3, 7, 9, 5)]  # noqa: DTZ001
    assert rows[2][:3] == ["=1+1", "Out of service", None]
    assert sheet["A3"].data_type == "s"
    assert sheet["E2"].number_format == "0.00%"
