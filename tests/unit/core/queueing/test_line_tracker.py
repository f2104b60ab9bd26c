from __future__ import annotations

from telemetry.core.protocol import events as ev
from telemetry.core.queueing.line_tracker import FORGET_MS, LineTracker, order_of
from telemetry.core.queueing.waiting_line import FLOW_MS, EndedWait, IdleCounter, TicketKind, WaitingTicket
from tests.unit.queue_days import MONDAY, S, TicketLog

LAND, TAX = TicketKind("land"), TicketKind("tax")


def follow(log: TicketLog, at: int) -> LineTracker:
    tracker = LineTracker()
    for event in sorted(log.events, key=order_of):
        if event.t < at:
            tracker.apply(event)
    return tracker


def test_a_ticket_waits_is_served_and_leaves_its_counter_idle() -> None:
    log, t = TicketLog(), MONDAY
    log.issue("a", t)
    log.issue("a", t + S)  # repeated
    log.call("a", t + 60 * S, "c1", t)
    log.call("a", t + 70 * S, "c1", t)  # repeated
    log.finish("a", t + 300 * S, "c1", (t, t + 60 * S))
    log.finish("a", t + 310 * S, "c1", (t, t + 60 * S))  # repeated
    waiting = follow(log, t + 60 * S).state(t + 60 * S)
    assert waiting.waiting == (WaitingTicket(LAND, t),)
    assert waiting.arrivals == (t,)
    served = follow(log, t + 61 * S).state(t + 61 * S)
    assert (served.waiting, [b.counter for b in served.busy]) == ((), ["c1"])
    assert served.last_waits == served.ended_waits == (EndedWait(LAND, t, t + 60 * S),)
    assert served.ended_waits[0].wait_s == 60
    assert served.skills == {"c1": frozenset({"land"})}
    after = follow(log, t + 900 * S).state(t + 900 * S)
    assert (after.busy, after.idle) == ((), (IdleCounter("c1", t + 300 * S),))
    assert [(s.service_s, s.counter) for s in after.ended_services] == [(240.0, "c1")]


def test_at_one_instant_an_issue_comes_before_its_call() -> None:
    log, t = TicketLog(), MONDAY
    log.call("a", t, "c1", t)
    log.issue("a", t)
    state = follow(log, t + 1).state(t + 1)
    assert state.waiting == ()
    assert not state.ended_waits[0].is_queued
    assert state.last_waits == ()


def test_a_transfer_ends_one_wait_and_begins_another_with_the_same_class() -> None:
    log, t = TicketLog(), MONDAY
    log.issue("a", t, "land", "elderly")
    log.transfer("a", t + 30 * S, t)
    log.issue("b", t)
    log.call("b", t + 40 * S, "c1", t)
    log.transfer("b", t + 50 * S, t)
    log.transfer("never-issued", t + 55 * S, t)
    state = follow(log, t + 60 * S).state(t + 60 * S)
    assert [ticket.kind for ticket in state.waiting] == [TicketKind("tax", "elderly"), TAX, TAX]
    assert [(w.kind, w.is_served) for w in state.ended_waits] == [(TicketKind("land", "elderly"), False), (LAND, True)]
    assert state.idle == (IdleCounter("c1", t + 50 * S),)


def test_lost_tickets_do_not_wait_and_an_unknown_one_changes_nothing() -> None:
    log, t = TicketLog(), MONDAY
    log.issue("a", t)
    log.abandon("a", t + 10 * S, t)
    log.issue("a", t + 20 * S)  # ended tickets do not return
    log.abandon("unknown", t + 10 * S, t)
    n = len(log.events) + 1
    log.issue("b", t)
    log.events.append(ev.TicketClosedEod(n=n + 1, t=t + 30 * S, ticket="b", queue="q", service="land", entered=t))
    log.events.append(ev.TicketHeld(n=n + 2, t=t + 31 * S, ticket="c", queue="q", service="land", counter="c1"))
    log.events.append(ev.TicketCorrected(n=n + 3, t=t + 32 * S, ticket="d", field="service"))
    state = follow(log, t + 60 * S).state(t + 60 * S)
    assert (state.waiting, state.busy, state.idle) == ((), (), ())
    assert [w.is_served for w in state.ended_waits] == [False, False]


