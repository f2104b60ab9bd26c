"""Reads delimited text as spreadsheets write it, for inventory and replay alike; it must not know what columns mean.

It finds out encoding and delimiter, and gives every row with its line in the file. What cannot be read is a
`DelimitedTextError` with line and remedy.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_CELL_CHARS = 1 << 24
"""Longest cell; a longer one is an open quotation mark."""
MAX_HEADER_LINES = 200
END_OF_FILE_SIGN = "\x1a"
"""What programs of DOS write after the last line."""
MAX_TITLE_LINES = 50
"""Most lines among which the column names are looked for: reports have a title above their table."""
_DELIMITER_CANDIDATES = "\t;,|"
_EMPTY_SIGNS = f" \r\n\ufeff{_DELIMITER_CANDIDATES}"
_CELL_ENDS = re.compile(f'[{_DELIMITER_CANDIDATES}"]')
_QUOTED = re.compile(r'"[^"]*"')
_SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?[;,\t|]*\s*', re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_FORMULA_TEXT = re.compile(r'="(.*)"', re.DOTALL)
_OTHER_SPACE = re.compile(r"[^\S \t\r\n]")
ENCODING_REMEDY = (
    "save it as CSV UTF-8 (texts in TCVN3 or VNI must be converted to Unicode first, for example with UniKey's toolkit)"
)


class DelimitedTextError(Exception):
    """A text that cannot be read: its line, the problem and the remedy."""

    def __init__(self, line: int, field: str, problem: str, remedy: str) -> None:
        self.line, self.field, self.problem, self.remedy = line, field, problem, remedy
        super().__init__(f"line {line}: {field}: {problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class DelimitedRow:
    """One row: the line on which it begins, its cells, and whether the file ends in the middle of it."""

    line: int
    cells: list[str]
    is_cut: bool = False

    def fit(self, width: int) -> list[str]:
        """Return the cells without empty ones beyond `width`, as a header without a name has them."""
        end = len(self.cells)
        while end > width and not self.cells[end - 1]:
            end -= 1
        return self.cells[:end]


def normalize_text(text: str) -> str:
    """Return the text trimmed and in Unicode's composed form (NFC), as every text from outside is compared.

    Exports of macOS decompose Vietnamese letters, and web pages write no-break spaces and signs that nobody sees:
    every space is a plain one, and invisible signs are left out. Full-width letters and digits stay what they are.
    """
    text = text.strip()
    if text.isascii():
        return text
    return _OTHER_SPACE.sub(" ", unicodedata.normalize("NFC", _INVISIBLE.sub("", text))).strip()


def normalize_cell(text: str) -> str:
    """Return the cell's text, normalised; `="0123"`, by which exports hold Excel from reading a number, is 0123."""
    if text.isascii() and not text.startswith('="'):
        return text.strip()
    if text.startswith('="') and (match := _FORMULA_TEXT.fullmatch(text.strip())):
        text = match[1]
    return normalize_text(text)


def normalize_name(text: str) -> str:
    """Return a column's name: like a cell's text, with line breaks and repeated spaces as one space."""
    return " ".join(normalize_cell(text).split())


