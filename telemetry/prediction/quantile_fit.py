"""Fits quantile models with scikit-learn and returns them as plain numbers; it must not store or predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import QuantileRegressor

from telemetry.core.queueing.boosted_trees import BoostedTrees, RegressionTree
from telemetry.core.queueing.linear_quantile import OFFSET_S, LinearQuantile

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE = 0.05
MIN_LEAF = 30
SEED = 1
ROW_SHARE = FEATURE_SHARE = 0.5
"""Each tree sees half of the rows, each split half of the features."""
MIN_SPREAD = 1e-9
PENALTY = 0.003
"""Weight of the absolute sum of a linear model's weights."""


@dataclass(frozen=True, slots=True)
class TreeSizes:
    """How many trees, and how many questions each asks at most."""

    trees: int
    depth: int


SIZES = (TreeSizes(150, 3), TreeSizes(250, 2))
"""Two kinds of forests: the deeper one sees interactions, the flatter one varies less."""


def fit_trees(
    rows: Sequence[Sequence[float]], targets: Sequence[float], share: float, sizes: TreeSizes
) -> BoostedTrees:
    """Fit the `share` quantile of the targets given the rows; equal input gives equal trees.

    Gradient boosting for the quantile loss (Friedman 2001), with settings chosen by cross-validation on training days.
    """
    model = GradientBoostingRegressor(
        loss="quantile", alpha=share, n_estimators=sizes.trees, learning_rate=RATE, max_depth=sizes.depth,
        min_samples_leaf=MIN_LEAF, subsample=ROW_SHARE, max_features=FEATURE_SHARE, random_state=SEED,
    )  # fmt: skip
    model.fit(rows, targets)
    base = float(model.init_.predict(rows[:1])[0])
    return BoostedTrees(base, RATE, tuple(_plain_tree(stage[0].tree_) for stage in model.estimators_))


def fit_linear(rows: Sequence[Sequence[float]], targets: Sequence[float], share: float) -> LinearQuantile:
    """Fit the `share` quantile linearly on the logarithmic scale (Koenker and Bassett 1978, with an L1 penalty)."""
    scaled = np.log(np.maximum(np.asarray(rows, dtype=float), 0.0) + 1.0 + OFFSET_S)
    centres, spreads = scaled.mean(axis=0), scaled.std(axis=0)
    spreads[spreads < MIN_SPREAD] = 1.0
    model = QuantileRegressor(quantile=share, alpha=PENALTY, solver="highs")
    model.fit((scaled - centres) / spreads, np.log(np.asarray(targets, dtype=float) + OFFSET_S))
    weights, means, deviations = (tuple(float(n) for n in part) for part in (model.coef_, centres, spreads))
    return LinearQuantile(float(model.intercept_), weights, means, deviations)


def _plain_tree(tree: object) -> RegressionTree:
    return RegressionTree(
        feature=tuple(int(number) for number in tree.feature),  # type: ignore[attr-defined]
        threshold=tuple(float(number) for number in tree.threshold),  # type: ignore[attr-defined]
        left=tuple(int(number) for number in tree.children_left),  # type: ignore[attr-defined]
        right=tuple(int(number) for number in tree.children_right),  # type: ignore[attr-defined]
        value=tuple(float(number) for number in tree.value[:, 0, 0]),  # type: ignore[attr-defined]
    )
