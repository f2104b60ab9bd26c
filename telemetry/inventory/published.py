"""The figures and reports of published months as files, `published/YYYY-MM.csv` and `.json`: reads and checks them.

Faults go to the folder; it must not compute a figure, nor write a file.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.inventory import PublishedFigures
from telemetry.core.report.values import parse_report
from telemetry.core.scope import COUNTRY, Scope
from telemetry.errors import Fault
from telemetry.inventory.files import parse_csv
from telemetry.inventory.record import AllowedKeys, Faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.inventory import Inventory
    from telemetry.inventory.files import InventoryFolder
    from telemetry.inventory.record import Record

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
    """Read every published month; a scope or objective that is no longer declared is a warning, once a file."""
    out: dict[PublishedKey, PublishedFigures] = {}
    objectives = {objective.id for objective in inventory.objectives}
    for name in folder.published_files():
        month = name.removeprefix(f"{FOLDER}/").removesuffix(".csv")
        if not MONTH_PATTERN.fullmatch(month):
            folder.add_fault(name, 1, "file", "is not a published month", "name it YYYY-MM.csv, or move it away")
            continue
        file, text = str(folder.path / name), folder.read_text(name)
        parsed = _parse(month, file, text or "")
        folder.faults += parsed.faults if text is not None else ()
        out.update(parsed.rows)
        for (column, value), line in parsed.names.items():
            if value not in objectives if column == "objective" else not _is_declared_scope(value, inventory):
                remedy = "leave the row as it is: it was declared then"
                folder.faults.warnings.append(Fault(file, line, column, f"{value!r} is no longer declared", remedy))
    return out


def read_reports(folder: InventoryFolder) -> Mapping[str, str]:
    """Return the document of every published report, by month."""
    reports: dict[str, str] = {}
    for name in folder.published_reports():
        month = name.removeprefix(f"{FOLDER}/").removesuffix(".json")
        if not MONTH_PATTERN.fullmatch(month):
            folder.add_fault(name, 1, "file", "is not a published report", "name it YYYY-MM.json, or move it away")
            continue
        text = folder.read_text(name)
        if text is None:
            continue
        try:
            parse_report(month, text)
        except (ValueError, msgspec.DecodeError) as error:
            folder.add_fault(name, 1, "file", f"is not a published report: {error}", "restore it as it was published")
        else:
            reports[month] = text
    return reports


def parse_month(month: str, text: str) -> Mapping[PublishedKey, PublishedFigures] | None:
    """Return the rows of a month's file; None when it has a fault, or is another file."""
    parsed = _parse(month, path_of(month), text)
    return None if parsed.faults else parsed.rows


@dataclass(frozen=True, slots=True)
class _ParsedMonth:
    """A month's rows, its faults, and the first line of each scope and objective by (column, name)."""

    rows: Mapping[PublishedKey, PublishedFigures]
    faults: tuple[Fault, ...]
    names: Mapping[tuple[str, str], int]


@lru_cache(maxsize=60)
def _parse(month: str, file: str, text: str) -> _ParsedMonth:
    """Parse a text once, however often the inventory is loaded."""
    faults, rows = Faults(), dict[PublishedKey, PublishedFigures]()
    lines: dict[PublishedKey, int] = {}
    names: dict[tuple[str, str], int] = {}
    for record in parse_csv(file, text, AllowedKeys(COLUMNS), faults):
        row = _read_row(month, record)
        key = month, row.scope, row.objective
        if key in rows:
            problem = f"{row.scope} {row.objective} is already on line {lines[key]}"
            record.add_fault("scope", problem, "remove one of the rows")
        rows[key], lines[key] = row, record.line
        for column, value in (("scope", row.scope), ("objective", row.objective)):
            if value:
                names.setdefault((column, value), record.line)
    return _ParsedMonth(rows, tuple(faults), names)


def _is_declared_scope(text: str, inventory: Inventory) -> bool:
    scope = Scope(text)
    if scope.kind in ("country", "province"):
        return scope in (COUNTRY, Scope.province(inventory.province))
    return scope.id in {"centre": inventory.centres, "device": inventory.devices}.get(scope.kind, inventory.systems)


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
