"""What the check of an imported file counts: rows, events, dates, texts that no rule knows, faults by kind.

It must not read files, and must not decide what is imported.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import time
from typing import TYPE_CHECKING

from edge_agent.mapping.cell_parsing import DateCell, parse_date, quote_excerpt
from edge_agent.mapping.expressions import UNKNOWN_SERVICE
from telemetry.core.calendar.windows import to_local
from telemetry.core.protocol.events import TicketCalled, TicketFinished, TicketIssued, event_type_of
from telemetry.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.mapping.cell_parsing import ClockChanges, RowCells
    from edge_agent.mapping.conditions import Condition
    from edge_agent.mapping.document import ReplayMapping
    from telemetry.core.inventory import OpeningHours
    from telemetry.core.protocol.events import Event

FIRST_FAULTS = 3
"""How many faults of one kind are shown with their line."""
MAX_KINDS = 100
MAX_VALUES = 1_000
"""Most different texts of a column that are counted one by one."""
HALF_HOUR_MS = 1_800_000
BUSY_SHARE = 0.1
"""A half hour is open with this share of the tickets that the third busiest one of its weekday has."""
LONGEST_BREAK_MIN = 180
"""From one open half hour to the next, min; beyond that the smaller part is none of the weekday's hours."""
DAY_FIRST, MONTH_FIRST = "%d", "%m"
_DAY_OR_MONTH = re.compile("%[dm]")


@dataclass(slots=True)
class FaultKind:
    """All faults of one kind in one column: the first ones and the count of all."""

    column: str
    problem: str
    remedy: str
    first: list[Fault] = field(default_factory=list)
    first_texts: list[str | None] = field(default_factory=list)
    """The cells of the first faults; None where the fault is about no cell."""
    count: int = 0


@dataclass(slots=True)
class FaultCounts:
    """The faults of a file by kind."""

    file: str
    kinds: dict[tuple[str, str], FaultKind] = field(default_factory=dict)
    count: int = 0

    def add(self, line: int, column: str, kind: str, remedy: str, text: str | None = None) -> None:
        """Count a fault; the first of each kind are retained."""
        self.count += 1
        if (column, kind) not in self.kinds and len(self.kinds) >= MAX_KINDS:
            return
        entry = self.kinds.setdefault((column, kind), FaultKind(column, kind, remedy))
        entry.count += 1
        if len(entry.first) < FIRST_FAULTS:
            entry.first_texts.append(text)
            problem = kind if text is None else f"{quote_excerpt(text)} {kind}"
            entry.first.append(Fault(self.file, line, column, problem, remedy))

    def first_faults(self) -> list[Fault]:
        """Return the first faults of each kind by line; the last of a kind with more says how many more."""
        shown: list[Fault] = []
        for kind in self.kinds.values():
            *others, last = kind.first
            more = kind.count - len(kind.first)
            problem = f"{last.problem} ({more} more like this)" if more else last.problem
            shown += [*others, Fault(last.file, last.line, last.field, problem, last.remedy)]
        return sorted(shown, key=lambda fault: (fault.line, fault.field))


