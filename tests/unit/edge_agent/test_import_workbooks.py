"""Workbooks as programs and people write them: wrong sizes, hidden sheets, 1904 dates, damage, passwords and bombs."""

from __future__ import annotations

import importlib.util
import os
import unicodedata
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import ImportedLog, check_log
from telemetry.core.calendar.windows import to_local
from telemetry.errors import MappingError

if TYPE_CHECKING:
    from pathlib import Path


NOW = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
MAPPING = """\
name = "hall"
title = { vi = "Sảnh", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
%s
[services]
land = { vi = "Đất đai", en = "Land", values = ["Đất đai"] }
[common]
ticket = { ticket = ["no"] }
service = { service = "service" }
[[event]]
type = "ticket.issued"
t = { date = "day", date_format = "%s", time = "taken" }
"""
COLUMNS = ("day", "no", "service", "taken")
ROW = ("02/11/2026", "1", "Đất đai", "7:31:00")
NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
STYLES = (
    f'<styleSheet {NS}><fonts count="1"><font/></fonts><fills count="1"><fill><patternFill/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3">'
    '<xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="21" applyNumberFormat="1"/>'
    "</cellXfs></styleSheet>"
)
DATE, TIME = 1, 2


@pytest.fixture(autouse=True)
def _need_openpyxl() -> None:
    if importlib.util.find_spec("openpyxl") is None:
        hint = 'openpyxl is missing: pip install -e ".[server]"'
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(hint)


def text_cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def number_cell(value: object, style: int = 0) -> str:
    return f'<c s="{style}"><v>{value}</v></c>'


def row_xml(*cells: str, attributes: str = "") -> str:
    return f"<row {attributes}>{''.join(cells)}</row>"


def texts(*values: str) -> str:
    return row_xml(*map(text_cell, values))


def sheet_xml(*rows: str, dimension: str = "", end: str = "") -> str:
    size = f'<dimension ref="{dimension}"/>' if dimension else ""
    return f"<worksheet {NS}>{size}<sheetData>{''.join(rows)}</sheetData>{end}</worksheet>"


def save(
    path: Path, *sheets: str, states: tuple[str, ...] = ("visible", "visible"), properties: str = "",
    shared: str = "", compression: int = zipfile.ZIP_DEFLATED,
) -> Path:  # fmt: skip
    """Write a workbook from the XML of its sheets."""
    numbers = range(1, len(sheets) + 1)
    sheet_tags = "".join(f'<sheet name="S{n}" sheetId="{n}" state="{states[n - 1]}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{REL}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{SHEET_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{SHEET_TYPE}.styles+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{SHEET_TYPE}.sharedStrings+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{SHEET_TYPE}.worksheet+xml"/>'
            for n in numbers
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {NS} xmlns:r="{REL}">{properties}<sheets>{sheet_tags}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
        f'<Relationship Id="rIdS" Type="{REL}/styles" Target="styles.xml"/>'
        f'<Relationship Id="rIdT" Type="{REL}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f"<sst {NS}>{shared}</sst>",
        **{f"xl/worksheets/sheet{n}.xml": xml for n, xml in zip(numbers, sheets, strict=True)},
    }
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return path


def checked(path: Path, *, keys: str = "", day: str = "%d/%m/%Y") -> ImportedLog:
    mapping = path.parent / "hall.toml"
    mapping.write_text(MAPPING % (keys, day), "utf-8")
    log = check_log(load_mapping(str(mapping)), path, now=NOW)
    log.raise_faults()
    return log


def times(log: ImportedLog) -> list[str]:
    zone = log.mapping.zone
    return [to_local(event.t, zone).replace(tzinfo=None).isoformat(" ") for event in log.events()]


EXPECTED = ["2026-11-02 07:31:00"]


