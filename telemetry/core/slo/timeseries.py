"""Totals along time with running sums, for evaluation and history: any window costs two look-ups. Pure.

A grid divides the past into buckets: days long ago, hours recently, slots since yesterday and where a burn-rate window
begins.  One grid serves every scope with the same calendar and rules.  A column holds one kind of sum (ms, or a
count).  It must not weigh unknown time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import OpenTimeline, build_open_timeline
from telemetry.core.calendar.windows import HOUR, SLOT, BucketSpan, BucketWidth, Window, day_window, split_into_hours
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.in_service import ALWAYS_IN_SERVICE, covers
from telemetry.core.slo.sli import GoodBad

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from zoneinfo import ZoneInfo

HOURLY_DAYS = 8
"""Days back for which hours are used: they cover a week of opening and the edge of settled time."""
_ONE_DAY = timedelta(days=1)
CoveredBucket = tuple[int, int, int]
"""An index, and the indexes in another grid from and up to which this bucket is made of whole buckets."""


def bucket_layout(
    zone: ZoneInfo, first: date, today: date, edges: Collection[date], slot_days: Collection[date] = ()
) -> list[BucketSpan]:
    """Cut the local days from `first` to `today`, whole; days in `edges` into hours, because a period begins there.

    Days in `slot_days` are cut into slots, like today and yesterday: a burn-rate window begins there.
    """
    spans: list[BucketSpan] = []
    day = first
    while day <= today:
        whole_day = day_window(day, zone)
        if day >= today - _ONE_DAY or day in slot_days:
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
    """Buckets in order; `open_sums` and `excluded_sums` are running sums (ms) over them, from zero.

    `spans` are the same buckets with their widths; the grid of a history has none. Only it has `unserved_sums`: the
    part of its excluded time that was out of service.
    """

    windows: tuple[Window, ...]
    open_sums: tuple[int, ...]
    excluded_sums: tuple[int, ...]
    timeline: OpenTimeline
    spans: tuple[BucketSpan, ...] = ()
    unserved_sums: tuple[int, ...] = ()
    starts: tuple[int, ...] = field(init=False)
    index_by_start: dict[BucketWidth, dict[int, int]] = field(init=False)
    zeros: array[int] = field(init=False, repr=False, compare=False)
    """One zero more than there are buckets; columns share it, so it must not be written to."""

    def __post_init__(self) -> None:
        """Index the buckets and make the zeros."""
        index_by_start: dict[BucketWidth, dict[int, int]] = {"5m": {}, "1h": {}, "1d": {}}
        for index, (width, window) in enumerate(self.spans):
            index_by_start[width][window.start] = index
        object.__setattr__(self, "starts", tuple(w.start for w in self.windows))
        object.__setattr__(self, "index_by_start", index_by_start)
        object.__setattr__(self, "zeros", array("q", bytes(8 * len(self.windows) + 8)))

    def __len__(self) -> int:
        return len(self.windows)

    def index_at_or_after(self, t: int) -> int:
        """Return the bucket that contains `t`, or the next one."""
        index = bisect_right(self.starts, t) - 1
        return index if index >= 0 and t < self.windows[index].end else index + 1

    def count_before(self, t: int) -> int:
        """Return how many buckets begin before `t`."""
        return bisect_left(self.starts, t)

    def buckets_within(self, width: BucketWidth, window: Window) -> Iterable[tuple[int, int]]:
        """Return the start and the index of each bucket of a width that begins in the window."""
        indexes = self.index_by_start[width]
        for index in range(self.count_before(window.start), self.count_before(window.end)):
            start = self.starts[index]
            if indexes.get(start) == index:
                yield start, index


def build_grid(
    spans: Iterable[BucketSpan], open_timeline: OpenTimeline, excluded_timeline: OpenTimeline, *, sparse: bool = False
) -> BucketGrid:
    """Divide open and excluded time into buckets; `sparse` leaves out buckets with neither."""
    spans = [p for p in spans if not sparse or open_timeline.open_within(p[1]) or excluded_timeline.open_within(p[1])]
    windows = tuple(w for _, w in spans)
    return BucketGrid(
        windows,
        tuple(accumulate(map(open_timeline.open_within, windows), initial=0)),
        tuple(accumulate(map(excluded_timeline.open_within, windows), initial=0)),
        open_timeline,
        tuple(spans),
    )


def map_buckets(source: BucketGrid, target: BucketGrid) -> list[CoveredBucket]:
    """Return which buckets of `target` are made of whole buckets of `source`, and of which."""
    covered_buckets: list[CoveredBucket] = []
    for index, window in enumerate(target.windows):
        first, last = source.count_before(window.start), source.count_before(window.end)
        if last > first and source.windows[last - 1].end <= window.end:
            covered_buckets.append((index, first, last))
    return covered_buckets


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """The time by state (ms) of one bucket: five minutes, an hour or a day."""

    window: Window
    time_by_state: TimeByState


class TimeSeries:
    """Columns over a grid: for time up, down, charged elsewhere and platform outage; for counts good and bad."""

    __slots__ = ("_running_sums", "_summed_count", "columns", "grid")

    def __init__(self, grid: BucketGrid, width: int) -> None:
        self.grid = grid
        self.columns = [grid.zeros] * width
        """All series of a grid share the column without data: at most sites that is half of them."""
        self._running_sums = [grid.zeros] * width
        self._summed_count = len(grid)
        """How many buckets are summed: on most days only the last few change."""

    def set_bucket(self, index: int, values: Sequence[int]) -> None:
        """Set a bucket."""
        for number, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            if column[index] != value:
                self._writable_column(number)[index] = value
                self._summed_count = min(self._summed_count, index)

    def _writable_column(self, number: int) -> array[int]:
        if self.columns[number] is self.grid.zeros:
            self.columns[number] = self.grid.zeros[:]
            self._running_sums[number] = self.grid.zeros[:]
        return self.columns[number]

    def sum_range(self, first: int, last: int) -> tuple[int, ...]:
        """Add the buckets from `first` up to, but without, `last`, column by column."""
        if self._summed_count < len(self.grid):
            self._update_running_sums()
        last = max(first, last)
        return tuple([sums[last] - sums[first] for sums in self._running_sums])

    def time_by_state(self, first: int, last: int, in_service: Window = ALWAYS_IN_SERVICE) -> TimeByState:
        """Return the time of a range of buckets, ms: open = up + down + unknown; platform outages are excluded.

        So is the open time outside `in_service`, also within a bucket.
        """
        last = max(first, last)
        served_first, served_last, not_in_service = self._served_range(first, last, in_service)
        up, down, elsewhere, platform_outage = self.sum_range(served_first, served_last)
        open_ms = self.grid.open_sums[last] - self.grid.open_sums[first] - not_in_service
        unknown = max(0, open_ms - platform_outage - up - down)
        excluded = self.grid.excluded_sums[last] - self.grid.excluded_sums[first] + platform_outage + not_in_service
        if unserved := self.grid.unserved_sums:
            not_in_service += unserved[last] - unserved[first]
        return TimeByState(up, down, unknown, excluded, min(unknown, elsewhere), not_in_service)

    def _served_range(self, first: int, last: int, in_service: Window) -> tuple[int, int, int]:
        """Return the buckets of a range that touch the service period, and the open time outside it, ms."""
        windows = self.grid.windows
        if first == last or covers(in_service, Window(windows[first].start, windows[last - 1].end)):
            return first, last, 0
        served_first = min(max(first, self.grid.index_at_or_after(in_service.start)), last)
        served_last = max(served_first, min(last, self.grid.count_before(in_service.end)))
        outside = self.grid.open_sums[last] - self.grid.open_sums[first]
        for index in {served_first, served_last - 1} if served_first < served_last else ():
            part = windows[index].clip(in_service)
            outside -= self.grid.timeline.open_within(part) if part else 0
        if served_last - served_first > 2:
            outside -= self.grid.open_sums[served_last - 1] - self.grid.open_sums[served_first + 1]
        return served_first, served_last, outside

    def good_bad(self, first: int, last: int) -> GoodBad:
        """Return the good and bad of a range of buckets."""
        good, bad = self.sum_range(first, last)
        return GoodBad(good, bad)

    def time_within(self, window: Window, in_service: Window = ALWAYS_IN_SERVICE) -> TimeByState:
        """Add the buckets that begin in the window: windows that tile time add up exactly."""
        first, last = self.grid.count_before(window.start), self.grid.count_before(window.end)
        return self.time_by_state(first, last, in_service)

    def range_touching(self, window: Window) -> tuple[int, int]:
        """Return the range of the buckets that touch the window: it is widened to the edges of its buckets."""
        first = self.grid.index_at_or_after(window.start)
        return first, self.grid.count_before(window.end) if window.length else first

    def time_touching(self, window: Window, in_service: Window = ALWAYS_IN_SERVICE) -> TimeByState:
        """Add the buckets that touch the window, each whole."""
        return self.time_by_state(*self.range_touching(window), in_service)

    def split_settled(
        self, window: Window, settled_until: int, in_service: Window = ALWAYS_IN_SERVICE
    ) -> list[tuple[TimeByState, bool]]:
        """Return the settled and the provisional time of a window, cut at the edge of a bucket (Unix ms)."""
        boundary = min(max(settled_until, window.start), window.end)
        parts = ((Window(window.start, boundary), True), (Window(boundary, window.end), False))
        return [(self.time_within(part, in_service), settled) for part, settled in parts if part.length]

    @property
    def buckets(self) -> list[TimeBucket]:
        """Return the time of each bucket."""
        return [TimeBucket(w, self.time_by_state(index, index + 1)) for index, w in enumerate(self.grid.windows)]

    def first_known_index(self) -> int | None:
        """Return the first bucket with data in one of the first two columns."""
        if self._summed_count < len(self.grid):
            self._update_running_sums()
        return min((bisect_right(sums, 0) - 1 for sums in self._running_sums[:2] if sums[-1]), default=None)

    def _update_running_sums(self) -> None:
        first, last = self._summed_count, len(self.grid)
        for column, sums in zip(self.columns, self._running_sums, strict=True):
            if sums is not self.grid.zeros:
                sums[first:] = array("q", list(accumulate(column[first:last], initial=sums[first])))
        self._summed_count = last

    def rebucket(self, grid: BucketGrid, covered_buckets: Sequence[CoveredBucket]) -> TimeSeries:
        """Return the same over another grid; buckets that are not in `covered_buckets` are empty."""
        self.sum_range(0, 0)
        rebucketed = TimeSeries(grid, len(self.columns))
        for number, sums in enumerate(self._running_sums):
            column = rebucketed._writable_column(number) if sums[-1] else grid.zeros
            for index, first, last in covered_buckets if sums[-1] else ():
                column[index] = sums[last] - sums[first]
        rebucketed._summed_count = 0
        return rebucketed


def build_time_series(buckets: Iterable[TimeBucket]) -> TimeSeries:
    """Sort buckets into a series; raise ValueError when two overlap, because their time would count twice."""
    ordered = sorted(buckets, key=lambda b: b.window)
    for earlier, later in pairwise(ordered):
        if later.window.start < earlier.window.end:
            msg = f"two buckets hold the time {later.window.start}: give each moment once"
            raise ValueError(msg)
    times = [b.time_by_state for b in ordered]
    grid = BucketGrid(
        tuple(b.window for b in ordered),
        tuple(accumulate((t.open for t in times), initial=0)),
        tuple(accumulate((t.excluded for t in times), initial=0)),
        build_open_timeline(()),
        unserved_sums=tuple(accumulate((t.not_in_service for t in times), initial=0)),
    )
    series = TimeSeries(grid, 4)
    for index, time in enumerate(times):
        series.set_bucket(index, (time.up, time.down, time.charged_elsewhere, 0))
    return series
