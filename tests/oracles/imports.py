"""The figures of imported logs, counted from the files alone: it shares no code with the product.

A ticket counts as issued when it entered, its wait in the interval of the call, the others when they happened.
"""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HANOI, JERUSALEM = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Asia/Jerusalem")
Ending = Literal["served", "abandoned", "no_show", ""]
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@dataclass(frozen=True, slots=True)
class CountedTicket:
    """One ticket of a file; `ended` is when its ending came."""

    key: str
    service: str
    entered: datetime
    called: datetime | None
    ending: Ending
    ended: datetime | None


@dataclass(slots=True)
class CountedFigures:
    """The figures of one service in one interval; waits in ms."""

    issued: int = 0
    served: int = 0
    abandoned: int = 0
    no_show: int = 0
    waits: list[int] = field(default_factory=list)

    def as_row(self, within_s: int) -> tuple[int, ...]:
        """Return issued, served, abandoned, no-shows, called, their waits' sum in ms, called within the threshold."""
        within = sum(wait <= within_s * 1000 for wait in self.waits)
        return self.issued, self.served, self.abandoned, self.no_show, len(self.waits), sum(self.waits), within


def count_by(
    tickets: Iterable[CountedTicket], start_of: Callable[[datetime], datetime], within_s: int
) -> dict[tuple[str, datetime], tuple[int, ...]]:
    """Return the figures by service and start of the interval; a key that comes again is the same ticket."""
    rows: dict[tuple[str, datetime], CountedFigures] = defaultdict(CountedFigures)
    for ticket in {ticket.key: ticket for ticket in reversed(list(tickets))}.values():
        rows[ticket.service, start_of(ticket.entered)].issued += 1
        if ticket.called is not None:
            wait = ticket.called - ticket.entered
            rows[ticket.service, start_of(ticket.called)].waits.append(round(wait.total_seconds() * 1000))
        if ticket.ended is not None and ticket.ending:
            row = rows[ticket.service, start_of(ticket.ended)]
            setattr(row, ticket.ending, getattr(row, ticket.ending) + 1)
    return {key: row.as_row(within_s) for key, row in rows.items()}


def start_of_hour(when: datetime) -> datetime:
    """Return the start of the local hour."""
    return when.replace(minute=0, second=0, microsecond=0)


def start_of_day(when: datetime) -> datetime:
    """Return the start of the local day."""
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def read_ticket_book(path: Path) -> list[CountedTicket]:
    """Read the semicolon CSV with Vietnamese headers."""
    services = {
        "Đất đai": "land", "Hộ tịch": "civil-status", "Chứng thực": "certification",
        "Bảo hiểm xã hội": "social-insurance",
    }  # fmt: skip
    endings: dict[str, Ending] = {"Đã giải quyết": "served", "Bỏ về": "abandoned", "Vắng mặt": "no_show"}
    tickets = []
    for row in csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=";"):
        if row["Kết quả"] == "Thử máy":
            continue
        clock, half = row["Giờ lấy số"].split()
        hour, minute, second = map(int, clock.split(":"))
        day = datetime.strptime(row["Ngày"], "%d/%m/%Y").replace(tzinfo=HANOI)
        entered = day + timedelta(hours=hour % 12 + (12 if half == "CH" else 0), minutes=minute, seconds=second)
        minutes, tenths = row["Chờ (phút)"].split(",")
        waited = entered + timedelta(minutes=int(minutes), seconds=6 * int(tenths))
        ending, ended = endings[row["Kết quả"]], waited
        if ending == "served":
            length = row["Phục vụ"].split(":")
            ended = waited + timedelta(minutes=int(length[0]), seconds=int(length[1]))
        called = None if ending == "abandoned" else waited
        tickets.append(
            CountedTicket(row["Ngày"] + row["Số phiếu"], services[row["Lĩnh vực"]], entered, called, ending, ended)
        )
    return tickets


def read_workbook(path: Path) -> list[CountedTicket]:
    """Read the Excel workbook's XML: days since 1899-12-30, times as fractions of a day."""
    services = {"Business registration": "business", "Construction permits": "construction", "Taxes": "tax"}
    endings: dict[str, Ending] = {"Served": "served", "Left": "abandoned", "No show": "no_show", "Waiting": ""}
    tickets = []
    for row in _sheet_rows(path)[1:]:
        day = datetime(1899, 12, 30, tzinfo=HANOI) + timedelta(days=int(float(row["A"])))
        taken, called, ended = (
            day + timedelta(seconds=round(float(row[column]) * 86_400)) if row.get(column) else None
            for column in ("D", "E", "F")
        )
        assert taken is not None
        tickets.append(
            CountedTicket(row["A"] + "/" + row["B"], services[row["C"]], taken, called, endings[row["H"]], ended)
        )
    return tickets


