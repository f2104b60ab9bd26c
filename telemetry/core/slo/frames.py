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

from telemetry.core.calendar.open_time import OpenTimeline, build_open_timeline
from telemetry.core.calendar.windows import HOUR, SLOT, BucketSpan, BucketWidth, Window, day_window, split_into_hours

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from zoneinfo import ZoneInfo

HOURLY_DAYS = 8
"""So many days back there are hours: a week of opening, and the edge of what is settled, lie within."""
_ONE_DAY = timedelta(days=1)


def bucket_layout(zone: ZoneInfo, first: date, today: date, edges: Collection[date]) -> list[BucketSpan]:
    """Cut the local days from `first` to `today`, whole; days in `edges` into hours, because a period begins there."""
    spans: list[BucketSpan] = []
    day = first
    while day <= today:
        whole_day = day_window(day, zone)
        if day >= today - _ONE_DAY:
            runs: list[BucketSpan] = [("5m", whole_day)]
        elif day >= today - HOURLY_DAYS * _ONE_DAY or day in edges:
            runs = split_into_hours(whole_day)
        else:
            spans.append(("1d", whole_day))
            runs = []
        for width, run in runs:
            step = SLOT if width == "5m" else HOUR
            spans += [(width, Window(t, t + step)) for t in range(run.start, run.end, step)]
        day += _ONE_DAY
    return spans


@dataclass(frozen=True)
class BucketGrid:
    """Cells in order; `open` and `excluded` are running sums (ms) over them, from zero."""

    spans: tuple[BucketSpan, ...]
    starts: tuple[int, ...]
    open_sums: tuple[int, ...]
    excluded_sums: tuple[int, ...]
    timeline: OpenTimeline
    index_by_start: dict[BucketWidth, dict[int, int]]
    zeros: array[int] = field(init=False, repr=False, compare=False)
    """One zero more than there are cells; whoever shares it must not write to it."""

    def __post_init__(self) -> None:
        """Make the zeros."""
        object.__setattr__(self, "zeros", array("q", bytes(8 * len(self.spans) + 8)))

    def __len__(self) -> int:
        return len(self.spans)

    def index_at_or_after(self, t: int) -> int:
        """Return the cell that holds `t`, or the next one."""
        index = bisect_right(self.starts, t) - 1
        return index if index >= 0 and t < self.spans[index][1].end else index + 1

    def count_before(self, t: int) -> int:
        """Return how many cells begin before `t`."""
        return bisect_left(self.starts, t)

    def buckets_within(self, width: BucketWidth, window: Window) -> Iterable[tuple[int, int]]:
        """Return the start and the place of each cell of a width that begins in the window."""
        indexes = self.index_by_start[width]
        for index in range(self.count_before(window.start), self.count_before(window.end)):
            start = self.starts[index]
            if indexes.get(start) == index:
                yield start, index


def build_grid(
    spans: Iterable[BucketSpan], open_timeline: OpenTimeline, excluded_timeline: OpenTimeline, *, sparse: bool = False
) -> BucketGrid:
    """Lay cells over opening hours and what they leave out; `sparse` leaves out cells with neither."""
    spans = [p for p in spans if not sparse or open_timeline.open_within(p[1]) or excluded_timeline.open_within(p[1])]
    index_by_start: dict[BucketWidth, dict[int, int]] = {"5m": {}, "1h": {}, "1d": {}}
    for index, (width, window) in enumerate(spans):
        index_by_start[width][window.start] = index
    return BucketGrid(
        tuple(spans),
        tuple(w.start for _, w in spans),
        tuple(accumulate((open_timeline.open_within(w) for _, w in spans), initial=0)),
        tuple(accumulate((excluded_timeline.open_within(w) for _, w in spans), initial=0)),
        open_timeline,
        index_by_start,
    )


def wall_clock_timeline(window: Window) -> OpenTimeline:
    """Return the axis of the wall clock."""
    return build_open_timeline([window])
