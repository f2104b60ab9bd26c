"""Parses TOML texts and finds the lines of keys and tables, for faults that name them; it must not read files."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

KeyPath = tuple[str | int, ...]
_KEY_LINE = re.compile(r'\s*((?:[A-Za-z0-9_-]+|"[^"]*")(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=')
_TABLE_LINE = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY_PART = re.compile(r'[A-Za-z0-9_-]+|"[^"]*"')
_UNREADABLE_VALUE = re.compile(r"[0-9_]{600,}|0000-|[0-9]:[0-9]{2}:6")
_SECRET = re.compile(r"pass|secret|token|key|salt", re.IGNORECASE)
MAX_QUOTED = 60
"""Characters of a line at fault that a message quotes."""
MAX_INTEGER_BITS = 14_000
"""The longest whole number, so that messages can show it: 4,214 decimal digits."""
_ERROR_POSITION = re.compile(r"\s*\(at line (\d+), column \d+\)")


class TomlSyntaxError(ValueError):
    """A text that is no TOML: the line and the problem."""

    def __init__(self, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f"{problem} (at line {line})")


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values of a TOML text. Raises TomlSyntaxError, also for what tomllib itself cannot hold."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = locate_syntax_error(text, str(error))
        raise TomlSyntaxError(line, f"{syntax_problem(str(error))}{_quote_line(text, line)}") from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits, tomllib no date of the year 0
        line = next((n for n, line in enumerate(text.split("\n"), 1) if _UNREADABLE_VALUE.search(line)), 1)
        raise TomlSyntaxError(line, "has a number or a date that nobody can read") from None
    except RecursionError:
        deepest = max(enumerate(text.split("\n"), 1), key=lambda numbered: sum(map(numbered[1].count, "[{")))
        raise TomlSyntaxError(deepest[0], "is nested too deeply") from None
    if path := _find_endless_integer(values, ()):
        lines = locate_keys(text)
        line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)
        raise TomlSyntaxError(line, "has a number or a date that nobody can read")
    return values


def _find_endless_integer(value: object, path: KeyPath) -> KeyPath:
    """Return the path of a hexadecimal number that Python cannot write in decimal digits; () without one."""
    parts: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        return path
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    return next((at for key, part in parts if (at := _find_endless_integer(part, (*path, key)))), ())


def _quote_line(text: str, number: int) -> str:
    """Return the line at fault for a message; nothing of one that is empty or may hold a password."""
    line = text.split("\n")[number - 1].strip()
    if not line or "@" in line or _SECRET.search(line):
        return ""
    return f": {line}" if len(line) <= MAX_QUOTED else f": {line[:MAX_QUOTED]}…"


def locate_keys(text: str) -> dict[KeyPath, int]:
    """Return the line of each table and key of a TOML text, by its path (`("system", 0, "id")`)."""
    lines: dict[KeyPath, int] = {}
    last_index: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _TABLE_LINE.match(line):
            table = _table_path(_split_key(header[2]), last_index, array=header[1] == "[[")
            lines.setdefault(table, number)
        elif key := _KEY_LINE.match(line):
            lines.setdefault((*table, *_split_key(key[1])), number)
    return lines


def _split_key(dotted: str) -> KeyPath:
    return tuple(part.strip('"') for part in _KEY_PART.findall(dotted))


def _table_path(names: KeyPath, last_index: dict[KeyPath, int], *, array: bool) -> KeyPath:
    """Return a table's path; `[system.hosted]` belongs to the last `[[system]]` above it."""
    path: KeyPath = ()
    for at, name in enumerate(names, start=1):
        path = (*path, name)
        if array and at == len(names):
            last_index[path] = last_index.get(path, -1) + 1
        if path in last_index:
            path = (*path, last_index[path])
    return path


def locate_syntax_error(text: str, message: str) -> int:
    """Return the line of a syntax error from tomllib's message: the last line when the text ends too early."""
    position = _ERROR_POSITION.search(message)
    return int(position[1]) if position else text.count("\n") + 1


def syntax_problem(message: str) -> str:
    """Return tomllib's message without its position, which a fault has already.

    >>> syntax_problem("Invalid value (at line 3, column 7)")
    'Invalid value'
    """
    return _ERROR_POSITION.sub("", message)
