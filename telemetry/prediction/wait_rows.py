"""The rows that a wait model is fitted on, and the fit; it must not read events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.scoring import P50, P90, ScoredWait
from telemetry.core.queueing.wait_model import FittedQuantiles, QuantileModel

if TYPE_CHECKING:
    from telemetry.core.queueing.predicted_wait import PredictedWait
    from telemetry.core.queueing.waiting_line import TicketKind

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
    """Fit median and 90 % bound, each the mean of two forests and twice a linear model; None with few rows."""
    if len(rows) < MIN_ROWS:
        return None
    from telemetry.prediction.quantile_fit import SIZES, fit_linear, fit_trees  # noqa: PLC0415  # loads in seconds

    features, waits = [row.features for row in rows], [row.wait_s for row in rows]
    fitted: list[tuple[QuantileModel, ...]] = []
    for share in (P50, P90):
        linear = fit_linear(features, waits, share)
        fitted.append((*(fit_trees(features, waits, share, sizes) for sizes in SIZES), linear, linear))
    p50, p90 = fitted
    return FittedQuantiles(p50, p90)


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