@pytest.mark.parametrize("dimension", ["", "A1", "A1:B1", "A1:D2", "A1:D1048576", "A1:XFD1048576", "C7:D9"])
def test_the_size_that_a_workbook_claims_changes_nothing(tmp_path: Path, dimension: str) -> None:
    book = save(tmp_path / "log.xlsx", sheet_xml(texts(*COLUMNS), texts(*ROW), dimension=dimension))
    assert times(checked(book)) == EXPECTED


def test_a_claimed_million_rows_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agent.mapping.workbook import WorkbookSheet

    book = save(tmp_path / "log.xlsx", sheet_xml(texts(*COLUMNS), texts(*ROW), dimension="A1:XFD1048576"))
    with WorkbookSheet(str(book), "", ".") as sheet:
        monkeypatch.setattr(
            sheet, "_to_text", lambda value: pytest.fail("an empty cell was read") if value is None else ""
        )
        assert [row.line for row in sheet.rows()] == []


@pytest.mark.parametrize(
    ("states", "keys"),
    [(("hidden", "visible"), ""), (("veryHidden", "visible"), ""), (("visible", "hidden"), 'sheet = "S2"')],
)
def test_the_first_sheet_that_people_see_is_read_or_the_one_named(
    tmp_path: Path, states: tuple[str, ...], keys: str
) -> None:
    lists, log = sheet_xml(texts("code", "name"), texts("1", "x")), sheet_xml(texts(*COLUMNS), texts(*ROW))
    assert times(checked(save(tmp_path / "log.xlsx", lists, log, states=states), keys=keys)) == EXPECTED


@pytest.mark.parametrize("system", [1900, 1904])
def test_dates_and_times_are_read_in_both_date_systems(tmp_path: Path, system: int) -> None:
    serial = 46328 if system == 1900 else 46328 - 1462
    properties = '<workbookPr date1904="1"/>' if system == 1904 else ""
    cells = [number_cell(serial, DATE), number_cell(1), text_cell("Đất đai"), number_cell(7.5 / 24, TIME)]
    sheet = sheet_xml(texts(*COLUMNS), row_xml(*cells))
    assert times(checked(save(tmp_path / "log.xlsx", sheet, properties=properties))) == ["2026-11-02 07:30:00"]


@pytest.mark.parametrize("system", [1900, 1904])
@pytest.mark.parametrize("style", [0, DATE])
def test_serial_days_of_unformatted_cells_are_read_in_both_date_systems(
    tmp_path: Path, system: int, style: int
) -> None:  # fmt: skip
    serial = 46328 if system == 1900 else 46328 - 1462
    properties = '<workbookPr date1904="1"/>' if system == 1904 else ""
    cells = [number_cell(serial, style), number_cell(1), text_cell("Đất đai"), text_cell("7:30")]
    book = save(tmp_path / "log.xlsx", sheet_xml(texts(*COLUMNS), row_xml(*cells)), properties=properties)
    assert times(checked(book, day="excel")) == ["2026-11-02 07:30:00"]


@pytest.mark.parametrize(
    "service",
    [
        "<c t='s'><v>0</v></c>",
        "<c t='s'><v>1</v></c>",
        "<c t='str'><f>A1</f><v>Đất đai</v></c>",
        "<c t='inlineStr'><is><r><t>Đất </t></r><r><rPr><b/></rPr><t>đai</t></r></is></c>",
        text_cell(unicodedata.normalize("NFD", "Đất đai")),
        text_cell("Đất\u00a0đai "),
    ],
)
def test_a_text_is_the_same_however_it_is_stored(tmp_path: Path, service: str) -> None:
    shared = (
        "<si><t>Đất đai</t></si>"
        "<si><r><t xml:space='preserve'>Đất </t></r><r><rPr><b/></rPr><t>đai</t></r>"
        "<rPh sb='0' eb='1'><t>x</t></rPh></si>"
    )
    row = row_xml(text_cell(ROW[0]), number_cell(1), service, text_cell(ROW[3]))
    book = save(tmp_path / "log.xlsx", sheet_xml(texts(*COLUMNS), row), shared=shared)
    assert times(checked(book)) == EXPECTED


