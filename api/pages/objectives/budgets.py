"""The error budgets of a centre in words: what is left, or by what it is exceeded; it must not compute figures."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.slo.sli import GoodBad
    from telemetry.queries.slos import ScopedSlo

_ROUNDING = 1e-6
"""A count this close below a whole number is that number."""


def budget_text(slo: ScopedSlo, locale: PageLocale) -> str:
    """Return how much of an error budget of whole tickets, probes or days is left, or by what it is exceeded.

    A budget of less than one ticket, probe or day allows none.
    """
    budget = slo.budget
    amounts = tuple(floor(n + _ROUNDING) for n in (budget.total, budget.consumed, budget.remaining))
    if budget.remaining >= 0 and budget.total > 0 and not amounts[0]:
        return locale.t("budget_none")
    whole, spent, left = (locale.decimal(amount) for amount in amounts)
    if budget.remaining < 0:
        return locale.t(f"budget_over_{slo.objective.sli}", spent=spent, whole=whole)
    return locale.t(f"budget_count_{slo.objective.sli}", left=left, whole=whole)


def readiness_days(slos: Sequence[ScopedSlo]) -> GoodBad | None:
    """Return on how many opening days the centre was and was not ready in time; None without such an objective."""
    judged = (slo.good_bad for slo in slos if slo.objective.sli == "readiness")
    return next((days for days in judged if days.total), None)
