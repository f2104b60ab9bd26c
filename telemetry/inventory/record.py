"""One row or table of an inventory file, whose values are read with a check and a line number.

It must not read files, nor depend on which file it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING

from telemetry.core.reserved_ids import RESERVED_IDS
from telemetry.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

IDENTIFIER = re.compile(r"[a-z0-9-]{1,63}")
LEAST_LIKENESS = 0.8
"""From which likeness on (difflib, 0 to 1) a word is taken for a misspelling of another one."""


def unread_name(file: str) -> str:
    """Return under which name a file is marked as unread: without the ending that most files have."""
    path = PurePath(file)
    return path.stem if path.suffix in {".csv", ".toml"} else path.name


class Faults(list[Fault]):
    """All faults so far; a reference into a file that could not be read is not one of them.

    `warnings` are about what is allowed, but probably not intended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unread_files: set[str] = set()
        self.warnings: list[Fault] = []


@dataclass(frozen=True, slots=True)
class AllowedKeys:
    """The columns or keys a file may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def missing(self, keys: Container[str]) -> list[str]:
        """Return the required keys that are missing."""
        return [key for key in self.required if key not in keys]


@dataclass(frozen=True, slots=True)
class Record:
    """One CSV row or TOML table; an invalid value adds a fault and is replaced by a valid one."""

    file: str
    line: int
    values: Mapping[str, object]
    faults: Faults
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def declared_at(self) -> str:
        """Return `file:line` without the folder, which differs between machines."""
        return f"{PurePath(self.file).name}:{self.line}"

    def add_fault(self, key: str, problem: str, remedy: str) -> None:
        """Add a fault of one value."""
        self.faults.append(Fault(self.file, self.lines.get(key, self.line), key, problem, remedy))

    def add_warning(self, key: str, problem: str, remedy: str) -> None:
        """Add a warning about one value."""
        self.faults.warnings.append(Fault(self.file, self.lines.get(key, self.line), key, problem, remedy))

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty, or the default."""
        value = self.values.get(key, "")
        if isinstance(value, str) and value:
            return value
        if value == "" and default is not None:
            return default
        if key in self.values:
            self.add_fault(key, "must be a text that is not empty", "write the text")
        return ""

    def identifier(self, key: str) -> str:
        """Return an identifier: lower-case letters, digits and dashes, 63 at most; reserved ones are faults."""
        value = self.text(key)
        if value and not IDENTIFIER.fullmatch(value):
            self.add_fault(key, f"{value!r} is not an id", "use 1 to 63 of a-z, 0-9 and -")
        if value in RESERVED_IDS:
            self.add_fault(key, f"{value!r} is reserved: {RESERVED_IDS[value]}", "choose another id")
        return value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number from low to high."""
        value = self.values.get(key, "")
        if key not in self.values or (value == "" and default is not None):
            return low if default is None else default
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        is_number = isinstance(value, int) and not isinstance(value, bool)
        problem = "out of range: from" if is_number else "not a whole number from"
        self.add_fault(key, f"{value!r} is {problem} {low} to {high}", "write such a number")
        return low

    def real(self, key: str, high: float, low: float = 0) -> float:
        """Return a number from low to high."""
        value = self.values.get(key, 0)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self.add_fault(key, f"{value!r} is not a number from {low:g} to {high:g}", "write such a number")
        return 0.0

    def decimal(self, key: str, high: float) -> float:
        """Return a number from 0 to high of a CSV cell, with a point before its decimals."""
        value = str(self.values.get(key, ""))
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value) and float(value) <= high:
            return float(value)
        if key in self.values:
            remedy = "write such a number, with a point before its decimals and without a sign behind it (30 % is 0.3)"
            self.add_fault(key, f"{value!r} is not a number from 0 to {high:g}", remedy)
        return 0.0

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a yes or no (CSV) or a true or false (TOML)."""
        value = self.values.get(key, "")
        if value == "":
            return default
        if value in ("yes", "no") or isinstance(value, bool):
            return value in ("yes", True)
        self.add_fault(key, f"{value!r} is neither yes nor no", "write yes or no (true or false in TOML)")
        return default

    def day(self, key: str) -> date:
        """Return a date."""
        if self.values.get(key) == "":
            self.add_fault(key, "has no date", "write it as YYYY-MM-DD")
        return self.optional_day(key) or date.min

    def optional_day(self, key: str) -> date | None:
        """Return a date, or None when there is none."""
        value = self.values.get(key, "")
        if value == "":
            return None
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.add_fault(key, f"{value!s} is not a date", "write it as YYYY-MM-DD")
            return None

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of the allowed words."""
        value = self.text(key, default)
        if value and value not in allowed:
            self.add_fault(key, f"{value!r} is not known", f"use one of {', '.join(allowed)}")
        return value if value in allowed else allowed[0]

    def text_list(self, key: str) -> tuple[str, ...]:
        """Return a list of texts: a TOML array, or words with spaces between them."""
        value = self.values.get(key, "")
        items = value.split() if isinstance(value, str) else value
        if isinstance(items, list) and all(isinstance(word, str) for word in items):
            self._check_duplicates(key, items)
            return tuple(items)
        self.add_fault(key, "is not a list of texts", "write the ids in it")
        return ()

    def integer_list(self, key: str, low: int, high: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return the whole numbers of a TOML array, at least one, each from low to high and once, in rising order."""
        if key not in self.values:
            return default
        items = self.values[key]
        if isinstance(items, list) and items and all(type(one) is int and low <= one <= high for one in items):
            self._check_duplicates(key, [str(one) for one in items])
            return tuple(sorted(set(items)))
        self.add_fault(key, f"is not a list of whole numbers from {low} to {high}", f"write them, as [{low}, {high}]")
        return default

    def _check_duplicates(self, key: str, items: list[str]) -> None:
        for word in sorted({word for word in items if items.count(word) > 1}):
            self.add_fault(key, f"names {word!r} more than once", "name it once")

    def check_reference(self, key: str, value: str, declared: Container[str], what: str, file: str = "") -> None:
        """Add a fault when the value is not a declared name; `file` declares it, where its name is not `what` + s."""
        place = file or f"{what}s"
        if value and value not in declared and unread_name(place) not in self.faults.unread_files:
            close = closest(value, declared) if isinstance(declared, Iterable) else ""
            named = close or "one that is declared"
            self.add_fault(key, f"there is no {what} {value!r}", f"declare it in {place}, or name {named}")


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that differs least from one that may be misspelt, "" when none is like it.

    >>> closest("healthport", ["health", "health_port", "port"]), closest("colour", ["owner", "level"])
    ('health_port', '')
    """
    return next(iter(get_close_matches(word, list(known), 1, LEAST_LIKENESS)), "")


def check_keys(record: Record, keys: AllowedKeys) -> None:
    """Add a fault for each unknown and each missing column or key."""
    allowed = keys.required + keys.optional
    for key in record.values:
        if key not in allowed:
            close = closest(key, [one for one in allowed if one not in record.values])
            use = f"write {close}" if close else f"use one of {', '.join(allowed)}"
            record.add_fault(key, "is unknown here", f"remove it, or {use}")
    for key in keys.missing(record.values):
        record.add_fault(key, "is missing", "add it")
