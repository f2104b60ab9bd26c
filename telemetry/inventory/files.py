"""Reads the inventory's CSV and TOML files into records that have their file and line.

Every fault is collected, never raised, so that all are shown at once; it must not interpret the records.
"""

from __future__ import annotations

import hashlib
import io
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.delimited_text import (
    DelimitedRow,
    DelimitedTextError,
    decode_text,
    detect_encoding,
    normalize_name,
    read_delimited,
)
from telemetry.errors import Fault, InventoryError
from telemetry.inventory.record import AllowedKeys, Faults, Record, check_keys, unread_name
from telemetry.toml_lines import TomlSyntaxError, locate_keys, parse_toml

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from telemetry.toml_lines import KeyPath

INVENTORY_FILES = (
    "province.toml",
    "calendar.toml",
    "units.csv",
    "services.toml",
    "centres.csv",
    "devices.csv",
    "systems.toml",
    "agencies.csv",
    "components.csv",
    "flows.csv",
    "cloud.toml",
    "cloud.lock",
    "sources.toml",
    "targets.toml",
    "objectives.toml",
    "procedures.csv",
    "indices.csv",
    "commitments.csv",
    "signers.csv",
)
CLOUD_FILES = ("agencies.csv", "components.csv", "flows.csv", "cloud.toml", "cloud.lock")
"""Files about the systems that the province hosts itself."""
OPTIONAL_FILES = frozenset({"sources.toml", "indices.csv", "commitments.csv", "signers.csv", *CLOUD_FILES})
MERGE_MARK = "<<<<<<< "
"""How Git begins a place that it could not merge."""
"""Files that an inventory may leave out; the version of one without them is that of its other files."""


@dataclass(frozen=True, slots=True)
class TomlDocument:
    """A TOML file's values with the line of each key and table."""

    file: str
    data: dict[str, object]
    lines: Mapping[KeyPath, int]
    faults: Faults
    broken: bool = False

    def record(self, keys: AllowedKeys, *path: str | int) -> Record:
        """Return one table, checked for unknown and missing keys; the root when no path is given."""
        table = self._table_at(path)
        line = self.lines.get(path, 1)
        record = Record(self.file, line, table, self.faults, {key: self.lines.get((*path, key), line) for key in table})
        if not self.broken:
            check_keys(record, keys)
        return record

    def _table_at(self, path: KeyPath) -> dict[str, object]:
        node: object = self.data
        for part in path:
            has_key = isinstance(node, dict) and part in node
            node = node[part] if has_key or isinstance(node, list) else {}  # type: ignore[index]
        if isinstance(node, dict):
            return node
        self.faults.append(Fault(self.file, self.lines.get(path, 1), str(path[-1]), "is not a table", "write a table"))
        return {}

    def records(self, key: str, keys: AllowedKeys) -> list[Record]:
        """Return every `[[key]]` table."""
        tables = self.data.get(key, [])
        if isinstance(tables, list):
            return [self.record(keys, key, index) for index in range(len(tables))]
        self.faults.append(Fault(self.file, self.lines.get((key,), 1), key, "is one table", f"write [[{key}]]"))
        return []

    def table(self, *path: str) -> Record:
        """Return a table whose keys are data (dates, ids)."""
        names = tuple(str(key) for key in self._table_at(path))
        return self.record(AllowedKeys((), names), *path)


