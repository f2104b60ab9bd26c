"""Parses opening hours (`07:00-11:30,13:30-17:00`, `closed`) and adds their faults to the records.

It must not depend on centres or dates other than those of a record.
"""

from __future__ import annotations

import re
from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry.core.calendar.calendar_values import OpeningHours
from telemetry.inventory.record import AllowedKeys, Record, check_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_INTERVAL = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_SPECIAL_DAY_KEYS = AllowedKeys(("hours",), ("name",))
_DAY_MINUTES = 24 * 60
_MAX_OVERNIGHT_MINUTES = 12 * 60
"""Longest interval past midnight, minutes; a longer one means that the two times are exchanged by mistake."""
_REMEDY = "write HH:MM-HH:MM intervals with commas between them, or closed"


SpecialDay = tuple[OpeningHours, str]
"""The hours of a day in the exception table, and its name."""


class HoursError(ValueError):
    """Hours that cannot be parsed."""


def parse_hours(text: str) -> OpeningHours:
    """Return the opening intervals of one day in order, the last perhaps past midnight; raise HoursError."""
    if text == "closed":
        return ()
    minutes = sorted(_parse_interval(part.strip()) for part in text.split(","))
    for (_, closes), (opens, _) in pairwise(minutes):
        if opens < closes:
            raise HoursError(f"{text!r} overlaps at {_to_time(opens):%H:%M}")
    return tuple((_to_time(opens), _to_time(closes)) for opens, closes in minutes)


def _parse_interval(part: str) -> tuple[int, int]:
    match = _INTERVAL.fullmatch(part)
    if not match:
        raise HoursError(f"{part!r} is not hours")
    opens, closes = _minute_of_day(match[1], match[2]), _minute_of_day(match[3], match[4])
    night = closes + _DAY_MINUTES - opens
    if not closes or (closes < opens and night <= _MAX_OVERNIGHT_MINUTES):
        closes += _DAY_MINUTES
    if closes <= opens:
        raise HoursError(f"{part!r} ends before it starts")
    return opens, closes


def _minute_of_day(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if total > _DAY_MINUTES or int(minute) > 59:
        raise HoursError(f"{hour}:{minute} is no time of day")
    if total % 5:
        raise HoursError(f"{hour}:{minute} is not on a 5-minute mark")
    return total


def _to_time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def hours_of(record: Record, key: str) -> OpeningHours:
    """Return one value of a record as hours; closed when it cannot be parsed."""
    try:
        return parse_hours(record.text(key))
    except HoursError as error:
        if record.values.get(key):
            record.add_fault(key, str(error), _REMEDY)
        return ()


def weekday_hours(record: Record) -> dict[int, OpeningHours]:
    """Return the hours of the weekdays a record names, by their number (0 is Monday)."""
    return {i: hours_of(record, day) for i, day in enumerate(WEEKDAYS) if day in record.values}


def week_of(record: Record, usual: tuple[OpeningHours, ...] = ((),) * 7) -> tuple[OpeningHours, ...]:
    """Return the hours of the seven weekdays; a day that is not given has its regular hours."""
    for key in record.values:
        if key not in WEEKDAYS:
            record.add_fault(key, "is no weekday", f"use one of {', '.join(WEEKDAYS)}")
    return override_week(weekday_hours(record), usual)


def override_week(days: Mapping[int, OpeningHours], usual: tuple[OpeningHours, ...]) -> tuple[OpeningHours, ...]:
    """Return the usual week with some of its days replaced."""
    return tuple(days.get(i, hours) for i, hours in enumerate(usual))


def special_days_of(record: Record) -> dict[date, SpecialDay]:
    """Return the exceptions of a table of dates: hours, or a table of hours and name."""
    out: dict[date, SpecialDay] = {}
    for key in record.values:
        try:
            day = date.fromisoformat(key)
        except ValueError:
            record.add_fault(key, "is not a date", "write it as YYYY-MM-DD")
        else:
            out[day] = _parse_special_day(record, key)
    return out


def _parse_special_day(record: Record, key: str) -> SpecialDay:
    table = record.values[key]
    if not isinstance(table, dict):
        return hours_of(record, key), ""
    inner = Record(record.file, record.lines.get(key, record.line), table, record.faults)
    check_keys(inner, _SPECIAL_DAY_KEYS)
    return hours_of(inner, "hours"), inner.text("name", "")
