"""The figures of published months as files of the inventory: `published/YYYY-MM.csv`, read, checked and written.

Faults go to the folder; it must not compute a figure, and must not replace a file that is there.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry.core.inventory import Published
from telemetry.inventory.record import Keys, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.inventory import Inventory
    from telemetry.inventory.files import Folder

FOLDER = "published"
COLUMNS = ("scope", "objective", "open_s", "up_s", "down_s", "unknown_s", "excluded_s", "good", "bad")
MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
Key = tuple[str, str, str]
_WHOLE = re.compile(r"[0-9]{1,15}")
_ONE = "country"
KINDS = ("province", "centre", "device", "system")


def name_of(month: str) -> str:
    """Return the path of a month's file in its inventory."""
    return f"{FOLDER}/{month}.csv"


def read(folder: Folder, world: Inventory) -> Mapping[Key, Published]:
    """Read every published month; a scope or objective that is no longer declared is a warning."""
    out: dict[Key, Published] = {}
    for name in folder.published():
        month = name.removeprefix(f"{FOLDER}/").removesuffix(".csv")
        if not MONTH.fullmatch(month):
            folder.fault(name, "file", "is not a published month", "call it YYYY-MM.csv, or move it away")
            continue
        out.update(_month(folder, name, month, _Known(world)))
    return out


def _month(folder: Folder, name: str, month: str, known: _Known) -> Mapping[Key, Published]:
    """Return a month's rows; those of a text without a fault are read once, however often the inventory is loaded."""
    found = _faultless(month, folder.text(name) or "")
    if found is None:
        return _months_rows(month, folder.csv(name, Keys(COLUMNS)), known)
    for line, scope, objective in found.names:
        if not known.has(scope, objective):
            known.check(Record(str(folder.path / name), line, {}, folder.faults), scope, objective)
    return found.rows


def rows_of(month: str, text: str) -> Mapping[Key, Published] | None:
    """Return the rows of a month's file; None when it has a fault, or is another file."""
    found = _faultless(month, text)
    return None if found is None else found.rows


@dataclass(frozen=True, slots=True)
class _Read:
    """A month's rows, and the first line with each scope and each objective."""

    rows: Mapping[Key, Published]
    names: tuple[tuple[int, str, str], ...]


@lru_cache(maxsize=60)
def _faultless(month: str, text: str) -> _Read | None:
    """Read a file as `written` writes it; None when there is anything else in it, to be told line by line."""
    try:
        reader = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        return None
    if not reader or tuple(reader[0]) != COLUMNS:
        return None
    rows: dict[Key, Published] = {}
    names: dict[tuple[str, str], int] = {}
    for line, cells in enumerate(reader[1:], start=2):
        one = _exact(month, cells)
        if one is None or (month, one.scope, one.objective) in rows:
            return None
        rows[month, one.scope, one.objective] = one
        for name in ((one.scope, ""), ("", one.objective)):
            names.setdefault(name, line)
    return _Read(rows, tuple((line, *name) for name, line in names.items()))


def _exact(month: str, cells: list[str]) -> Published | None:
    if len(cells) != len(COLUMNS) or not all(map(_WHOLE.fullmatch, cells[2:])) or not _is_scope(cells[0]):
        return None
    found = Published(month, cells[0], cells[1], *map(int, cells[2:]))
    plain = all(cell.isprintable() and cell == cell.strip() for cell in cells[:2])
    return found if plain and found.open == found.up + found.down + found.unknown else None


class _Known:
    """What rows may name; every name that is not declared warns once a file."""

    def __init__(self, world: Inventory) -> None:
        self._world = world
        self._objectives = {one.id for one in world.objectives}
        self._warned: set[str] = set()

    def has(self, scope: str, objective: str) -> bool:
        """Tell whether both are declared; nothing is."""
        return (not scope or self._declared(scope)) and (not objective or objective in self._objectives)

    def check(self, row: Record, scope: str, objective: str) -> None:
        if scope and not self._declared(scope):
            self._warn(row, "scope", scope)
        if objective and objective not in self._objectives:
            self._warn(row, "objective", objective)

    def _declared(self, scope: str) -> bool:
        kind, _, ident = scope.partition(":")
        if kind == "province" or scope == _ONE:
            return scope in (_ONE, f"province:{self._world.province}")
        return ident in {"centre": self._world.centres, "device": self._world.devices}.get(kind, self._world.systems)

    def _warn(self, row: Record, key: str, name: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            row.warn(key, f"{name!r} is no longer declared", "leave the row as it is: it was true then")


def _months_rows(month: str, rows: Iterable[Record], known: _Known) -> dict[Key, Published]:
    out: dict[Key, Published] = {}
    lines: dict[Key, int] = {}
    for row in rows:
        one = _published(month, row)
        key = month, one.scope, one.objective
        if key in out:
            row.fault("scope", f"{one.scope} {one.objective} is already on line {lines[key]}", "remove one of the rows")
        known.check(row, one.scope, one.objective)
        out[key], lines[key] = one, row.line
    return out


def _published(month: str, row: Record) -> Published:
    scope, objective = str(row.values.get("scope", "")), str(row.values.get("objective", ""))
    if not _is_scope(scope):
        row.fault("scope", f"{scope!r} cannot be read", "use country, province:ID, centre:ID, device:ID or system:ID")
    found = Published(month, scope, objective, *(_whole(row, key) for key in COLUMNS[2:]))
    if found.open != found.up + found.down + found.unknown:
        parts = f"{found.up} + {found.down} + {found.unknown}"
        row.fault("open_s", f"{found.open} is not up_s + down_s + unknown_s = {parts}", "restore what was published")
    return found


def _is_scope(scope: str) -> bool:
    kind, _, ident = scope.partition(":")
    return scope == _ONE or (bool(ident) and kind in KINDS)


def _whole(row: Record, key: str) -> int:
    value = row.values.get(key, "0")
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    row.fault(key, f"{value!r} is not a whole number from 0 on", "restore what was published")
    return 0


def written(rows: Iterable[Published]) -> str:
    """Return the text of a month's file, its rows in the given order."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    out.writerows(map(_cells, rows))
    return text.getvalue()


def _cells(row: Published) -> tuple[str | int, ...]:
    seconds = row.open, row.up, row.down, row.unknown, row.excluded
    return row.scope, row.objective, *seconds, row.good, row.bad
