"""The doors to `holidays` and `dateutil`: public holidays as plain mappings, recurrence rules as lazy windows.

They are imported when a calendar first needs them: an agent installs neither. It must not read files.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, at
from telemetry.core.calendar_windows import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

YEARS = range(2010, 2046)
"""Years of which public holidays are known."""
LAST = datetime(2100, 1, 1)  # noqa: DTZ001 - local wall time, whatever the zone
"""Recurring maintenance is not followed beyond: a rule without an end must have one somewhere."""
_LAST_MS = 4_102_444_800_000
_FREQ = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = {
    "FREQ": re.compile("|".join(_FREQ)),
    "INTERVAL": re.compile(r"[1-9]\d{0,3}"),
    "COUNT": re.compile(r"[1-9]\d{0,4}"),
    "UNTIL": re.compile(r"\d{8}T\d{6}"),
    "BYDAY": re.compile(r"[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU)(,[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU))*"),
    "BYMONTH": re.compile(r"(0?[1-9]|1[0-2])(,(0?[1-9]|1[0-2]))*"),
    "BYMONTHDAY": re.compile(r"[+-]?([12]?[1-9]|[123]0|31)(,[+-]?([12]?[1-9]|[123]0|31))*"),
    "BYSETPOS": re.compile(r"[+-]?[1-9]\d?(,[+-]?[1-9]\d?)*"),
    "WKST": re.compile("MO|TU|WE|TH|FR|SA|SU"),
}


class RuleError(ValueError):
    """A recurrence rule that cannot be used."""


class UnknownCountry(ValueError):
    """A country or subdivision of which the library knows no holidays."""


@dataclass(frozen=True, slots=True)
class Publics:
    """A country's days off by name, and the days at weekends that are worked."""

    off: Mapping[date, str]
    worked: frozenset[date]


@lru_cache(maxsize=32)
def publics(country: str, subdivision: str) -> Publics:
    """Return the public holidays of `YEARS`, named in the country's language.

    Raises UnknownCountry, and ImportError when the library is not installed.
    """
    import holidays  # noqa: PLC0415

    try:
        # The language is given: without it the machine's locale would decide the names.
        language = holidays.country_holidays(country).default_language
        found = holidays.country_holidays(country, subdivision or None, years=YEARS, language=language)
    except NotImplementedError as error:
        raise UnknownCountry(str(error)) from None
    worked = frozenset(day for day in getattr(found, "weekend_workdays", ()) if day.year in YEARS)
    return Publics(MappingProxyType(dict(sorted(found.items()))), worked)


@dataclass(frozen=True, slots=True)
class Recurring:
    """Maintenance that recurs by an RFC 5545 rule; `first` and `length` are local wall time.

    On a day with a change of clocks it keeps its wall times.
    """

    name: str
    first: datetime
    length: timedelta
    rule: str
    zone: ZoneInfo

    def windows(self, window: Window) -> Iterator[Window]:
        """Yield the windows around `window`; the rule is followed only as far as that."""
        if window.start >= _LAST_MS:
            return
        early, late = (at(t, self.zone).replace(tzinfo=None) for t in (window.start, min(window.end, _LAST_MS) + DAY))
        for start in _series(self.rule, self.first).between(early - self.length - timedelta(days=1), late):
            end = start + self.length
            yield Window(moment(start.date(), start.time(), self.zone), moment(end.date(), end.time(), self.zone))


class _Series:
    """The starts of a rule, found once and only as far as anyone has asked."""

    def __init__(self, starts: Iterator[datetime]) -> None:
        self._starts = starts
        self._found: list[datetime] = []
        self._ended = False
        self._lock = Lock()

    def between(self, early: datetime, late: datetime) -> list[datetime]:
        """Return the starts in [early, late)."""
        late = min(late, LAST)
        with self._lock:
            self._follow(late)
            return self._found[bisect_left(self._found, early) : bisect_left(self._found, late)]

    def _follow(self, late: datetime) -> None:
        while not self._ended and (not self._found or self._found[-1] < late):
            start = next(self._starts, None)
            if start is None:
                self._ended = True
            else:
                self._found.append(start)


@lru_cache(maxsize=1024)
def _series(rule: str, first: datetime) -> _Series:
    from dateutil.rrule import rrulestr  # noqa: PLC0415

    return _Series(iter(rrulestr(rule, dtstart=first)))


def check_rule(rule: str, first: datetime) -> None:
    """Raise RuleError for a rule that cannot be used from `first` on, ImportError without the library."""
    parts = [part.partition("=")[::2] for part in rule.split(";")]
    names = [name for name, _ in parts]
    for name, value in parts:
        if name not in _PARTS:
            raise RuleError(f"{name!r} is not known here")
        if names.count(name) > 1:
            raise RuleError(f"{name} is there more than once")
        if not _PARTS[name].fullmatch(value):
            raise RuleError(f"{value!r} is no {name}")
    if "FREQ" not in names:
        raise RuleError("has no FREQ")
    _check_first(rule, first)


def _check_first(rule: str, first: datetime) -> None:
    try:
        found = _series(rule, first).between(first, first + timedelta(milliseconds=1))
    except ValueError as error:
        raise RuleError(str(error)) from None
    if not found:
        raise RuleError(f"does not begin with {first:%Y-%m-%d %H:%M}")
