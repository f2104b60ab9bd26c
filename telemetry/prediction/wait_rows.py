"""The rows that a wait model is fitted on, and the fit; it must not read events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.scoring import P50, P90
from telemetry.core.queueing.wait_model import FittedQuantiles

if TYPE_CHECKING:
    from telemetry.core.queueing.predicted_wait import PredictedWait

MIN_ROWS = 300
"""Fewer rows are not fitted: the drained waits stand."""
SETTLING_SHARE = 0.8
"""The recalibration begins where it ends on the last rows, predicted by a fit on this share of them before."""
SEEDS = (0, 1)
"""Fits of each quantile that are averaged."""


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A queued and served ticket: its features, its wait, when it entered and when its wait was known (Unix ms)."""

    features: tuple[float, ...]
    wait_s: float
    entered: int
    known_at: int


FitQuantiles = Callable[[Sequence[WaitRow]], FittedQuantiles | None]
"""Fits the quantiles on rows; None when there are too few."""


def fit_nothing(_rows: Sequence[WaitRow]) -> FittedQuantiles | None:
    """Learn nothing: the drained waits are the prediction."""
    return None


def fit_quantiles(rows: Sequence[WaitRow]) -> FittedQuantiles | None:
    """Fit median and 90 % bound; None when there are fewer than MIN_ROWS."""
    if len(rows) < MIN_ROWS:
        return None
    from telemetry.prediction.quantile_trees import fit_quantile  # noqa: PLC0415  # scikit-learn loads in seconds

    features, waits = [row.features for row in rows], [row.wait_s for row in rows]
    p50, p90 = (tuple(fit_quantile(features, waits, share, seed) for seed in SEEDS) for share in (P50, P90))
    return FittedQuantiles(p50, p90)


def settle_recalibration(rows: Sequence[WaitRow], fit: FitQuantiles) -> RecalibratedWaits:
    """Return the recalibration at the end of the rows, learned on the last of them, which its fit has not seen."""
    cut = int(SETTLING_SHARE * len(rows))
    fitted = fit(rows[:cut])
    recalibrated = RecalibratedWaits()
    if fitted is None:
        return recalibrated
    unknown: list[tuple[int, int, PredictedWait]] = []
    later = sorted(rows[cut:], key=lambda row: row.entered)
    for number, row in enumerate(later):
        while unknown and unknown[0][0] < row.entered:
            _, index, predicted = heappop(unknown)
            recalibrated = recalibrated.learn(predicted, later[index].wait_s)
        predicted = recalibrated.apply(fitted.predict(row.features))
        heappush(unknown, (row.known_at, number, predicted))
    return recalibrated
