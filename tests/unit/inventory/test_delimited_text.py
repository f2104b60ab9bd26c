"""Delimited text as spreadsheets write it is read the same in an inventory and in a replay."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.importer import read_log
from telemetry.core.protocol.events import TicketIssued
from telemetry.delimited_text import DelimitedTextError, decode_text, normalize_text, read_delimited
from telemetry.errors import InventoryError, MappingError
from telemetry.inventory.files import InventoryFolder, bundle_files, parse_csv
from telemetry.inventory.record import AllowedKeys, Faults

if TYPE_CHECKING:
    from pathlib import Path

KEYS = AllowedKeys(("id", "name"), ("note", "more"))
MAPPING = """\
name = "hall"
title = { vi = "S", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
[services]
land = { vi = "Đất đai", en = "Land", values = ["Đất đai"] }
[[event]]
type = "ticket.issued"
ticket = { ticket = ["Số"] }
service = { service = "Lĩnh vực" }
t = { date = "Ngày", date_format = "%d/%m/%Y", time = "Giờ lấy số" }
"""
HEADER = "Ngày,Số,Lĩnh vực,Giờ lấy số,Ghi chú"
EXPORT = f"{HEADER}\n02/11/2026,1,Đất đai,7:31:00,\n03/11/2026,2,Đất đai,7:32:00,\n"
WANTED = [1793579460000, 1793665920000]


def rows(text: str, delimiter: str = "auto", width: int = 0) -> list[tuple[int, list[str]]]:
    return [(row.line, row.cells) for row in read_delimited(io.StringIO(text, newline=""), delimiter, width)]


def imported(folder: Path, data: bytes, mapping: str = MAPPING) -> list[int]:
    (folder / "m.toml").write_text(mapping, "utf-8")
    (folder / "f.csv").write_bytes(data)
    log = read_log(load_mapping(str(folder / "m.toml")), folder / "f.csv")
    return [event.t for event in log.events() if isinstance(event, TicketIssued)]


def faults_of(folder: Path, data: bytes, mapping: str = MAPPING) -> list[str]:
    with pytest.raises(MappingError) as caught:
        imported(folder, data, mapping)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize(
    "data",
    [
        EXPORT.encode(),
        EXPORT.encode("utf-8-sig"),
        EXPORT.encode("utf-16"),
        codecs.BOM_UTF16_BE + EXPORT.encode("utf-16-be"),
        EXPORT.encode("utf-16-le"),
        EXPORT.encode("utf-16-be"),
        EXPORT.replace(",", "\t").encode("utf-16"),
        EXPORT.replace("\n", "\r\n").encode(),
        EXPORT.replace("\n", "\r").encode(),
        EXPORT.replace(",", ";").encode(),
        EXPORT.replace(",", "|").encode(),
        ("sep=;\r\n" + EXPORT.replace(",", ";")).encode("utf-8-sig"),
        ('"sep=|"\n' + EXPORT.replace(",", "|")).encode(),
        ("sep=;;;;\n" + EXPORT.replace(",", ";")).encode(),
        EXPORT.replace(",\n", ",,,,,\n").encode(),
        EXPORT.replace("00,\n", "00\n").encode(),
        EXPORT.replace("\n03", "\n,,,,\n\n03").encode(),
        ("# xuất ngày 04/11\n\n" + EXPORT.replace("\n03", "\n# nghỉ trưa\n03")).encode(),
        EXPORT.replace("Giờ lấy số", " Giờ\u00a0lấy số\u200b ").encode(),
        EXPORT.replace("Giờ lấy số", '"Giờ\nlấy  số"').encode(),
        EXPORT.replace("Đất đai", "Đất\u00a0đai").encode(),
        EXPORT.replace(",", ", ").replace("Đất đai", '"Đất đai"').encode(),
        EXPORT.replace("Đất đai,7:31:00,", 'Đất đai,7:31:00,"' + "x" * 200_000 + '"').encode(),
        EXPORT.replace("Ghi chú", '"Ghi chú (1, 2; 3)"').replace(",1,", ',"=""1""",').encode(),
        EXPORT.replace(",1,", ',="0001",').encode(),
    ],
)  # fmt: skip
def test_an_export_is_read_as_spreadsheets_write_it(tmp_path: Path, data: bytes) -> None:
    assert imported(tmp_path, data) == WANTED


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (EXPORT + '04/11/2026,"3\n3",Đất đai,soon,\n', 4, "is no time of day"),
        (EXPORT.replace("7:31:00,", '7:31:00,"a\nb"') + "04/11/2026,3,Đất đai,soon,\n", 5, "is no time of day"),
        ("sep=,\r\n" + EXPORT.replace("\n", "\r\n") + "x,3,Đất đai,7:31,\r\n", 5, "is no date like %d/%m/%Y"),
        (EXPORT + "04/11/2026,3,Đất đai,7:31,a,b\n", 4, "the row has 6 cells, the header has 5"),
        (EXPORT + "04/11/2026,3\n", 4, "the row has 2 cells, the header has 5"),
        (EXPORT + "04/11/2026,3,Đất đai,7:3", 4, "the file ends in the middle of it"),
        (EXPORT + '04/11/2026,"3,Đất đai,7:31,\n', 4, "has a quotation mark that is not closed"),
        (EXPORT + '04/11/2026,"3"3,Đất đai,7:31,\n', 4, "cannot be split"),
        (EXPORT + "04/11/2026,3,Đất đai,7:31,\0\0\0\n", 4, "has NUL bytes"),
        (EXPORT.replace("Ghi chú", "Số"), 1, "Số: is twice in the header"),
        ("\n\n" + EXPORT.replace("Số", "STT"), 3, "Số: is no column of this file"),
        (EXPORT + "04/11/2026,1.23457E+12,Đất đai,7:31,\n", 4, "a spreadsheet has shortened this number"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line_in_the_file(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    (fault,) = faults_of(tmp_path, text.encode())
    assert fault.startswith(f"f.csv:{line}: ")
    assert problem in fault


def test_an_old_vietnamese_encoding_is_named_with_the_way_out(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, EXPORT.encode("utf-8").replace("Đ".encode(), b"\xa7"))
    assert "f.csv:2: encoding: is not utf-8; save it as CSV UTF-8 (texts in TCVN3 or VNI must be converted" in fault
    (fault,) = faults_of(tmp_path, b"", MAPPING.replace("[services]", 'encoding = "tcvn3"\n[services]'))
    assert (
        "'tcvn3' is no encoding; use utf-8, utf-16, cp1258, … or several to try; save it as CSV UTF-8 (texts in TCVN3"
        in fault
    )
    (fault,) = faults_of(tmp_path, b"", MAPPING.replace("[services]", 'encoding = "rot13"\n[services]'))
    assert "'rot13' is no encoding" in fault


def test_a_mapping_may_spell_a_column_as_the_export_does(tmp_path: Path) -> None:
    mapping = MAPPING.replace('"Giờ lấy số"', '"Giờ  lấy\u00a0số"').replace('["Đất đai"]', '["Đất\u00a0đai "]')
    assert imported(tmp_path, EXPORT.encode(), mapping) == WANTED


def test_two_services_that_differ_only_by_unicode_form_are_a_fault(tmp_path: Path) -> None:
    services = 'land2 = { vi = "Đ", en = "L", values = ["Đất\u00a0đai"] }\n[[event]]'
    (fault,) = faults_of(tmp_path, EXPORT.encode(), MAPPING.replace("[[event]]", services))
    assert "value 'Đất đai' also belongs to land" in fault


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("id;name\r\na;b\r\n", [(1, ["id", "name"]), (2, ["a", "b"])]),
        ('sep=\t\nid\tname\n"a\tb"\t"x ""y"""\n', [(2, ["id", "name"]), (3, ["a\tb", 'x "y"'])]),
        ("id,name\n#1,b\n# only a remark\n", [(1, ["id", "name"]), (2, ["#1", "b"])]),
        ("#,id\n1,b\n", [(1, ["#", "id"]), (2, ["1", "b"])]),
        ("id\n#1\n", [(1, ["id"]), (2, ["#1"])]),
        ('"a,b";"c,d"\n1;2\n', [(1, ["a,b", "c,d"]), (2, ["1", "2"])]),
        ('"a\nb";c\n1;2\n', [(1, ["a\nb", "c"]), (3, ["1", "2"])]),
        ("", []),
        ("\n ;;\n", []),
    ],
)
def test_rows_have_their_line(text: str, wanted: list[tuple[int, list[str]]]) -> None:
    assert rows(text) == wanted


