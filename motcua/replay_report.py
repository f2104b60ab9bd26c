"""What `motcua replay` reports, as JSON and as a table; it must not read files or stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from edge_agent.mapping.importer import ImportedLog
from edge_agent.mapping.log_check import FaultCounts
from edge_agent.mapping.ticket_ledger import TicketLedger
from motcua.report_console import print_table
from telemetry.core.calendar.calendar_values import describe_hours
from telemetry.core.calendar.windows import to_local
from telemetry.core.figures.dossiers import DossierFigures
from telemetry.core.inventory import Centre, OpeningHours

SHOWN_VALUES = 5
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_PAGE_DAYS = 400
"""Most days that a page shows at once; a longer log's link shows its last ones."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What an import did: refused rows, seconds, the store's totals of the log's days by service, its dossiers."""

    file: str
    centre: str
    log: ImportedLog
    refused: int
    seconds: float
    totals: Mapping[str, Mapping[str, int]]
    dossiers: DossierFigures | None = None

    def as_json(self, store: str, listen: str) -> dict[str, object]:
        """Return the report; `store` and `listen` are those of the command that serves the page."""
        ledger = self.log.ledger or TicketLedger("once")
        path = page_path(self.log, self.centre)
        return {
            "file": self.file,
            "mapping": self.log.mapping.name,
            "centre": self.centre,
            **check_json(self.log),
            "events": self.log.event_count,
            "new": ledger.new_count - self.refused,
            "repeated": ledger.stored_count,
            "refused": self.refused,
            "differing_rows": {"count": ledger.differing_rows, "first_lines": ledger.first_differing},
            "seconds": self.seconds,
            "totals": {service: dict(sums) for service, sums in self.totals.items()},
            **({"dossiers": dossiers_json(self.dossiers, self.log)} if self.dossiers else {}),
            "page": f"http://{listen}{path}" if path else "",
            "serve": f"motcua api --store '{store}' --listen {listen}",
        }


def dossiers_json(figures: DossierFigures, log: ImportedLog) -> dict[str, object]:
    """Return the stored dossiers of the log's days; `open` are those of the file that have no end."""
    return {
        "received": figures.received_count,
        "received_by_channel": {channel: n for channel, n in figures.received_by_channel.items() if n},
        "received_online": figures.received_online,
        "online_ratio": figures.online_ratio,
        "resolved": figures.resolved,
        "on_time": figures.on_time,
        "late": figures.late,
        "on_time_ratio": figures.on_time_ratio,
        "median_days": figures.median_days,
        "open": log.check.open_tickets,
    }


def check_json(log: ImportedLog) -> dict[str, object]:
    """Return what the check of a file counted; times in the mapping's zone."""
    check, ledger = log.check, log.ledger or TicketLedger("once")
    return {
        "rows": check.row_count,
        "skipped": dict(check.skipped),
        "events_by_type": dict(sorted(check.events_by_type.items())),
        "from": _local_text(log, check.first_t),
        "to": _local_text(log, check.last_t),
        "tickets": check.ticket_count,
        "tickets_without_end": check.open_tickets,
        "repeated_rows": {"count": ledger.repeated_rows, "first_lines": ledger.first_repeated},
        "conflicting_rows": {"count": ledger.conflicting_rows, "first_lines": ledger.first_conflicting},
        "unmatched": {column: dict(counts.most_common()) for column, counts in sorted(check.unmatched.items())},
        "unknown_services": dict(check.unknown_services.most_common()),
        "warnings": check.warnings(),
        "fault_count": check.faults.count,
        "faults": [
            {
                "field": kind.column, "problem": kind.problem, "remedy": kind.remedy, "count": kind.count,
                "first": [
                    {"file": fault.file, "line": fault.line, "value": text}
                    for fault, text in zip(kind.first, kind.first_texts, strict=True)
                ],
            }
            for kind in check.faults.kinds.values()
        ],
    }  # fmt: skip


def page_path(log: ImportedLog, centre: str) -> str:
    """Return path and query of the centre's page on the log's own dates, "" for a log without events."""
    if log.first_t is None or log.last_t is None:
        return ""
    first, last = (to_local(t, log.mapping.zone).date() for t in (log.first_t, log.last_t))
    first = max(first, type(first).fromordinal(last.toordinal() - MAX_PAGE_DAYS + 1))
    return f"/centres/{centre}?from={first}&to={last}"


def _local_text(log: ImportedLog, t: int | None) -> str | None:
    return None if t is None else to_local(t, log.mapping.zone).isoformat(timespec="seconds")


