from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pytest

from motcua.refit import is_due
from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.fold.totals import Total
from telemetry.core.queueing.wait_features import FEATURES
from telemetry.core.queueing.wait_model import FittedQuantiles
from telemetry.core.queueing.wait_model_file import decode_backtest, decode_model, encode_model
from telemetry.prediction.province_refit import refit_province
from telemetry.prediction.wait_refit import RefitTask, refit_waits
from telemetry.prediction.wait_rows import fit_nothing
from telemetry.store import WAIT_MODELS_CHECKPOINT, Batch, StoredEvent, wait_backtest_name, wait_model_name
from telemetry.store.sqlite import SqliteStore
from tests.unit.constant_quantile import constant_quantile
from tests.unit.queue_days import MONDAY, ZONE, simulate_days
from tests.unit.rollup.test_rollup import world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telemetry.core.queueing.wait_model_file import WaitModelFile
    from telemetry.prediction.wait_rows import WaitRow

DAYS = 4
NOW = MONDAY + DAYS * DAY + 2 * HOUR
EVENTS = simulate_days(DAYS + 2, seed=4, counters=1, arrivals=60)
TASK = RefitTask("c1", ZONE, NOW)


def constant(value: float) -> FittedQuantiles:
    return FittedQuantiles(constant_quantile(value), constant_quantile(2 * value))


def fit_poorly(_rows: Sequence[WaitRow]) -> FittedQuantiles:
    return constant(1e5)


def refit(task: RefitTask, fit: object = fit_nothing) -> WaitModelFile | None:
    result = refit_waits(task, [e for e in EVENTS if e.t < task.now], fit)  # type: ignore[arg-type]
    assert result is not None
    return result.model


def test_the_first_model_says_what_it_was_trained_on_and_how_it_was_tested() -> None:
    model = refit(TASK)
    assert model is not None
    assert (model.method, model.centre, model.fitted_at) == ("drain", "c1", NOW)
    assert model.trained_until == MONDAY + DAYS * DAY
    assert MONDAY < model.trained_from < model.trained_until
    assert model.rows > 100
    methods = {score.method for score in model.backtest}
    assert methods == {"drain", "head_of_line", "last_to_enter_service", "moving_average", "mean"}
    assert decode_model(encode_model(model)) == model


def test_a_challenger_that_loses_leaves_the_champion() -> None:
    champion = refit(TASK)
    later = RefitTask("c1", ZONE, NOW + 2 * DAY, champion)
    result = refit_waits(later, EVENTS, fit_poorly)
    assert result is not None
    learned = next(score for score in result.report.scores if score.method == "learned")
    assert learned.mae_s > 1e4
    assert result.report.winner in {"champion", "drain"}
    assert result.model is None or result.model.method == "drain"


def test_a_champion_that_lost_its_way_is_replaced() -> None:
    champion = refit(TASK)
    assert champion is not None
    lost = msgspec.structs.replace(champion, p50=constant(1e5).p50, p90=constant(1e5).p90)
    model = refit(RefitTask("c1", ZONE, NOW + 2 * DAY, lost))
    assert model is not None
    assert model.method == "drain"


def test_nothing_is_decided_without_new_days() -> None:
    champion = refit(TASK)
    assert refit_waits(RefitTask("c1", ZONE, NOW, champion), [e for e in EVENTS if e.t < NOW], fit_nothing) is None
    assert refit_waits(TASK, [e for e in EVENTS if e.t < MONDAY + DAY], fit_nothing) is None


def test_nothing_is_shipped_that_loses_to_a_simple_estimator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "telemetry.core.queueing.wait_model.WaitPredictor.predict_drained",
        staticmethod(lambda _row: constant(1e5).predict((0.0,) * len(FEATURES))),
    )
    result = refit_waits(TASK, [e for e in EVENTS if e.t < NOW], fit_nothing)
    assert result is not None
    assert (result.report.winner, result.model) == ("", None)


def test_the_rows_are_bounded() -> None:
    model = refit(replace(TASK, max_rows=120))
    assert model is not None
    assert 100 <= model.rows <= 120


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "store.db")
    store.append(Batch(1, [StoredEvent("c1", "c1-gateway1", "01S", event) for event in EVENTS]))
    sums = {"called": 200}
    store.replace_totals(
        "c1", "1d", Window(MONDAY, MONDAY + 1), [Total("c1", "desk:c1:land", "1d", MONDAY, "vn83", sums)]
    )
    return store


def test_a_province_is_fitted_and_its_models_stored(store: SqliteStore) -> None:
    with closing(store):
        report = refit_province(store, world(), NOW, fit_nothing)
        assert (report.replaced, report.postponed) == (("c1",), ())
        assert store.checkpoint(WAIT_MODELS_CHECKPOINT) == NOW
        model = store.document(wait_model_name("c1"))
        assert model is not None
        assert decode_model(model).rows > 100
        tested = store.document(wait_backtest_name("c1"))
        assert tested is not None
        report_stored = decode_backtest(tested)
        assert report_stored is not None
        assert report_stored.winner == "drain"
        again = refit_province(store, world(), NOW + HOUR, fit_nothing)
        assert (again.replaced, again.unchanged) == ((), ("c1",))
        assert store.document(wait_model_name("c1")) == model


def test_centres_without_time_or_tickets_are_left(store: SqliteStore) -> None:
    with closing(store):
        times = iter(range(0, 1_000, 100))
        report = refit_province(store, world(), NOW, fit_nothing, stopwatch=lambda: float(next(times)))
        assert report.postponed == ("c1",)
        far = refit_province(store, world(), NOW + 60 * DAY, fit_nothing)
        assert far.replaced == far.unchanged == ()
        empty = replace(world(), centres=MappingProxyType({}))
        assert refit_province(store, empty, NOW, fit_nothing).replaced == ()


def test_an_unreadable_model_and_a_failing_fit_do_not_stop_the_others(store: SqliteStore) -> None:
    def fail(_rows: object) -> None:
        raise ArithmeticError

    with closing(store):
        store.put_document(wait_model_name("c1"), b"\x80\x04")
        store.put_document(wait_backtest_name("c1"), b"\x80\x04")
        assert refit_province(store, world(), NOW, fail).unchanged == ("c1",)
        assert refit_province(store, world(), NOW, fit_nothing).replaced == ("c1",)


@pytest.mark.parametrize(
    ("last_hour", "now_hour", "expected"),
    [(None, 0, True), (-22, 1, False), (-22, 3, True), (2.5, 3, False), (2.5, 23, False), (-30, 1, True)],
)
def test_a_refit_is_due_once_a_night(last_hour: float | None, now_hour: int, *, expected: bool) -> None:
    last = 0 if last_hour is None else MONDAY + int(last_hour * HOUR)
    assert is_due(last, MONDAY + now_hour * HOUR, ZONE) is expected