def _sheet_rows(path: Path) -> list[dict[str, str]]:
    with zipfile.ZipFile(path) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in sheet.iter(f"{SHEET}row"):
        cells = {}
        for cell in row:
            text = "".join(part.text or "" for part in cell.iter() if part.tag in {f"{SHEET}v", f"{SHEET}t"})
            if text:
                cells[re.sub(r"\d", "", cell.attrib["r"])] = text
        rows.append(cells)
    return rows


def read_json_lines(path: Path) -> list[CountedTicket]:
    """Read the JSON lines."""
    endings: dict[str, Ending] = {"done": "served", "left": "abandoned", "absent": "no_show"}
    tickets = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        entered = datetime.fromisoformat(row["taken"]).astimezone(HANOI)
        waited = ended = entered + timedelta(seconds=row["waited_s"])
        if row["state"] == "done":
            hours, minutes, seconds = map(int, row["served"].split(":"))
            ended = waited + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        called = None if row["state"] == "left" else waited
        tickets.append(CountedTicket(row["id"], row["desk"]["service"], entered, called, endings[row["state"]], ended))
    return tickets


def read_bank(path: Path) -> list[CountedTicket]:
    """Read the bank's call log; times in February 1999 have no change of daylight saving."""
    endings: dict[str, Ending] = {"AGENT": "served", "HANG": "abandoned"}
    tickets = []
    for row in csv.DictReader(path.read_text("utf-8").splitlines(), delimiter="\t"):
        if row["outcome"] == "PHANTOM":
            continue
        day = datetime.strptime(row["date"], "%y%m%d").replace(tzinfo=JERUSALEM)
        begin, leave = (day + _clock(row[column]) for column in ("vru_entry", "vru_exit"))
        entered = min((leave + timedelta(days=shift) for shift in (-1, 0, 1)), key=lambda t: abs(t - begin))
        waited = ended = entered + timedelta(seconds=int(row["q_time"]))
        ending = endings[row["outcome"]]
        if ending == "served":
            ended = waited + timedelta(seconds=int(row["ser_time"]))
        called = waited if ending == "served" else None
        key = f"{row['vru+line']}/{row['call_id']}"
        tickets.append(CountedTicket(key, row["type"].lower(), entered, called, ending, ended))
    return tickets


def _clock(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def count_dossiers(path: Path) -> dict[tuple[str, str, str], int]:
    """Return how many dossiers each service received and resolved, by UTC day."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        service = row["department"].lower().replace(" ", "-")
        for name, cell in (("dossier.received", row["started"]), ("dossier.resolved", row["ended"])):
            if cell:
                day = datetime.fromisoformat(cell).astimezone(ZoneInfo("UTC")).date().isoformat()
                counts[name, service, day] += 1
    return dict(counts)


@dataclass(frozen=True, slots=True)
class CountedDossiers:
    """The permit dossiers of a file, counted from its cells alone; the median is that of the sorted durations."""

    by_channel: dict[str, int]
    online: int
    on_time: int
    resolved: int
    median_days: float


CHANNELS = {
    "Internet": "online", "Desk": "direct", "Post": "post", "e-mail": "email", "Intern": "internal", "UNKNOWN": "other",
}  # fmt: skip


def recount_dossiers(path: Path) -> CountedDossiers:
    """Count a file of dossiers: a time is an instant, so both sides of a change of clocks are compared in UTC."""
    by_channel: dict[str, int] = defaultdict(int)
    on_time, days = 0, []
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        by_channel[CHANNELS[row["channel"]]] += 1
        if row["ended"]:
            started, ended, planned = (
                datetime.fromisoformat(row[name]) for name in ("started", "ended", "planned_end")
            )
            on_time += ended <= planned
            days.append((ended - started) / timedelta(days=1))
    middle = sorted(days)[(len(days) + 1) // 2 - 1]
    return CountedDossiers(dict(by_channel), by_channel["online"], on_time, len(days), middle)
