"""Holds a predicted quantile at its share while waits become known; it must only learn from waits that have ended.

The factor on the prediction rises after a wait above it and falls after one below, so that the long-run share of waits
within it is the wanted one (Gibbs and Candès 2021, adaptive conformal inference, here on the logarithm of the factor).
Each kind of ticket has a part of its own, so that no kind is promised too much at another's expense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import TYPE_CHECKING

from telemetry.core.queueing.predicted_wait import PredictedWait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.queueing.waiting_line import TicketKind

MAX_LOG_FACTOR = 1.0
"""Each part of the factor stays within e^±1."""
RATE_P50 = RATE_P90 = KIND_RATE_P90 = 0.01
"""Steps on the logarithm after each wait, chosen by cross-validation on training days."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """One part of a quantile's factor: `share` of waits are to be within; `rate` is the step on the logarithm."""

    share: float
    rate: float
    log_factor: float = 0.0

    def at(self, log_factor: float) -> Recalibration:
        """Return the part with another factor."""
        return Recalibration(self.share, self.rate, log_factor)

    def apply(self, predicted: float) -> float:
        """Return the recalibrated prediction."""
        return predicted * exp(self.log_factor)

    def learn(self, *, is_within: bool) -> Recalibration:
        """Return the state after one more wait, which was within the recalibrated prediction or not."""
        step = self.rate * ((0.0 if is_within else 1.0) - (1.0 - self.share))
        bounded = max(-MAX_LOG_FACTOR, min(MAX_LOG_FACTOR, self.log_factor + step))
        return self.at(bounded)


@dataclass(frozen=True, slots=True)
class RecalibratedWaits:
    """The factors of median and 90 % bound; `kinds` are the own parts of the 90 % bound by kind of ticket."""

    p50: Recalibration = Recalibration(0.5, RATE_P50)
    p90: Recalibration = Recalibration(0.9, RATE_P90)
    kinds: Mapping[TicketKind, Recalibration] = field(default_factory=dict)

    def apply(self, kind: TicketKind, predicted: PredictedWait) -> PredictedWait:
        """Return the recalibrated prediction."""
        p50_s = self.p50.apply(predicted.p50_s)
        return PredictedWait(p50_s, max(self.kind_part(kind).apply(self.p90.apply(predicted.p90_s)), p50_s))

    def learn(self, kind: TicketKind, shown: PredictedWait, wait_s: float) -> RecalibratedWaits:
        """Return the factors after one more wait, for which `shown` was predicted with them."""
        is_within = wait_s <= shown.p90_s
        return RecalibratedWaits(
            self.p50.learn(is_within=wait_s <= shown.p50_s),
            self.p90.learn(is_within=is_within),
            {**self.kinds, kind: self.kind_part(kind).learn(is_within=is_within)},
        )

    def kind_part(self, kind: TicketKind) -> Recalibration:
        """Return the own part of a kind's 90 % bound."""
        return self.kinds.get(kind, Recalibration(0.9, KIND_RATE_P90))
