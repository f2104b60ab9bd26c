"""Reads the sheet of an Excel workbook (.xlsx) as rows of text; the only module that may import openpyxl."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Self
from zipfile import BadZipFile

from edge_agent.mapping.cell_parsing import DateCell

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnreadableWorkbook(Exception):
    """A workbook that cannot be read: the problem and the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of a sheet: its number as Excel shows it, and its cells as text."""

    line: int
    cells: tuple[str, ...]


class WorkbookSheet:
    """One sheet, read row by row; formulas give the values that Excel last stored."""

    def __init__(self, path: str, sheet: str, decimal: str) -> None:
        """Open `sheet` (empty: the first); numbers are written with the sign `decimal`. Raises UnreadableWorkbook."""
        try:
            import openpyxl  # noqa: PLC0415 - the agent does not install it
            from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415
        except ImportError:
            remedy = 'pip install "motcua[server]", or save it as CSV UTF-8 in Excel'
            raise UnreadableWorkbook("is an Excel workbook, and openpyxl is not installed", remedy) from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # styles and extensions that carry no cell
                self._book: Any = openpyxl.load_workbook(path, read_only=True, data_only=True)
        except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
            raise UnreadableWorkbook(f"is no workbook ({error})", "save it again as .xlsx, or as CSV UTF-8") from None
        if sheet and sheet not in self._book.sheetnames:
            names = ", ".join(self._book.sheetnames)
            self._book.close()
            raise UnreadableWorkbook(f"has no sheet {sheet!r}", f"it has {names}; correct sheet in the mapping")
        self._sheet: Any = self._book[sheet] if sheet else self._book.worksheets[0]
        self._decimal = decimal

    def __enter__(self) -> Self:
        """Return the sheet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._book.close()

    @property
    def row_count(self) -> int:
        """Return how many rows the workbook claims; for progress only."""
        return int(self._sheet.max_row or 1)

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows that have a cell, in order."""
        for line, values in enumerate(self._sheet.iter_rows(values_only=True), 1):
            if any(value is not None for value in values):
                yield SheetRow(line, tuple(self._to_text(value) for value in values))

    def _to_text(self, value: object) -> str:
        if isinstance(value, date | time | timedelta):
            return _time_text(value)
        if isinstance(value, float):
            with suppress(OverflowError, ValueError):
                value = int(value) if value == int(value) else value
            return str(value).replace(".", self._decimal)
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value).strip()


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
