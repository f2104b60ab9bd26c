"""Imports a queue system's export through a mapping: checks the file, yields its new events; it must not send them.

The same file and mapping give the same outbox id, row numbers and ticket ids, so a replay can be repeated.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.mapping.cell_parsing import CellError
from edge_agent.mapping.expressions import ReplayContext
from edge_agent.mapping.log_check import LogCheck
from edge_agent.mapping.table_rows import OnProgress, TableReader, TableRow, ignore_progress
from edge_agent.mapping.ticket_ledger import EarlierEvents, RowNumbersTaken, TicketLedger
from telemetry.core.inventory import Centre
from telemetry.errors import Fault, MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.mapping.document import ReplayMapping
    from edge_agent.mapping.rules import MappingRule
    from telemetry.core.inventory import OpeningHours
    from telemetry.core.protocol.events import Event

NO_RULE_LABEL = "no-event"
"""Label under which rows are counted that no rule applies to."""
MAX_AHEAD_MS = 300_000
"""Ingest defers an event that lies further ahead."""
MAX_ATTEMPTS = 20
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def import_centre(mapping: ReplayMapping, derived_hours: tuple[OpeningHours, ...] = ()) -> Centre:
    """Return the default centre of an import; `derived_hours` are shown when the mapping declares none."""
    return Centre(
        id=f"replay-{mapping.name}", unit="", level="commune", name_vi=mapping.title_vi, name_en=mapping.title_en,
        province="replay", parent="", counters=0, zone=mapping.zone, imported=True,
        hours=mapping.hours, derived_hours=() if mapping.has_hours else derived_hours, own_services=mapping.services,
        services=tuple(service.id for service in mapping.services),
    )  # fmt: skip


def replay_device_id(centre_id: str) -> str:
    """Return the id of the device that replays into a centre."""
    return f"{centre_id}-replay1"


def mapping_mark(mapping: ReplayMapping) -> int:
    """Return the number by which a store names the mapping of an import; never 0."""
    return 1 + int.from_bytes(hashlib.blake2b(mapping.name.encode(), digest_size=6).digest())


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of the file's bytes, hex; raises MappingError when it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise MappingError([Fault(str(path), 1, "file", problem, "give the path of the export")]) from None


def replay_outbox_id(mapping: ReplayMapping, file_digest: str, attempt: int = 0) -> str:
    """Return the outbox id of a replay: a ULID-shaped id from the mapping's text and the file's digest."""
    suffix = f":{attempt}" if attempt else ""
    seed = hashlib.sha256(f"{mapping.digest}:{file_digest}{suffix}".encode()).digest()
    value = int.from_bytes(seed[:16], "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def check_log(
    mapping: ReplayMapping, path: str | Path, *, now: int | None = None, queue_prefix: str = "",
    on_progress: OnProgress = ignore_progress,
) -> ImportedLog:  # fmt: skip
    """Check the whole file and return its log with all counts and faults; no event may lie after `now` (Unix ms).

    Raises MappingError only when the file cannot be opened.
    """
    file_digest = digest_file(path)
    log = ImportedLog(mapping, str(path), file_digest, queue_prefix, LogCheck(mapping, str(path)))
    ledger = TicketLedger(mapping.repeats)
    file_pass = _FilePass(log, log.check, log.outbox_id, ledger, now, on_progress)
    for _ in file_pass.events():
        pass
    log.check.ticket_count, log.check.open_tickets = ledger.ticket_count, ledger.open_count
    return replace(log, ledger=ledger)


def read_log(
    mapping: ReplayMapping, path: str | Path, *, now: int | None = None, queue_prefix: str = ""
) -> ImportedLog:  # fmt: skip
    """Check the whole file and return its log; raises MappingError with the first faults of each kind."""
    log = check_log(mapping, path, now=now, queue_prefix=queue_prefix)
    log.raise_faults()
    return log


@dataclass(frozen=True, slots=True)
class ImportedLog:
    """A checked file; `events()` yields those that are not stored yet.

    `ledger` has the counts of repeats; `earlier` is what the target has stored of this device, `attempt` distinguishes
    outboxes of one file.
    """

    mapping: ReplayMapping
    path: str
    file_digest: str
    queue_prefix: str
    check: LogCheck
    ledger: TicketLedger | None = None
    earlier: EarlierEvents | None = None
    attempt: int = 0

    @property
    def outbox_id(self) -> str:
        """Return the id of the outbox from which the events are sent."""
        return replay_outbox_id(self.mapping, self.file_digest, self.attempt)

    @property
    def row_count(self) -> int:
        """Return how many rows the file has."""
        return self.check.row_count

    @property
    def event_count(self) -> int:
        """Return how many events the file makes, each once."""
        return self.check.event_count

    @property
    def new_count(self) -> int:
        """Return how many of them are not stored yet."""
        return self.ledger.new_count if self.ledger is not None else self.event_count

    @property
    def first_t(self) -> int | None:
        """Return the oldest time, Unix ms."""
        return self.check.first_t

    @property
    def last_t(self) -> int | None:
        """Return the newest time, Unix ms."""
        return self.check.last_t

    @property
    def skipped_rows(self) -> Counter[str]:
        """Return how many rows make no event, by label."""
        return self.check.skipped

    def raise_faults(self) -> None:
        """Raise MappingError with the first faults of each kind when the file has any."""
        if self.check.faults.count:
            raise MappingError(self.check.faults.first_faults())

    def compare_with(self, earlier: EarlierEvents, on_progress: OnProgress = ignore_progress) -> ImportedLog:
        """Return the log without what is already stored of it; raises MappingError when the file has become invalid."""
        if not earlier.events:
            return self
        for attempt in range(MAX_ATTEMPTS):
            log = replace(self, earlier=earlier, attempt=attempt)
            ledger = log.new_ledger()
            try:
                for _ in log.read_events(ledger, on_progress):
                    pass
            except RowNumbersTaken:  # other imports came between two of this file: its numbers have shifted
                continue
            return replace(log, ledger=ledger)
        msg = f"this file was imported {MAX_ATTEMPTS} times with others between; import it into an empty store"
        raise MappingError([Fault(self.path, 1, "file", msg, "or use another centre")])

    def new_ledger(self) -> TicketLedger:
        """Return a ledger that has only what is stored."""
        return TicketLedger(self.mapping.repeats, self.earlier, self.outbox_id)

    def events(self) -> Iterator[Event]:
        """Yield the new events in row order with `n` from 1; raises MappingError when the file has become invalid."""
        yield from self.read_events(self.new_ledger())

    def read_events(self, ledger: TicketLedger, on_progress: OnProgress = ignore_progress) -> Iterator[Event]:
        """Yield the events that `ledger` has not got."""
        check = LogCheck(self.mapping, self.path)
        for event in _FilePass(self, check, self.outbox_id, ledger, None, on_progress).events():
            if check.faults.count:
                break
            yield event
        if check.faults.count:
            raise MappingError(check.faults.first_faults())


@dataclass(slots=True)
class _FilePass:
    """One pass over the file, from its first line to its last."""

    log: ImportedLog
    check: LogCheck
    outbox_id: str
    ledger: TicketLedger
    now: int | None
    on_progress: OnProgress
    _occurrences: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def events(self) -> Iterator[Event]:
        mapping, earlier = self.log.mapping, self.ledger.earlier
        context = ReplayContext(
            mapping.zone,
            mapping.service_by_value,
            self.outbox_id,
            mapping.decimal,
            earlier.find_id if earlier else None,
        )
        for row in TableReader(mapping, self.log.path, self.check.add_fault, self.on_progress).rows():
            self.check.row_count += 1
            yield from self._row_events(row, context)

    def _row_events(self, row: TableRow, context: ReplayContext) -> Sequence[Event]:
        mapping, cells = self.log.mapping, row.cells
        label = next((s.label for s in mapping.skips if all(test.matches(cells) for test in s.when)), None)
        if label is None:
            self.check.add_row(cells)
        rules = [] if label else [rule for rule in mapping.rules if rule.applies(cells)]
        if not rules:
            self.check.skipped[label or NO_RULE_LABEL] += 1
            return ()
        if mapping.repeats == "each-row":
            key = tuple(cells[column] for column in mapping.ticket_columns)
            self._occurrences[key] += 1
            context = replace(context, occurrence=self._occurrences[key])
        context.begin_row()
        events: list[Event] = []
        faults: dict[tuple[str, str], CellError] = {}
        for rule in rules:
            try:
                event = rule.build_event(1, cells, context, self.log.queue_prefix)
                self._refuse_ahead(row, rule, event)
            except CellError as error:
                faults.setdefault((error.column, error.kind), error)
                continue
            events.append(event)
        for fault in faults.values():  # a cell that several events read is one fault
            self.check.add_fault(row.line, fault.column, fault.kind, fault.remedy, fault.text)
        if faults:
            return ()
        self.check.add_clock_changes(row.line, context.clock_changes)
        judgement = self.ledger.judge_row(row.line, events)
        self.check.add_events(judgement.counted, row.line)
        return judgement.new

    def _refuse_ahead(self, row: TableRow, rule: MappingRule, event: Event) -> None:
        """Refuse an event that would be deferred until its time has come. Raises CellError."""
        if self.now is None or event.t <= self.now + MAX_AHEAD_MS:
            return
        columns = dict(rule.fields)["t"].columns
        text = " ".join(row.cells[column] for column in columns[:2])
        remedy = "correct the cell, or date_format or zone in the mapping; an event cannot be imported before its time"
        raise CellError(columns[0] if columns else "t", "lies in the future", remedy, text)
