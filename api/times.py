"""Parses and formats the API's RFC 3339 times; it must not read a clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from api.deps import QueriesDep
from telemetry.core.calendar.windows import DAY, SLOT, Window, ceil, to_local, to_ms
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

_SPACE_BEFORE_OFFSET = re.compile(r" (\d\d:\d\d)$")
_YEARS = range(1900, 2200)
"""Years that are accepted: far enough from the ends of the calendar that zones and margins stay within it."""
_DAYS_PATTERN = re.compile(r"([1-9][0-9]{0,3})d")
_MONTH_PATTERN = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def rfc3339(t: int, zone: ZoneInfo) -> str:
    """Return Unix ms as RFC 3339 with the zone's offset, to the second."""
    return to_local(t, zone).isoformat(timespec="seconds")


def rfc3339_or_none(t: int | None, zone: ZoneInfo) -> str | None:
    """Return a time as RFC 3339, None as None."""
    return None if t is None else rfc3339(t, zone)


def parse_time(text: str, name: str, zone: ZoneInfo) -> int:
    """Read an RFC 3339 time or date; without an offset it is local to the centre."""
    try:
        dt = datetime.fromisoformat(_SPACE_BEFORE_OFFSET.sub(r"+\1", text.strip()))
    except ValueError as error:
        msg = f"`{name}` is {text!r}: write an RFC 3339 time such as 2026-11-23T07:00:00+07:00, with + as %2B"
        raise BadWindow(msg) from error
    if dt.year not in _YEARS:
        msg = f"`{name}` is {text!r}: years from {_YEARS.start} to {_YEARS.stop - 1} are accepted"
        raise BadWindow(msg)
    return to_ms(dt.replace(tzinfo=zone) if dt.tzinfo is None else dt)


def parse_named_window(text: str, zone: ZoneInfo, now: int) -> Window:
    """Read a named window: the last days up to now (`28d`), or a local month (`this-month`, `2026-10`)."""
    if days := _DAYS_PATTERN.fullmatch(text):
        end = ceil(now, SLOT)
        return Window(end - int(days[1]) * DAY, end)
    if text == "this-month":
        return calendar_period("month", now, zone)
    month_match = _MONTH_PATTERN.fullmatch(text)
    if month_match is None or int(month_match[1]) not in _YEARS:
        msg = f"`window` is {text!r}: write days such as 28d, this-month, or a month such as 2026-10"
        raise BadWindow(msg)
    return calendar_period("month", parse_time(f"{text}-01", "window", zone), zone)


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """The `from` and `to`, or the `window`, of a request, not yet read; `now` is Unix ms."""

    start: str | None
    end: str | None
    name: str | None
    now: int

    @property
    def is_open(self) -> bool:
        """Return whether no time was requested at all."""
        return (self.start, self.end, self.name) == (None, None, None)

    def resolve(self, zone: ZoneInfo, default: Callable[[], Window]) -> Window:
        """Return the requested window; missing ends come from the default."""
        if self.name is not None:
            return self._resolve_named(self.name, zone)
        default_window = default()
        start = default_window.start if self.start is None else parse_time(self.start, "from", zone)
        end = default_window.end if self.end is None else parse_time(self.end, "to", zone)
        if end <= start:
            msg = "`to` is not included and must be later than `from`: for one day write the next one"
            raise BadWindow(msg)
        return Window(start, end)

    def _resolve_named(self, name: str, zone: ZoneInfo) -> Window:
        if (self.start, self.end) != (None, None):
            msg = "give `window`, or `from` and `to`, not both"
            raise BadWindow(msg)
        return parse_named_window(name, zone, self.now)


def _window_request(
    queries: QueriesDep,
    start: Annotated[str | None, Query(alias="from", description="RFC 3339, inclusive")] = None,
    end: Annotated[str | None, Query(alias="to", description="RFC 3339, exclusive")] = None,
    window: Annotated[str | None, Query(description="instead of both: 28d, this-month or 2026-10")] = None,
) -> WindowRequest:
    return WindowRequest(start, end, window, queries.now())


WindowParam = Annotated[WindowRequest, Depends(_window_request)]
"""The times of a request."""
