from __future__ import annotations

import math

import pytest

from telemetry.core.queueing.drain import Newcomer
from telemetry.core.queueing.linear_quantile import (
    MAX_FACTOR,
    OFFSET_S,
    FeatureProduct,
    InvalidLinearModel,
    LinearQuantile,
)
from telemetry.core.queueing.predicted_wait import PredictedWait
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.recalibration import RecalibratedWaits, Recalibration
from telemetry.core.queueing.scoring import ScoredWait, pinball_loss, quantile, score_waits
from telemetry.core.queueing.wait_features import FEATURES
from telemetry.core.queueing.wait_model import FittedQuantiles, WaitPredictor
from telemetry.core.queueing.waiting_line import IdleCounter, LineState, TicketKind
from tests.unit.constant_quantile import constant_quantile


def test_learned_quantiles_never_cross() -> None:
    row = (0.0,) * len(FEATURES)
    assert figures(FittedQuantiles(constant_quantile(20), constant_quantile(90)).predict(row)) == (20.0, 90.0)
    assert figures(FittedQuantiles(constant_quantile(-9), constant_quantile(-3)).predict(row)) == (1.0, 1.0)


def figures(predicted: PredictedWait) -> tuple[float, float]:
    return round(predicted.p50_s, 6), round(predicted.p90_s, 6)


def test_without_learned_quantiles_the_drained_waits_stand() -> None:
    line, newcomer = LineState(100_000, idle=(IdleCounter("c1", 96_000),)), Newcomer(TicketKind("land"), 100_000)
    predictor = WaitPredictor(QueueProfile(pauses=(10.0,) * 9))
    row = predictor.features_of(line, newcomer)
    assert predictor.predict_row(row) == PredictedWait(6.0, 6.0)
    learned = WaitPredictor(predictor.profile, FittedQuantiles(constant_quantile(7), constant_quantile(8)))
    assert figures(learned.predict_row(row)) == (7.0, 8.0)


def test_recalibration_brings_the_share_to_the_wanted_one() -> None:
    state, kept = Recalibration(0.9, 0.03), 0
    for number in range(4_000):
        actual = 100.0 * (number * 37 % 101) / 100  # uniform
        is_within = actual <= state.apply(45.0)
        kept += is_within
        state = state.learn(is_within=is_within)
    assert kept / 4_000 == pytest.approx(0.9, abs=0.01)
    assert state.apply(45.0) == pytest.approx(90.0, rel=0.25)


def test_recalibration_is_bounded() -> None:
    state = Recalibration(0.9, 0.5)
    for _ in range(10):
        state = state.learn(is_within=False)
    assert state.apply(1.0) == pytest.approx(math.e)


def test_both_factors_learn_from_what_was_shown() -> None:
    land, shown = TicketKind("land"), PredictedWait(10.0, 50.0)
    learned = RecalibratedWaits().learn(land, shown, 60.0)
    assert learned.p50.log_factor > 0 < learned.p90.log_factor == learned.kinds[land].log_factor
    assert learned.apply(land, shown).p90_s > learned.apply(TicketKind("tax"), shown).p90_s > 50.0
    assert learned.learn(land, shown, 5.0).apply(land, shown).p90_s < learned.apply(land, shown).p90_s
    crossed = learned.apply(land, PredictedWait(10.0, 9.0))
    assert crossed.p90_s == crossed.p50_s


def test_scores() -> None:
    scores = score_waits([ScoredWait(10, 20, 15), ScoredWait(10, 20, 30)])
    assert scores is not None
    assert (scores.count, scores.mae_s, scores.bias_s, scores.share_within) == (2, 12.5, -12.5, 0.5)
    assert scores.pinball_s == pytest.approx((0.1 * 5 + 0.9 * 10) / 2)
    assert score_waits([]) is None
    assert pinball_loss(10.0, 10.0, 0.9) == 0.0
    assert quantile([], 0.5) is None
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0


def test_a_linear_model_adds_on_the_logarithmic_scale() -> None:
    model = LinearQuantile(math.log(60.0), (0.5, 0.0), (math.log(11.0), 0.0), (1.0, 1.0))
    model.validate(2)
    assert model.predict((0.0, 5.0)) == pytest.approx(60.0 - OFFSET_S)
    assert model.predict((-1.0, 5.0)) == pytest.approx(60.0 - OFFSET_S)
    assert model.predict((33.0, 5.0)) == pytest.approx(120.0 - OFFSET_S)
    assert model.predict((1e300, 0.0)) < math.exp(12.0)
    for faulty in (
        LinearQuantile(0.0, (1.0,), (1.0,), (1.0,)),
        LinearQuantile(0.0, (1.0, 1.0), (1.0, 1.0), (1.0, 0.0)),
        LinearQuantile(0.0, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (FeatureProduct(0, 2, 1.0),)),
        LinearQuantile(0.0, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (FeatureProduct(-1, 0, 1.0),)),
    ):
        with pytest.raises(InvalidLinearModel):
            faulty.validate(2)


def test_a_product_counts_where_both_features_are_large_and_is_bounded() -> None:
    centres = (math.log(11.0), math.log(11.0))
    model = LinearQuantile(math.log(60.0), (0.0, 0.0), centres, (0.1, 0.1), (FeatureProduct(0, 1, 0.5),))
    one_spread = 11.0 * math.exp(0.1) - 11.0
    assert model.predict((0.0, 99.0)) == pytest.approx(60.0 - OFFSET_S)
    assert model.predict((one_spread, one_spread)) == pytest.approx(60.0 * math.exp(0.5) - OFFSET_S)
    assert model.predict((one_spread, 1e9)) == pytest.approx(60.0 * math.exp(0.5 * MAX_FACTOR) - OFFSET_S)
