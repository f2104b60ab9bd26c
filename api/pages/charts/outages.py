"""Geometry of the picture of incidents over time: a line for each, with its lost time. Pure; it formats no text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, floor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.figures.outages import Incident, LostTime

CHART_WIDTH = 720
LINE_HEIGHT = 34
MIN_BAR_WIDTH = 2.0
MAX_LINES = 12
_LEAST_SPAN = 10 * HOUR


@dataclass(frozen=True, slots=True)
class OutageBar:
    """A part of an outage: its place in the line, and whether most of it was down or unknown."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class OutageLine:
    """One incident's bars; `y` is the top of its line."""

    incident: Incident
    y: int
    bars: tuple[OutageBar, ...]


@dataclass(frozen=True, slots=True)
class OutageChart:
    """Lines over a window, with the instants that the axis names (x, Unix ms)."""

    lines: tuple[OutageLine, ...]
    ticks: tuple[tuple[float, int], ...]
    by_day: bool

    @property
    def height(self) -> int:
        """Return the height without the axis."""
        return len(self.lines) * LINE_HEIGHT


def outage_chart(incidents: Sequence[Incident], window: Window, day_starts: Sequence[int]) -> OutageChart | None:
    """Lay out the first MAX_LINES incidents; None when none of them lost time in the window.

    Of one day the picture shows the hours from the first loss to the last, of several days all of them.
    """
    clipped = [(i, [p for part in i.outage.parts if (p := part.within(window))]) for i in incidents]
    shown = [(incident, parts) for incident, parts in clipped if parts][:MAX_LINES]
    if not shown:
        return None
    by_day = len(day_starts) > 1
    span = window if by_day else _hours_shown([part for _, parts in shown for part in parts], window)
    scale = CHART_WIDTH / span.length
    lines = tuple(
        OutageLine(incident, place * LINE_HEIGHT, tuple(_bar(part, span, scale) for part in parts))
        for place, (incident, parts) in enumerate(shown)
    )
    marks = day_starts if by_day else range(ceil(span.start, HOUR), span.end, HOUR * max(1, span.length // (12 * HOUR)))
    ticks = tuple((round((t - span.start) * scale, 1), t) for t in marks if span.start <= t < span.end)
    return OutageChart(lines, ticks, by_day)


def _hours_shown(parts: Sequence[LostTime], window: Window) -> Window:
    start = floor(min(part.window.start for part in parts), HOUR)
    end = ceil(max(part.window.end for part in parts), HOUR)
    missing = max(0, _LEAST_SPAN - (end - start)) // 2
    start = max(window.start, floor(start - missing, HOUR))
    end = min(max(window.end, start + HOUR), ceil(max(end + missing, start + _LEAST_SPAN), HOUR))
    return Window(start, min(end, start + DAY + HOUR))


def _bar(part: LostTime, span: Window, scale: float) -> OutageBar:
    width = max(MIN_BAR_WIDTH, part.window.length * scale)
    x = min((part.window.start - span.start) * scale, CHART_WIDTH - width)
    return OutageBar(round(x, 1), round(width, 1), "down" if part.down_ms >= part.unknown_ms else "unknown")
