"""Adapts `holidays` and `dateutil`: public holidays as plain mappings, recurrence rules as lazy windows.

Both are imported when a calendar first needs them: an agent installs neither. It must not read files.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, to_local, wall_time_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

HOLIDAY_YEARS = range(2010, 2046)
"""Years for which public holidays are computed."""
RECURRENCE_END = datetime(2100, 1, 1)  # noqa: DTZ001 - local wall time, whatever the zone
"""Recurring maintenance ends here at the latest: a rule without an end needs one."""
_RECURRENCE_END_MS = 4_102_444_800_000
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_RULE_PARTS = {
    "FREQ": re.compile("|".join(_FREQUENCIES)),
    "INTERVAL": re.compile(r"[1-9]\d{0,3}"),
    "COUNT": re.compile(r"[1-9]\d{0,4}"),
    "UNTIL": re.compile(r"\d{8}T\d{6}"),
    "BYDAY": re.compile(r"[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU)(,[+-]?\d{0,2}(MO|TU|WE|TH|FR|SA|SU))*"),
    "BYMONTH": re.compile(r"(0?[1-9]|1[0-2])(,(0?[1-9]|1[0-2]))*"),
    "BYMONTHDAY": re.compile(r"[+-]?([12]?[1-9]|[123]0|31)(,[+-]?([12]?[1-9]|[123]0|31))*"),
    "BYSETPOS": re.compile(r"[+-]?[1-9]\d?(,[+-]?[1-9]\d?)*"),
    "WKST": re.compile("MO|TU|WE|TH|FR|SA|SU"),
}


_MIN_HOLIDAYS = "0.106"
"""The lowest version of the library that has every day below; the same bound as in pyproject.toml."""
_KNOWN_DAYS_OFF = {
    "VN": (
        date(2021, 2, 12), date(2021, 4, 21), date(2021, 9, 2), date(2021, 9, 3), date(2022, 2, 1), date(2022, 2, 4),
        date(2022, 4, 11), date(2022, 9, 1), date(2025, 5, 2), date(2026, 2, 17), date(2026, 8, 31),
    ),
}  # fmt: skip
"""Tết, Hùng Kings, National Day, and days swapped by decision, by country: a library without one is out of date."""
_KNOWN_DAYS_WORKED = {"VN": (date(2025, 4, 26), date(2026, 8, 22))}
"""Saturdays worked for such days."""


class RuleError(ValueError):
    """A recurrence rule that is not supported or not valid."""


class UnknownCountry(ValueError):
    """A country or subdivision for which the library has no holidays."""


class OutdatedHolidays(ValueError):
    """The installed library lacks days that are known; `remedy` says which version has them."""

    remedy = f'pip install "holidays>={_MIN_HOLIDAYS}"'


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """A country's days off with their names, and the weekend days that are worked."""

    days_off: Mapping[date, str]
    working_weekend_days: frozenset[date]


@lru_cache(maxsize=32)
def public_holidays(country: str, subdivision: str) -> PublicHolidays:
    """Return the public holidays of HOLIDAY_YEARS, named in the country's language.

    Raises UnknownCountry, OutdatedHolidays, and ImportError when the library is not installed.
    """
    import holidays  # noqa: PLC0415

    try:
        # The language is given: without it the machine's locale would decide the names.
        language = holidays.country_holidays(country).default_language
        days_off = holidays.country_holidays(country, subdivision or None, years=HOLIDAY_YEARS, language=language)
    except NotImplementedError as error:
        raise UnknownCountry(str(error)) from None
    worked = frozenset(day for day in getattr(days_off, "weekend_workdays", ()) if day.year in HOLIDAY_YEARS)
    # `country` is the two-letter code, whichever of its names was given.
    missing = [day for day in _KNOWN_DAYS_OFF.get(days_off.country, ()) if day not in days_off]
    missing += [day for day in _KNOWN_DAYS_WORKED.get(days_off.country, ()) if day not in worked]
    if missing:
        days = ", ".join(map(str, sorted(missing)))
        raise OutdatedHolidays(f"the library holidays {version('holidays')} is wrong about {days}")
    return PublicHolidays(MappingProxyType(dict(sorted(days_off.items()))), worked)


@dataclass(frozen=True, slots=True)
class RecurringMaintenance:
    """Maintenance that recurs by an RFC 5545 rule; `first` and `length` are local wall time.

    On a day on which the clocks change its wall times stay the same.
    """

    name: str
    first: datetime
    length: timedelta
    rule: str
    zone: ZoneInfo

    # Digested into the calendar's version, see `calendar_values.Swap`.
    def __repr__(self) -> str:
        fields = f"name={self.name!r}, first={self.first!r}, length={self.length!r}, rule={self.rule!r}"
        return f"Recurring({fields}, zone={self.zone!r})"

    def windows_in(self, window: Window) -> Iterator[Window]:
        """Yield the windows near `window`; the rule is evaluated only as far as needed."""
        if window.start >= _RECURRENCE_END_MS:
            return
        early, late = (
            to_local(t, self.zone).replace(tzinfo=None)
            for t in (window.start, min(window.end, _RECURRENCE_END_MS) + DAY)
        )
        for start in _rule_starts(self.rule, self.first).between(early - self.length - timedelta(days=1), late):
            end = start + self.length
            yield Window(
                wall_time_ms(start.date(), start.time(), self.zone), wall_time_ms(end.date(), end.time(), self.zone)
            )


class _RuleStarts:
    """The starts of a rule, computed once and only as far as requested."""

    def __init__(self, starts: Iterator[datetime]) -> None:
        self._starts = starts
        self._known_starts: list[datetime] = []
        self._exhausted = False
        self._lock = Lock()

    def between(self, early: datetime, late: datetime) -> list[datetime]:
        """Return the starts in [early, late)."""
        late = min(late, RECURRENCE_END)
        with self._lock:
            while not self._exhausted and (not self._known_starts or self._known_starts[-1] < late):
                start = next(self._starts, None)
                if start is None:
                    self._exhausted = True
                else:
                    self._known_starts.append(start)
            return self._known_starts[bisect_left(self._known_starts, early) : bisect_left(self._known_starts, late)]


@lru_cache(maxsize=1024)
def _rule_starts(rule: str, first: datetime) -> _RuleStarts:
    from dateutil.rrule import rrulestr  # noqa: PLC0415

    return _RuleStarts(iter(rrulestr(rule, dtstart=first)))


def check_rule(rule: str, first: datetime) -> None:
    """Raise RuleError for an invalid rule or one that does not start at `first`, ImportError without the library."""
    parts = [part.partition("=")[::2] for part in rule.split(";")]
    names = [name for name, _ in parts]
    for name, value in parts:
        if name not in _RULE_PARTS:
            raise RuleError(f"{name!r} is not known")
        if names.count(name) > 1:
            raise RuleError(f"{name} is given more than once")
        if not _RULE_PARTS[name].fullmatch(value):
            raise RuleError(f"{value!r} is no {name}")
    if "FREQ" not in names:
        raise RuleError("has no FREQ")
    _check_first_start(rule, first)


def _check_first_start(rule: str, first: datetime) -> None:
    try:
        starts = _rule_starts(rule, first).between(first, first + timedelta(milliseconds=1))
    except ValueError as error:
        raise RuleError(str(error)) from None
    if not starts:
        raise RuleError(f"does not begin with {first:%Y-%m-%d %H:%M}")
