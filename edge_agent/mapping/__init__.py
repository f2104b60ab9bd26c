"""Imports a queue system's export through a mapping: checks the file, then yields its events; it must not send them.

The same file and mapping give the same spool, row numbers and ticket ids, so a replay can be repeated.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge_agent.mapping.cell_parsing import CellError, Cells
from edge_agent.mapping.document import Mapping, load_mapping, shipped
from edge_agent.mapping.expressions import Scope
from telemetry.core.inventory import Centre
from telemetry.errors import Fault, MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.protocol.events import Event

__all__ = (
    "Log", "Mapping", "centre_of", "device_of", "digest_of", "load_mapping", "read", "shipped", "spool_of",
)  # fmt: skip

MAX_FAULTS = 20
"""Faults of a file listed at once."""
NO_EVENT = "no-event"
"""Label under which rows are counted that no rule wanted."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DELIMITERS = "\t;,|"


def centre_of(mapping: Mapping) -> Centre:
    """Return the centre an import is declared under when none is named."""
    return Centre(
        id=f"replay-{mapping.name}", unit="", level="commune", name_vi=mapping.title_vi, name_en=mapping.title_en,
        province="replay", parent="", counters=0, hours=mapping.hours, zone=mapping.zone, imported=True,
        services=tuple(service.id for service in mapping.services),
    )  # fmt: skip


def device_of(centre_id: str) -> str:
    """Return the id of the device that replays into a centre."""
    return f"{centre_id}-replay1"


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of the file's bytes, hex; raises MappingError when it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise MappingError([Fault(str(path), 1, "file", problem, "give the path of the export")]) from None


def spool_of(mapping: Mapping, file_digest: str) -> str:
    """Return the spool of a replay: a ULID-shaped id made of the mapping's text and the file's digest."""
    seed = hashlib.sha256(f"{mapping.digest}:{file_digest}".encode()).digest()
    value = int.from_bytes(seed[:16], "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def read(mapping: Mapping, path: str | Path, *, queue_prefix: str = "") -> Log:
    """Check the whole file and return its log; raises MappingError with up to 20 faults, each with its line."""
    spool = spool_of(mapping, digest_of(path))
    check, count = _Pass(mapping, str(path), spool, queue_prefix), 0
    first_t = last_t = None
    for event in check.events():
        count += 1
        first_t = event.t if first_t is None else min(first_t, event.t)
        last_t = event.t if last_t is None else max(last_t, event.t)
    if check.faults:
        raise MappingError(check.faults)
    return Log(mapping, str(path), spool, queue_prefix, check.rows, count, first_t, last_t, check.skipped)


@dataclass(frozen=True, slots=True)
class Log:
    """A checked file: rows, events to come, skipped rows by label, oldest and newest time; `events()` yields them."""

    mapping: Mapping
    path: str
    spool: str
    queue_prefix: str
    rows: int
    count: int
    first_t: int | None
    last_t: int | None
    skipped: Counter[str]

    def events(self) -> Iterator[Event]:
        """Yield the events in row order with `n` from 1; raises MappingError when the file has gone bad since."""
        again = _Pass(self.mapping, self.path, self.spool, self.queue_prefix)
        for event in again.events():
            if again.faults:
                break
            yield event
        if again.faults:
            raise MappingError(again.faults)


@dataclass(slots=True)
class _Pass:
    """One reading of the file from its first line to its last, or to the twentieth fault."""

    mapping: Mapping
    path: str
    spool: str
    queue_prefix: str
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def events(self) -> Iterator[Event]:
        scope, n = Scope(self.mapping.zone, self.mapping.raw_services, self.spool), 1
        for line, row in self._guarded():
            self.rows += 1
            made = self._row(line, row, n, scope)
            n += len(made)
            yield from made
            if len(self.faults) >= MAX_FAULTS:
                return

    def fault(self, line: int, column: str, problem: str, remedy: str) -> None:
        found = Fault(self.path, line, column, problem, remedy)
        if len(self.faults) < MAX_FAULTS and found not in self.faults:
            self.faults.append(found)

    def _row(self, line: int, row: Cells, n: int, scope: Scope) -> list[Event]:
        label = next((s.label for s in self.mapping.skips if all(test.holds(row) for test in s.when)), None)
        rules = [] if label else [rule for rule in self.mapping.rules if rule.applies(row)]
        if not rules:
            self.skipped[label or NO_EVENT] += 1
            return []
        made: list[Event] = []
        for rule in rules:
            try:
                made.append(rule.event(n + len(made), row, scope, self.queue_prefix))
            except CellError as error:
                self.fault(line, error.column, error.problem, error.remedy)
        return made if len(made) == len(rules) else []

    def _guarded(self) -> Iterator[tuple[int, Cells]]:
        encoding = "utf-8-sig" if self.mapping.encoding == "utf-8" else self.mapping.encoding
        try:
            with Path(self.path).open(encoding=encoding, newline="") as stream:
                yield from self._rows(stream)
        except UnicodeError:
            remedy = "save the export in that encoding, or set encoding in the mapping"
            self.fault(_bad_line(self.path, encoding), "encoding", f"is not {self.mapping.encoding}", remedy)

    def _rows(self, stream: TextIO) -> Iterator[tuple[int, Cells]]:
        first = stream.readline()
        reader = csv.reader(chain([first], stream), delimiter=self._delimiter(first), strict=True)
        line = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            if not self._header_fits(header):
                return
            line = reader.line_num + 1
            for cells in reader:
                if len(cells) == len(header):
                    yield line, dict(zip(header, map(str.strip, cells), strict=True))
                elif cells:
                    problem = f"the row has {len(cells)} cells, the header has {len(header)}"
                    self.fault(line, "row", problem, "correct the row, or set delimiter in the mapping")
                line = reader.line_num + 1
        except csv.Error as error:
            self.fault(line, "row", f"cannot be split ({error})", "correct the quotation marks of this row")

    def _delimiter(self, first: str) -> str:
        if self.mapping.delimiter != "auto":
            return self.mapping.delimiter
        return max(_DELIMITERS, key=first.count)

    def _header_fits(self, header: list[str]) -> bool:
        if not any(header):
            self.fault(1, "header", "the file does not begin with a line of column names", "export it with its header")
            return False
        for column in self.mapping.columns:
            if header.count(column) != 1:
                problem = "is no column of this file" if column not in header else "stands twice in the header"
                remedy = f"the header has {', '.join(header)}; correct it or {self.mapping.file}"
                self.fault(1, column, problem, remedy)
        return not self.faults


def _bad_line(path: str, encoding: str) -> int:
    with Path(path).open("rb") as stream:
        for line, content in enumerate(stream, 1):
            try:
                content.decode(encoding)
            except UnicodeError:
                return line
    return 1
