"""The rows that a wait model is fitted on, and the fit; it must not read events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.scoring import P50, P90, ScoredWait
from telemetry.core.queueing.wait_features import FEATURES
from telemetry.core.queueing.wait_model import FittedQuantiles

if TYPE_CHECKING:
    from telemetry.core.queueing.predicted_wait import PredictedWait
    from telemetry.core.queueing.waiting_line import TicketKind

P50_PENALTY, P90_PENALTY = 0.004, 0.003
"""Weights of the absolute sum of a model's weights, chosen by cross-validation on training days."""
FACTORS = (
    "drain_p50", "drain_p90", "head_of_line_s", "ahead", "busy_able", "typical_wait_s", "head_start_s", "calls_5m",
    "mean_of_5_waits_s",
)  # fmt: skip
"""The features whose products the median has; the 90 % bound has none: few waits lie near it."""
MIN_ROWS = 300
"""Fewer rows are not fitted: the drained waits stand."""
SETTLING_SHARE = 0.8
"""The recalibration begins where it ends on the last rows, predicted by a fit on this share of them before."""


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A queued and served ticket: features, wait, kind, when it entered and when its wait was known (Unix ms)."""

    features: tuple[float, ...]
    wait_s: float
    kind: TicketKind
    entered: int
    known_at: int


@dataclass(frozen=True, slots=True)
class PredictedRows:
    """What was predicted for rows, and the recalibration at their end."""

    scored: tuple[ScoredWait, ...]
    recalibrated: RecalibratedWaits


FitQuantiles = Callable[[Sequence[WaitRow]], FittedQuantiles | None]
"""Fits the quantiles on rows; None when there are too few."""


def fit_nothing(_rows: Sequence[WaitRow]) -> FittedQuantiles | None:
    """Learn nothing: the drained waits are the prediction."""
    return None


def fit_quantiles(rows: Sequence[WaitRow]) -> FittedQuantiles | None:
    """Fit median and 90 % bound; None with few rows."""
    if len(rows) < MIN_ROWS:
        return None
    from telemetry.prediction.quantile_fit import FitRules, fit_linear  # noqa: PLC0415  # most processes never fit

    features, waits = [row.features for row in rows], [row.wait_s for row in rows]
    p50 = fit_linear(features, waits, FitRules(P50, P50_PENALTY, tuple(FEATURES.index(name) for name in FACTORS)))
    return FittedQuantiles(p50, fit_linear(features, waits, FitRules(P90, P90_PENALTY)))


def settle_recalibration(rows: Sequence[WaitRow], fit: FitQuantiles) -> RecalibratedWaits:
    """Return the recalibration at the end of the rows, learned on the last of them, which its fit has not seen."""
    cut = int(SETTLING_SHARE * len(rows))
    fitted = fit(rows[:cut])
    if fitted is None:
        return RecalibratedWaits()
    return predict_rows(rows[cut:], fitted.predict, RecalibratedWaits()).recalibrated


def predict_rows(
    rows: Sequence[WaitRow], predict: Callable[[tuple[float, ...]], PredictedWait], recalibrated: RecalibratedWaits
) -> PredictedRows:
    """Predict rows in order of entry, recalibrated with those whose wait was known before."""
    unknown: list[tuple[int, int, PredictedWait]] = []
    ordered, scored = sorted(rows, key=lambda row: row.entered), list[ScoredWait]()
    for number, row in enumerate(ordered):
        while unknown and unknown[0][0] < row.entered:
            _, index, shown = heappop(unknown)
            recalibrated = recalibrated.learn(ordered[index].kind, shown, ordered[index].wait_s)
        predicted = recalibrated.apply(row.kind, predict(row.features))
        scored.append(ScoredWait(predicted.p50_s, predicted.p90_s, row.wait_s))
        heappush(unknown, (row.known_at, number, predicted))
    return PredictedRows(tuple(scored), recalibrated)
