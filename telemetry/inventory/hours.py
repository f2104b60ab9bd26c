"""Turns written opening hours (`07:00-11:30,13:30-17:00`, `closed`) into values, with their faults.

It must not know centres or dates beyond what a record gives it.
"""

from __future__ import annotations

import re
from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry.core.calendar.calendar_values import Hours
from telemetry.inventory.record import Keys, Record, check_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_INTERVAL = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_EXCEPTION = Keys(("hours",), ("name",))
_MIDNIGHT = 24 * 60
_LONGEST_NIGHT = 12 * 60
"""Minutes that hours past midnight may last; with more, the two times were exchanged by mistake."""
_REMEDY = "write HH:MM-HH:MM intervals with commas between them, or closed"


Special = tuple[Hours, str]
"""The hours of a day in the exception table, and why."""


class HoursError(ValueError):
    """Hours that cannot be used."""


def parse_hours(text: str) -> Hours:
    """Return the opening intervals of one day in order, the last perhaps past midnight; raise HoursError."""
    if text == "closed":
        return ()
    minutes = sorted(_minutes(part.strip()) for part in text.split(","))
    for (_, closes), (opens, _) in pairwise(minutes):
        if opens < closes:
            raise HoursError(f"{text!r} overlaps at {_clock(opens):%H:%M}")
    return tuple((_clock(opens), _clock(closes)) for opens, closes in minutes)


def _minutes(part: str) -> tuple[int, int]:
    found = _INTERVAL.fullmatch(part)
    if not found:
        raise HoursError(f"{part!r} is not hours")
    opens, closes = _minute(found[1], found[2]), _minute(found[3], found[4])
    night = closes + _MIDNIGHT - opens
    if not closes or (closes < opens and night <= _LONGEST_NIGHT):
        closes += _MIDNIGHT
    if closes <= opens:
        raise HoursError(f"{part!r} ends before it starts")
    return opens, closes


def _minute(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if total > _MIDNIGHT or int(minute) > 59:
        raise HoursError(f"{hour}:{minute} is no time of day")
    if total % 5:
        raise HoursError(f"{hour}:{minute} is not on a 5-minute mark")
    return total


def _clock(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def hours_of(record: Record, key: str) -> Hours:
    """Return one value of a record as hours; closed when it cannot be used."""
    try:
        return parse_hours(record.text(key))
    except HoursError as error:
        if record.values.get(key):
            record.fault(key, str(error), _REMEDY)
        return ()


def some_days(record: Record) -> dict[int, Hours]:
    """Return the hours of the weekdays a record names, by their number (0 is Monday)."""
    return {i: hours_of(record, day) for i, day in enumerate(WEEK) if day in record.values}


def week_of(record: Record, usual: tuple[Hours, ...] = ((),) * 7) -> tuple[Hours, ...]:
    """Return the hours of the seven weekdays; a day that is not written is as usual."""
    for key in record.values:
        if key not in WEEK:
            record.fault(key, "is no weekday", f"use one of {', '.join(WEEK)}")
    return week_with(some_days(record), usual)


def week_with(days: Mapping[int, Hours], usual: tuple[Hours, ...]) -> tuple[Hours, ...]:
    """Return the week with some of its days changed."""
    return tuple(days.get(i, hours) for i, hours in enumerate(usual))


def days_of(record: Record) -> dict[date, Special]:
    """Return the exceptions of a table of dates: written hours, or a table of hours and name."""
    out: dict[date, Special] = {}
    for key in record.values:
        try:
            day = date.fromisoformat(key)
        except ValueError:
            record.fault(key, "is not a date", "write it as YYYY-MM-DD")
        else:
            out[day] = _exception(record, key)
    return out


def _exception(record: Record, key: str) -> Special:
    table = record.values[key]
    if not isinstance(table, dict):
        return hours_of(record, key), ""
    inner = Record(record.file, record.lines.get(key, record.line), table, record.faults)
    check_keys(inner, _EXCEPTION)
    return hours_of(inner, "hours"), inner.text("name", "")
