"""How the past is cut into cells for judging: days long ago, hours of late, five minutes since yesterday. Pure.

One frame serves every scope with the same calendar; it knows each cell's open and excluded time, and no figures.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import Axis, axis
from telemetry.core.calendar.windows import FIVE, HOUR, Width, Window, ceil, day_window, floor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from zoneinfo import ZoneInfo

HOURS_BACK = 8
"""So many days back there are hours: a week of opening, and the edge of what is settled, lie within."""
_ONE = timedelta(days=1)
Part = tuple[Width, Window]


def cut(zone: ZoneInfo, first: date, today: date, edges: Collection[date]) -> list[Part]:
    """Cut the local days from `first` to `today`, whole; days in `edges` into hours, because a period begins there."""
    out: list[Part] = []
    day = first
    while day <= today:
        whole = day_window(day, zone)
        if day >= today - _ONE:
            out += _steps("5m", FIVE, whole)
        elif day >= today - HOURS_BACK * _ONE or day in edges:
            out += _hours(whole)
        else:
            out.append(("1d", whole))
        day += _ONE
    return out


def runs(parts: Iterable[Part]) -> list[Part]:
    """Return the cells of one width that follow each other as one window."""
    out: list[Part] = []
    for width, window in parts:
        if out and out[-1][0] == width and out[-1][1].end == window.start:
            out[-1] = (width, Window(out[-1][1].start, window.end))
        else:
            out.append((width, window))
    return out


def _hours(day: Window) -> Iterator[Part]:
    """Cut into UTC hours; where midnight lies between two, the rest into five minutes."""
    first, last = ceil(day.start, HOUR), floor(day.end, HOUR)
    yield from _steps("5m", FIVE, Window(day.start, first))
    yield from _steps("1h", HOUR, Window(first, last))
    yield from _steps("5m", FIVE, Window(last, day.end))


def _steps(width: Width, step: int, window: Window) -> Iterator[Part]:
    return ((width, Window(t, t + step)) for t in range(window.start, window.end, step))


@dataclass(frozen=True)
class Frame:
    """Cells in order; `open` and `excluded` are running sums (ms) over them, from zero."""

    parts: tuple[Part, ...]
    starts: tuple[int, ...]
    open: tuple[int, ...]
    excluded: tuple[int, ...]
    axis: Axis
    by_width: dict[Width, dict[int, int]]
    zeros: array[int] = field(init=False, repr=False, compare=False)
    """One zero more than there are cells; whoever shares it must not write to it."""

    def __post_init__(self) -> None:
        """Make the zeros."""
        object.__setattr__(self, "zeros", array("q", bytes(8 * len(self.parts) + 8)))

    def __len__(self) -> int:
        return len(self.parts)

    def touching(self, t: int) -> int:
        """Return the cell that holds `t`, or the next one."""
        place = bisect_right(self.starts, t) - 1
        return place if place >= 0 and t < self.parts[place][1].end else place + 1

    def reaching(self, t: int) -> int:
        """Return how many cells begin before `t`."""
        return bisect_left(self.starts, t)

    def within(self, width: Width, window: Window) -> Iterable[tuple[int, int]]:
        """Return the start and the place of each cell of a width that begins in the window."""
        places = self.by_width[width]
        for place in range(self.reaching(window.start), self.reaching(window.end)):
            start = self.starts[place]
            if places.get(start) == place:
                yield start, place


def frame(parts: Iterable[Part], opening: Axis, excluded: Axis, *, sparse: bool = False) -> Frame:
    """Lay cells over opening hours and what they leave out; `sparse` leaves out cells with neither."""
    parts = [p for p in parts if not sparse or opening.between(p[1]) or excluded.between(p[1])]
    by_width: dict[Width, dict[int, int]] = {"5m": {}, "1h": {}, "1d": {}}
    for place, (width, window) in enumerate(parts):
        by_width[width][window.start] = place
    return Frame(
        tuple(parts),
        tuple(w.start for _, w in parts),
        tuple(accumulate((opening.between(w) for _, w in parts), initial=0)),
        tuple(accumulate((excluded.between(w) for _, w in parts), initial=0)),
        opening,
        by_width,
    )


def always(window: Window) -> Axis:
    """Return the axis of the wall clock."""
    return axis([window])
