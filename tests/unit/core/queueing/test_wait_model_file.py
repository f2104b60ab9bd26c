from __future__ import annotations

import json

import msgspec
import pytest

from telemetry.core.queueing.drain import Newcomer
from telemetry.core.queueing.linear_quantile import FeatureProduct
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.wait_model_file import (
    BacktestReport,
    BacktestScore,
    InvalidModel,
    KindValue,
    WaitModelFile,
    decode_backtest,
    decode_model,
    encode_model,
    model_hash,
    profile_file,
)
from telemetry.core.queueing.waiting_line import IdleCounter, LineState, TicketKind
from tests.unit.constant_quantile import constant_quantile

LAND = TicketKind("land")
PROFILE = QueueProfile(
    all_service_times=(60.0, 90.126),
    service_times={"land": (60.0,)}, pauses=(3.0, 10.0), skills={"c1": frozenset({"land"})},
    patience=(0.1, 0.2), head_starts={LAND: 30.0}, default_head_starts={"normal": 30.0}, typical_waits={LAND: 7.0},
    typical_wait=7.0, past_waits=(5.0, 9.0),
)  # fmt: skip
MODEL = WaitModelFile(
    centre="vn83-1", fitted_at=3, trained_from=1, trained_until=2, rows=400, profile=profile_file(PROFILE),
    p50=msgspec.structs.replace(constant_quantile(9.5), products=(FeatureProduct(0, 1, 0.0),)),
    p90=constant_quantile(40),
    log_factor_p90=0.25, kind_log_factors=(KindValue("land", "normal", -0.5),),
)  # fmt: skip


def test_a_model_comes_back_as_it_was() -> None:
    body = encode_model(MODEL)
    assert decode_model(body) == MODEL
    assert len(model_hash(body)) == 64
    assert MODEL.method == "learned"
    without = msgspec.structs.replace(MODEL, p50=None, p90=None)
    assert without.method == "drain"
    assert decode_model(encode_model(without)) == without


def test_what_it_predicts_comes_back_too() -> None:
    line, newcomer = LineState(100_000, idle=(IdleCounter("c1", 96_000),)), Newcomer(LAND, 100_000)
    predictor = decode_model(encode_model(MODEL)).predictor()
    assert predictor.profile.skills == PROFILE.skills
    assert predictor.profile.head_start_s(LAND) == 30.0
    assert predictor.profile.all_service_times == (60.0, 90.13)
    assert predictor.predict_row(predictor.features_of(line, newcomer)).p50_s == pytest.approx(9.5)
    recalibrated = MODEL.recalibration()
    assert (recalibrated.p90.log_factor, recalibrated.kinds[LAND].log_factor) == (0.25, -0.5)
    without = msgspec.structs.replace(MODEL, p50=None, p90=None).predictor()
    assert without.quantiles is None


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("format", 1),
        ("features", ["drain_p50"]),
        ("p90", None),
        ("rows", "many"),
        ("p50", {"type": "linear", "intercept": 1, "weights": [1], "centres": [0], "spreads": [1]}),
        ("p50", {"type": "os.system", "base": 1}),
    ],
)  # fmt: skip
def test_bytes_that_are_no_model_are_refused(change: str, value: object) -> None:
    document = json.loads(encode_model(MODEL))
    document[change] = value
    with pytest.raises(InvalidModel):
        decode_model(json.dumps(document).encode())


def test_any_other_bytes_are_refused() -> None:
    for body in (b"", b"\x80\x04", b"[]", b"null", b'{"centre":' + b"[" * 100_000):
        with pytest.raises(InvalidModel):
            decode_model(body)


def test_a_back_test_comes_back_as_it_was_and_other_bytes_are_none() -> None:
    report = BacktestReport(5, "champion", (BacktestScore("drain", 60, 1.0, 0.5, 0.3, 0.9),))
    assert decode_backtest(msgspec.json.encode(report)) == report
    assert decode_backtest(b"[1]") is None
    assert decode_backtest(b'{"at":4503599627370496,"winner":"","scores":[]}') is None
