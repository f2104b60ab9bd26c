"""The tables and stats of a rendered page as values, for tests that compare them; it must not know what they show."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit


@dataclass
class ShownCell:
    """What a cell shows: its value, and the note below it."""

    text: str = ""
    note: str = ""


@dataclass
class ShownColumn:
    """A column: its key in the page's table, else its heading; whether it is aligned as numbers are."""

    key: str
    is_number: bool


@dataclass
class ShownTable:
    """A table by its id, or by its caption when it has none."""

    ident: str = ""
    caption: str = ""
    columns: list[ShownColumn] = field(default_factory=list)
    rows: list[list[ShownCell]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the table's id without its prefix, else its caption."""
        return self.ident.removeprefix("table-") or self.caption

    def column(self, key: str) -> list[str]:
        """Return the values of a column, row by row."""
        place = [column.key for column in self.columns].index(key)
        return [row[place].text for row in self.rows if len(row) == len(self.columns)]


@dataclass
class ShownStat:
    """A big figure with its heading."""

    heading: str
    text: str


class PageFigures(HTMLParser):
    """Collects tables and stats; text of svg, of what is hidden and of the details in a cell is left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[ShownTable] = []
        self.stats: list[ShownStat] = []
        self._open: list[tuple[str, frozenset[str]]] = []
        self._heading = ""
        self._part = ""
        self._cell_depth = 0
        self.feed(html)
        for table in self.tables:
            _tidy(table)
        self.stats = [ShownStat(" ".join(s.heading.split()), " ".join(s.text.split())) for s in self.stats]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        found = {name: value or "" for name, value in attrs}
        classes = frozenset(found.get("class", "").split())
        if tag not in {"meta", "link", "input", "br", "img", "rect", "line", "path", "hr", "col"}:
            self._open.append((tag, classes))
        if tag == "table":
            self.tables.append(ShownTable(found.get("id", "")))
        elif tag in {"caption", "thead", "tbody"}:
            self._part = tag
        elif tag in {"tr", "th", "td"} and self._part:
            self._open_row_or_cell(tag, is_number="num" in classes)
        elif tag == "a" and "sort" in classes:
            (order,) = parse_qs(urlsplit(found["href"]).query)["sort"]
            self.tables[-1].columns[-1].key = f"\0{order.rpartition('.')[2]}"
        elif tag == "h2":
            self._heading = ""
        elif "big" in classes:
            self.stats.append(ShownStat(self._heading, ""))

    def _open_row_or_cell(self, tag: str, *, is_number: bool) -> None:
        table = self.tables[-1]
        if tag == "tr" and self._part == "tbody":
            table.rows.append([])
        elif tag != "tr":
            self._cell_depth = len(self._open)
            if self._part == "thead":
                table.columns.append(ShownColumn("", is_number))
            else:
                table.rows[-1].append(ShownCell())

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those within that were left open."""
        if tag in {"caption", "thead", "tbody", "table"}:
            self._part = ""
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        """Add text to what is open."""
        tags, classes = [tag for tag, _ in self._open], {name for _, own in self._open for name in own}
        if "svg" in tags or "script" in tags or ("hidden" in classes and "caption" not in tags):
            return
        if "h2" in tags:
            self._heading += data
        elif "big" in classes:
            self.stats[-1].text += data
        elif self._part:
            self._add_to_table(data, tags, classes)

    def _add_to_table(self, data: str, tags: list[str], classes: set[str]) -> None:
        table = self.tables[-1]
        if self._part == "caption":
            table.caption += data
        elif self._part == "thead" and table.columns and not table.columns[-1].key.startswith("\0"):
            table.columns[-1].key += data
        elif self._part == "tbody" and table.rows and table.rows[-1] and "details" not in tags[self._cell_depth :]:
            cell = table.rows[-1][-1]
            if "note" in classes:
                cell.note += data
            else:
                cell.text += data


def _tidy(table: ShownTable) -> None:
    table.caption = " ".join(table.caption.split())
    for column in table.columns:
        column.key = " ".join(column.key.removeprefix("\0").split())
    for cell in (cell for row in table.rows for cell in row):
        cell.text, cell.note = " ".join(cell.text.split()), " ".join(cell.note.split())