@dataclass(slots=True)
class InventoryFolder:
    """The inventory folder: texts read once, faults collected, a digest of what was read."""

    path: Path
    faults: Faults = field(default_factory=Faults)
    _contents: dict[str, bytes] = field(default_factory=dict)

    def read_text(self, name: str) -> str | None:
        """Return a file's text, empty for an optional one that is absent; None with a fault when it is unreadable."""
        if name in OPTIONAL_FILES and not (self.path / name).exists():
            return ""
        try:
            raw = (self.path / name).read_bytes()
            self._contents[name] = raw
            text = decode_text(raw)
            if not _is_utf8(raw):
                self._contents[name] = text.encode()  # as the copies of other machines have it
            if not self._add_merge_faults(name, text):
                return unicodedata.normalize("NFC", text)
        except DelimitedTextError as error:
            self.add_fault(name, error.line, error.field, error.problem, error.remedy)
        except OSError as error:
            self.add_fault(name, 1, "file", f"cannot be read ({error.strerror})", "put the file there")
        self._mark_unread(name)
        return None

    def _add_merge_faults(self, name: str, text: str) -> bool:
        """Add a fault for each place at which a merge stopped, and return whether there is one."""
        lines = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(MERGE_MARK)]
        remedy = "write the rows that are right, and remove the lines <<<<<<<, ======= and >>>>>>>"
        for line in lines:
            self.add_fault(name, line, "merge", "two versions stand here, which Git could not merge", remedy)
        return bool(lines)

    def _mark_unread(self, name: str) -> None:
        self.faults.unread_files.add(unread_name(name))

    def add_fault(self, name: str, line: int, key: str, problem: str, remedy: str) -> None:
        """Add a fault of a file."""
        self.faults.append(Fault(str(self.path / name), line, key, problem, remedy))

    def check_file_names(self, names: Container[str]) -> None:
        """Add a fault for each CSV or TOML file that is not in `names` (a misspelt one)."""
        present = sorted(p.name for p in self.path.glob("*.*") if p.suffix in {".csv", ".toml"})
        for name in present:
            if name not in names:
                self.add_fault(name, 1, "file", "is not a file of an inventory", "rename it, or move it away")

    def published_files(self) -> list[str]:
        """Return the names of the CSV files in the folder of published months, in order."""
        return sorted(f"published/{path.name}" for path in (self.path / "published").glob("*.csv"))

    def published_reports(self) -> list[str]:
        """Return the names of the reports in the folder of published months, in order."""
        return sorted(f"published/{path.name}" for path in (self.path / "published").glob("*.json"))

    def read_toml(self, name: str) -> TomlDocument:
        """Read a TOML file; an empty document when it cannot be read."""
        text = (self.read_text(name) or "").replace("\r\n", "\n").replace("\r", "\n")
        data: dict[str, object] = {}
        try:
            data = parse_toml(text)
        except TomlSyntaxError as error:
            self._mark_unread(name)
            self.add_fault(name, error.line, "syntax", f"is not TOML: {error.problem}", "correct that line")
        broken = unread_name(name) in self.faults.unread_files
        return TomlDocument(str(self.path / name), data, locate_keys(text), self.faults, broken)

    def read_csv(self, name: str, keys: AllowedKeys) -> list[Record]:
        """Read a CSV file with a header line; no records when it cannot be read."""
        text = self.read_text(name)
        absent = name in OPTIONAL_FILES and not text
        return [] if text is None or absent else parse_csv(str(self.path / name), text, keys, self.faults)

    def digest(self) -> str:
        """Return a short digest of the files that were read."""
        total = hashlib.sha256()
        for name, raw in sorted(self._contents.items()):
            total.update(f"{name}\0{len(raw)}\0".encode() + raw)
        return total.hexdigest()[:12]


def bundle_files(folder: Path) -> dict[str, str]:
    """Return the text of each file by its path in the folder: `province.toml`, …, `published/2026-10.csv`.

    A machine's copy has exactly the files that the version is computed from, so both versions are equal.  Every byte
    of UTF-8 is preserved, line ends and byte order marks as well; UTF-16 becomes UTF-8.
    Raises InventoryError with each file that cannot be read.
    """
    texts: dict[str, str] = {}
    faults = []
    declared = InventoryFolder(folder)
    for name in (*INVENTORY_FILES, *declared.published_files(), *declared.published_reports()):
        if name in OPTIONAL_FILES and not (folder / name).exists():
            continue
        try:
            raw = (folder / name).read_bytes()
            texts[name] = raw.decode("utf-8") if _is_utf8(raw) else decode_text(raw)
        except (OSError, UnicodeDecodeError, DelimitedTextError) as error:
            faults.append(Fault(str(folder / name), 1, "file", str(error), "put it there, as readable UTF-8"))
    if faults:
        raise InventoryError(faults)
    return texts


def _is_utf8(raw: bytes) -> bool:
    return detect_encoding(raw[:4096]) in {None, "utf-8-sig"}


def parse_csv(file: str, text: str, keys: AllowedKeys, faults: Faults) -> list[Record]:
    """Return the rows of a CSV text with a header line, without those that have another number of cells.

    Cells that a spreadsheet leaves out at the end of a row are empty where their column is optional.
    """
    try:
        first, *rows = list(read_delimited(io.StringIO(text, newline=""))) or [DelimitedRow(1, [])]
    except DelimitedTextError as error:
        faults.append(Fault(file, error.line, error.field, error.problem, error.remedy))
        faults.unread_files.add(unread_name(file))
        return []
    columns = [normalize_name(cell) for cell in first.cells]
    while columns and not columns[-1]:
        columns.pop()
    header = Record(file, first.line, dict.fromkeys(columns), faults)
    check_keys(header, keys)
    if keys.missing(columns):
        faults.unread_files.add(unread_name(file))
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        header.add_fault(column, "is a column more than once", "keep one of them")
    records = []
    for row in rows:
        cells = row.fit(len(columns))
        missing = columns[len(cells) :]
        if len(cells) <= len(columns) and not set(missing) & set(keys.required):
            values = dict(zip(columns, [*cells, *[""] * len(missing)], strict=True))
            records.append(Record(file, row.line, values, faults))
        else:
            problem = f"has {len(cells)} cells, the header has {len(columns)}"
            faults.append(Fault(file, row.line, "row", problem, "add or remove commas; quote a text with a comma"))
    return records
