"""The open-time axis: open time counted as if closed time did not exist; it must know no calendar and no clock.

Distances are ms of open time, moments are Unix ms.
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
class Axis:
    """Sorted, disjoint open windows; `starts` and `before` (open ms before each) make the look-ups fast."""

    windows: tuple[Window, ...]
    starts: tuple[int, ...]
    before: tuple[int, ...]
    length: int

    def elapsed(self, t: int) -> int:
        """Return the open time of the axis before `t`."""
        found = bisect_right(self.starts, t) - 1
        if found < 0:
            return 0
        session = self.windows[found]
        return self.before[found] + min(t, session.end) - session.start

    def between(self, window: Window) -> int:
        """Return the open time in a window."""
        return self.elapsed(window.end) - self.elapsed(window.start)

    def back(self, t: int, distance: int) -> int | None:
        """Return the latest moment from which to `t` there are `distance` ms of open time.

        None when the axis does not reach so far back.
        """
        goal = self.elapsed(t) - distance
        if not distance or goal < 0:
            return None if distance else t
        found = bisect_right(self.before, goal) - 1
        return self.starts[found] + goal - self.before[found]

    def ahead(self, t: int, distance: int) -> int | None:
        """Return the earliest moment to which from `t` there are `distance` ms of open time.

        None when the axis does not reach so far.
        """
        goal = self.elapsed(t) + distance
        if not distance or goal > self.length:
            return None if distance else t
        found = bisect_left(self.before, goal) - 1
        return self.starts[found] + goal - self.before[found]

    def session(self, t: int) -> Window | None:
        """Return the open window `t` lies in, None when it is closed."""
        found = bisect_right(self.starts, t) - 1
        return self.windows[found] if found >= 0 and t < self.windows[found].end else None


def axis(windows: Iterable[Window]) -> Axis:
    """Lay open windows end to end; those that touch or overlap are joined."""
    kept = merge(windows)
    sums = list(accumulate((w.length for w in kept), initial=0))
    return Axis(tuple(kept), tuple(w.start for w in kept), tuple(sums[:-1]), sums[-1])
