"""Evaluates boosted regression trees given as plain numbers; it must not fit them nor read files.

A tree is five equally long lists, one entry a node, as scikit-learn numbers them: at node i the value of `feature[i]`
decides between `left[i]` (≤ `threshold[i]`) and `right[i]`; a leaf has `left[i] = -1` and the answer `value[i]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAF = -1


class InvalidTree(ValueError):
    """A tree whose numbers do not describe a tree."""


class RegressionTree(Struct, frozen=True):
    """One tree; children have greater numbers than their parents, so that following them always ends."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def validate(self, features: int) -> None:
        """Raise InvalidTree when the lists do not describe a tree over so many features."""
        nodes = len(self.value)
        if not nodes or any(len(part) != nodes for part in (self.feature, self.threshold, self.left, self.right)):
            msg = "a tree's lists differ in length or are empty"
            raise InvalidTree(msg)
        for node, (feature, left, right) in enumerate(zip(self.feature, self.left, self.right, strict=True)):
            if left == LEAF:
                continue
            if not (node < left < nodes and node < right < nodes and 0 <= feature < features):
                msg = f"node {node} has feature {feature}, children {left} and {right}"
                raise InvalidTree(msg)

    def predict(self, row: Sequence[float]) -> float:
        """Return the value of the leaf that the row reaches."""
        node = 0
        while (left := self.left[node]) != LEAF:
            node = left if row[self.feature[node]] <= self.threshold[node] else self.right[node]
        return self.value[node]


class BoostedTrees(Struct, frozen=True, tag="trees"):
    """A sum of trees: `base` + `rate` × the trees' values."""

    base: float
    rate: float
    trees: tuple[RegressionTree, ...]

    def validate(self, features: int) -> None:
        """Raise InvalidTree when a tree is none over so many features."""
        for tree in self.trees:
            tree.validate(features)

    def predict(self, row: Sequence[float]) -> float:
        """Return the prediction for one row of features."""
        return self.base + self.rate * sum(tree.predict(row) for tree in self.trees)
