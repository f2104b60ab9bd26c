"""Reads the rows of an export: delimited text, JSON lines or a workbook; it must not know what columns mean.

What cannot be read is reported with its line; nothing is raised.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TextIO, cast

from edge_agent.mapping.cell_parsing import DateCell, EmptySheetCell, MissingCell, parse_finite
from edge_agent.mapping.json_objects import flatten_object, read_json_lines, read_json_list
from telemetry.core.protocol.json_bytes import to_plain_utf8
from telemetry.delimited_text import (
    ENCODING_REMEDY,
    MAX_TITLE_LINES,
    DelimitedTextError,
    count_lines,
    detect_encoding,
    normalize_name,
    read_delimited,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge_agent.mapping.cell_parsing import RowCells
    from edge_agent.mapping.document import ReplayMapping
    from edge_agent.mapping.workbook import WorkbookSheet

ROW_REMEDY = "correct the row, put a text that has the delimiter into quotation marks, or set delimiter in the mapping"
PROGRESS_EVERY_ROWS = 500
_WORKBOOK_MARK, _OLD_WORKBOOK_MARK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PASSWORD_MARK = "EncryptedPackage".encode("utf-16-le")
_SAVE_AS = "open it in Excel or LibreOffice and save it as .xlsx, or as CSV UTF-8"


OnProgress = Callable[[float], object]
"""Called with the share of the file that was read, 0 to 1."""


def ignore_progress(share: float) -> None:
    """Do nothing with the progress."""


class RowFaultReporter(Protocol):
    """Records a fault of one kind at a line and column; `text` is the cell."""

    def __call__(self, line: int, column: str, kind: str, remedy: str, text: str | None = None) -> None:
        """Record it."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its line in the file (row of the sheet), and its cells by column."""

    line: int
    cells: RowCells


