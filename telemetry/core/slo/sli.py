"""What an objective counts as good and bad: time by state, tickets by wait, slices; it must compute no budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.inventory import ObjectiveUnknownPolicy


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
