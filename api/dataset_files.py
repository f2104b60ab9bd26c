"""Writes the rows of open datasets as CSV (RFC 4180) or JSON Lines, part by part; it must not read a store.

Text is composed (NFC); a text cell that a spreadsheet would take as a formula gets an apostrophe in front, in CSV only.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.spreadsheet_text import BYTE_ORDER_MARK, escape_formula
from telemetry.core.open_data.catalogue import SUPPRESSED_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.queries.open_data.rows import CellValue, DatasetRow

DatasetFormat = Literal["csv", "jsonl"]
MEDIA_TYPES: dict[DatasetFormat, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl; charset=utf-8",
}
SUPPRESSION_REASON = "small_count"
"""Why a cell is left out, itself or as a complement: which of the two would tell too much."""


@dataclass(frozen=True, slots=True)
class DatasetWriter:
    """Writes one dataset in one format; `bom` puts a byte order mark before a CSV, for spreadsheets."""

    dataset: Dataset
    format: DatasetFormat
    bom: bool = False

    def head(self) -> bytes:
        """Return what comes before the rows: the line of column names of a CSV."""
        if self.format == "jsonl":
            return b""
        line = ",".join(self.dataset.names) + "\r\n"
        return ((BYTE_ORDER_MARK if self.bom else "") + line).encode()

    def body(self, rows: Iterable[DatasetRow]) -> bytes:
        """Return rows as lines."""
        return (self._csv(rows) if self.format == "csv" else self._json_lines(rows)).encode()

    def _csv(self, rows: Iterable[DatasetRow]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        for row in rows:
            cells = {**row.cells, SUPPRESSED_COLUMN: " ".join(row.suppressed)}
            writer.writerow([_csv_cell(cells.get(name)) for name in self.dataset.names])
        return text.getvalue()

    def _json_lines(self, rows: Iterable[DatasetRow]) -> str:
        lines = []
        for row in rows:
            record: dict[str, object] = {name: _json_cell(row.cells.get(name)) for name in self.dataset.names}
            if SUPPRESSED_COLUMN in record:
                record[SUPPRESSED_COLUMN] = dict.fromkeys(row.suppressed, SUPPRESSION_REASON)
            lines.append(json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
        return "".join(lines)


def _csv_cell(value: CellValue) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return escape_formula(unicodedata.normalize("NFC", value))
        case _:
            return _number(value)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(value, 6))


def _json_cell(value: CellValue) -> CellValue:
    if isinstance(value, float):
        return round(value, 6)
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
