"""Error budgets, signed, and an objective's state derived from them; it must not use a clock or a window.

Source: slo.md 2.2: B = (1 − T)·O, consumed = D + λN, remaining = B − consumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.fold.live_row_types import SloState

AT_RISK_RATIO = 0.20
"""An objective is at risk when this share of its budget remains, or less."""
RECOVERY_MARGIN = 0.05
"""How far the remaining share must exceed the limit before the state improves."""


@cache
def error_budget_ratio(goal: float) -> Fraction:
    """Return 1 − goal as an exact decimal: 0.995 gives 1/200."""
    return 1 - Fraction(str(goal))


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """Allowed and actual bad amounts in one unit: seconds of time, or tickets; both signed sums are exact."""

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


def error_budget(goal: float, counted: int, bad: int, period_total: int | None = None) -> ErrorBudget:
    """Return the budget of a period; all figures are in one unit: open seconds, tickets or days.

    `counted` is what counted in it so far and `bad` the bad part of that; `period_total` is all that can count in
    it, where that is more (a calendar month's open seconds including future ones).
    """
    return ErrorBudget(float(error_budget_ratio(goal) * (counted if period_total is None else period_total)), bad)


def classify_slo_state(budget: ErrorBudget, counted: int, previous: SloState = "no_data") -> SloState:
    """Return the state; from its `previous` one it improves only past the limit by RECOVERY_MARGIN."""
    if not counted:
        return "no_data"
    remaining_ratio = budget.remaining_ratio
    if remaining_ratio is None:
        return "exhausted" if budget.consumed else "healthy"
    if remaining_ratio <= (RECOVERY_MARGIN if previous == "exhausted" else 0):
        return "exhausted"
    limit = AT_RISK_RATIO + RECOVERY_MARGIN if previous in {"at_risk", "exhausted"} else AT_RISK_RATIO
    return "at_risk" if remaining_ratio <= limit else "healthy"


def predict_exhaustion(budget: ErrorBudget, error_ratio: float | None, timeline: OpenTimeline, now: int) -> int | None:
    """Return when a time budget (s) is exhausted if `error_ratio` (bad ÷ counted) stays, Unix ms.

    None when it is exhausted already, when nothing is being consumed, or when that is beyond the timeline.
    """
    if not error_ratio or budget.remaining <= 0:
        return None
    return timeline.add_open(now, round(budget.remaining * 1000 / error_ratio))
