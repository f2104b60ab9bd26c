from __future__ import annotations

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.live_row_types import ExpectedWait
from telemetry.core.protocol import events as ev
from telemetry.core.queueing.expected_wait import ServedModel, expected_waits, learn_from, promises_by_service
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.wait_model import WaitPredictor
from telemetry.core.queueing.waiting_line import TicketKind
from tests.unit.queue_days import MONDAY, S, TicketLog

T = MONDAY + 9 * 3_600_000
LAND = TicketKind("land")
DRAIN = ServedModel(
    "abc", "drain", WaitPredictor(QueueProfile((100.0,) * 60, pauses=(10.0,) * 60)), RecalibratedWaits()
)


def calls(count: int, wait_s: int = 60, service: str = "land") -> TicketLog:
    """Tickets one after another, each issued while nobody waits, called after `wait_s`."""
    log = TicketLog()
    for number in range(count):
        entered = T - (count - number) * 300 * S
        log.issue(f"{service}{number}", entered, service)
        log.call(f"{service}{number}", entered + wait_s * S, "c1", entered, service)
        log.finish(f"{service}{number}", entered + 290 * S, "c1", (entered, entered + wait_s * S), service)
    return log


def test_nothing_is_given_with_fewer_than_five_calls_in_the_last_hour() -> None:
    log = calls(4)
    assert expected_waits(log.events, ["land", "tax"], T, DRAIN) == {
        "land": ExpectedWait(reason="too_few_calls"), "tax": ExpectedWait(reason="too_few_calls"),
    }  # fmt: skip
    old = expected_waits(calls(6).events, ["land"], T + 2 * 3_600_000, DRAIN)
    assert old["land"].reason == "too_few_calls"


def test_without_a_model_the_head_of_the_line_is_scaled_by_the_last_hour() -> None:
    """Nobody waited at entry and the waits were 60 s: (60 + 30) ÷ (0 + 30) = 3; now the head has waited 30 s."""
    log = calls(6)
    log.issue("waiting", T - 30 * S)
    expected = expected_waits(log.events, ["land"], T, None)["land"]
    assert expected == ExpectedWait(p50_ms=150_000, p90_ms=150_000, method="head_of_line")


def test_calls_without_an_issue_give_no_ratio() -> None:
    log = TicketLog()
    for number in range(6):
        log.call(f"t{number}", T - number * 60 * S - S, "c1", T - 600 * S)
    assert expected_waits(log.events, ["land"], T, None)["land"].reason == "too_few_calls"


def test_a_model_predicts_and_is_named() -> None:
    log = calls(6)
    log.issue("busy", T - 100 * S)
    log.call("busy", T - 40 * S, "c1", T - 100 * S)
    expected = expected_waits(log.events, ["land"], T, DRAIN)["land"]
    assert expected == ExpectedWait(p50_ms=70_000, p90_ms=70_000, method="drain", model="abc")


def test_events_of_this_very_instant_do_not_count() -> None:
    log = calls(6)
    before = expected_waits(log.events, ["land"], T, DRAIN)
    log.issue("now", T)
    assert expected_waits(log.events, ["land"], T, DRAIN) == before


def test_without_any_counter_a_model_says_nothing() -> None:
    log = calls(6)
    log.events.append(ev.CounterState(n=99, t=T - 5 * S, counter="c1", state="closed"))
    assert expected_waits(log.events, ["land"], T, DRAIN)["land"].reason == "no_counter"


def test_what_was_shown_is_learned_from() -> None:
    promise = ev.WaitPromised(n=1, t=T, service="land", wait_ms=90_000, p50_ms=20_000, p90_ms=60_000, method="drain")
    learned = learn_from([(LAND, promise)], RecalibratedWaits())
    assert learned.p90.log_factor > 0
    shown = {"land": ExpectedWait(p50_ms=1, p90_ms=2, method="drain"), "tax": ExpectedWait(reason="no_counter")}
    assert [promises_by_service(shown, name) is not None for name in ("land", "tax", "other")] == [True, False, False]


def test_without_promises_there_is_no_share() -> None:
    promise = queue_figures({}).promise
    assert (promise.count, promise.ratio, promise.mean_error_s) == (0, None, None)
