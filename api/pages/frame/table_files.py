"""A page's table as a file: CSV for programs, CSV or XLSX for a spreadsheet; it must not know what the table is about.

For programs: English column names, commas, decimal points, RFC 3339 times, seconds, ratios from 0 to 1. For
spreadsheets: headings in the reader's language, local times, minutes and percentages as numbers with their format.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from api.pages.frame.tables import format_cell
from api.spreadsheet_text import BYTE_ORDER_MARK, escape_formula
from api.times import rfc3339
from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

    from api.pages.frame.language import PageLocale
    from api.pages.frame.tables import PageTable, TableCell, TableColumn

TableFormat = Literal["csv", "csv-spreadsheet", "xlsx"]
TABLE_FORMATS: tuple[TableFormat, ...] = ("csv", "csv-spreadsheet", "xlsx")
XLSX_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_NUMBER_FORMATS = {
    "count": "#,##0", "decimal": "#,##0.0##", "ratio": "0.00%", "minutes": "#,##0.0", "time": "yyyy-mm-dd hh:mm",
    "date": "yyyy-mm-dd",
}  # fmt: skip
_WIDTHS = {"text": 34, "state": 18, "time": 18}
_SHEET_NAME_LENGTH = 31


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file to be downloaded."""

    body: bytes
    media_type: str
    suffix: str


def write_table(table: PageTable, file_format: TableFormat, locale: PageLocale) -> TableFile:
    """Return all rows of a table as a file."""
    if file_format == "xlsx":
        return TableFile(_write_xlsx(table, locale), XLSX_MEDIA_TYPE, "xlsx")
    text = _write_csv(table, locale, for_spreadsheet=file_format == "csv-spreadsheet")
    return TableFile(text.encode(), "text/csv; charset=utf-8", "csv")


def _write_csv(table: PageTable, locale: PageLocale, *, for_spreadsheet: bool) -> str:
    text = io.StringIO()
    comma = for_spreadsheet and locale.lang == "vi"
    writer = csv.writer(text, delimiter=";" if comma else ",")
    writer.writerow([_heading(c, locale) if for_spreadsheet else c.key for c in table.columns])
    for row in table.rows:
        pairs = zip(table.columns, row.cells, strict=True)
        if for_spreadsheet:
            writer.writerow([_spreadsheet_text(column, cell, locale, comma=comma) for column, cell in pairs])
        else:
            writer.writerow([_program_text(column, cell, locale) for column, cell in pairs])
    return (BYTE_ORDER_MARK if for_spreadsheet else "") + text.getvalue()


def _program_text(column: TableColumn, cell: TableCell, locale: PageLocale) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return escape_formula(value)
    return rfc3339(int(value), locale.zone) if column.kind == "time" else _plain_number(value)


def _plain_number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


def _spreadsheet_text(column: TableColumn, cell: TableCell, locale: PageLocale, *, comma: bool) -> str:
    value = _spreadsheet_value(column, cell, locale)
    match value:
        case None:
            return ""
        case str():
            return escape_formula(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M")
        case date():
            return value.isoformat()
        case _:
            return _plain_number(value).replace(".", ",") if comma else _plain_number(value)


def _spreadsheet_value(
    column: TableColumn, cell: TableCell, locale: PageLocale
) -> str | float | date | datetime | None:  # fmt: skip
    """Return a value as a spreadsheet holds it: minutes for seconds, a local time without its zone, a state's word."""
    value = cell.value
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if column.kind == "date":
            return date.fromisoformat(value)
        return format_cell(column, cell, locale) if column.kind == "state" else value
    if column.kind == "time":
        return to_local(int(value), locale.zone).replace(tzinfo=None)
    return value / 60 if column.kind == "minutes" else value


def _write_xlsx(table: PageTable, locale: PageLocale) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("".join(c if c not in r"[]:*?/\'" else " " for c in table.caption)[:_SHEET_NAME_LENGTH])
    sheet.freeze_panes = "B2"
    for place, column in enumerate(table.columns, 1):
        sheet.column_dimensions[get_column_letter(place)].width = _WIDTHS.get(column.kind, 14)
    sheet.append([_heading_cell(sheet, _heading(column, locale)) for column in table.columns])
    for row in table.rows:
        sheet.append([_xlsx_cell(sheet, c, cell, locale) for c, cell in zip(table.columns, row.cells, strict=True)])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _heading(column: TableColumn, locale: PageLocale) -> str:
    """Return a spreadsheet's heading: a bare number of minutes needs its unit."""
    return locale.t("table_minutes", heading=column.heading) if column.kind == "minutes" else column.heading


def _heading_cell(sheet: WriteOnlyWorksheet, heading: str) -> WriteOnlyCell:
    cell = _text_cell(sheet, heading)
    cell.font = Font(bold=True)
    return cell


def _xlsx_cell(sheet: WriteOnlyWorksheet, column: TableColumn, cell: TableCell, locale: PageLocale) -> WriteOnlyCell:
    value = _spreadsheet_value(column, cell, locale)
    if isinstance(value, str):
        return _text_cell(sheet, value)
    written = WriteOnlyCell(sheet, value=value)
    if column.kind in _NUMBER_FORMATS:
        written.number_format = _NUMBER_FORMATS[column.kind]
    return written


def _text_cell(sheet: WriteOnlyWorksheet, text: str) -> WriteOnlyCell:
    """Return a cell that a spreadsheet never takes for a formula."""
    cell = WriteOnlyCell(sheet, value="".join(c for c in text if c >= " " or c in "\t\n"))
    cell.data_type = "s"
    return cell
