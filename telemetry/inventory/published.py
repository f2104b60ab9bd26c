"""The figures of published months as files of the inventory, `published/YYYY-MM.csv`: reads, checks and renders them.

Faults go to the folder; it must not compute a figure, nor write a file.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry.core.inventory import PublishedFigures
from telemetry.core.scope import COUNTRY, Scope
from telemetry.inventory.record import AllowedKeys, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.inventory import Inventory
    from telemetry.inventory.files import InventoryFolder

FOLDER = "published"
COLUMNS = ("scope", "objective", "open_s", "up_s", "down_s", "unknown_s", "excluded_s", "good", "bad")
MONTH_PATTERN = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
PublishedKey = tuple[str, str, str]
_WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")
PUBLISHED_SCOPE_KINDS = ("country", "province", "centre", "device", "system")


def path_of(month: str) -> str:
    """Return the path of a month's file in its inventory."""
    return f"{FOLDER}/{month}.csv"


def read_months(folder: InventoryFolder, inventory: Inventory) -> Mapping[PublishedKey, PublishedFigures]:
    """Read every published month; a scope or objective that is no longer declared is a warning."""
    out: dict[PublishedKey, PublishedFigures] = {}
    for name in folder.published_files():
        month = name.removeprefix(f"{FOLDER}/").removesuffix(".csv")
        if not MONTH_PATTERN.fullmatch(month):
            folder.add_fault(name, 1, "file", "is not a published month", "name it YYYY-MM.csv, or move it away")
            continue
        out.update(_read_month(folder, name, month, _DeclaredNames(inventory)))
    return out


def _read_month(
    folder: InventoryFolder, name: str, month: str, declared: _DeclaredNames
) -> Mapping[PublishedKey, PublishedFigures]:
    """Return a month's rows; a text without a fault is parsed once, however often the inventory is loaded."""
    parsed = _parse_strictly(month, folder.read_text(name) or "")
    if parsed is None:
        return _read_rows(month, folder.read_csv(name, AllowedKeys(COLUMNS)), declared)
    for line, scope, objective in parsed.names:
        if not declared.are_declared(scope, objective):
            declared.warn_undeclared(Record(str(folder.path / name), line, {}, folder.faults), scope, objective)
    return parsed.rows


def parse_month(month: str, text: str) -> Mapping[PublishedKey, PublishedFigures] | None:
    """Return the rows of a month's file; None when it has a fault, or is another file."""
    parsed = _parse_strictly(month, text)
    return None if parsed is None else parsed.rows


@dataclass(frozen=True, slots=True)
class _ParsedMonth:
    """A month's rows, and the first line with each scope and each objective."""

    rows: Mapping[PublishedKey, PublishedFigures]
    names: tuple[tuple[int, str, str], ...]


@lru_cache(maxsize=60)
def _parse_strictly(month: str, text: str) -> _ParsedMonth | None:
    """Parse a file as `to_csv` renders it; None when it differs, so that its faults are reported line by line."""
    try:
        reader = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        return None
    if not reader or tuple(reader[0]) != COLUMNS:
        return None
    rows: dict[PublishedKey, PublishedFigures] = {}
    names: dict[tuple[str, str], int] = {}
    for line, cells in enumerate(reader[1:], start=2):
        row = _parse_row_strictly(month, cells)
        if row is None or (month, row.scope, row.objective) in rows:
            return None
        rows[month, row.scope, row.objective] = row
        for name in ((row.scope, ""), ("", row.objective)):
            names.setdefault(name, line)
    return _ParsedMonth(rows, tuple((line, *name) for name, line in names.items()))


def _parse_row_strictly(month: str, cells: list[str]) -> PublishedFigures | None:
    if len(cells) != len(COLUMNS) or not all(map(_WHOLE_NUMBER.fullmatch, cells[2:])) or not _is_scope(cells[0]):
        return None
    row = PublishedFigures(month, cells[0], cells[1], *map(int, cells[2:]))
    plain = all(cell.isprintable() and cell == cell.strip() for cell in cells[:2])
    return row if plain and row.open == row.up + row.down + row.unknown else None


class _DeclaredNames:
    """The scopes and objectives that rows may name; a name that is not declared is warned of once a file."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._objectives = {objective.id for objective in inventory.objectives}
        self._warned: set[str] = set()

    def are_declared(self, scope: str, objective: str) -> bool:
        """Return whether both are declared; an empty text is."""
        return (not scope or self._is_declared_scope(scope)) and (not objective or objective in self._objectives)

    def warn_undeclared(self, row: Record, scope: str, objective: str) -> None:
        if scope and not self._is_declared_scope(scope):
            self._warn_once(row, "scope", scope)
        if objective and objective not in self._objectives:
            self._warn_once(row, "objective", objective)

    def _is_declared_scope(self, text: str) -> bool:
        scope, inventory = Scope(text), self._inventory
        if scope.kind in ("country", "province"):
            return scope in (COUNTRY, Scope.province(inventory.province))
        return scope.id in {"centre": inventory.centres, "device": inventory.devices}.get(scope.kind, inventory.systems)

    def _warn_once(self, row: Record, key: str, name: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            row.add_warning(key, f"{name!r} is no longer declared", "leave the row as it is: it was declared then")


def _read_rows(month: str, rows: Iterable[Record], declared: _DeclaredNames) -> dict[PublishedKey, PublishedFigures]:
    out: dict[PublishedKey, PublishedFigures] = {}
    lines: dict[PublishedKey, int] = {}
    for row in rows:
        published = _read_row(month, row)
        key = month, published.scope, published.objective
        if key in out:
            problem = f"{published.scope} {published.objective} is already on line {lines[key]}"
            row.add_fault("scope", problem, "remove one of the rows")
        declared.warn_undeclared(row, published.scope, published.objective)
        out[key], lines[key] = published, row.line
    return out


def _read_row(month: str, row: Record) -> PublishedFigures:
    scope, objective = str(row.values.get("scope", "")), str(row.values.get("objective", ""))
    if not _is_scope(scope):
        remedy = "use country, province:ID, centre:ID, device:ID or system:ID"
        row.add_fault("scope", f"{scope!r} cannot be read", remedy)
    published = PublishedFigures(month, scope, objective, *(_read_whole_number(row, key) for key in COLUMNS[2:]))
    if published.open != published.up + published.down + published.unknown:
        parts = f"{published.up} + {published.down} + {published.unknown}"
        problem = f"{published.open} is not up_s + down_s + unknown_s = {parts}"
        row.add_fault("open_s", problem, "restore the published value")
    return published


def _is_scope(text: str) -> bool:
    try:
        return Scope.parse(text).kind in PUBLISHED_SCOPE_KINDS
    except ValueError:
        return False


def _read_whole_number(row: Record, key: str) -> int:
    value = row.values.get(key, "0")
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        return int(value)
    row.add_fault(key, f"{value!r} is not a whole number from 0 on", "restore the published value")
    return 0


def to_csv(rows: Iterable[PublishedFigures]) -> str:
    """Return the text of a month's file, its rows in the given order."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    out.writerows((r.scope, r.objective, r.open, r.up, r.down, r.unknown, r.excluded, r.good, r.bad) for r in rows)
    return text.getvalue()
