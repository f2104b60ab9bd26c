"""What an objective counts as good and bad: time by state, tickets by wait, slices; it must compute no budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.slo.sli import TimeByState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.accounting import ObjectiveUnknownPolicy
    from telemetry.core.figures.histograms import DurationHistogram
    from telemetry.core.fold.live_row_types import AvailabilityState


@dataclass(frozen=True, slots=True)
class GoodBad:
    """How much was good and how much bad, in one unit: ms or s of time, tickets, slices or days."""

    good: int = 0
    bad: int = 0

    def __add__(self, other: GoodBad) -> GoodBad:
        return GoodBad(self.good + other.good, self.bad + other.bad)

    @property
    def total(self) -> int:
        """Return good + bad."""
        return self.good + self.bad

    @property
    def ratio(self) -> float | None:
        """Return good ÷ (good + bad), the SLI; None when there is nothing to divide by."""
        return self.good / self.total if self.total else None

    @property
    def error_ratio(self) -> float | None:
        """Return bad ÷ (good + bad); None when there is nothing to divide by."""
        return self.bad / self.total if self.total else None


def apply_unknown_policy(time: TimeByState, policy: ObjectiveUnknownPolicy, *, settled: bool = True) -> GoodBad:
    """Weigh unknown time: good = U, bad = D + λN; under `up` good = U + N (slo.md 2.2), in the tally's unit.

    Under `settle`, λ is 0 while the time is provisional; once settled it is 1, but not for what is charged elsewhere.
    """
    if policy == "up":
        return GoodBad(time.up + time.unknown, time.down)
    if policy == "down":
        return GoodBad(time.up, time.down + time.unknown)
    charged_unknown = time.unknown - time.charged_elsewhere if policy == "settle" and settled else 0
    return GoodBad(time.up, time.down + charged_unknown)


def wait_good_bad(histogram: DurationHistogram, threshold_s: int) -> GoodBad:
    """Return the tickets called at or under the threshold as good, those called later as bad.

    Raises ValueError unless the threshold (s) is an exact bound of the histogram.
    """
    good = histogram.within_threshold(threshold_s).count
    return GoodBad(good, histogram.count - good)


def decide_wait(entered: int, called_at: int | None, lost_at: int | None, threshold_ms: int) -> tuple[int, bool] | None:
    """Decide one ticket at entered + threshold: (that moment, called by then), ms; the service level of Q-04.

    None when the ticket was lost (abandoned, no-show, end of day) before that moment.  Whatever happens later
    never changes the decision, and a ticket that still waits has missed.
    """
    decided_at = entered + threshold_ms
    if lost_at is not None and lost_at < decided_at:
        return None
    return decided_at, called_at is not None and called_at <= decided_at


def count_slices(
    times: Iterable[TimeByState], share: float, policy: ObjectiveUnknownPolicy, *, settled: bool = True
) -> GoodBad:
    """Count time slices: good when the slice's ratio reaches `share`; one with nothing to divide by counts nowhere."""
    ratios = [apply_unknown_policy(t, policy, settled=settled).ratio for t in times]
    known_ratios = [r for r in ratios if r is not None]
    good = sum(r >= share for r in known_ratios)
    return GoodBad(good, len(known_ratios) - good)


def weighted_ratio(parts: Iterable[tuple[float, GoodBad]]) -> float | None:
    """Return Σ w·good ÷ Σ w·(good + bad), w the visitors expected; None when there is nothing to divide by."""
    good = total = 0.0
    for weight, part in parts:
        good += weight * part.good
        total += weight * part.total
    return good / total if total else None


def count_ready_days(states: Iterable[AvailabilityState]) -> TimeByState:
    """Count opening days, in days: up when every critical device was up five minutes after opening, and so on."""
    observed = list(states)
    return TimeByState(observed.count("up"), observed.count("down"), observed.count("unknown"))
