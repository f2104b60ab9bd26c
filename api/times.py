"""Reads and writes RFC 3339 times at the API's edge; it must not read a clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from telemetry.core.windows import Window, at, to_ms
from telemetry.queries import BadWindow

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

_SPACED = re.compile(r" (\d\d:\d\d)$")


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
        return to_ms(moment.replace(tzinfo=zone) if moment.tzinfo is None else moment)
    except (ValueError, OverflowError) as error:
        msg = f"`{name}` is {text!r}: write an RFC 3339 time such as 2026-11-23T07:00:00+07:00, with + as %2B"
        raise BadWindow(msg) from error


@dataclass(frozen=True, slots=True)
class Span:
    """The `from` and `to` of a request, not yet read."""

    start: str | None
    end: str | None

    def window(self, zone: ZoneInfo, default: Callable[[], Window]) -> Window:
        """Return the window asked for; what is not given comes from the default."""
        usual = default()
        start = usual.start if self.start is None else parse(self.start, "from", zone)
        end = usual.end if self.end is None else parse(self.end, "to", zone)
        if end <= start:
            msg = "`to` must be later than `from`"
            raise BadWindow(msg)
        return Window(start, end)


def _span(
    start: Annotated[str | None, Query(alias="from", description="RFC 3339, inclusive")] = None,
    end: Annotated[str | None, Query(alias="to", description="RFC 3339, exclusive")] = None,
) -> Span:
    return Span(start, end)


SpanAsked = Annotated[Span, Depends(_span)]
