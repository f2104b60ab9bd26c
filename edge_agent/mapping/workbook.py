"""Reads the sheet of an Excel workbook (.xlsx) as rows of text; the only module that may import openpyxl."""

from __future__ import annotations

import os
import warnings
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from edge_agent.mapping.cell_parsing import DateCell, EmptySheetCell
from telemetry.delimited_text import normalize_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ROWS = 1_048_576
"""Most rows of a sheet of Excel."""
MAX_UNPACKED_BYTES, MAX_COMPRESSION = 64_000_000, 200
"""A workbook that unpacks to more bytes than these and than this many times its size is none: sheets pack 10:1."""
_DAYS_TO_1904 = 1462
_SAVE_AGAIN = "open it in Excel or LibreOffice and save it again as .xlsx, or as CSV UTF-8"
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    ArithmeticError, RecursionError, NotImplementedError, RuntimeError, SyntaxError,
)  # fmt: skip
"""What openpyxl and the standard library raise for a damaged workbook; a fault of XML is a SyntaxError."""


class UnreadableWorkbook(Exception):
    """A workbook that cannot be read: the row from which on, the problem and the remedy."""

    def __init__(self, problem: str, remedy: str, line: int = 1) -> None:
        self.problem, self.remedy, self.line = problem, remedy, line
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of a sheet: its number as Excel shows it, and its cells as text."""

    line: int
    cells: tuple[str, ...]


class WorkbookSheet:
    """One sheet, read row by row; formulas give the values that Excel last stored."""

    def __init__(self, path: str, sheet: str, decimal: str) -> None:
        """Open `sheet` (empty: the first that is not hidden); numbers are written with the sign `decimal`.

        Raises UnreadableWorkbook, OSError.
        """
        try:
            import openpyxl  # noqa: PLC0415 - the agent does not install it
        except ImportError:
            remedy = 'pip install "motcua[server]", or save it as CSV UTF-8 in Excel'
            raise UnreadableWorkbook("is an Excel workbook, and openpyxl is not installed", remedy) from None
        self._decimal = decimal
        self._file = Path(path).open("rb")  # noqa: SIM115 - by its content: exports have every suffix
        try:
            _refuse_bomb(self._file)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # styles and extensions that carry no cell
                self._book: Any = openpyxl.load_workbook(self._file, read_only=True, data_only=True)
            self._sheet: Any = self._choose_sheet(sheet)
        except UnreadableWorkbook:
            self._file.close()
            raise
        except _UNREADABLE as error:
            self._file.close()
            raise UnreadableWorkbook(f"is no workbook ({error})", _SAVE_AGAIN) from None
        self.row_count = min(int(self._sheet.max_row or 1), MAX_ROWS)
        """How many rows the workbook claims; for progress only."""
        self.serial_offset_days = _DAYS_TO_1904 if self._book.epoch.year == 1904 else 0
        """Days between this workbook's day 0 and that of 1900."""
        self._sheet.reset_dimensions()  # programs write wrong ones: rows and columns would be cut off

    def _choose_sheet(self, name: str) -> Any:  # noqa: ANN401 - a sheet of openpyxl
        tables = [sheet for sheet in self._book.worksheets if hasattr(sheet, "reset_dimensions")]
        visible = [sheet for sheet in tables if sheet.sheet_state == "visible"] or tables
        chosen = next((sheet for sheet in tables if sheet.title == name), None) if name else next(iter(visible), None)
        if chosen is None:
            names = ", ".join(sheet.title for sheet in tables)
            problem = f"the sheet {name!r} is no table" if name in self._book.sheetnames else f"has no sheet {name!r}"
            raise UnreadableWorkbook(problem, f"it has {names}; correct sheet in the mapping")
        return chosen

    def __enter__(self) -> Self:
        """Return the sheet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._book.close()
        self._file.close()

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows that have a text, in order. Raises UnreadableWorkbook."""
        line = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a date outside all calendars: its cell is #VALUE!
                for line, values in enumerate(self._sheet.iter_rows(values_only=True), 1):
                    if line > MAX_ROWS:
                        raise UnreadableWorkbook(f"has more than {MAX_ROWS} rows: it is damaged", _SAVE_AGAIN, line)
                    cells = self._to_cells(values)
                    if any(cells):
                        yield SheetRow(line, cells)
        except _UNREADABLE as error:
            raise UnreadableWorkbook(f"is damaged after this row ({error})", _SAVE_AGAIN, line) from None

    def _to_cells(self, values: tuple[object, ...]) -> tuple[str, ...]:
        """Return the row's texts up to its last value."""
        end = len(values)
        while end and values[end - 1] is None:
            end -= 1
        return tuple(self._to_text(value) for value in values[:end])

    def _to_text(self, value: object) -> str:
        if isinstance(value, date | time | timedelta):
            return _time_text(value)
        if isinstance(value, float):
            with suppress(OverflowError, ValueError):
                value = int(value) if value == int(value) else value
            return str(value).replace(".", self._decimal)
        if isinstance(value, bool):
            return str(value).lower()
        return EmptySheetCell() if value is None else normalize_cell(str(value))


def _refuse_bomb(file: BinaryIO) -> None:
    """Refuse what unpacks to far more than sheets do. Raises UnreadableWorkbook, and what a damaged archive raises."""
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if unpacked > max(MAX_UNPACKED_BYTES, MAX_COMPRESSION * size):
        problem = f"unpacks to {unpacked // 1_000_000} MB, more than {MAX_COMPRESSION} times its size"
        raise UnreadableWorkbook(problem, _SAVE_AGAIN)


def _time_text(value: date | time | timedelta) -> str:
    match value:
        case datetime():
            return DateCell(_to_whole_ms(value).isoformat(" ", "auto").removesuffix(" 00:00:00"))
        case date():
            return DateCell(value.isoformat())
        case time():
            return _to_whole_ms(datetime.combine(date(2000, 1, 1), value)).time().isoformat("auto")
        case timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _to_whole_ms(when: datetime) -> datetime:
    """Round to ms: Excel stores times as fractions of a day."""
    shifted = when + timedelta(microseconds=500)
    return shifted.replace(microsecond=shifted.microsecond // 1000 * 1000)
