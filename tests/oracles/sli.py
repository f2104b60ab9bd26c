"""Good and bad by the reference's formulas that no product module needs: slices, weights, ready days, waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import TimeByState
from telemetry.core.slo.budget import error_budget_ratio
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.histograms import DurationHistogram
    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.inventory import ObjectiveUnknownPolicy
    from telemetry.core.slo.burn_rate import BurnRateRule


def wait_good_bad(histogram: DurationHistogram, threshold_s: int) -> GoodBad:
    """Return the tickets called at or under the threshold as good, those called later as bad.

    Raises ValueError unless the threshold (s) is an exact bound of the histogram.
    """
    good = histogram.within_threshold(threshold_s).count
    return GoodBad(good, histogram.count - good)


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


def time_until_firing(rule: BurnRateRule, period: int, goal: float, error_ratio: float = 1.0) -> float | None:
    """Return how much open time (ms) at a constant error share passes until the rule fires: X·B ÷ e.

    None when it never fires at that share: the time would be longer than the long window.
    """
    needed = rule.budget_share * float(error_budget_ratio(goal) * period) / error_ratio
    return needed if needed <= rule.long_ms else None
