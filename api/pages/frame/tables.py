"""The tables of pages as values: columns, rows, order and part shown; it must not read a store or know a page.

One value gives the HTML table (`tables.html`), its sort links and its files (`table_files.py`), so that what a reader
downloads is what the page shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from telemetry.core.text_matching import fold_accents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from api.pages.frame.language import PageLocale

ColumnKind = Literal["text", "count", "decimal", "ratio", "minutes", "time", "date", "state"]
"""`ratio` lies between 0 and 1, `minutes` are seconds shown as minutes, `time` is Unix milliseconds, `date` an ISO day,
`state` the code of a condition or state, shown with its symbol and word."""
CellValue = str | int | float | None
SORT, PART = "sort", "part"
"""Parameters of a page: `sort=TABLE.COLUMN` or `sort=-TABLE.COLUMN`; `part=TABLE.2`, the second part of the rows."""
_LEFT_KINDS = ("text", "state")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name for programs, its heading for readers, and what its values are.

    `prefix` is the beginning of the message keys that name a `state`.
    """

    key: str
    heading: str
    kind: ColumnKind = "text"
    prefix: str = "cond_"

    @property
    def is_number(self) -> bool:
        """Whether the column is aligned to the right."""
        return self.kind not in _LEFT_KINDS


@dataclass(frozen=True, slots=True)
class TableCell:
    """A value; `text` is what the page shows instead of its usual form, `note` a line below, `href` its explanation.

    Of a long table text and note may be functions, which are called for the rows that the page shows alone.
    `bar` is a share from 0 to 1, drawn before the text in the colour of the objective's state `tone`.
    """

    value: CellValue
    text: str | Callable[[], str] = ""
    href: str = ""
    note: str | Callable[[], str] = ""
    uncertain: bool = False
    bar: float | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class PageTableRow:
    """One row; its first cell is the row's heading. `id` is the anchor of the row in the page."""

    cells: tuple[TableCell, ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table of a page; `name` stands in its links, `part_size` is how many rows the page shows at once (0: all)."""

    name: str
    caption: str
    columns: tuple[TableColumn, ...]
    rows: tuple[PageTableRow, ...]
    part_size: int = 0
    part: int = 1
    sorted_by: str = ""
    path: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_rows(self) -> tuple[PageTableRow, ...]:
        """The rows of the part that the page shows."""
        if not self.part_size:
            return self.rows
        return self.rows[(self.part - 1) * self.part_size : self.part * self.part_size]

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return max(1, -(-len(self.rows) // self.part_size)) if self.part_size else 1

    def sort_href(self, column: TableColumn) -> str:
        """Return the link that sorts by a column; by the column that sorts already, the other way round."""
        ascending = f"{self.name}.{column.key}"
        return self._href({SORT: f"-{ascending}" if self.sorted_by == ascending else ascending})

    def aria_sort(self, column: TableColumn) -> str:
        """Return the value of `aria-sort` of a column's heading."""
        own = f"{self.name}.{column.key}"
        return {own: "ascending", f"-{own}": "descending"}.get(self.sorted_by, "none")

    def part_href(self, part: int) -> str:
        """Return the link to a part of the rows."""
        return self._href({PART: f"{self.name}.{part}"}, keep_sort=True)

    def file_href(self, file_format: str) -> str:
        """Return the link to the whole table as a file: `csv`, `csv-spreadsheet` or `xlsx`."""
        return self._href({"table": self.name, "format": file_format}, keep_sort=True).partition("#")[0]

    def _href(self, changed: Mapping[str, str], *, keep_sort: bool = False) -> str:
        dropped = {PART, "table", "format", "lang"} | (set() if keep_sort else {SORT})
        base = {name: value for name, value in self.parameters.items() if name not in dropped}
        return f"{self.path}?{urlencode({**base, **changed})}#table-{self.name}"


def arrange_table(table: PageTable, path: str, parameters: Mapping[str, str]) -> PageTable:
    """Return a table in the order and with the part that a page's parameters ask for; what they misname is ignored."""
    arranged = replace(table, path=path, parameters=dict(parameters))
    order = parameters.get(SORT, "")
    keys = {f"{table.name}.{column.key}": place for place, column in enumerate(table.columns)}
    place = keys.get(order.removeprefix("-"))
    if place is not None:
        rows = sort_rows(table.rows, place, descending=order.startswith("-"))
        arranged = replace(arranged, rows=rows, sorted_by=order)
    name, _, part = parameters.get(PART, "").rpartition(".")
    if name == table.name and part.isascii() and part.isdigit():
        arranged = replace(arranged, part=min(max(1, int(part[:6])), arranged.parts))
    return arranged


def sort_rows(rows: Sequence[PageTableRow], place: int, *, descending: bool = False) -> tuple[PageTableRow, ...]:
    """Return rows in order of one cell's value; those without a value come last either way."""
    present = [row for row in rows if row.cells[place].value is not None]
    absent = [row for row in rows if row.cells[place].value is None]
    present.sort(key=lambda row: _sort_key(row.cells[place].value), reverse=descending)
    return (*present, *absent)


def _sort_key(value: CellValue) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return (0, value, "")
    return (1, 0.0, f"{fold_accents(str(value))}\0{value}")


def format_cell(column: TableColumn, cell: TableCell, locale: PageLocale) -> str:
    """Return what the page shows in a cell; a dash without a value."""
    value = cell.value
    if cell.text:
        return cell.text if isinstance(cell.text, str) else cell.text()
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        return _format_text(column, value, locale)
    if column.kind == "time":
        return locale.date_and_time(int(value))
    if column.kind == "minutes":
        return locale.minutes(value)
    return _format_number(column, value, locale)


def _format_number(column: TableColumn, value: float, locale: PageLocale) -> str:
    if column.kind == "ratio":
        return locale.percent(value)
    return locale.number(value) if column.kind == "count" else locale.decimal(value)


def _format_text(column: TableColumn, value: str, locale: PageLocale) -> str:
    if column.kind == "date":
        return locale.plain_date(date.fromisoformat(value))
    return locale.t(f"{column.prefix}{value}") if column.kind == "state" else value
