"""Reads and writes RFC 3339 times at the API's edge; it must not read a clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from api.deps import Asked
from telemetry.core.calendar.windows import DAY, FIVE, Window, at, ceil, to_ms
from telemetry.core.slo.periods import calendar
from telemetry.queries import BadWindow

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

_SPACED = re.compile(r" (\d\d:\d\d)$")
_YEARS = range(1900, 2200)
"""Years that can be asked about: far enough from the ends of the calendar that zones and margins never leave it."""
_DAYS = re.compile(r"([1-9][0-9]{0,3})d")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def stamp(t: int, zone: ZoneInfo) -> str:
    """Return Unix ms as RFC 3339 with the zone's offset, to the second."""
    return at(t, zone).isoformat(timespec="seconds")


def stamp_or_none(t: int | None, zone: ZoneInfo) -> str | None:
    """Return a time as RFC 3339, None as None."""
    return None if t is None else stamp(t, zone)


def parse(text: str, name: str, zone: ZoneInfo) -> int:
    """Read an RFC 3339 time or date; without an offset it is local to the centre."""
    try:
        moment = datetime.fromisoformat(_SPACED.sub(r"+\1", text.strip()))
    except ValueError as error:
        msg = f"`{name}` is {text!r}: write an RFC 3339 time such as 2026-11-23T07:00:00+07:00, with + as %2B"
        raise BadWindow(msg) from error
    if moment.year not in _YEARS:
        msg = f"`{name}` is {text!r}: years from {_YEARS.start} to {_YEARS.stop - 1} can be asked about"
        raise BadWindow(msg)
    return to_ms(moment.replace(tzinfo=zone) if moment.tzinfo is None else moment)


def named(text: str, zone: ZoneInfo, now: int) -> Window:
    """Read a window by its name: the last days up to now (`28d`), or a local month (`this-month`, `2026-10`)."""
    if days := _DAYS.fullmatch(text):
        end = ceil(now, FIVE)
        return Window(end - int(days[1]) * DAY, end)
    if text == "this-month":
        return calendar("month", now, zone)
    found = _MONTH.fullmatch(text)
    if found is None or int(found[1]) not in _YEARS:
        msg = f"`window` is {text!r}: write days such as 28d, this-month, or a month such as 2026-10"
        raise BadWindow(msg)
    return calendar("month", parse(f"{text}-01", "window", zone), zone)


@dataclass(frozen=True, slots=True)
class Span:
    """The `from` and `to`, or the `window`, of a request, not yet read; `now` is Unix ms."""

    start: str | None
    end: str | None
    name: str | None
    now: int

    def window(self, zone: ZoneInfo, default: Callable[[], Window]) -> Window:
        """Return the window asked for; what is not given comes from the default."""
        if self.name is not None:
            return self._named(self.name, zone)
        usual = default()
        start = usual.start if self.start is None else parse(self.start, "from", zone)
        end = usual.end if self.end is None else parse(self.end, "to", zone)
        if end <= start:
            msg = "`to` must be later than `from`"
            raise BadWindow(msg)
        return Window(start, end)

    def _named(self, name: str, zone: ZoneInfo) -> Window:
        if (self.start, self.end) != (None, None):
            msg = "give `window`, or `from` and `to`, not both"
            raise BadWindow(msg)
        return named(name, zone, self.now)


def _span(
    queries: Asked,
    start: Annotated[str | None, Query(alias="from", description="RFC 3339, inclusive")] = None,
    end: Annotated[str | None, Query(alias="to", description="RFC 3339, exclusive")] = None,
    window: Annotated[str | None, Query(description="instead of both: 28d, this-month or 2026-10")] = None,
) -> Span:
    return Span(start, end, window, queries.now())


SpanAsked = Annotated[Span, Depends(_span)]
"""The times of a request."""