def print_check(log: ImportedLog, console: Console) -> None:
    """Print the counts of a check as a table, then warnings and faults."""
    check = log.check
    table = Table(title=f"{Path(log.path).name} through {log.mapping.name}", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name, text in (*_count_rows(log), *_doubtful_rows(log)):
        table.add_row(name, text)
    print_table(console, table)
    for warning in check.warnings():
        console.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    for fault in check.faults.first_faults():
        console.print(str(fault), markup=False, highlight=False, soft_wrap=True)
    if check.faults.count:
        console.print(_fault_summary(check.faults), markup=False, highlight=False, soft_wrap=True)


def _fault_summary(faults: FaultCounts) -> str:
    """Return how many faults there are and what to do; rows can be left out, the header and the encoding cannot."""
    kinds = len(faults.kinds)
    text = f"{faults.count:,} fault{'s'[: faults.count > 1]} of {kinds} kind{'s'[: kinds > 1]}: nothing is imported yet"
    in_rows = all(kind.column != "encoding" and kind.first[0].line > 1 for kind in faults.kinds.values())
    return f"{text}; correct these rows, or leave them out with a [[skip]]" if in_rows else text


def _count_rows(log: ImportedLog) -> Iterator[tuple[str, str]]:
    check = log.check
    yield "rows", f"{check.row_count:,}"
    yield from ((f"rows skipped: {label}", f"{count:,}") for label, count in check.skipped.items())
    yield "dates", f"{_local_text(log, check.first_t) or '–'} … {_local_text(log, check.last_t) or '–'}"
    yield "events by type", f"{sum(check.events_by_type.values()):,}"
    yield from ((f"  {name}", f"{count:,}") for name, count in sorted(check.events_by_type.items()))
    yield _subjects(log), f"{check.ticket_count:,}, {check.open_tickets:,} of them without an end"


def _subjects(log: ImportedLog) -> str:
    """Return what the log's keys identify."""
    families = {name.partition(".")[0] for name in log.check.events_by_type}
    return " and ".join(f"{family}s" for family in ("ticket", "dossier") if family in families) or "tickets"


def _doubtful_rows(log: ImportedLog) -> Iterator[tuple[str, str]]:
    check, ledger = log.check, log.ledger or TicketLedger("once")
    if ledger.repeated_rows:
        yield "repeated rows", f"{ledger.repeated_rows:,}, counted once{_lines(ledger.first_repeated)}"
    if ledger.conflicting_rows:
        remedy = 'the first row counts; does the number restart? see "repeats" in the mapping reference'
        yield "rows that contradict", f"{ledger.conflicting_rows:,}{_lines(ledger.first_conflicting)}: {remedy}"
    for column, counts in sorted(check.unmatched.items()):
        yield f"texts without a rule: {column}", _values_text(counts)
    if check.unknown_services:
        yield "services unknown", _values_text(check.unknown_services)


def print_result(result: ReplayResult, report: Mapping[str, object], console: Console, centre: Centre | None) -> None:
    """Print what an import did, where to see it, and what was not changed."""
    print_check(result.log, console)
    ledger = result.log.ledger or TicketLedger("once")
    if ledger.differing_rows:
        text = (
            f"{ledger.differing_rows:,} rows differ from what is stored{_lines(ledger.first_differing)}: not changed; "
        )
        console.print(f"{text}to replace them, import the file into an empty store", markup=False, highlight=False)
    if centre is not None and centre.derived_hours:
        text = f"opening hours derived from the log: {hours_text(centre.derived_hours)}"
        console.print(
            f"{text}; declare [hours] in the mapping to set them", markup=False, highlight=False, soft_wrap=True
        )
    skipped = ", ".join(f"{n} {label} rows skipped" for label, n in result.log.skipped_rows.items()) or "no row skipped"
    text = f"{result.log.row_count} rows, {skipped}; {result.log.event_count} events: {report['new']} new, "
    text += f"{report['repeated']} already stored, {result.refused} refused; {result.seconds} s"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    if result.dossiers:
        console.print(_dossiers_text(result.dossiers, result.log), markup=False, highlight=False, soft_wrap=True)
    if report["page"]:
        console.print(f"serve it: {report['serve']}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"open:     {report['page']}", markup=False, highlight=False, soft_wrap=True)


def _dossiers_text(figures: DossierFigures, log: ImportedLog) -> str:
    channels = ", ".join(f"{count:,} {channel}" for channel, count in figures.received_by_channel.items() if count)
    parts = [f"dossiers received: {figures.received_count:,} ({channels})"]
    if figures.online_ratio is not None:
        parts.append(f"online {figures.received_online:,} ÷ {figures.received_count:,} = {figures.online_ratio:.1%}")
    if figures.on_time_ratio is not None:
        timed = figures.on_time + figures.late
        parts.append(f"in time {figures.on_time:,} ÷ {timed:,} resolved = {figures.on_time_ratio:.1%}")
    if figures.median_days is not None:
        parts.append(f"median {figures.median_days:.1f} days")
    return "; ".join([*parts, f"{log.check.open_tickets:,} still open"])


def hours_text(hours: Iterable[OpeningHours]) -> str:
    """Return opening hours in one line, e.g. `Mon 07:30-17:00, Tue 07:30-17:00`."""
    return ", ".join(f"{name} {describe_hours(day)}" for name, day in zip(_WEEKDAYS, hours, strict=True) if day)


def _lines(lines: list[int]) -> str:
    return f" (first in line {', '.join(map(str, lines))})" if lines else ""


def _values_text(counts: Counter[str]) -> str:
    shown = [f"{text or '(empty)'} × {count:,}" for text, count in counts.most_common(SHOWN_VALUES)]
    more = len(counts) - SHOWN_VALUES
    return ", ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def write_json(path: Path, report: Mapping[str, object]) -> None:
    """Write a report as indented JSON; `-` is standard output."""
    text = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    if str(path) == "-":
        print(text.decode(), end="")
    else:
        path.write_bytes(text)
