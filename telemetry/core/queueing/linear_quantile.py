"""Evaluates a linear quantile model given as plain numbers; it must not fit it nor read files.

Features and answer are on a logarithmic scale, where delays add up more nearly: x → log(x + 1 + OFFSET_S).
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

OFFSET_S = 10.0
MAX_LOG_WAIT = 12.0
"""Bounds what a row far from all others may give."""


class InvalidLinearModel(ValueError):
    """Numbers that are no model over the given features."""


def log_scale(value: float) -> float:
    """Return a feature on the logarithmic scale; what is negative (unknown) counts as 0."""
    return log(max(value, 0.0) + 1.0 + OFFSET_S)


class LinearQuantile(Struct, frozen=True, tag="linear"):
    """log(wait + OFFSET_S) = `intercept` + Σ `weights` × (log-scaled feature − `centres`) ÷ `spreads`."""

    intercept: float
    weights: tuple[float, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]

    def validate(self, features: int) -> None:
        """Raise InvalidLinearModel when the numbers are not for so many features."""
        if not len(self.weights) == len(self.centres) == len(self.spreads) == features or not all(self.spreads):
            msg = "a linear model's numbers do not fit its features"
            raise InvalidLinearModel(msg)

    def predict(self, row: Sequence[float]) -> float:
        """Return the predicted wait of one row of features, s."""
        total = self.intercept + sum(
            weight * (log_scale(value) - centre) / spread
            for value, weight, centre, spread in zip(row, self.weights, self.centres, self.spreads, strict=True)
        )
        return exp(min(total, MAX_LOG_WAIT)) - OFFSET_S