def test_the_delimiter_of_a_file_without_header_is_the_one_that_gives_the_declared_cells() -> None:
    assert rows("2026,5|a|b,c,d,e\n", width=3) == [(1, ["2026,5", "a", "b,c,d,e"])]


def test_text_is_compared_composed_and_without_signs_that_nobody_sees() -> None:
    assert normalize_text("\ufeff Đa\u0302\u0301t\u00a0đai\u200b ") == "Đất đai"
    assert normalize_text("Ａ１²") == "Ａ１²"


def test_an_inventory_file_is_read_as_spreadsheets_write_it(tmp_path: Path) -> None:
    text = "sep=;\r\nid;name;note;more;;\r\na;Xã\u00a0An;;;;\r\n;;;;;\r\nb;Xa\u0303 B\r\n"
    for data in (text.encode("utf-16"), text.encode("utf-8-sig"), text.encode("utf-16-be"), text.encode()):
        (tmp_path / "units.csv").write_bytes(data)
        folder = InventoryFolder(tmp_path)
        records = folder.read_csv("units.csv", KEYS)
        assert folder.faults == []
        assert [(r.line, r.values["name"], r.values["more"]) for r in records] == [(3, "Xã An", ""), (5, "Xã B", "")]


def test_a_row_of_an_inventory_without_a_required_cell_is_a_fault() -> None:
    faults = Faults()
    assert parse_csv("units.csv", 'id,name,note\na,"b\n"\nc\n', KEYS, faults)[0].line == 2
    assert [(fault.line, fault.problem) for fault in faults] == [(4, "has 1 cells, the header has 3")]


def test_an_inventory_in_utf_16_has_the_version_of_its_copy_in_utf_8(tmp_path: Path) -> None:
    versions = []
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "units.csv").write_bytes("id,name\na,Xã\n".encode(encoding))
        folder = InventoryFolder(tmp_path)
        folder.read_csv("units.csv", KEYS)
        versions.append(folder.digest())
        with pytest.raises(InventoryError) as caught:
            bundle_files(tmp_path)
        assert "units.csv" not in str(caught.value)
    assert versions[0] == versions[1]


def test_a_byte_that_is_no_utf_8_is_named_by_its_line_and_the_remedy() -> None:
    with pytest.raises(DelimitedTextError, match="line 3: encoding: byte 0xff is not UTF-8; save it as CSV UTF-8"):
        decode_text(b"a\r\nb\rc\xff\n")


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | st.text('",;\t|\r\n\0#= a1sepđ\u0301\u00a0\ufeff', max_size=60).map(str.encode))
def test_any_bytes_are_rows_or_a_fault(data: bytes) -> None:
    faults = Faults()
    try:
        parse_csv("units.csv", decode_text(data), KEYS, faults)
    except DelimitedTextError:
        return
    assert all(fault.line >= 1 and fault.remedy for fault in faults)
