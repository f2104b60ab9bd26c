"""The period that a page shows: read from `?from=&to=`, with its neighbours as links. It must not read the store.

Dates are local; for people `to` is included, inside windows are half-open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from telemetry.queries.errors import BadWindow
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

PeriodUnit = Literal["day", "week", "month", "range"]
HISTORY_LENGTHS, USUAL_HISTORY_DAYS = (7, 28, 90), 28
"""Days that the uptime bars of a system or device may show."""
LENGTH = "days"
MAX_CENTRE_DAYS = 400
MAX_PROVINCE_DAYS = 92
FIRST_YEAR, LAST_YEAR = 1900, 2199
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")


class BadPeriod(BadWindow):
    """A period that cannot be shown; `key` and `values` are its message on a page."""

    def __init__(self, text: str, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Period:
    """A range of days, the present day in its zone, and how it divides into neighbours."""

    days: DayRange
    today: date

    @property
    def unit(self) -> PeriodUnit:
        """Return whether it is a day, a week from Monday, a month, or another range."""
        first, last = self.days.first, self.days.last
        if first == last:
            return "day"
        if first.weekday() == 0 and self.days.days == 7:
            return "week"
        return "month" if first.day == 1 and last == _last_of_month(first) else "range"

    @property
    def previous(self) -> DayRange:
        """Return the period before it: the day, week or month, or as many days."""
        if self.unit == "month":
            return month_of(self.days.first - timedelta(days=1), self.days.zone)
        return self._shift(-self.days.days)

    @property
    def following(self) -> DayRange | None:
        """Return the period after it, None when that has not begun."""
        if self.unit == "month":
            days = month_of(self.days.last + timedelta(days=1), self.days.zone)
        else:
            days = self._shift(self.days.days)
        return days if days.first <= self.today else None

    @property
    def includes_today(self) -> bool:
        """Return whether its figures still grow."""
        return self.days.first <= self.today <= self.days.last

    @property
    def is_ahead(self) -> bool:
        """Return whether it has not begun."""
        return self.days.first > self.today

    def _shift(self, by: int) -> DayRange:
        step = timedelta(days=by)
        return DayRange(self.days.first + step, self.days.last + step, self.days.zone)

    def as_unit(self, unit: PeriodUnit) -> DayRange:
        """Return the day, week or month of its last day that is not ahead."""
        day = max(self.days.first, min(self.days.last, self.today))
        if unit == "week":
            return week_of(day, self.days.zone)
        return month_of(day, self.days.zone) if unit == "month" else DayRange(day, day, self.days.zone)


def week_of(day: date, zone: ZoneInfo) -> DayRange:
    """Return the week from Monday that contains a day."""
    first = day - timedelta(days=day.weekday())
    return DayRange(first, first + timedelta(days=6), zone)


def month_of(day: date, zone: ZoneInfo) -> DayRange:
    """Return the month that contains a day."""
    first = day.replace(day=1)
    return DayRange(first, _last_of_month(first), zone)


def _last_of_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def parse_period(params: Mapping[str, str], zone: ZoneInfo, max_days: int) -> DayRange | None:
    """Read `from` and `to`; one alone is a single day, none (or empty fields of a form) is no period.

    Raises BadPeriod with the remedy.
    """
    first, last = _parse_date(params, "from"), _parse_date(params, "to")
    if first is None and last is None:
        return None
    days = DayRange(first or last, last or first, zone)  # type: ignore[arg-type]
    if days.last < days.first:
        text = "`to` is before `from`: exchange the two days"
        raise BadPeriod(text, "period_order", first=days.first, last=days.last)
    if days.days > max_days:
        text = f"{days.days} days: at most {max_days} days are shown at once; choose a shorter period"
        raise BadPeriod(text, "period_too_long", days=days.days, most=max_days)
    return days


def recent_days(params: Mapping[str, str], today: date, zone: ZoneInfo) -> DayRange:
    """Return the last 7, 28 or 90 days with today, as `days` asks for; another number is ignored."""
    length = next((days for days in HISTORY_LENGTHS if params.get(LENGTH) == str(days)), USUAL_HISTORY_DAYS)
    return DayRange(today - timedelta(days=length - 1), today, zone)


def length_query(recent: DayRange, **more: str) -> str:
    """Return the query string that asks for the same recent days; the usual ones need none."""
    length = "" if recent.days == USUAL_HISTORY_DAYS else str(recent.days)
    fields = {name: value for name, value in {**more, LENGTH: length}.items() if value}
    return "?" + urlencode(fields) if fields else ""


def _parse_date(params: Mapping[str, str], name: str) -> date | None:
    text = params.get(name, "").strip()
    if not text:
        return None
    try:
        day = _read_date(text)
    except ValueError as error:
        message = f"`{name}` is {text!r}: write a day such as 2026-11-27"
        raise BadPeriod(message, f"period_bad_{name}", entry=text[:40]) from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = f"`{name}` is {text!r}: years from {FIRST_YEAR} to {LAST_YEAR} are accepted"
        raise BadPeriod(message, f"period_bad_{name}", entry=text[:40])
    return day


def _read_date(text: str) -> date:
    if match := _DAY_FIRST.fullmatch(text):
        return date(int(match[3]), int(match[2]), int(match[1]))
    if match := _YEAR_FIRST.fullmatch(text):
        return date(int(match[1]), int(match[2]), int(match[3]))
    msg = "not a day"
    raise ValueError(msg)


def period_query(days: DayRange, **more: str) -> str:
    """Return the query string of a period; empty values are left out."""
    fields = {"from": days.first.isoformat(), "to": days.last.isoformat(), **more}
    return "?" + urlencode({name: value for name, value in fields.items() if value})