@dataclass(frozen=True, slots=True)
class TableReader:
    """Reads one file as its mapping says; `on_progress` gets the share of the file that was read, 0 to 1."""

    mapping: ReplayMapping
    path: str
    report: RowFaultReporter
    on_progress: OnProgress = ignore_progress

    def rows(self) -> Iterator[TableRow]:
        """Yield the rows below the header, in order."""
        with Path(self.path).open("rb") as stream:
            head = stream.read(4096)
        if head.startswith(_WORKBOOK_MARK):
            yield from self._workbook_rows()
        elif head.startswith(_OLD_WORKBOOK_MARK):
            self._refuse_old_workbook()
        elif head.startswith(b"%PDF-"):
            self.report(1, "file", "is a PDF, which has no cells", "export it as .xlsx, or as CSV UTF-8")
        elif to_plain_utf8(head).lstrip()[:1] == b"<":
            self.report(1, "file", "is a web page or XML, whatever its name says", _SAVE_AS)
        else:
            yield from self._text_rows(head)

    def _refuse_old_workbook(self) -> None:
        """Report the container that is a workbook before 2007, or today's one with a password."""
        if _PASSWORD_MARK in Path(self.path).read_bytes():
            self.report(
                1, "file", "is protected by a password", "open it in Excel, remove it and save the workbook again"
            )
        else:
            self.report(1, "file", "is a workbook of Excel before 2007", "save it as .xlsx, or as CSV UTF-8")

    def _text_rows(self, head: bytes) -> Iterator[TableRow]:
        encoding = detect_encoding(head) or _first_that_reads(self.path, self.mapping.encoding.split(","))
        size = max(Path(self.path).stat().st_size, 1)
        try:
            with Path(self.path).open(encoding=encoding, newline="") as stream:
                start = head.decode(encoding, "ignore").lstrip("\ufeff\0 \t\r\n")
                is_list = start.startswith("[") and start[1:].lstrip()[:1] in {"{", "]"}
                is_json = start.startswith("{") and not self.mapping.header
                read = self._list_rows if is_list else self._json_rows if is_json else self._delimited_rows
                for number, row in enumerate(read(stream), 1):
                    if number % PROGRESS_EVERY_ROWS == 0:
                        self.on_progress(min(cast("BinaryIO", stream.buffer).tell() / size, 1.0))
                    yield row
        except DelimitedTextError as error:
            self.report(error.line, error.field, error.problem, error.remedy)
        except UnicodeError:
            problem = f"is not {encoding.removesuffix('-sig')}"
            line = _first_undecodable_line(self.path, encoding)
            self.report(line, "encoding", problem, f"{ENCODING_REMEDY}, or set encoding in the mapping")

    def _delimited_rows(self, stream: TextIO) -> Iterator[TableRow]:
        declared = self._column_names(self.mapping.header)
        names = () if declared else self.mapping.columns
        rows = read_delimited(stream, self.mapping.delimiter, len(declared), names)
        header, line = declared, 1
        if not declared:
            first = next(rows, None)
            header, line = (self._column_names(first.cells), first.line) if first else ([], 1)
        if not self._is_header_valid(header, line):
            return
        width = len(header)
        for row in rows:
            cells = row.fit(width)
            missing = width - len(cells)
            if missing < 0 or (missing and row.is_cut):
                kind, remedy = f"the row has {len(cells)} cells, the header has {width}", ROW_REMEDY
                if missing > 0:
                    kind, remedy = f"{kind}: the file ends in the middle of it", "export it again, or remove the row"
                self.report(row.line, "row", kind, remedy)
                continue
            if missing:
                problem = f"the row has {len(cells)} cells, the header has {width}"
                cells += [MissingCell(problem)] * missing
            yield TableRow(row.line, dict(zip(header, cells, strict=True)))

    def _json_rows(self, stream: TextIO) -> Iterator[TableRow]:
        yield from self._object_rows(read_json_lines(stream, self.mapping.columns))

    def _list_rows(self, stream: TextIO) -> Iterator[TableRow]:
        """Yield the objects of a file that is one JSON list."""
        yield from self._object_rows(read_json_list(stream.read()))

    def _object_rows(self, objects: Iterable[tuple[int, object]]) -> Iterator[TableRow]:
        missing = dict.fromkeys(self.mapping.columns)
        blank = dict.fromkeys(self.mapping.columns, "")
        from_end = any(".-" in column for column in self.mapping.columns)
        for line, value in objects:
            if not isinstance(value, dict):
                self.report(line, "row", "is no JSON object", "write one object in each line, or one list of objects")
                continue
            try:
                cells = flatten_object(value, self.mapping.decimal, from_end=from_end)
            except (ValueError, RecursionError):
                self.report(line, "row", "is nested too deeply, or has a number without end", "correct this object")
                continue
            for column in cells.keys() & missing.keys():
                del missing[column]
            yield TableRow(line, blank | cells)
        for column in missing:
            self.report(1, column, "is in no object of this file", f"correct {self.mapping.file}")

    def _workbook_rows(self) -> Iterator[TableRow]:
        from edge_agent.mapping.workbook import UnreadableWorkbook, WorkbookSheet  # noqa: PLC0415 - an extra's library

        try:
            with WorkbookSheet(self.path, self.mapping.sheet, self.mapping.decimal) as sheet:
                yield from self._sheet_rows(sheet)
        except UnreadableWorkbook as error:
            self.report(error.line, "file", error.problem, error.remedy)

    def _sheet_rows(self, sheet: WorkbookSheet) -> Iterator[TableRow]:
        rows, patterns = sheet.rows(), self.mapping.date_patterns
        first = None
        if not self.mapping.header:
            head = list(islice(rows, MAX_TITLE_LINES))
            at = next((place for place, row in enumerate(head) if self._has_all_columns(row.cells)), 0)
            first, rows = (head[at] if head else None), chain(head[at + 1 :], rows)
        header = self._column_names(first.cells if first else self.mapping.header)
        if not self._is_header_valid(header, first.line if first else 1):
            return
        for number, row in enumerate(rows, 1):
            if number % PROGRESS_EVERY_ROWS == 0:
                self.on_progress(min(row.line / sheet.row_count, 1.0))
            texts = (*row.cells, *[EmptySheetCell()] * (len(header) - len(row.cells)))
            cells = dict(zip(header, texts, strict=False))
            for column, pattern in patterns:
                if isinstance(text := cells[column], DateCell):
                    cells[column] = _date_text(text, pattern)
            if sheet.serial_offset_days:
                cells |= self._shift_serials(cells, sheet.serial_offset_days)
            yield TableRow(row.line, cells)

    def _shift_serials(self, cells: RowCells, days: int) -> dict[str, str]:
        """Return the serial days of a workbook that counts from 1904 as those from 1900."""
        return {column: _shifted_serial(cells[column], days) for column in self.mapping.serial_columns}

    def _column_names(self, cells: Sequence[str]) -> list[str]:
        """Return the names in a header, as the mapping spells them; cells beyond the last name are no columns."""
        spelt = {normalize_name(column): column for column in self.mapping.columns}
        names = [normalize_name(cell) for cell in cells]
        while names and not names[-1]:
            names.pop()
        return [spelt.get(name, name) for name in names]

    def _has_all_columns(self, cells: Sequence[str]) -> bool:
        return set(self._column_names(cells)).issuperset(self.mapping.columns)

    def _is_header_valid(self, header: list[str], line: int) -> bool:
        if not any(header):
            self.report(line, "header", "the file does not begin with column names", "export it with its header line")
            return False
        faulty = [column for column in self.mapping.columns if header.count(column) != 1]
        for column in faulty:
            kind = "is no column of this file" if column not in header else "is twice in the header"
            self.report(line, column, kind, f"the header has {', '.join(header)}; correct it or {self.mapping.file}")
        return not faulty


def _date_text(cell: DateCell, pattern: str) -> DateCell:
    """Return a date as the text export of the same sheet has it, so that it identifies the same tickets."""
    when = datetime.fromisoformat(cell)
    text = when.strftime(pattern)
    try:
        is_whole = datetime.strptime(text, pattern) == when  # noqa: DTZ007
    except ValueError:
        is_whole = False
    return DateCell(text) if is_whole else cell


def _shifted_serial(text: str, days: int) -> str:
    try:
        return text if isinstance(text, DateCell) else str(parse_finite(text.replace(",", ".")) + days)
    except ValueError:
        return text


def _first_that_reads(path: str, encodings: Sequence[str]) -> str:
    """Return the first encoding in which the whole file is text; without any the last one, whose fault is reported."""
    return next((name for name in encodings[:-1] if _is_text(path, name)), encodings[-1])


def _is_text(path: str, encoding: str) -> bool:
    try:
        with Path(path).open(encoding=encoding) as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeError:
        return False
    return True


def _first_undecodable_line(path: str, encoding: str) -> int:
    """Return the line of the first byte that is no text in this encoding."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with Path(path).open("rb") as stream:
        for content in stream:
            try:
                text = decoder.decode(content)
            except UnicodeError as error:
                before = getattr(error, "object", b"")[: getattr(error, "start", 0)]
                return line + count_lines(before) - 1
            line += len(re.findall(r"\r\n|\r|\n", text))
    return line
