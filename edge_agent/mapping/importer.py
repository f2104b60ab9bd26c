"""Imports a queue system's export through a mapping: checks the file, then yields its events; it must not send them.

The same file and mapping give the same outbox id, row numbers and ticket ids, so a replay can be repeated.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge_agent.mapping.cell_parsing import CellError, RowCells
from edge_agent.mapping.expressions import ReplayContext
from telemetry.core.inventory import Centre
from telemetry.errors import Fault, MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.mapping.document import ReplayMapping
    from telemetry.core.protocol.events import Event

MAX_FAULTS = 20
"""Most faults of a file reported at once."""
NO_RULE_LABEL = "no-event"
"""Label under which rows are counted that no rule applies to."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DELIMITER_CANDIDATES = "\t;,|"


def import_centre(mapping: ReplayMapping) -> Centre:
    """Return the default centre of an import."""
    return Centre(
        id=f"replay-{mapping.name}", unit="", level="commune", name_vi=mapping.title_vi, name_en=mapping.title_en,
        province="replay", parent="", counters=0, hours=mapping.hours, zone=mapping.zone, imported=True,
        services=tuple(service.id for service in mapping.services),
    )  # fmt: skip


def replay_device_id(centre_id: str) -> str:
    """Return the id of the device that replays into a centre."""
    return f"{centre_id}-replay1"


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of the file's bytes, hex; raises MappingError when it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise MappingError([Fault(str(path), 1, "file", problem, "give the path of the export")]) from None


def replay_outbox_id(mapping: ReplayMapping, file_digest: str) -> str:
    """Return the outbox id of a replay: a ULID-shaped id from the mapping's text and the file's digest."""
    seed = hashlib.sha256(f"{mapping.digest}:{file_digest}".encode()).digest()
    value = int.from_bytes(seed[:16], "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def read_log(mapping: ReplayMapping, path: str | Path, *, queue_prefix: str = "") -> ImportedLog:
    """Check the whole file and return its log; raises MappingError with up to 20 faults, each with its line."""
    outbox_id = replay_outbox_id(mapping, digest_file(path))
    first_pass, count = _FilePass(mapping, str(path), outbox_id, queue_prefix), 0
    first_t = last_t = None
    for event in first_pass.events():
        count += 1
        first_t = event.t if first_t is None else min(first_t, event.t)
        last_t = event.t if last_t is None else max(last_t, event.t)
    if first_pass.faults:
        raise MappingError(first_pass.faults)
    return ImportedLog(
        mapping, str(path), outbox_id, queue_prefix, first_pass.row_count, count, first_t, last_t, first_pass.skipped
    )


@dataclass(frozen=True, slots=True)
class ImportedLog:
    """A checked file: rows, number of events, skipped rows by label, oldest and newest time; `events()` yields them."""

    mapping: ReplayMapping
    path: str
    outbox_id: str
    queue_prefix: str
    row_count: int
    event_count: int
    first_t: int | None
    last_t: int | None
    skipped: Counter[str]

    def events(self) -> Iterator[Event]:
        """Yield the events in row order with `n` from 1; raises MappingError when the file has become invalid since."""
        second_pass = _FilePass(self.mapping, self.path, self.outbox_id, self.queue_prefix)
        for event in second_pass.events():
            if second_pass.faults:
                break
            yield event
        if second_pass.faults:
            raise MappingError(second_pass.faults)


@dataclass(slots=True)
class _FilePass:
    """One pass over the file, from its first line to its last or to the twentieth fault."""

    mapping: ReplayMapping
    path: str
    outbox_id: str
    queue_prefix: str
    row_count: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def events(self) -> Iterator[Event]:
        context, n = ReplayContext(self.mapping.zone, self.mapping.service_by_value, self.outbox_id), 1
        for line, row in self._decoded_rows():
            self.row_count += 1
            row_events = self._row_events(line, row, n, context)
            n += len(row_events)
            yield from row_events
            if len(self.faults) >= MAX_FAULTS:
                return

    def add_fault(self, line: int, column: str, problem: str, remedy: str) -> None:
        fault = Fault(self.path, line, column, problem, remedy)
        if len(self.faults) < MAX_FAULTS and fault not in self.faults:
            self.faults.append(fault)

    def _row_events(self, line: int, row: RowCells, n: int, context: ReplayContext) -> list[Event]:
        label = next((s.label for s in self.mapping.skips if all(test.matches(row) for test in s.when)), None)
        rules = [] if label else [rule for rule in self.mapping.rules if rule.applies(row)]
        if not rules:
            self.skipped[label or NO_RULE_LABEL] += 1
            return []
        events: list[Event] = []
        for rule in rules:
            try:
                events.append(rule.build_event(n + len(events), row, context, self.queue_prefix))
            except CellError as error:
                self.add_fault(line, error.column, error.problem, error.remedy)
        return events if len(events) == len(rules) else []

    def _decoded_rows(self) -> Iterator[tuple[int, RowCells]]:
        encoding = "utf-8-sig" if self.mapping.encoding == "utf-8" else self.mapping.encoding
        try:
            with Path(self.path).open(encoding=encoding, newline="") as stream:
                yield from self._parse_rows(stream)
        except UnicodeError:
            remedy = "save the export in that encoding, or set encoding in the mapping"
            line = _first_undecodable_line(self.path, encoding)
            self.add_fault(line, "encoding", f"is not {self.mapping.encoding}", remedy)

    def _parse_rows(self, stream: TextIO) -> Iterator[tuple[int, RowCells]]:
        first = stream.readline()
        delimiter = self.mapping.delimiter
        if delimiter == "auto":
            delimiter = max(_DELIMITER_CANDIDATES, key=first.count)
        reader = csv.reader(chain([first], stream), delimiter=delimiter, strict=True)
        line = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            if not self._is_header_valid(header):
                return
            line = reader.line_num + 1
            for cells in reader:
                if len(cells) == len(header):
                    yield line, dict(zip(header, map(str.strip, cells), strict=True))
                elif cells:
                    problem = f"the row has {len(cells)} cells, the header has {len(header)}"
                    self.add_fault(line, "row", problem, "correct the row, or set delimiter in the mapping")
                line = reader.line_num + 1
        except csv.Error as error:
            self.add_fault(line, "row", f"cannot be split ({error})", "correct the quotation marks of this row")

    def _is_header_valid(self, header: list[str]) -> bool:
        if not any(header):
            problem = "the file does not begin with a line of column names"
            self.add_fault(1, "header", problem, "export it with its header line")
            return False
        for column in self.mapping.columns:
            if header.count(column) != 1:
                problem = "is no column of this file" if column not in header else "is twice in the header"
                remedy = f"the header has {', '.join(header)}; correct it or {self.mapping.file}"
                self.add_fault(1, column, problem, remedy)
        return not self.faults


def _first_undecodable_line(path: str, encoding: str) -> int:
    with Path(path).open("rb") as stream:
        for line, content in enumerate(stream, 1):
            try:
                content.decode(encoding)
            except UnicodeError:
                return line
    return 1
