"""Parses cells of an imported file: numbers, times of day, instants, ids; it must not depend on mappings.

Every parser reports the cell that it cannot read, with a remedy.
"""

from __future__ import annotations

import math
import re
import unicodedata
from base64 import b32encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from edge_agent.mapping.clock_forms import (
    CLOCK_UNITS,
    DAY_S,
    UNIT_MS,
    clock_duration_ms,
    seconds_of_day,
    to_english_half_days,
    worded_duration_ms,
)
from telemetry.core.calendar.windows import local_ms, to_local, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CellValue = str | int | float | bool | tuple[str, ...] | None
RowCells = Mapping[str, str]
"""One row of the file: column -> trimmed text."""
MAX_TIME_CHARS = 100
_CLOCKS_CHANGE_AT_MS = 1_800_000
_EMPTY_CELL_REMEDY = "fill the cell, or write optional = true for this field in the mapping"
_EMPTY_SHEET_CELL_HINT = (
    "; merged cells have their text in the first one only, and a formula has no value until Excel has saved the file"
)
_NUMBER_REMEDY = (
    'write it with the decimal sign of the mapping: decimal = "," reads 1.234,5, decimal = "." reads 1,234.5; '
    "1,234 and 1.234 alone could be either"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_THOUSANDS = {
    ".": re.compile(r"[+-]?[0-9]{1,3}(?:(?:[\s'’][0-9]{3})+|(?:,[0-9]{3}){2,}|,[0-9]{3}(?=\.))(?:\.[0-9]+)?"),
    ",": re.compile(r"[+-]?[0-9]{1,3}(?:[.\s'’][0-9]{3})+(?:,[0-9]+)?"),
}
"""Numbers with signs between their thousands, by decimal sign, where they have one meaning."""
_OFFSET_AFTER_SPACE = re.compile(r"\s+([+-][0-9]{2}:?[0-9]{2}|Z)$")
_MIDNIGHT = re.compile(r"[ T](?:0{1,2}:00(?::00(?:\.0+)?)?|12:00(?::00)? ?(?:AM|SA))$", re.IGNORECASE)
_EXCEL_DAY_0 = date(1899, 12, 30)
_FIRST_MS, _END_MS = 31_536_000_000, 4_102_444_800_000
"""A time of a log lies from 1971 up to 2100: outside it is in another unit or calendar."""
_TIME_REMEDY = (
    "correct the cell or its format in the mapping: unix_s, unix_ms and unix_us differ by a thousand, "
    "a Buddhist year is 543 more"
)
MAX_DURATION_MS = 400 * DAY_S * 1_000
"""No wait or service is longer; above it a cell is not in the unit that the mapping names."""


class CellError(Exception):
    """A cell that an expression cannot read, with the remedy; `kind` is the problem without the cell's `text`."""

    def __init__(self, column: str, problem: str, remedy: str, text: str | None = None) -> None:
        self.column, self.kind, self.remedy, self.text = column, problem, remedy, text
        self.problem = problem if text is None else f"{quote_excerpt(text)} {problem}"
        super().__init__(f"{column}: {self.problem}; {remedy}")


class DateCell(str):
    """The text of a cell that a workbook stores as a date: by the mapping's pattern, else ISO."""

    __slots__ = ()


class EmptySheetCell(str):
    """A cell in which a workbook stores no value, whatever Excel shows."""

    __slots__ = ()


class MissingCell(str):
    """An empty cell that the row does not have; `problem` says so where the cell is needed."""

    __slots__ = ("problem",)

    problem: str

    def __new__(cls, problem: str) -> Self:
        """Return an empty text that carries the problem."""
        cell = super().__new__(cls)
        cell.problem = problem
        return cell


def required_cell(row: RowCells, column: str) -> str:
    """Return the cell's text; an empty one is an error."""
    text = row[column]
    if not text:  # a missing cell is an empty text too
        refuse_missing_cell(row, column)
        hint = _EMPTY_SHEET_CELL_HINT if isinstance(text, EmptySheetCell) else ""
        raise CellError(column, "is empty", _EMPTY_CELL_REMEDY + hint)
    return text


def refuse_missing_cell(row: RowCells, column: str) -> None:
    """Raise CellError when the row ends before this column."""
    text = row[column]
    if isinstance(text, MissingCell):
        raise CellError("row", text.problem, f"{column} is missing: {_EMPTY_CELL_REMEDY}")


def parse_number(row: RowCells, column: str, decimal: str = ".") -> float:
    """Return the cell as a finite number, written with this decimal sign."""
    text = required_cell(row, column)
    try:
        return parse_finite(to_decimal_point(text, decimal))
    except ValueError:
        raise CellError(column, "is no number", _NUMBER_REMEDY, text) from None


def to_decimal_point(text: str, decimal: str) -> str:
    """Return a number's text with a decimal point and without signs between thousands, or as it is."""
    if text.isascii() and text.isdigit():
        return text
    text = text.removeprefix("'").replace("\u2212", "-")
    if _THOUSANDS[decimal].fullmatch(text):
        text = re.sub(r"[,.\s'’]", lambda match: match[0] if match[0] == decimal else "", text)
    elif decimal == "," and "." in text:
        return f"{text} "  # 1.5 is no number with a decimal comma
    return text.replace(decimal, ".")


def parse_duration_ms(row: RowCells, column: str, unit: str, decimal: str = ".") -> int:
    """Return a duration in ms: a number of `unit`, a clock such as h:mm:ss, or one with units: 1h05."""
    text = required_cell(row, column)
    duration_ms = _written_duration_ms(text, unit)
    if duration_ms is None:
        if unit in CLOCK_UNITS:
            raise CellError(column, f"is no duration {unit}", "correct the cell, or the unit in the mapping", text)
        value = parse_number(row, column, decimal) * UNIT_MS[unit]
        duration_ms = round(value) if abs(value) <= MAX_DURATION_MS else MAX_DURATION_MS + 1
    if abs(duration_ms) > MAX_DURATION_MS:
        raise CellError(
            column, f"is longer than 400 days in {unit}", "correct the cell, or the unit in the mapping", text
        )
    return duration_ms


@lru_cache(maxsize=4096)
def _written_duration_ms(text: str, unit: str) -> int | None:
    """Return a clock's ms, or those of a duration with units; None when the text is neither."""
    clock_ms = clock_duration_ms(text, unit) if unit in CLOCK_UNITS else None
    return worded_duration_ms(text) if clock_ms is None else clock_ms


def parse_time_of_day(row: RowCells, column: str, form: str = "auto") -> float:
    """Return a time-of-day cell as seconds after midnight; 24:00 is the next midnight."""
    text = required_cell(row, column)
    plain = (text[11:] or "0:00") if isinstance(text, DateCell) else text.removeprefix("'")
    seconds = seconds_of_day(plain, "auto" if isinstance(text, DateCell) or ":" in plain else form)
    if seconds is None:
        remedy = "correct it, skip such rows, or set time_format in the mapping when its form could mean two times"
        raise CellError(column, "is no time of day h:mm:ss", remedy, text)
    return seconds


def slugify(text: str) -> str:
    """Return the text as an id: lower case, no diacritics, `-` for all else."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63]


@lru_cache(maxsize=1024)
def parse_date(text: str, pattern: str) -> date:
    """Return a text's calendar date; a midnight after it, as spreadsheets add, is left out. Raises ValueError."""
    if pattern == "excel":
        return _EXCEL_DAY_0 + timedelta(days=int(parse_finite(text.replace(",", "."))))
    text = text.removeprefix("'")
    try:
        return datetime.strptime(text[:MAX_TIME_CHARS], pattern).date()  # noqa: DTZ007
    except ValueError:
        return datetime.strptime(_MIDNIGHT.sub("", text[:MAX_TIME_CHARS]), pattern).date()  # noqa: DTZ007


@dataclass(slots=True)
class ClockChanges:
    """What the local times of one row have of a change of clocks.

    `repeated` has the times that are read as the first of two, Unix ms, with what the second is later, ms.
    """

    repeated: dict[int, int] = field(default_factory=dict)
    has_skipped: bool = False

    def add(self, local_ms_read: int, value_ms: int, zone: ZoneInfo) -> None:
        """Note the time of a local clock; `value_ms` is the time with its durations added."""
        if later_ms := repeated_hour_ms(local_ms_read // _CLOCKS_CHANGE_AT_MS, zone):
            self.repeated[value_ms] = later_ms


@lru_cache(maxsize=1024)
def repeated_hour_ms(half_hour: int, zone: ZoneInfo) -> int:
    """Return by how much later the local times of a half hour (Unix ms ÷ 1 800 000) come again, ms; 0: never."""
    local = to_local(half_hour * _CLOCKS_CHANGE_AT_MS, zone)
    return 0 if local.fold else max(to_ms(local.replace(fold=1)) - to_ms(local), 0)


@lru_cache(maxsize=1024)
def has_clock_change(day: date, zone: ZoneInfo) -> bool:
    """Return whether the zone's clocks change on this day or a neighbouring one: only there can a time be skipped."""
    start = datetime.combine(day, time())
    walls = [start + timedelta(hours=hours) for hours in range(-36, 61, 6)]
    return len({wall.replace(tzinfo=zone).utcoffset() for wall in walls}) > 1


def is_skipped(wall: datetime, zone: ZoneInfo) -> bool:
    """Return whether clocks never show this local time: they are put forward over it."""
    return to_local(to_ms(wall.replace(tzinfo=zone)), zone).replace(tzinfo=None) != wall


@lru_cache(maxsize=1024)
def local_time_ms(day: date, seconds_of_day: float, zone: ZoneInfo) -> int:
    """Return the local time `seconds_of_day` after the start of `day`, Unix ms; it may be on a neighbouring day."""
    days, rest_ms = divmod(round(seconds_of_day * 1000), DAY_S * 1000)
    seconds, ms = divmod(rest_ms, 1000)
    wall = time(seconds // 3600, seconds // 60 % 60, seconds % 60, ms * 1000)
    return local_ms(day + timedelta(days=days), wall, zone)


@lru_cache(maxsize=1024)
def base32_digest(text: str) -> str:
    """Return 26 random-looking lower-case base32 characters, the same for the same text."""
    return b32encode(blake2b(text.encode(), digest_size=20).digest()).decode().lower()[:26]


def as_tuple(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one or several columns as a tuple."""
    return (columns,) if isinstance(columns, str) else columns


def quote_excerpt(text: str) -> str:
    """Return the text as quoted in a fault, shortened to 40 characters."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def parse_finite(text: str) -> float:
    """Return the text as a finite number."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def parse_whole(text: str) -> int:
    """Return the text as a whole number. Raises ValueError."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def check_time_ms(column: str, text: str, time_ms: int) -> int:
    """Return the time of a cell; raises CellError when no log is of that time: unit or calendar are others."""
    if not _FIRST_MS <= time_ms < _END_MS:
        raise CellError(column, "is no time from 1971 to 2099", _TIME_REMEDY, text)
    return time_ms


def to_unix_ms(when: datetime, zone: ZoneInfo) -> int:
    """Return the time as Unix ms; a naive one is in `zone`."""
    return to_ms(when if when.tzinfo else when.replace(tzinfo=zone))


def parse_pattern(text: str, pattern: str) -> datetime:
    """Return the time of a text in a strptime pattern; the half days may be named SA and CH. Raises ValueError."""
    text = text.removeprefix("'")
    if "%p" in pattern:
        text = to_english_half_days(text)
    return datetime.strptime(text[:MAX_TIME_CHARS], pattern)  # noqa: DTZ007


def parse_iso(text: str) -> datetime:
    """Return the time of an ISO text, without a zone when it has no offset. Raises ValueError."""
    return datetime.fromisoformat(_OFFSET_AFTER_SPACE.sub(r"\1", text))


def _read_excel(text: str, zone: ZoneInfo) -> int:
    """Return the time of a spreadsheet's serial day, to the second that it shows."""
    days = parse_finite(text.replace(",", "."))
    return local_time_ms(_EXCEL_DAY_0 + timedelta(days=int(days)), round(days % 1 * DAY_S), zone)


def find_pattern_problem(pattern: str, *, has_time: bool) -> str | None:
    """Return why a strptime pattern cannot read a time (or a date, without `has_time`); None when it can."""
    try:
        datetime.strptime("", pattern)  # noqa: DTZ007
    except re.error:
        return "has a part twice"
    except ValueError as error:
        if "does not match" not in str(error):
            return f"cannot be used ({error})"
    parts = set(re.findall("%(.)", pattern.replace("%%", "")))
    if parts & set("cxXZ"):
        return "has %c, %x, %X or %Z, which mean another time on another machine: write its parts, and %z for an offset"
    if not has_time and parts & set("HIMSfpz"):
        return "has a time; that is another column"
    if ("I" in parts) != ("p" in parts):
        return "has %I without %p or %p without %I: a clock of 12 hours needs both"
    is_date = parts & set("yY") and ("j" in parts or ("d" in parts and parts & set("mbB")))
    return None if is_date or {"G", "V"} <= parts else "has no whole date: year, month and day"


def is_iso_time(text: str) -> bool:
    """Return whether the text is an ISO date, with or without a time."""
    return re.match(r"\d{4}-\d\d-\d\d", text) is not None


def is_shortened_number(text: str) -> bool:
    """Return whether a spreadsheet has written a long number with an exponent, and so lost its last digits."""
    return re.fullmatch(r"[0-9][.,][0-9]+E\+[0-9]{2}", text) is not None


def has_time_format(text_format: str) -> bool:
    """Return whether a column's format is a time."""
    return text_format in {"iso", "excel", "unix_s", "unix_ms", "unix_us"} or "%" in text_format


FORMAT_READERS: dict[str, Callable[[str, ZoneInfo], CellValue]] = {
    "text": lambda text, _: text,
    "id": lambda text, _: slugify(text),
    "int": lambda text, _: parse_whole(text),
    "number": lambda text, _: parse_finite(text),
    "iso": lambda text, zone: to_unix_ms(parse_iso(text), zone),
    "excel": _read_excel,
    "unix_s": lambda text, _: round(parse_finite(text) * 1000),
    "unix_ms": lambda text, _: round(parse_finite(text)),
    "unix_us": lambda text, _: round(parse_finite(text) / 1000),
}
