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
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import local_ms, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CellValue = str | int | float | bool | None
RowCells = Mapping[str, str]
"""One row of the file: column -> trimmed text."""
DAY_S = 86_400
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?")
_EMPTY_CELL_REMEDY = "fill the cell, or write optional = true for this field in the mapping"
_NUMBER_REMEDY = "correct the cell, or name a column of seconds in the mapping"


class CellError(Exception):
    """A cell that an expression cannot read, with the remedy."""

    def __init__(self, column: str, problem: str, remedy: str) -> None:
        self.column, self.problem, self.remedy = column, problem, remedy
        super().__init__(f"{column}: {problem}; {remedy}")


def required_cell(row: RowCells, column: str) -> str:
    """Return the cell's text; an empty one is an error."""
    text = row[column]
    if not text:
        raise CellError(column, "is empty", _EMPTY_CELL_REMEDY)
    return text


def parse_number(row: RowCells, column: str) -> float:
    """Return the cell as a finite number."""
    text = required_cell(row, column)
    try:
        return parse_finite(text)
    except ValueError:
        raise CellError(column, f"{quote_excerpt(text)} is no number", _NUMBER_REMEDY) from None


def parse_time_of_day(row: RowCells, column: str) -> float:
    """Return a time-of-day cell as seconds after midnight; 24:00 is the next midnight."""
    text = required_cell(row, column)
    seconds = _seconds_of_day(text)
    if seconds is None:
        raise CellError(column, f"{quote_excerpt(text)} is no time of day h:mm:ss", "correct it, or skip such rows")
    return seconds


@lru_cache(maxsize=4096)
def _seconds_of_day(text: str) -> float | None:
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        return None
    minutes, seconds = int(match[2]), float(f"{match[3] or 0}.{match[4] or 0}")
    total = int(match[1]) * 3600 + minutes * 60 + seconds
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


def sum_columns_ms(row: RowCells, columns: str | tuple[str, ...]) -> int:
    """Return the sum of columns of seconds, in ms."""
    return round(sum(parse_number(row, column) for column in as_tuple(columns)) * 1000)


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
    """Return the time of a text in a strptime pattern, Unix ms."""
    return to_unix_ms(datetime.strptime(text, pattern), zone)  # noqa: DTZ007


FORMAT_READERS: dict[str, Callable[[str, ZoneInfo], CellValue]] = {
    "text": lambda text, _: text,
    "id": lambda text, _: slugify(text),
    "int": lambda text, _: int(text),
    "number": lambda text, _: parse_finite(text),
    "iso": lambda text, zone: to_unix_ms(datetime.fromisoformat(text), zone),
    "unix_s": lambda text, _: round(parse_finite(text) * 1000),
    "unix_ms": lambda text, _: int(text),
}
