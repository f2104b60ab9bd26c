"""A wait model as plain numbers, and the wait it predicts; it must not fit, read files or run anything it was given.

The model's file is this value as JSON: a store's bytes are decoded into numbers and texts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.queueing.drain import drain
from telemetry.core.queueing.predicted_wait import PredictedWait
from telemetry.core.queueing.wait_features import FEATURES, wait_features

if TYPE_CHECKING:
    from telemetry.core.queueing.drain import Newcomer
    from telemetry.core.queueing.linear_quantile import LinearQuantile
    from telemetry.core.queueing.queue_profile import QueueProfile
    from telemetry.core.queueing.waiting_line import LineState

MIN_WAIT_S = 1.0
"""No predicted wait is shorter than this, s."""
_DRAIN_P50, _DRAIN_P90 = FEATURES.index("drain_p50"), FEATURES.index("drain_p90")


@dataclass(frozen=True, slots=True)
class FittedQuantiles:
    """The learned median and 90 % bound over `FEATURES`."""

    p50: LinearQuantile
    p90: LinearQuantile

    def predict(self, row: tuple[float, ...]) -> PredictedWait:
        """Return the prediction for one row of features."""
        p50_s = max(self.p50.predict(row), MIN_WAIT_S)
        return PredictedWait(p50_s, max(self.p90.predict(row), p50_s))


@dataclass(frozen=True, slots=True)
class WaitPredictor:
    """Predicts a newcomer's wait: the learned quantiles, or the drained waits themselves when none are learned."""

    profile: QueueProfile
    quantiles: FittedQuantiles | None = None

    def features_of(self, line: LineState, newcomer: Newcomer) -> tuple[float, ...]:
        """Return the newcomer's features, in the order of `FEATURES`."""
        return wait_features(line, newcomer, self.profile, drain(line, newcomer, self.profile))

    def predict_row(self, row: tuple[float, ...]) -> PredictedWait:
        """Return the prediction for a row of features."""
        return self.predict_drained(row) if self.quantiles is None else self.quantiles.predict(row)

    @staticmethod
    def predict_drained(row: tuple[float, ...]) -> PredictedWait:
        """Return the drained waits' own quantiles."""
        p50 = max(row[_DRAIN_P50], MIN_WAIT_S)
        return PredictedWait(p50, max(row[_DRAIN_P90], p50))
