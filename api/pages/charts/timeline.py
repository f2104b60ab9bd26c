"""Geometry of a day's timeline: its segments side by side. Pure; it must not format text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, Window, ceil, floor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.queries.timeline import TimelineSegment

TIMELINE_WIDTH, TIMELINE_HEIGHT = 720, 36
MAX_TICKS = 12


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A piece of a segment: its place, and the state that its colour and pattern show."""

    x: float
    y: float
    width: float
    height: float
    state: str


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """The bars of a day, and the hours that its axis names (x, Unix ms)."""

    bars: tuple[TimelineBar, ...]
    ticks: tuple[tuple[float, int], ...]


def timeline_chart(segments: Sequence[TimelineSegment], window: Window) -> TimelineChart:
    """Lay out a day from an hour before its first time that is not closed to an hour after the last.

    Five minutes of several states show each of them by height: their order is not known.
    """
    relevant = [s.window for s in segments if s.kind.state != "closed"]
    start = max(window.start, floor(min((w.start for w in relevant), default=window.start), HOUR) - HOUR)
    end = min(window.end, ceil(max((w.end for w in relevant), default=window.end), HOUR) + HOUR)
    span = Window(start, max(end, start + HOUR))
    scale = TIMELINE_WIDTH / span.length
    bars = [bar for segment in segments for bar in _bars(segment, span, scale)]
    step = HOUR * -(-span.length // (MAX_TICKS * HOUR))
    ticks = tuple((round((t - span.start) * scale, 1), t) for t in range(ceil(span.start, HOUR), span.end, step))
    return TimelineChart(tuple(bars), ticks)


def _bars(segment: TimelineSegment, span: Window, scale: float) -> list[TimelineBar]:
    part = segment.window.clip(span)
    if part is None:
        return []
    x, width = round((part.start - span.start) * scale, 1), max(1.0, round(part.length * scale, 1))
    bars: list[TimelineBar] = []
    y = 0.0
    for state, ms in segment.ms_by_state.items():
        height = round(TIMELINE_HEIGHT * ms / segment.window.length, 1)
        bars.append(TimelineBar(x, round(y, 1), width, height, state))
        y += height
    return bars
