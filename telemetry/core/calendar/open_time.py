"""The open timeline: open time closed time has no length; it must use no calendar and no clock.

Distances are ms of open time, instants are Unix ms.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, merge

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class OpenTimeline:
    """Sorted, disjoint open windows; `starts` and `open_before` (open ms before each) make the look-ups fast."""

    open_windows: tuple[Window, ...]
    starts: tuple[int, ...]
    open_before: tuple[int, ...]
    total_open: int

    def open_until(self, t: int) -> int:
        """Return the open time before `t`."""
        index = bisect_right(self.starts, t) - 1
        if index < 0:
            return 0
        session = self.open_windows[index]
        return self.open_before[index] + min(t, session.end) - session.start

    def open_within(self, window: Window) -> int:
        """Return the open time in a window."""
        return self.open_until(window.end) - self.open_until(window.start)

    def subtract_open(self, t: int, distance: int) -> int | None:
        """Return the latest instant from which to `t` there are `distance` ms of open time.

        None when the timeline does not reach so far back.
        """
        goal = self.open_until(t) - distance
        if not distance or goal < 0:
            return None if distance else t
        index = bisect_right(self.open_before, goal) - 1
        return self.starts[index] + goal - self.open_before[index]

    def add_open(self, t: int, distance: int) -> int | None:
        """Return the earliest instant to which from `t` there are `distance` ms of open time.

        None when the timeline does not reach so far.
        """
        goal = self.open_until(t) + distance
        if not distance or goal > self.total_open:
            return None if distance else t
        index = bisect_left(self.open_before, goal) - 1
        return self.starts[index] + goal - self.open_before[index]

    def is_open(self, t: int) -> bool:
        """Return whether `t` lies in open time."""
        return self.open_window_at(t) is not None

    def open_window_at(self, t: int) -> Window | None:
        """Return the open window that contains `t`, None when it is closed."""
        index = bisect_right(self.starts, t) - 1
        return self.open_windows[index] if index >= 0 and t < self.open_windows[index].end else None


def build_open_timeline(windows: Iterable[Window]) -> OpenTimeline:
    """Concatenate open windows; those that touch or overlap are joined."""
    merged = merge(windows)
    sums = list(accumulate((w.length for w in merged), initial=0))
    return OpenTimeline(tuple(merged), tuple(w.start for w in merged), tuple(sums[:-1]), sums[-1])
