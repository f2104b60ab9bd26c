"""Fits linear quantile models and returns them as plain numbers; it must not store or predict."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from telemetry.core.queueing.linear_quantile import MAX_FACTOR, OFFSET_S, FeatureProduct, LinearQuantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SEED = 1
SAMPLES = 10
ROW_SHARE = 0.6
"""The weights are the mean of SAMPLES fits, each on this share of the rows: they depend less on single rows."""
MIN_SPREAD = 1e-9
STEPS = 40
FIRST_SMOOTHING, LAST_SMOOTHING, SMOOTHING_DECAY = 1.0, 1e-3, 0.8
"""The kink of the loss is rounded within this distance, less from step to step; on the logarithmic scale."""
MIN_WEIGHT = 1e-4
"""A smaller weight is none."""


@dataclass(frozen=True, slots=True)
class FitRules:
    """How a quantile is fitted: its share, the weight of the absolute sum of weights, and which features multiply.

    `factors` are the places of features whose squares and products with each other are features, too.
    """

    share: float
    penalty: float
    factors: tuple[int, ...] = ()


def fit_linear(rows: Sequence[Sequence[float]], targets: Sequence[float], rules: FitRules) -> LinearQuantile:
    """Fit a quantile linearly on the logarithmic scale (Koenker and Bassett 1978, with an L1 penalty).

    Equal input gives equal numbers.
    """
    scaled = np.log(np.maximum(np.asarray(rows, dtype=float), 0.0) + 1.0 + OFFSET_S)
    centres, spreads = scaled.mean(axis=0), _spreads(scaled)
    z = (scaled - centres) / spreads
    cut, pairs = np.clip(z, -MAX_FACTOR, MAX_FACTOR), tuple(combinations_with_replacement(rules.factors, 2))
    products = np.stack([cut[:, i] * cut[:, j] for i, j in pairs], axis=1) if pairs else np.empty((len(z), 0))
    means, deviations = products.mean(axis=0), _spreads(products)
    columns = np.hstack([z, (products - means) / deviations])
    weights = _mean_weights(columns, np.log(np.asarray(targets, dtype=float) + OFFSET_S), rules)
    own, of_products = weights[1 : z.shape[1] + 1], weights[z.shape[1] + 1 :] / deviations
    return LinearQuantile(
        float(weights[0] - of_products @ means), _plain(own), _plain(centres), _plain(spreads),
        tuple(FeatureProduct(i, j, float(w)) for (i, j), w in zip(pairs, of_products, strict=True) if w),
    )  # fmt: skip


def _spreads(columns: Numbers) -> Numbers:
    spreads: Numbers = columns.std(axis=0)
    spreads[spreads < MIN_SPREAD] = 1.0
    return spreads


def _plain(numbers: Numbers) -> tuple[float, ...]:
    return tuple(float(number) for number in numbers)


def _mean_weights(columns: Numbers, targets: Numbers, rules: FitRules) -> Numbers:
    """Return the intercept and the columns' weights, the mean over samples of the rows."""
    random, count = np.random.default_rng(SEED), len(targets)
    samples = [random.choice(count, max(1, round(ROW_SHARE * count)), replace=False) for _ in range(SAMPLES)]
    # Matrices of this size gain nothing from the threads of OpenBLAS, which wait for each other by spinning: beside
    # other work a fit took thirty times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        fits = [fit_weights(columns[sample], targets[sample], rules) for sample in samples]
    mean: Numbers = np.mean(fits, axis=0)
    mean[1:][np.abs(mean[1:]) < MIN_WEIGHT] = 0.0
    return mean


def fit_weights(columns: Numbers, targets: Numbers, rules: FitRules) -> Numbers:
    """Return intercept and weights with the least mean pinball loss + penalty × Σ|weight|.

    By majorisation: each step solves the weighted least squares problem that touches loss and penalty from above at the
    last step's answer (Hunter and Lange 2000, Journal of Computational and Graphical Statistics 9:60).
    """
    count = len(targets)
    design = np.hstack([np.ones((count, 1)), columns])
    weights = np.zeros(design.shape[1])
    weights[0] = np.quantile(targets, rules.share)
    diagonal, smoothing = np.arange(len(weights)), FIRST_SMOOTHING
    for _ in range(STEPS):
        smoothing = max(LAST_SMOOTHING, SMOOTHING_DECAY * smoothing)
        steepness = 0.5 / (np.abs(targets - design @ weights) + smoothing)
        normal = (design.T * steepness) @ design
        shrinkage = rules.penalty * count / (np.abs(weights) + smoothing / 100)
        shrinkage[0] = 0.0
        normal[diagonal, diagonal] += shrinkage + MIN_SPREAD
        weights = np.linalg.solve(normal, design.T @ (steepness * targets + rules.share - 0.5))
    return weights