def test_rows_without_text_are_left_out(tmp_path: Path) -> None:
    empty = row_xml(*[text_cell("")] * 4), row_xml(*['<c s="1"/>'] * 16_384), texts(" ", "\u00a0", "", "")
    assert times(checked(save(tmp_path / "log.xlsx", sheet_xml(texts(*COLUMNS), *empty, texts(*ROW))))) == EXPECTED


def test_a_sheet_without_column_names_is_read_with_those_of_the_mapping(tmp_path: Path) -> None:
    book = save(tmp_path / "log.xlsx", sheet_xml(texts(*ROW)))
    assert times(checked(book, keys='header = ["day", "no", "service", "taken"]')) == EXPECTED


@pytest.mark.parametrize("name", ["log.xls", "log.csv", "log", "log.XLSX", "log.xlsm"])
def test_a_workbook_is_recognised_under_any_name(tmp_path: Path, name: str) -> None:
    assert times(checked(save(tmp_path / name, sheet_xml(texts(*COLUMNS), texts(*ROW))))) == EXPECTED


@pytest.mark.parametrize("day", ["", '<c r="A2"/>', '<c r="A2"><f>A1</f></c>'])
def test_an_empty_cell_of_a_sheet_names_merged_cells_and_formulas(tmp_path: Path, day: str) -> None:
    service = '<c r="C2" t="inlineStr"><is><t>Đất đai</t></is></c>'
    row = row_xml(day, '<c r="B2"><v>1</v></c>', service, '<c r="D2"><v>0.3</v></c>')
    end = '<mergeCells><mergeCell ref="A1:A2"/></mergeCells>'
    with pytest.raises(MappingError, match=r"day: is empty; .*merged cells.*formula"):
        checked(save(tmp_path / "log.xlsx", sheet_xml(texts(*COLUMNS), row, end=end)))


