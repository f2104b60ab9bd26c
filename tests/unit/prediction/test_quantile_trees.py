from __future__ import annotations

import random

import pytest

from telemetry.core.queueing.scoring import pinball_loss


def test_plain_numbers_predict_what_the_library_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    sklearn = pytest.importorskip("sklearn.ensemble")
    from telemetry.prediction import quantile_trees

    monkeypatch.setattr(quantile_trees, "TREES", 30)
    random_ = random.Random(5)
    rows = [[random_.randrange(100), random_.randrange(100)] for _ in range(400)]
    targets = [row[0] + random_.expovariate(0.1) for row in rows]
    fitted = quantile_trees.fit_quantile(rows, targets, 0.9, 3)
    again = quantile_trees.fit_quantile(rows, targets, 0.9, 3)
    assert fitted == again
    fitted.validate(2)
    library = sklearn.GradientBoostingRegressor(
        loss="quantile", alpha=0.9, n_estimators=quantile_trees.TREES, learning_rate=quantile_trees.RATE,
        max_depth=quantile_trees.DEPTH, min_samples_leaf=quantile_trees.MIN_LEAF, subsample=0.5, max_features=0.5,
        random_state=3,
    ).fit(rows, targets)  # fmt: skip
    expected = [float(value) for value in library.predict(rows)]
    assert [fitted.predict(row) for row in rows] == pytest.approx(expected)
    constant = sorted(targets)[360]
    loss = sum(pinball_loss(y, fitted.predict(row), 0.9) for row, y in zip(rows, targets, strict=True))
    assert loss < sum(pinball_loss(y, constant, 0.9) for y in targets)
