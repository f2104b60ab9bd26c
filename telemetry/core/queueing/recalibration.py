"""Keeps a predicted quantile at its share while waits become known; it must only learn from waits that have ended.

The factor on the prediction rises after a wait above it and falls after one below, so that the long-run share of waits
within it is the wanted one (Gibbs and Candès 2021, adaptive conformal inference, here on the logarithm of the factor).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from telemetry.core.queueing.predicted_wait import PredictedWait

MAX_LOG_FACTOR = 1.0
"""The factor stays within e^±1."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The state of one quantile's factor: `share` of waits are to be within; `rate` is the step on the logarithm."""

    share: float
    rate: float
    log_factor: float = 0.0

    def apply(self, predicted: float) -> float:
        """Return the recalibrated prediction."""
        return predicted * exp(self.log_factor)

    def learn(self, *, is_within: bool) -> Recalibration:
        """Return the state after one more wait, which was within the recalibrated prediction or not."""
        step = self.rate * ((0.0 if is_within else 1.0) - (1.0 - self.share))
        bounded = max(-MAX_LOG_FACTOR, min(MAX_LOG_FACTOR, self.log_factor + step))
        return Recalibration(self.share, self.rate, bounded)


@dataclass(frozen=True, slots=True)
class RecalibratedWaits:
    """The factors of median and 90 % bound; the rates were chosen by cross-validation on training days."""

    p50: Recalibration = Recalibration(0.5, 0.02)
    p90: Recalibration = Recalibration(0.9, 0.03)

    def apply(self, predicted: PredictedWait) -> PredictedWait:
        """Return the recalibrated prediction."""
        p50_s = self.p50.apply(predicted.p50_s)
        return PredictedWait(p50_s, max(self.p90.apply(predicted.p90_s), p50_s))

    def learn(self, shown: PredictedWait, wait_s: float) -> RecalibratedWaits:
        """Return the factors after one more wait, for which `shown` was predicted with them."""
        return RecalibratedWaits(
            self.p50.learn(is_within=wait_s <= shown.p50_s), self.p90.learn(is_within=wait_s <= shown.p90_s)
        )