DAMAGED = {
    "XML that ends early": "<worksheet " + NS + "><sheetData>" + texts(*COLUMNS) + "<row><c",
    "a shared text that is not there": sheet_xml(texts(*COLUMNS), row_xml("<c t='s'><v>99</v></c>")),
    "a number without end": sheet_xml(texts(*COLUMNS), row_xml(f"<c><v>{'1' * 5_000}</v></c>")),
    "a number that is none": sheet_xml(texts(*COLUMNS), row_xml("<c><v>x</v></c>")),
    "a date that is none": sheet_xml(texts(*COLUMNS), row_xml("<c t='d'><v>soon</v></c>")),
    "a row number that is none": sheet_xml(texts(*COLUMNS), row_xml("<c/>", attributes='r="x"')),
    "a row beyond all sheets": sheet_xml(texts(*COLUMNS), row_xml(text_cell("a"), attributes='r="99999999999"')),
    "a cell beyond all sheets": sheet_xml(texts(*COLUMNS), row_xml('<c r="ZZZZZZ2"><v>1</v></c>')),
    "an entity in itself": '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>" + sheet_xml(texts(*COLUMNS), row_xml("<c t='str'><v>&j;</v></c>")),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_sheet_is_a_fault_with_its_row(tmp_path: Path, kind: str) -> None:
    book = save(tmp_path / "log.xlsx", DAMAGED[kind])
    with pytest.raises(MappingError, match=r"log\.xlsx:\d+: file: .*(damaged|no workbook).*save it again"):
        checked(book)


def test_a_workbook_that_was_cut_off_is_a_fault(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.xlsx", sheet_xml(texts(*COLUMNS), *[texts(*ROW)] * 50)).read_bytes()
    for end in range(4, len(whole), 97):
        (tmp_path / "log.xlsx").write_bytes(whole[:end])
        with pytest.raises(MappingError, match="no workbook"):
            checked(tmp_path / "log.xlsx")


def test_a_workbook_with_a_changed_byte_never_ends_in_a_traceback(tmp_path: Path) -> None:
    rows = [texts(f"{day:02}/11/2026", str(day), "Đất đai", "7:31:00") for day in range(1, 28)]
    whole = save(tmp_path / "whole.xlsx", sheet_xml(texts(*COLUMNS), *rows)).read_bytes()
    stored = save(
        tmp_path / "stored.xlsx", sheet_xml(texts(*COLUMNS), *rows), compression=zipfile.ZIP_STORED
    ).read_bytes()
    faults = 0
    for content, step in ((whole, 19), (stored, 97)):
        for place in range(4, len(content), step):
            (tmp_path / "log.xlsx").write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
            try:
                checked(tmp_path / "log.xlsx")
            except MappingError:
                faults += 1
    assert faults > 30


@pytest.mark.parametrize("part", ["sheet", "shared"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    from edge_agent.mapping import workbook

    monkeypatch.setattr(workbook, "MAX_UNPACKED_BYTES", 1_000_000)
    filler = "<!--" + " " * 2_000_000 + "-->"
    sheet = sheet_xml(texts(*COLUMNS), texts(*ROW), end=filler if part == "sheet" else "")
    with pytest.raises(MappingError, match=r"unpacks to 2 MB, more than 200 times its size; .*save it again"):
        checked(save(tmp_path / "log.xlsx", sheet, shared=filler if part == "shared" else ""))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), r"password; .*remove it"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "Workbook".encode("utf-16-le"), r"before 2007; save it as \.xlsx"),
        (b"<html><body><table><tr><td>day</td></tr></table>", r"web page or XML.*; .*save it as \.xlsx"),
        (b"\xef\xbb\xbf \r\n<!DOCTYPE html>\n<table>", r"web page or XML.*; .*save it as \.xlsx"),
        ('<?xml version="1.0"?><Workbook>'.encode("utf-16"), r"web page or XML.*; .*save it as \.xlsx"),
        (b"%PDF-1.7\n", r"PDF.*; .*\.xlsx"),
    ],
)
def test_what_is_no_table_is_named_with_its_remedy(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "log.xls").write_bytes(content)
    with pytest.raises(MappingError, match=problem):
        checked(tmp_path / "log.xls")


@pytest.mark.parametrize("name", ["content.xml", "xl/workbook.bin"])
def test_a_workbook_of_another_program_is_named_with_its_remedy(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "log.ods", "w") as archive:
        archive.writestr(name, "<x/>")
    with pytest.raises(MappingError, match=r"no workbook.*; .*save it again as \.xlsx"):
        checked(tmp_path / "log.ods")


def test_a_sheet_of_a_chart_is_no_table(tmp_path: Path) -> None:
    import openpyxl
    from openpyxl.chart import BarChart, Reference

    book = openpyxl.Workbook()
    table: Any = book.active
    table.append(COLUMNS)
    table.append(ROW)
    chart = BarChart()
    chart.add_data(Reference(table, min_col=1, min_row=1, max_row=2))
    book.create_chartsheet("Chart", 0).add_chart(chart)
    book.save(tmp_path / "log.xlsx")
    assert times(checked(tmp_path / "log.xlsx")) == EXPECTED
    with pytest.raises(MappingError, match=r"'Chart' is no table; .*Sheet"):
        checked(tmp_path / "log.xlsx", keys='sheet = "Chart"')


def test_json_lines_with_nuls_of_a_power_cut_are_read(tmp_path: Path) -> None:
    line = '{"day": "02/11/2026", "no": "%d", "service": "Đất đai", "taken": "7:31:00"}\n'
    (tmp_path / "log.jsonl").write_text("\0" * 40 + line % 1 + "\0" * 9 + line % 2, "utf-8")
    assert times(checked(tmp_path / "log.jsonl")) == EXPECTED * 2
