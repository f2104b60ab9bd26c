"""Reads the rows of an export: delimited text, JSON lines or a workbook; it must not know what columns mean.

What cannot be read is reported with its line; nothing is raised.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TextIO, cast

import msgspec

from edge_agent.mapping.cell_parsing import DateCell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.mapping.cell_parsing import RowCells
    from edge_agent.mapping.document import ReplayMapping

_DELIMITER_CANDIDATES = "\t;,|"
_QUOTED = re.compile(r'"[^"]*"')
MAX_CELL_CHARS = 1 << 24
"""Longest cell of a delimited file; a longer one is an open quotation mark."""
PROGRESS_EVERY_ROWS = 500
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORKBOOK_MARK, _OLD_WORKBOOK_MARK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


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
            self.report(1, "file", "is a workbook of Excel before 2007", "save it as .xlsx, or as CSV UTF-8")
        else:
            yield from self._text_rows(head)

    def _text_rows(self, head: bytes) -> Iterator[TableRow]:
        encoding = "utf-8-sig" if self.mapping.encoding == "utf-8" else self.mapping.encoding
        encoding = "utf-16" if head.startswith(_UTF16_MARKS) else encoding
        size = max(Path(self.path).stat().st_size, 1)
        try:
            with Path(self.path).open(encoding=encoding, newline="") as stream:
                is_json = head.decode(encoding, "ignore").lstrip().startswith(("{", "[{", "[\n", "[\r"))
                for number, row in enumerate(self._json_rows(stream) if is_json else self._delimited_rows(stream), 1):
                    if number % PROGRESS_EVERY_ROWS == 0:
                        self.on_progress(min(cast("BinaryIO", stream.buffer).tell() / size, 1.0))
                    yield row
        except UnicodeError:
            remedy = "save the export as UTF-8, or set encoding in the mapping"
            problem = f"is not {encoding.removesuffix('-sig')}"
            self.report(_first_undecodable_line(self.path, encoding), "encoding", problem, remedy)

    def _delimited_rows(self, stream: TextIO) -> Iterator[TableRow]:
        first, line = stream.readline(), 1
        delimiter = self.mapping.delimiter
        if match := re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE):  # as Excel writes and reads it
            delimiter, first, line = match[1], stream.readline(), 2
        if delimiter == "auto":
            delimiter = max(_DELIMITER_CANDIDATES, key=_QUOTED.sub("", first).count)
        reader, lines_above = csv.reader(chain([first], stream), delimiter=delimiter, strict=True), line - 1
        usual_limit = csv.field_size_limit(MAX_CELL_CHARS)  # of the whole process: others rely on it
        try:
            header = [normalize_text(name) for name in next(reader, [])]
            if not self._is_header_valid(header, line):
                return
            line = reader.line_num + lines_above + 1
            for cells in reader:
                if len(cells) == len(header):
                    yield TableRow(line, dict(zip(header, map(normalize_text, cells), strict=True)))
                elif cells:
                    kind = f"the row has {len(cells)} cells, the header has {len(header)}"
                    self.report(line, "row", kind, "correct the row, or set delimiter in the mapping")
                line = reader.line_num + lines_above + 1
        except csv.Error as error:
            self.report(line, "row", f"cannot be split ({error})", "correct the quotation marks of this row")
        finally:
            csv.field_size_limit(usual_limit)

    def _json_rows(self, stream: TextIO) -> Iterator[TableRow]:
        missing = dict.fromkeys(self.mapping.columns)
        blank = dict.fromkeys(self.mapping.columns, "")
        for line, text in enumerate(stream, 1):
            if not text.strip():
                continue
            try:
                value = msgspec.json.decode(text.removeprefix("\ufeff"))
            except (msgspec.DecodeError, RecursionError):
                value = None
            if not isinstance(value, dict):
                self.report(line, "row", "is no JSON object", "write one object in each line (jq -c '.[]' list.json)")
                continue
            cells = flatten_object(value)
            for column in cells.keys() & missing.keys():
                del missing[column]
            yield TableRow(line, blank | cells)
        for column in missing:
            self.report(1, column, "is in no object of this file", f"correct {self.mapping.file}")

    def _workbook_rows(self) -> Iterator[TableRow]:
        from edge_agent.mapping.workbook import UnreadableWorkbook, WorkbookSheet  # noqa: PLC0415 - an extra's library

        try:
            with WorkbookSheet(self.path, self.mapping.sheet, self.mapping.decimal) as sheet:
                rows = iter(sheet.rows())
                first = next(rows, None)
                header = [normalize_text(cell) for cell in first.cells] if first else []
                while header and not header[-1]:
                    header.pop()
                if not self._is_header_valid(header, first.line if first else 1):
                    return
                patterns = dict(self.mapping.date_patterns)
                for number, row in enumerate(rows, 1):
                    if number % PROGRESS_EVERY_ROWS == 0:
                        self.on_progress(min(row.line / sheet.row_count, 1.0))
                    texts = (*row.cells, *[""] * (len(header) - len(row.cells)))
                    cells = dict(zip(header, texts, strict=False))
                    for column, pattern in patterns.items():
                        if isinstance(text := cells[column], DateCell):
                            cells[column] = _date_text(text, pattern)
                    yield TableRow(row.line, cells)
        except UnreadableWorkbook as error:
            self.report(1, "file", error.problem, error.remedy)

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


def normalize_text(text: str) -> str:
    """Return the text trimmed, in the composed Unicode form: exports of macOS decompose Vietnamese letters."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def flatten_object(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a JSON object as cells: `{"ticket": {"no": 7}}` has the column `ticket.no`; null is an empty cell."""
    cells: dict[str, str] = {}
    for key, part in value.items():
        if isinstance(part, dict):
            cells |= flatten_object(part, f"{prefix}{key}.")
        elif isinstance(part, bool):
            cells[normalize_text(prefix + key)] = str(part).lower()
        else:
            cells[normalize_text(prefix + key)] = "" if part is None else normalize_text(str(part))
    return cells


def _first_undecodable_line(path: str, encoding: str) -> int:
    with Path(path).open("rb") as stream:
        for line, content in enumerate(stream, 1):
            try:
                content.decode(encoding)
            except UnicodeError:
                return line
    return 1
