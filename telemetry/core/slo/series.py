"""Tallies along time with running sums, so that any window costs two look-ups; it must not weigh unknown time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import TimeByState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.calendar.windows import Window

_STATE_FIELDS = ("up", "down", "unknown", "excluded", "charged_elsewhere")


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """The tally (ms) of one bucket of time: five minutes, an hour or a day."""

    window: Window
    time_by_state: TimeByState


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Sorted, disjoint cells; `sums` has one running sum per field of a tally, from zero."""

    buckets: tuple[TimeBucket, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    running_sums: tuple[tuple[int, ...], ...]

    def sum_within(self, window: Window) -> TimeByState:
        """Add the cells that begin in the window: windows that tile time add up exactly."""
        return self._sum_range(bisect_left(self.starts, window.start), bisect_left(self.starts, window.end))

    def sum_touching(self, window: Window) -> TimeByState:
        """Add the cells that touch the window, each whole: the window widened to the marks of its cells."""
        if not window.length:
            return TimeByState()
        return self._sum_range(bisect_right(self.ends, window.start), bisect_left(self.starts, window.end))

    def _sum_range(self, first: int, last: int) -> TimeByState:
        return TimeByState(*(column[max(first, last)] - column[first] for column in self.running_sums))


def build_time_series(buckets: Iterable[TimeBucket]) -> TimeSeries:
    """Sort cells; raise ValueError when two overlap, because their time would count twice."""
    ordered = sorted(buckets, key=lambda c: c.window)
    for earlier, later in pairwise(ordered):
        if later.window.start < earlier.window.end:
            msg = f"two cells hold the time {later.window.start}: give each moment once"
            raise ValueError(msg)
    times = [c.time_by_state for c in ordered]
    running_sums = tuple(tuple(accumulate(map(attrgetter(name), times), initial=0)) for name in _STATE_FIELDS)
    return TimeSeries(
        tuple(ordered), tuple(c.window.start for c in ordered), tuple(c.window.end for c in ordered), running_sums
    )