def test_a_finish_without_a_call_ends_the_wait_when_it_says_so() -> None:
    log, t = TicketLog(), MONDAY
    log.issue("a", t)
    log.finish("a", t + 300 * S, "c1", (t, t + 60 * S))
    log.finish("never-issued", t + 300 * S, "c2", (t, t + 60 * S))
    tracker = LineTracker()
    changes = [tracker.apply(event) for event in log.events]
    assert changes[1].wait == changes[2].wait == EndedWait(LAND, t, t + 60 * S)
    state = tracker.state(t + 400 * S)
    assert {i.counter for i in state.idle} == {"c1", "c2"}
    assert state.waiting == ()


def test_a_service_time_is_without_its_hold_and_only_of_good_quality() -> None:
    t, tracker = MONDAY, LineTracker()
    common = {"queue": "q", "service": "land", "counter": "c1", "entered": t, "called": t + 10 * S}
    held = ev.TicketFinished(n=1, t=t + 100 * S, ticket="a", started=t + 20 * S, held_ms=30 * S, **common)  # type: ignore[arg-type]
    bad = ev.TicketFinished(n=2, t=t + 100 * S, ticket="b", quality="forgotten_open", **common)  # type: ignore[arg-type]
    assert [tracker.apply(event).service is not None for event in (held, bad)] == [True, False]
    assert [s.service_s for s in tracker.state(t + 200 * S).ended_services] == [50.0]


def test_a_counter_with_two_tickets_is_idle_after_the_last() -> None:
    log, t = TicketLog(), MONDAY
    for ticket in "ab":
        log.issue(ticket, t)
        log.call(ticket, t + S, "c1", t)
    log.finish("a", t + 10 * S, "c1", (t, t + S))
    assert follow(log, t + 11 * S).state(t + 11 * S).idle == ()
    log.finish("b", t + 20 * S, "c1", (t, t + S))
    assert follow(log, t + 21 * S).state(t + 21 * S).idle == (IdleCounter("c1", t + 20 * S),)


def test_counters_that_say_they_are_closed_are_not_at_hand() -> None:
    t, tracker = MONDAY, LineTracker()
    log = TicketLog()
    log.issue("a", t)
    log.call("a", t, "c1", t)
    log.finish("a", t + 10 * S, "c1", (t, t))
    for event in log.events:
        tracker.apply(event)
    tracker.apply(ev.CounterState(n=9, t=t + 20 * S, counter="c1", state="break"))
    assert tracker.state(t + 30 * S).idle == ()
    now = (ev.CounterNow(counter="c1", state="open"), ev.CounterNow(counter="c2", state="open"))
    tracker.apply(ev.DeviceHeartbeat(n=10, t=t + 40 * S, counters=now))
    assert tracker.state(t + 50 * S).idle == (IdleCounter("c1", t + 40 * S),)


def test_what_is_old_is_forgotten() -> None:
    log, t = TicketLog(), MONDAY
    log.issue("served", t)
    log.call("served", t + S, "c1", t)
    log.issue("ended", t)
    log.call("ended", t + S, "c2", t)
    log.finish("ended", t + 2 * S, "c2", (t, t + S))
    log.issue("waiting", t + S)
    tracker = follow(log, t + FORGET_MS)
    state = tracker.state(t + FLOW_MS + 10 * S)
    assert (state.arrivals, state.ended_waits, state.ended_services) == ((), (), ())
    assert (len(state.waiting), len(state.busy), len(state.idle), len(state.last_waits)) == (1, 1, 1, 2)
    state = tracker.state(t + FORGET_MS + 10 * S)
    assert (state.waiting, state.busy, state.idle) == ((), (), ())
    assert list(tracker.waiting) == []
