"""Fits boosted trees to a quantile with scikit-learn and returns them as plain numbers; nothing else imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.ensemble import GradientBoostingRegressor

from telemetry.core.queueing.boosted_trees import BoostedTrees, RegressionTree

if TYPE_CHECKING:
    from collections.abc import Sequence

TREES = 150
RATE = 0.05
DEPTH = 3
MIN_LEAF = 30
ROW_SHARE = FEATURE_SHARE = 0.5
"""Each tree sees half of the rows, each split half of the features."""


def fit_quantile(rows: Sequence[Sequence[float]], targets: Sequence[float], share: float, seed: int) -> BoostedTrees:
    """Fit the `share` quantile of the targets given the rows; equal input gives equal trees.

    Gradient boosting for the quantile loss (Friedman 2001), with settings chosen by cross-validation on training days.
    """
    model = GradientBoostingRegressor(
        loss="quantile", alpha=share, n_estimators=TREES, learning_rate=RATE, max_depth=DEPTH,
        min_samples_leaf=MIN_LEAF, subsample=ROW_SHARE, max_features=FEATURE_SHARE, random_state=seed,
    )  # fmt: skip
    model.fit(rows, targets)
    base = float(model.init_.predict(rows[:1])[0])
    return BoostedTrees(base, RATE, tuple(_plain_tree(stage[0].tree_) for stage in model.estimators_))


def _plain_tree(tree: object) -> RegressionTree:
    return RegressionTree(
        feature=tuple(int(number) for number in tree.feature),  # type: ignore[attr-defined]
        threshold=tuple(float(number) for number in tree.threshold),  # type: ignore[attr-defined]
        left=tuple(int(number) for number in tree.children_left),  # type: ignore[attr-defined]
        right=tuple(int(number) for number in tree.children_right),  # type: ignore[attr-defined]
        value=tuple(float(number) for number in tree.value[:, 0, 0]),  # type: ignore[attr-defined]
    )
