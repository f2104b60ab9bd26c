"""Evaluates a linear quantile model given as plain numbers; it must not fit it nor read files.

Features and answer are on a logarithmic scale, where delays add up more nearly: x → log(x + 1 + OFFSET_S).
Products of two features let one matter more where the other is large.
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
MAX_FACTOR = 4.0
"""In a product a standardised feature counts at most so many spreads: a row far from all others is no lever."""


class InvalidLinearModel(ValueError):
    """Numbers that are no model over the given features."""


def log_scale(value: float) -> float:
    """Return a feature on the logarithmic scale; what is negative (unknown) counts as 0."""
    return log(max(value, 0.0) + 1.0 + OFFSET_S)


class FeatureProduct(Struct, frozen=True):
    """The product of the standardised features at two places of a row, each cut to ±MAX_FACTOR, and its weight."""

    first: int
    second: int
    weight: float


class LinearQuantile(Struct, frozen=True, tag="linear"):
    """log(wait + OFFSET_S) = `intercept` + Σ `weights` × z + Σ `products`; z = (log-scaled − `centres`) ÷ `spreads`."""

    intercept: float
    weights: tuple[float, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    products: tuple[FeatureProduct, ...] = ()

    def validate(self, features: int) -> None:
        """Raise InvalidLinearModel when the numbers are not for so many features."""
        places = [place for product in self.products for place in (product.first, product.second)]
        are_sized = len(self.weights) == len(self.centres) == len(self.spreads) == features and all(self.spreads)
        if not are_sized or not all(0 <= place < features for place in places):
            msg = "a linear model's numbers do not fit its features"
            raise InvalidLinearModel(msg)

    def predict(self, row: Sequence[float]) -> float:
        """Return the predicted wait of one row of features, s."""
        z = [
            (log_scale(value) - centre) / spread
            for value, centre, spread in zip(row, self.centres, self.spreads, strict=True)
        ]
        total = self.intercept + sum(weight * value for weight, value in zip(self.weights, z, strict=True))
        cut = [max(-MAX_FACTOR, min(MAX_FACTOR, value)) for value in z]
        total += sum(product.weight * cut[product.first] * cut[product.second] for product in self.products)
        return exp(min(total, MAX_LOG_WAIT)) - OFFSET_S