@dataclass(slots=True)
class DateReading:
    """The dates of one column as its pattern reads them, and with day and month exchanged while that is possible."""

    column: str
    pattern: str
    swapped_pattern: str
    is_swappable: bool = True
    dates: set[str] = field(default_factory=set)
    swapped_dates: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Read one cell both ways."""
        if not self.is_swappable or not text or isinstance(text, DateCell):
            return
        try:
            self.dates.add(parse_date(text, self.pattern).isoformat())
            self.swapped_dates.add(parse_date(text, self.swapped_pattern).isoformat())
        except ValueError:
            self.is_swappable = False

    def warning(self) -> str | None:
        """Return a warning when every date could also be read the other way."""
        if not self.is_swappable or self.dates <= self.swapped_dates:
            return None
        read = f"{min(self.dates)} … {max(self.dates)}"
        swapped = f"{min(self.swapped_dates)} … {max(self.swapped_dates)}"
        text = f"{self.column}: day and month could be swapped: {self.pattern} reads {read}, {self.swapped_pattern}"
        return f"{text} would read {swapped}; no date has a day after the 12th, so check one date by hand"


def _exchange_day_and_month(match: re.Match[str]) -> str:
    return MONTH_FIRST if match[0] == DAY_FIRST else DAY_FIRST


def _date_readings(mapping: ReplayMapping) -> list[DateReading]:
    return [
        DateReading(column, pattern, _DAY_OR_MONTH.sub(_exchange_day_and_month, pattern))
        for column, pattern in mapping.date_patterns
        if DAY_FIRST in pattern and MONTH_FIRST in pattern and not pattern.startswith("%Y")  # a year first: no doubt
    ]


def _texts_tested(mapping: ReplayMapping) -> dict[str, frozenset[str]]:
    """Return for each column that a `when` compares with texts all of them."""
    tests: list[Condition] = [*(test for skip in mapping.skips for test in skip.when)]
    tests += [test for rule in mapping.rules for test in rule.when]
    columns = {test.column for rule in mapping.rules for test in rule.when if test.not_empty is None}
    return {
        column: frozenset(text for test in tests if test.column == column for text in test.texts) for column in columns
    }


def _busy_hours(arrivals: Counter[int]) -> OpeningHours:
    """Return the interval of one weekday from its tickets by minute of the day."""
    highest = sorted(arrivals.values())[-min(len(arrivals), 3)] if arrivals else 0
    busy = sorted(minute for minute, count in arrivals.items() if count >= highest * BUSY_SHARE)
    runs: list[list[int]] = []
    for minute in busy:
        if runs and minute - runs[-1][-1] <= LONGEST_BREAK_MIN:
            runs[-1].append(minute)
        else:
            runs.append([minute])
    if not runs:
        return ()
    longest = max(runs, key=lambda run: sum(arrivals[minute] for minute in run))
    first, end = longest[0], min(longest[-1] + 30, 1440) % 1440
    return ((time(first // 60, first % 60), time(end // 60, end % 60)),)


@dataclass(slots=True)
class CountedLines:
    """How many rows or events have something that is worth a warning, and the first lines with it."""

    subject: str
    consequence: str
    count: int = 0
    first_lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        """Count one; the first lines are retained."""
        self.count += 1
        if len(self.first_lines) < FIRST_FAULTS:
            self.first_lines.append(line)

    def warning(self) -> str | None:
        """Return a warning when there is any."""
        if not self.count:
            return None
        lines = ", ".join(map(str, self.first_lines))
        return f"{self.subject}: {self.count:,} (first in line {lines}); {self.consequence}"


NEGATIVE = "they enter no mean, their tickets are counted; check these cells"
REPEATED = "the first of the two is taken, the second where the first would be before what it follows"
SKIPPED = "read as by a clock that was not yet put forward"


@dataclass(slots=True)
class LogCheck:
    """The counts of one pass over a file; times are Unix ms. `now` is the time after which no event may lie."""

    mapping: ReplayMapping
    file: str
    row_count: int = 0
    first_t: int | None = None
    last_t: int | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    events_by_type: Counter[str] = field(default_factory=Counter)
    unmatched: dict[str, Counter[str]] = field(default_factory=dict)
    unknown_services: Counter[str] = field(default_factory=Counter)
    ticket_count: int = 0
    open_tickets: int = 0
    arrivals: Counter[int] = field(default_factory=Counter)
    """Tickets by the half hour in which they entered (Unix ms ÷ 1 800 000)."""
    negative_waits: CountedLines = field(default_factory=lambda: CountedLines("negative waits", NEGATIVE))
    negative_services: CountedLines = field(default_factory=lambda: CountedLines("negative service times", NEGATIVE))
    repeated_times: CountedLines = field(
        default_factory=lambda: CountedLines("rows in the hour that clocks show twice", REPEATED)
    )
    skipped_times: CountedLines = field(
        default_factory=lambda: CountedLines("rows with a time that clocks skip", SKIPPED)
    )
    faults: FaultCounts = field(init=False)
    _date_readings: list[DateReading] = field(init=False)
    _texts_tested: dict[str, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what is compared in every row."""
        self.faults = FaultCounts(self.file)
        self._date_readings = _date_readings(self.mapping)
        self._texts_tested = _texts_tested(self.mapping)

    @property
    def event_count(self) -> int:
        """Return how many events the file makes, each once."""
        return self.events_by_type.total()

    def add_row(self, cells: RowCells) -> None:
        """Count a row that is not skipped."""
        for column, known in self._texts_tested.items():
            text = cells[column]
            if text not in known:
                counts = self.unmatched.setdefault(column, Counter())
                counts[text if text in counts or len(counts) < MAX_VALUES else "…"] += 1
        for reading in self._date_readings:
            if reading.is_swappable:
                reading.add(cells[reading.column])

    def add_fault(self, line: int, column: str, kind: str, remedy: str, text: str | None = None) -> None:
        """Count a fault."""
        self.faults.add(line, column, kind, remedy, text)
        if kind == UNKNOWN_SERVICE and text is not None:
            self.unknown_services[text if len(self.unknown_services) < MAX_VALUES else "…"] += 1

    def add_clock_changes(self, line: int, changes: ClockChanges) -> None:
        """Count a row whose local times are of the hour at which clocks change."""
        if changes.repeated:
            self.repeated_times.add(line)
        if changes.has_skipped:
            self.skipped_times.add(line)

    def add_events(self, events: Iterable[Event], line: int) -> None:
        """Count events of the row in that line."""
        for event in events:
            self.events_by_type[event_type_of(event)] += 1
            if isinstance(event, TicketIssued):
                self.arrivals[event.t // HALF_HOUR_MS] += 1
            elif isinstance(event, TicketCalled) and event.t < event.entered:
                self.negative_waits.add(line)
            elif isinstance(event, TicketFinished) and event.t < (event.started or event.called) + event.held_ms:
                self.negative_services.add(line)
            self.first_t = event.t if self.first_t is None else min(self.first_t, event.t)
            self.last_t = event.t if self.last_t is None else max(self.last_t, event.t)

    def derive_hours(self) -> tuple[OpeningHours, ...]:
        """Return for each weekday the time in which tickets entered, in half hours; () without any ticket.

        Half hours with less than a tenth of the weekday's third busiest one are left out, and so is what a break of
        more than three hours parts from most tickets: the end of the evening before.
        """
        by_weekday: list[Counter[int]] = [Counter() for _ in range(7)]
        for half_hour, count in self.arrivals.items():
            local = to_local(half_hour * HALF_HOUR_MS, self.mapping.zone)
            by_weekday[local.weekday()][(local.hour * 60 + local.minute) // 5 * 5] += count
        return tuple(_busy_hours(arrivals) for arrivals in by_weekday) if self.arrivals else ()

    def warnings(self) -> list[str]:
        """Return what is allowed, but probably not intended."""
        texts = [reading.warning() for reading in self._date_readings]
        counted = (self.negative_waits, self.negative_services, self.repeated_times, self.skipped_times)
        texts += [lines.warning() for lines in counted]
        return [text for text in texts if text]
