from __future__ import annotations

import random

import numpy as np
import pytest

from telemetry.core.queueing.scoring import pinball_loss
from telemetry.prediction.quantile_fit import FitRules, fit_linear, fit_weights


def penalised_loss(columns: np.ndarray, targets: np.ndarray, weights: np.ndarray, rules: FitRules) -> float:
    errors = targets - weights[0] - columns @ weights[1:]
    loss = np.where(errors > 0, rules.share * errors, (rules.share - 1) * errors).mean()
    return float(loss + rules.penalty * np.abs(weights[1:]).sum())


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_no_other_weights_nearby_have_a_smaller_loss(share: float) -> None:
    random_ = np.random.default_rng(3)
    columns = random_.normal(size=(400, 4))
    targets = columns @ np.array([1.0, -0.5, 0.0, 0.0]) + random_.exponential(size=400)
    rules = FitRules(share, 0.01)
    weights = fit_weights(columns, targets, rules)
    least = penalised_loss(columns, targets, weights, rules)
    others = [weights + step * random_.normal(size=5) for step in (0.003, 0.01, 0.1) for _ in range(200)]
    assert min(penalised_loss(columns, targets, other, rules) for other in others) > least - 1e-5
    assert (targets <= weights[0] + columns @ weights[1:]).mean() == pytest.approx(share, abs=0.02)


def test_a_heavy_penalty_leaves_the_quantile_alone() -> None:
    columns, targets = np.random.default_rng(4).normal(size=(101, 2)), np.arange(101.0)
    weights = fit_weights(columns, targets, FitRules(0.9, 100.0))
    assert weights == pytest.approx([90.0, 0.0, 0.0], abs=0.2)


def test_a_fit_is_plain_numbers_and_the_same_each_time() -> None:
    random_ = random.Random(6)
    rows = [[float(random_.randrange(100)), -1.0, float(random_.randrange(9))] for _ in range(300)]
    waits = [row[0] * random_.uniform(0.5, 2.0) for row in rows]
    fitted = fit_linear(rows, waits, FitRules(0.5, 0.003, (0, 1)))
    assert fitted == fit_linear(rows, waits, FitRules(0.5, 0.003, (0, 1)))
    fitted.validate(3)
    assert {type(number) for number in (fitted.intercept, *fitted.weights, *fitted.centres, *fitted.spreads)} == {float}
    within = sum(wait <= fitted.predict(row) for row, wait in zip(rows, waits, strict=True))
    assert within / len(rows) == pytest.approx(0.5, abs=0.05)


def test_a_product_learns_that_one_feature_matters_where_another_is_large() -> None:
    random_ = random.Random(7)
    rows = [[float(random_.randrange(200)), 600.0 * random_.randrange(2)] for _ in range(600)]
    waits = [20 + (row[0] if row[1] else 0.0) + random_.uniform(0, 5) for row in rows]

    def loss(factors: tuple[int, ...]) -> float:
        fitted = fit_linear(rows, waits, FitRules(0.5, 0.001, factors))
        return sum(pinball_loss(wait, fitted.predict(row), 0.5) for row, wait in zip(rows, waits, strict=True))

    assert loss((0, 1)) < 0.5 * loss(())
