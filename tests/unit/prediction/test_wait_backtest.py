from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.queueing.wait_features import FEATURES
from telemetry.core.queueing.wait_model import FittedQuantiles
from telemetry.core.queueing.waiting_line import TicketKind
from telemetry.prediction.wait_backtest import WaitBacktest
from telemetry.prediction.wait_report import compare_methods
from telemetry.prediction.wait_rows import WaitRow, fit_nothing, fit_quantiles, settle_recalibration
from tests.unit.constant_quantile import constant_quantile
from tests.unit.queue_days import MONDAY, ZONE, TicketLog, change_after, simulate_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.protocol.events import Event
    from telemetry.prediction.wait_rows import FitQuantiles

LAST_DAY = Window(MONDAY + 2 * DAY, MONDAY + 3 * DAY)
EVENTS = simulate_days(3, seed=7, counters=2, arrivals=90)


def run(events: Sequence[Event], fit: FitQuantiles = fit_nothing, tested: Window = LAST_DAY) -> WaitBacktest:
    backtest = WaitBacktest(ZONE, tested, fit)
    backtest.run(events)
    return backtest


def fit_mean(rows: Sequence[WaitRow]) -> FittedQuantiles:
    """Learn something of every row at once: a fit that sees a later wait or feature changes."""
    mean = sum(sum(row.features) + row.wait_s for row in rows) / len(rows)
    return FittedQuantiles(constant_quantile(mean), constant_quantile(mean))


@cache
def predictions_of_events(fit: FitQuantiles) -> dict[tuple[str, int], object]:
    return {(t.ticket, t.entered): (t.predicted, t.estimates) for t in run(EVENTS, fit).tickets}


def test_each_queued_ticket_of_the_tested_time_is_predicted_once() -> None:
    backtest = run(EVENTS)
    entered = {e.ticket: e.t for e in EVENTS if type(e).__name__ == "TicketIssued" and e.t >= LAST_DAY.start}  # type: ignore[attr-defined]
    ended = {e.ticket: e.t for e in EVENTS if type(e).__name__ in {"TicketCalled", "TicketAbandoned"}}  # type: ignore[attr-defined]
    queued = {ticket for ticket, at in entered.items() if ended[ticket] > at}
    assert {t.ticket for t in backtest.tickets} == queued
    assert len(backtest.tickets) == len(queued) > 40
    served = {e.ticket: e.t - e.entered for e in EVENTS if type(e).__name__ == "TicketCalled"}  # type: ignore[attr-defined]
    for ticket in backtest.tickets:
        assert ticket.wait_s == (served[ticket.ticket] / 1000 if ticket.ticket in served else None)
        assert 1 <= ticket.predicted.p50_s <= ticket.predicted.p90_s


def test_the_drained_waits_beat_averages_and_delay_histories() -> None:
    backtest = run(EVENTS)
    scores = {m.method: m.scores for m in compare_methods(backtest.tickets, backtest.trained_waits)}
    others = "constant", "mean", "moving_average", "last_to_enter_service", "head_of_line"
    assert scores["drain"].mae_s < min(scores[name].mae_s for name in others)
    assert scores["constant"].count == scores["prediction"].count > 40


@settings(max_examples=6, deadline=None)
@given(at=st.integers(LAST_DAY.start + 9 * 3_600_000, LAST_DAY.start + 15 * 3_600_000), seed=st.integers(0, 1 << 30))
@pytest.mark.parametrize("fit", [fit_nothing, fit_mean])
def test_no_later_event_moves_an_earlier_prediction(fit: FitQuantiles, at: int, seed: int) -> None:
    """Whatever happens from `at` on: tickets that entered at `at` or before have the same prediction."""
    before = predictions_of_events(fit)
    after = {
        (t.ticket, t.entered): (t.predicted, t.estimates) for t in run(change_after(EVENTS, at, seed), fit).tickets
    }
    common = {key for key in before.keys() & after.keys() if key[1] <= at}
    assert all(after[key] == before[key] for key in common)
    assert len(common) >= len([key for key in before if key[1] < at - 3_600_000])


def test_events_at_the_very_instant_of_an_entry_do_not_count() -> None:
    log = TicketLog()
    log.events = list(EVENTS)
    entered = next(t.entered for t in run(EVENTS).tickets[20:])
    log.issue("same-instant", entered, "land", "priority")
    log.abandon("same-instant", entered + 1_000, entered)
    before = {t.ticket: t.predicted for t in run(EVENTS).tickets if t.entered <= entered}
    after = {t.ticket: t.predicted for t in run(log.events).tickets if t.entered <= entered}
    assert after.pop("same-instant").p90_s > 0
    assert after == before


def test_the_same_days_give_the_same_predictions_at_any_time_of_the_world() -> None:
    """Another year, the same hours of the day: nothing depends on the date."""
    shift = 364 * DAY
    there = run(
        [_shifted(event, shift) for event in EVENTS], tested=Window(LAST_DAY.start + shift, LAST_DAY.end + shift)
    )
    assert [t.predicted for t in there.tickets] == [t.predicted for t in run(EVENTS).tickets]


def _shifted(event: Event, ms: int) -> Event:
    import msgspec

    times = {name: getattr(event, name) + ms for name in ("t", "entered", "called") if getattr(event, name, None)}
    return msgspec.structs.replace(event, **times)


def test_a_learned_model_is_plain_numbers_and_refitted_at_midnight() -> None:
    fits: list[int] = []

    def fit(rows: Sequence[WaitRow]) -> FittedQuantiles | None:
        fits.append(max(row.known_at for row in rows))
        return fit_mean(rows)

    run(simulate_days(4, seed=3, counters=1, arrivals=60), fit, Window(MONDAY + 2 * DAY, MONDAY + 4 * DAY))
    assert [known < MONDAY + day * DAY for known, day in zip(fits, (2, 2, 3), strict=True)] == [True] * 3


def test_too_few_rows_are_not_fitted() -> None:
    assert fit_quantiles([WaitRow((0.0,) * len(FEATURES), 1.0, TicketKind("land"), 0, 1)] * 299) is None
    assert settle_recalibration([], fit_nothing).p90.log_factor == 0.0


def test_nothing_is_predicted_before_enough_waits_are_known() -> None:
    log = TicketLog()
    log.issue("a", MONDAY, "land")
    log.call("a", MONDAY + 60_000, "c1", MONDAY)
    backtest = run(log.events, tested=Window(MONDAY, MONDAY + DAY))
    assert backtest.tickets == []
    assert compare_methods(backtest.tickets, backtest.trained_waits) == []
