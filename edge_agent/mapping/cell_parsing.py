"""Parses cells of an imported file: numbers, times of day, instants, ids; it must not depend on mappings.

Every parser reports the cell that it cannot read, with a remedy.
"""

from __future__ import annotations

import math
import re
import unicodedata
from base64 import b32encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from telemetry.core.calendar.windows import local_ms, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CellValue = str | int | float | bool | None
RowCells = Mapping[str, str]
"""One row of the file: column -> trimmed text."""
DAY_S = 86_400
_TIME_OF_DAY = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?(?:\s*(AM|PM|A\.M\.|P\.M\.|SA|CH))?", re.IGNORECASE
)
_AFTERNOON = ("P", "C")
_CLOCK_DURATION = re.compile(r"(?:(\d+):)?(\d+):(\d{2}(?:[.,]\d{1,6})?)")
_HALF_DAY_NAMES = {"SA": "AM", "CH": "PM"}
_EMPTY_CELL_REMEDY = "fill the cell, or write optional = true for this field in the mapping"
_NUMBER_REMEDY = 'correct the cell, or set decimal = "," in the mapping when its numbers have a decimal comma'
UNIT_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}
"""The units of a duration given as a number, ms."""
CLOCK_UNITS = {"h:mm:ss": (3_600, 60, 1), "mm:ss": (0, 60, 1), "h:mm": (0, 3_600, 60)}
"""The forms of a duration given as a clock: the seconds that each of its parts stands for."""
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
    refuse_missing_cell(row, column)
    if not text:
        raise CellError(column, "is empty", _EMPTY_CELL_REMEDY)
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
    """Return a number's text with a decimal point and, when it had a decimal comma, without signs between thousands."""
    return text if decimal == "." else re.sub(r"[.\s\u00a0\u202f']", "", text).replace(",", ".")


def parse_duration_ms(row: RowCells, column: str, unit: str, decimal: str = ".") -> int:
    """Return a duration in ms: a number of `unit`, or a clock such as h:mm:ss, which seconds may be written as too."""
    text = required_cell(row, column)
    if unit in CLOCK_UNITS:
        duration_ms = _clock_duration_ms(text, unit)
        if duration_ms is None:
            raise CellError(column, f"is no duration {unit}", "correct the cell, or the unit in the mapping", text)
    elif unit == "s" and (clock_ms := _clock_duration_ms(text, "h:mm:ss")) is not None:
        duration_ms = clock_ms
    else:
        value = parse_number(row, column, decimal) * UNIT_MS[unit]
        duration_ms = round(value) if abs(value) <= MAX_DURATION_MS else MAX_DURATION_MS + 1
    if abs(duration_ms) > MAX_DURATION_MS:
        raise CellError(
            column, f"is longer than 400 days in {unit}", "correct the cell, or the unit in the mapping", text
        )
    return duration_ms


def _clock_duration_ms(text: str, unit: str) -> int | None:
    match = _CLOCK_DURATION.fullmatch(text)
    if match is None or (match[1] is not None) != (unit == "h:mm:ss") or len(text) > 20:
        return None
    first, second, third = CLOCK_UNITS[unit]
    parts = int(match[1] or 0), int(match[2]), float(match[3].replace(",", "."))
    below_sixty = parts[2] < 60 and (unit != "h:mm:ss" or parts[1] < 60)
    return round((parts[0] * first + parts[1] * second + parts[2] * third) * 1000) if below_sixty else None


def parse_time_of_day(row: RowCells, column: str) -> float:
    """Return a time-of-day cell as seconds after midnight; 24:00 is the next midnight, 12-hour clocks say AM or PM."""
    text = required_cell(row, column)
    seconds = _seconds_of_day((text[11:] or "0:00") if isinstance(text, DateCell) else text)
    if seconds is None:
        raise CellError(column, "is no time of day h:mm:ss", "correct it, or skip such rows", text)
    return seconds


@lru_cache(maxsize=4096)
def _seconds_of_day(text: str) -> float | None:
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        return None
    minutes, seconds = int(match[2]), float(f"{match[3] or 0}.{match[4] or 0}")
    hours = int(match[1])
    if match[5]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + 12 * match[5].upper().startswith(_AFTERNOON)
    total = hours * 3600 + minutes * 60 + seconds
    return total if minutes < 60 and seconds < 60 and total <= DAY_S else None


def slugify(text: str) -> str:
    """Return the text as an id: lower case, no diacritics, `-` for all else."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63]


@lru_cache(maxsize=1024)
def parse_date(text: str, pattern: str) -> date:
    """Return a text's calendar date."""
    return datetime.strptime(text, pattern).date()  # noqa: DTZ007


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
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def to_unix_ms(when: datetime, zone: ZoneInfo) -> int:
    """Return the time as Unix ms; a naive one is in `zone`."""
    return to_ms(when if when.tzinfo else when.replace(tzinfo=zone))


def parse_pattern_ms(text: str, pattern: str, zone: ZoneInfo) -> int:
    """Return the time of a text in a strptime pattern, Unix ms; the half days may be named SA and CH."""
    if "%p" in pattern:
        text = re.sub(r"\b(SA|CH)\b", lambda match: _HALF_DAY_NAMES[match[1].upper()], text, flags=re.IGNORECASE)
    return to_unix_ms(datetime.strptime(text, pattern), zone)  # noqa: DTZ007


def is_iso_time(text: str) -> bool:
    """Return whether the text is an ISO date, with or without a time."""
    return re.match(r"\d{4}-\d\d-\d\d", text) is not None


def is_shortened_number(text: str) -> bool:
    """Return whether a spreadsheet has written a long number with an exponent, and so lost its last digits."""
    return re.fullmatch(r"[0-9][.,][0-9]+E\+[0-9]{2}", text) is not None


def has_time_format(text_format: str) -> bool:
    """Return whether a column's format is a time."""
    return text_format in {"iso", "unix_s", "unix_ms"} or "%" in text_format


FORMAT_READERS: dict[str, Callable[[str, ZoneInfo], CellValue]] = {
    "text": lambda text, _: text,
    "id": lambda text, _: slugify(text),
    "int": lambda text, _: int(text),
    "number": lambda text, _: parse_finite(text),
    "iso": lambda text, zone: to_unix_ms(datetime.fromisoformat(text), zone),
    "unix_s": lambda text, _: round(parse_finite(text) * 1000),
    "unix_ms": lambda text, _: int(text),
}
