"""What an objective counts as good and bad: time by state, tickets by wait, slices; it must compute no budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.slo.sli import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.accounting import Policy
    from telemetry.core.figures.histograms import Durations
    from telemetry.core.fold.live_row_types import State


@dataclass(frozen=True, slots=True)
class Measure:
    """How much was good and how much bad, in one unit: ms or s of time, tickets, slices or days."""

    good: int = 0
    bad: int = 0

    def __add__(self, other: Measure) -> Measure:
        return Measure(self.good + other.good, self.bad + other.bad)

    @property
    def counted(self) -> int:
        """Return good + bad."""
        return self.good + self.bad

    @property
    def ratio(self) -> float | None:
        """Return good ÷ (good + bad), the SLI; None when there is nothing to divide by."""
        return self.good / self.counted if self.counted else None

    @property
    def error(self) -> float | None:
        """Return bad ÷ (good + bad); None when there is nothing to divide by."""
        return self.bad / self.counted if self.counted else None


def measured(tally: Tally, policy: Policy, *, settled: bool = True) -> Measure:
    """Weigh unknown time: good = U, bad = D + λN; under `up` good = U + N (slo.md 2.2), in the tally's unit.

    Under `settle`, λ is 0 while the time is provisional; once settled it is 1, but not for what is charged elsewhere.
    """
    if policy == "up":
        return Measure(tally.up + tally.unknown, tally.down)
    if policy == "down":
        return Measure(tally.up, tally.down + tally.unknown)
    charged = tally.unknown - tally.elsewhere if policy == "settle" and settled else 0
    return Measure(tally.up, tally.down + charged)


def waits(found: Durations, threshold_s: int) -> Measure:
    """Return the tickets called at or under the threshold as good, those called later as bad.

    Raises ValueError unless the threshold (s) is an exact bound of the histogram.
    """
    good = found.within(threshold_s).count
    return Measure(good, found.count - good)


def decision(entered: int, called: int | None, lost: int | None, threshold: int) -> tuple[int, bool] | None:
    """Decide one ticket at entered + threshold: (that moment, called by then), ms; the service level of Q-04.

    None when the ticket was lost (abandoned, no-show, end of day) before that moment.  Whatever happens later
    never changes the decision, and a ticket that still waits has missed.
    """
    moment = entered + threshold
    if lost is not None and lost < moment:
        return None
    return moment, called is not None and called <= moment


def slices(tallies: Iterable[Tally], share: float, policy: Policy, *, settled: bool = True) -> Measure:
    """Count time slices: good when the slice's ratio reaches `share`; one with nothing to divide by counts nowhere."""
    ratios = [measured(t, policy, settled=settled).ratio for t in tallies]
    known = [r for r in ratios if r is not None]
    good = sum(r >= share for r in known)
    return Measure(good, len(known) - good)


def weighted(parts: Iterable[tuple[float, Measure]]) -> float | None:
    """Return Σ w·good ÷ Σ w·(good + bad), w the visitors expected; None when there is nothing to divide by."""
    good = counted = 0.0
    for weight, part in parts:
        good += weight * part.good
        counted += weight * part.counted
    return good / counted if counted else None


def days(states: Iterable[State]) -> Tally:
    """Count opening days, in days: up when every critical device was up five minutes after opening, and so on."""
    found = list(states)
    return Tally(found.count("up"), found.count("down"), found.count("unknown"))
