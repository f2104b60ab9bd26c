"""Writes changes of the opening hours as an iCalendar file (RFC 5545), which calendar programs subscribe to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window

_LINE_OCTETS = 75


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One event of the file; one of whole days has dates instead of times."""

    window: Window
    summary: str
    description: str
    is_day: bool


def write_calendar(name: str, entries: Iterable[FileEntry], stamp: int, zone: ZoneInfo) -> str:
    """Return the file; `stamp` (Unix ms) is when its content was made. The same event has the same UID for ever."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Motcua//Maintenance//EN", f"X-WR-CALNAME:{_escape(name)}"]
    for entry in entries:
        lines += _event_lines(entry, stamp, zone)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _fold(line))


def _event_lines(entry: FileEntry, stamp: int, zone: ZoneInfo) -> list[str]:
    key = f"{entry.window} {entry.summary} {entry.description}"
    times = (
        (
            f"DTSTART;VALUE=DATE:{_date(entry.window.start, zone):%Y%m%d}",
            f"DTEND;VALUE=DATE:{_date(entry.window.end, zone):%Y%m%d}",
        )
        if entry.is_day
        else (f"DTSTART:{_utc(entry.window.start)}", f"DTEND:{_utc(entry.window.end)}")
    )
    return [
        "BEGIN:VEVENT",
        f"UID:{blake2b(key.encode(), digest_size=12).hexdigest()}@motcua",
        f"DTSTAMP:{_utc(stamp)}",
        *times,
        f"SUMMARY:{_escape(entry.summary)}",
        f"DESCRIPTION:{_escape(entry.description)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _date(t: int, zone: ZoneInfo) -> date:
    return to_local(t, zone).date()


def _utc(t: int) -> str:
    return f"{datetime.fromtimestamp(t // 1000, UTC):%Y%m%dT%H%M%SZ}"


def _escape(text: str) -> str:
    for character, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r", ""), ("\n", "\\n")):
        text = text.replace(character, escaped)
    return text


def _fold(line: str) -> Iterator[str]:
    """Yield the parts of a line of at most 75 octets; each but the first begins with a space."""
    part = ""
    for character in line:
        if len((part + character).encode()) > _LINE_OCTETS:
            yield part
            part = " "
        part += character
    yield part
