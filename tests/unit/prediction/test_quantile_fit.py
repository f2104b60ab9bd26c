from __future__ import annotations

import math
import random

import pytest

from telemetry.core.queueing.linear_quantile import OFFSET_S, log_scale
from telemetry.core.queueing.scoring import pinball_loss


def test_plain_numbers_predict_what_the_library_predicts() -> None:
    sklearn = pytest.importorskip("sklearn.ensemble")
    from telemetry.prediction import quantile_fit

    random_ = random.Random(5)
    rows = [[random_.randrange(100), random_.randrange(100)] for _ in range(400)]
    targets = [row[0] + random_.expovariate(0.1) for row in rows]
    fitted = quantile_fit.fit_trees(rows, targets, 0.9, quantile_fit.TreeSizes(30, 3))
    again = quantile_fit.fit_trees(rows, targets, 0.9, quantile_fit.TreeSizes(30, 3))
    assert fitted == again
    fitted.validate(2)
    library = sklearn.GradientBoostingRegressor(
        loss="quantile", alpha=0.9, n_estimators=30, learning_rate=quantile_fit.RATE,
        max_depth=3, min_samples_leaf=quantile_fit.MIN_LEAF, subsample=0.5, max_features=0.5,
        random_state=quantile_fit.SEED,
    ).fit(rows, targets)  # fmt: skip
    expected = [float(value) for value in library.predict(rows)]
    assert [fitted.predict(row) for row in rows] == pytest.approx(expected)
    constant = sorted(targets)[360]
    loss = sum(pinball_loss(y, fitted.predict(row), 0.9) for row, y in zip(rows, targets, strict=True))
    assert loss < sum(pinball_loss(y, constant, 0.9) for y in targets)


def test_a_linear_model_is_plain_numbers_that_the_library_predicts() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    from telemetry.prediction import quantile_fit

    random_ = random.Random(6)
    rows = [[float(random_.randrange(100)), -1.0, float(random_.randrange(9))] for _ in range(200)]
    waits = [row[0] * random_.uniform(0.5, 2.0) for row in rows]
    fitted = quantile_fit.fit_linear(rows, waits, 0.5)
    fitted.validate(3)
    scaled = [[log_scale(value) for value in row] for row in rows]
    centred = [[(v - c) / s for v, c, s in zip(row, fitted.centres, fitted.spreads, strict=True)] for row in scaled]
    library = linear_model.QuantileRegressor(quantile=0.5, alpha=quantile_fit.PENALTY, solver="highs")
    library.fit(centred, [math.log(wait + OFFSET_S) for wait in waits])
    expected = [math.exp(float(value)) - OFFSET_S for value in library.predict(centred)]
    assert [fitted.predict(row) for row in rows] == pytest.approx(expected)
    within = sum(wait <= fitted.predict(row) for row, wait in zip(rows, waits, strict=True))
    assert within / len(rows) == pytest.approx(0.5, abs=0.05)