def detect_encoding(head: bytes) -> str | None:
    """Return the encoding that a file's first bytes show: a byte order mark, or UTF-16 without one; else None."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    sample = head[: len(head) // 2 * 2]
    nul_even, nul_odd = sample[::2].count(0), sample[1::2].count(0)
    pairs = len(sample) // 2
    if pairs >= 2 and nul_odd * 4 > pairs and nul_even * 8 < nul_odd:
        return "utf-16-le"
    if pairs >= 2 and nul_even * 4 > pairs and nul_odd * 8 < nul_even:
        return "utf-16-be"
    return None


def decode_text(raw: bytes) -> str:
    """Return the text of a file in UTF-8 or UTF-16, without its mark. Raises DelimitedTextError."""
    encoding = detect_encoding(raw[:4096]) or "utf-8"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line, shown = count_lines(raw[: error.start]), f"byte 0x{raw[error.start]:02x}"
        name = encoding.removesuffix("-sig").upper()
        raise DelimitedTextError(line, "encoding", f"{shown} is not {name}", ENCODING_REMEDY) from None


def count_lines(before: bytes) -> int:
    """Return the number of the line that follows these bytes; lines end as Windows, Unix or old Macs end them."""
    return len(re.findall(rb"\r\n|\r|\n", before)) + 1


def read_delimited(
    lines: Iterable[str], delimiter: str = "auto", width: int = 0, names: Sequence[str] = ()
) -> Iterator[DelimitedRow]:
    """Yield the rows of lines that retain their ends; `width` is the number of cells where no header says it.

    Left out are a `sep=` line, rows without any text, and comments: rows whose only text begins with `#`; and, where
    one of the first lines has all `names` of columns, the title above it.  Raises DelimitedTextError.
    """
    title, source = _split_title(lines, [normalize_name(name) for name in names])
    sample, line = _read_first_row(source)
    if sample and (match := _SEP_LINE.fullmatch(sample[0])):
        delimiter = match[1]
        sample, more = _read_first_row(chain(sample[1:], source))
        line += more
    if delimiter == "auto":
        delimiter = _choose_delimiter("".join(sample), width)
    yield from _split_rows(_LineSource(chain(sample, source)), delimiter, title + line - len(sample))


def _split_title(lines: Iterable[str], names: Sequence[str]) -> tuple[int, Iterator[str]]:
    """Return how many lines are a title above the column names, and the other lines; 0 where no line has all names."""
    source, head = iter(lines), list[str]()
    for text in islice(source, MAX_TITLE_LINES if names else 0):
        head.append(text)
        if {normalize_name(cell) for cell in _CELL_ENDS.split(text)}.issuperset(names):
            first = 1 if _SEP_LINE.fullmatch(head[0]) else 0  # it stays, as it says the delimiter
            title = max(len(head) - 1 - first, 0)
            return title, chain(head[:first], head[first + title :], source)
    return 0, chain(head, source)


def _read_first_row(source: Iterator[str]) -> tuple[list[str], int]:
    """Return the lines of the first row that has text, and how many lines were read."""
    count, sample = 0, list[str]()
    for text in source:
        count += 1
        if not sample and (not text.strip(_EMPTY_SIGNS) or _is_remark(text)):
            continue
        sample.append(text)
        if "".join(sample).count('"') % 2 == 0 or len(sample) >= MAX_HEADER_LINES:
            break
    return sample, count


def _is_remark(text: str) -> bool:
    """Return whether the line is a comment above the column names, of which the first may be called `#`."""
    return text.startswith("#") and not any(sign in text for sign in _DELIMITER_CANDIDATES)


def _choose_delimiter(first_row: str, width: int) -> str:
    outside_quotes = _QUOTED.sub("", first_row)
    counts = {sign: outside_quotes.count(sign) for sign in _DELIMITER_CANDIDATES}
    if width > 1:
        fitting = [sign for sign, count in counts.items() if 0 < count < width]
        counts = {sign: counts[sign] for sign in fitting} or counts
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else ","


class _LineSource:
    """Yields lines and remembers whether the last one ended."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self.has_ended = lines, True

    def __iter__(self) -> Iterator[str]:
        for text in self._lines:
            if text.strip(END_OF_FILE_SIGN):
                self.has_ended = text.endswith(("\n", "\r"))
                yield text


def _split_rows(source: _LineSource, delimiter: str, lines_above: int) -> Iterator[DelimitedRow]:
    usual_limit = csv.field_size_limit(MAX_CELL_CHARS)  # of the whole process: others rely on it
    reader = csv.reader(iter(source), delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    line, width = lines_above + 1, 0
    try:
        for cells in reader:
            texts = [normalize_cell(cell) for cell in cells]
            if "\0" in "".join(texts):
                remedy = "the file is damaged or no text: export it again"
                raise DelimitedTextError(line, "row", "has NUL bytes", remedy)
            if any(texts) and not (width > 1 and texts[0].startswith("#") and not any(texts[1:])):
                width = width or len(texts)
                yield DelimitedRow(line, texts, not source.has_ended)
            line = lines_above + reader.line_num + 1
    except csv.Error as error:
        problem = f"cannot be split ({error})"
        if "unexpected end" in str(error) or "field larger" in str(error):
            problem = "has a quotation mark that is not closed"
        raise DelimitedTextError(line, "row", problem, "correct the quotation marks of this row") from None
    finally:
        csv.field_size_limit(usual_limit)
