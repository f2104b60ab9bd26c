"""Error budgets, signed, and what is left of them in words; it must know no clock and no window.

Source: slo.md 2.2: B = (1 − T)·O, consumed = D + λN, remaining = B − consumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from telemetry.core.calendar.open_time import Axis

Standing = Literal["no_data", "healthy", "at_risk", "exhausted"]
AT_RISK = 0.20
"""An objective is at risk with this share of its budget left, or less."""
RELIEF = 0.05
"""How much more must be left than the limit before the standing improves."""


@cache
def slack(goal: float) -> Fraction:
    """Return 1 − goal exactly as it was written: 0.995 gives 1/200."""
    return 1 - Fraction(str(goal))


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be bad and what was, in one unit: seconds of time, or tickets; both signed sums are exact."""

    total: float
    consumed: int

    @property
    def remaining(self) -> float:
        """Return total − consumed; negative when overspent."""
        return self.total - self.consumed

    @property
    def remaining_ratio(self) -> float | None:
        """Return remaining ÷ total; None when there is no budget to divide by (goal 1, or no open time)."""
        return self.remaining / self.total if self.total else None

    @property
    def minutes(self) -> tuple[float, float, float]:
        """Return total, consumed and remaining in minutes, of a budget in seconds."""
        return self.total / 60, self.consumed / 60, self.remaining / 60


def budget(goal: float, period: int, bad: int) -> Budget:
    """Return the budget of a period.

    `period` is all that can count in it (open seconds, a calendar month's including those to come; tickets),
    `bad` what was bad so far, in the same unit.
    """
    return Budget(float(slack(goal) * period), bad)


def standing(found: Budget, counted: int, before: Standing = "no_data") -> Standing:
    """Say how an objective stands; with what it was `before`, it improves only past the limit by RELIEF."""
    if not counted:
        return "no_data"
    left = found.remaining_ratio
    if left is None:
        return "exhausted" if found.consumed else "healthy"
    if left <= (RELIEF if before == "exhausted" else 0):
        return "exhausted"
    limit = AT_RISK + RELIEF if before in {"at_risk", "exhausted"} else AT_RISK
    return "at_risk" if left <= limit else "healthy"


def exhausts_at(found: Budget, error: float | None, axis: Axis, now: int) -> int | None:
    """Return when a time budget (s) is spent if `error` (bad ÷ counted) stays, Unix ms.

    None when it is spent already, when nothing is being spent, or when that lies beyond the axis.
    """
    if not error or found.remaining <= 0:
        return None
    return axis.ahead(now, round(found.remaining * 1000 / error))
