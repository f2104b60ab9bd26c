"""Error budgets, signed, and what is left of them in words; it must know no clock and no window.

Source: slo.md 2.2: B = (1 − T)·O, consumed = D + λN, remaining = B − consumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from telemetry.core.calendar.open_time import OpenTimeline

SloState = Literal["no_data", "healthy", "at_risk", "exhausted"]
AT_RISK_RATIO = 0.20
"""An objective is at risk with this share of its budget left, or less."""
RECOVERY_MARGIN = 0.05
"""How much more must be left than the limit before the standing improves."""


@cache
def error_budget_ratio(goal: float) -> Fraction:
    """Return 1 − goal exactly as it was written: 0.995 gives 1/200."""
    return 1 - Fraction(str(goal))


@dataclass(frozen=True, slots=True)
class ErrorBudget:
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


def error_budget(goal: float, period: int, bad: int) -> ErrorBudget:
    """Return the budget of a period.

    `period` is all that can count in it (open seconds, a calendar month's including those to come; tickets),
    `bad` what was bad so far, in the same unit.
    """
    return ErrorBudget(float(error_budget_ratio(goal) * period), bad)


def classify_slo_state(spent_budget: ErrorBudget, counted: int, previous: SloState = "no_data") -> SloState:
    """Say how an objective stands; with what it was `before`, it improves only past the limit by RELIEF."""
    if not counted:
        return "no_data"
    remaining_ratio = spent_budget.remaining_ratio
    if remaining_ratio is None:
        return "exhausted" if spent_budget.consumed else "healthy"
    if remaining_ratio <= (RECOVERY_MARGIN if previous == "exhausted" else 0):
        return "exhausted"
    limit = AT_RISK_RATIO + RECOVERY_MARGIN if previous in {"at_risk", "exhausted"} else AT_RISK_RATIO
    return "at_risk" if remaining_ratio <= limit else "healthy"


def predict_exhaustion(
    spent_budget: ErrorBudget, error_ratio: float | None, timeline: OpenTimeline, now: int
) -> int | None:
    """Return when a time budget (s) is spent if `error` (bad ÷ counted) stays, Unix ms.

    None when it is spent already, when nothing is being spent, or when that lies beyond the axis.
    """
    if not error_ratio or spent_budget.remaining <= 0:
        return None
    return timeline.add_open(now, round(spent_budget.remaining * 1000 / error_ratio))
