"""What a comparison is about: one place over two periods, or several centres over one; read from a page's parameters.

It must not read figures. A period that is still running is compared with as much of the other one: both end at the same
time of their day.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from api.pages.frame.periods import MAX_CENTRE_DAYS, MAX_PROVINCE_DAYS, BadPeriod, month_of, parse_period, week_of
from telemetry.core.calendar.windows import Window, to_local, to_ms
from telemetry.queries.errors import NotFound
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import Centre

PeriodPair = Literal["week", "last-week", "month", "last-month", "week-last-year", "month-last-year", "own"]
PERIOD_PAIRS: tuple[PeriodPair, ...] = get_args(PeriodPair)
MAX_CENTRES = 6
_ID_AT_END = re.compile(r"\(([a-z0-9-]+)\)$")
WEEKS_OF_A_YEAR = timedelta(days=364)
"""A year ago by weekdays: 52 weeks."""


@dataclass(frozen=True, slots=True)
class TwoPeriods:
    """The period in question and the one beside it, as windows whose days are local; None before it has begun."""

    pair: PeriodPair
    first: Window | None
    second: Window


@dataclass(frozen=True, slots=True)
class _Days:
    """A period in days and, if it is still running, where its window ends."""

    days: DayRange
    until: int

    @property
    def window(self) -> Window | None:
        """Return the part that has passed, None without any."""
        whole = self.days.window
        return Window(whole.start, min(whole.end, self.until)) if self.until > whole.start else None


def read_pair(params: Mapping[str, str]) -> PeriodPair | None:
    """Return the pair of periods that was asked for, None without one; raises NotFound for an unknown name."""
    name = params.get("periods", "")
    if not name:
        return "own" if params.get("from") or params.get("to") else None
    for pair in PERIOD_PAIRS:
        if pair == name:
            return pair
    raise NotFound(name, "pair of periods")


def choose_periods(pair: PeriodPair, params: Mapping[str, str], zone: ZoneInfo, until: int, most: int) -> TwoPeriods:
    """Return both periods; nothing after `until` (Unix ms, a full hour) is compared.  Raises BadPeriod."""
    today = to_local(until, zone).date()
    if pair == "own":
        return _own_periods(params, zone, until, most)
    days = week_of(today, zone) if "week" in pair else month_of(today, zone)
    if pair.startswith("last-"):
        before = days.first - timedelta(days=1)
        days = week_of(before, zone) if pair == "last-week" else month_of(before, zone)
    first = _Days(days, until)
    match pair:
        case "week" | "last-week":
            shifted = _shift(first, timedelta(days=7))
        case "week-last-year":
            shifted = _shift(first, WEEKS_OF_A_YEAR)
        case "month-last-year":
            shifted = _same_dates(first, days.first.replace(year=days.first.year - 1))
        case _:
            shifted = _same_dates(first, (days.first - timedelta(days=1)).replace(day=1))
    return TwoPeriods(pair, first.window, shifted)


def _own_periods(params: Mapping[str, str], zone: ZoneInfo, until: int, most: int) -> TwoPeriods:
    days = parse_period(params, zone, most)
    if days is None:
        msg = "`periods=own` needs `from` and `to`"
        raise BadPeriod(msg, "cmp_needs_days")
    other = parse_period({"from": params.get("from2", ""), "to": params.get("to2", "")}, zone, most)
    first = _Days(days, until)
    if other is None:
        return TwoPeriods("own", first.window, _shift(first, timedelta(days=days.days)))
    return TwoPeriods("own", first.window, _Days(other, until).window or other.window)


def _shift(period: _Days, back: timedelta) -> Window:
    """Return the period some days earlier, as far as it has passed now; all of it before it has begun."""
    whole = DayRange(period.days.first - back, period.days.last - back, period.days.zone).window
    passed = _earlier(period.until, back, period.days.zone)
    return Window(whole.start, min(whole.end, passed)) if passed > whole.start else whole


def _same_dates(period: _Days, first: date) -> Window:
    """Return the month that begins on `first`, to the same day and time of day; a shorter month ends earlier."""
    zone = period.days.zone
    whole, now = month_of(first, zone).window, to_local(period.until, zone)
    if period.until >= period.days.window.end:
        return whole
    passed = datetime.combine(first + timedelta(days=now.day - 1), now.time(), zone)
    end = min(whole.end, to_ms(passed))
    return Window(whole.start, end) if end > whole.start else whole


def _earlier(at: int, back: timedelta, zone: ZoneInfo) -> int:
    """Return the same time of day some days earlier."""
    local = to_local(at, zone)
    return to_ms(datetime.combine(local.date() - back, local.time(), zone))


def max_days(centre: Centre | None) -> int:
    """Return how many days a period may have."""
    return MAX_CENTRE_DAYS if centre else MAX_PROVINCE_DAYS


def read_centres(params: Mapping[str, str], centres: Iterable[Centre]) -> list[Centre]:
    """Return the centres of `centre1` to `centre6` in order, each once: ids, names, or "name (id)" as the form writes.

    Raises NotFound.
    """
    by_word: dict[str, Centre] = {}
    for centre in centres:
        by_word |= {centre.id: centre, fold_accents(centre.name_vi): centre, fold_accents(centre.name_en): centre}
    chosen: dict[str, Centre] = {}
    for place in range(1, MAX_CENTRES + 1):
        entry = params.get(f"centre{place}", "").strip()
        if entry:
            match = _ID_AT_END.search(entry)
            centre_of_entry = by_word.get(match[1] if match else entry) or by_word.get(fold_accents(entry))
            if centre_of_entry is None:
                raise NotFound(match[1] if match else entry, "centre")
            chosen[centre_of_entry.id] = centre_of_entry
    return list(chosen.values())


def fold_accents(text: str) -> str:
    """Return a text in small letters without accents, as people type on a plain keyboard."""
    decomposed = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()
