"""The calls of a hall display: by printed number, the newest of each ticket, ended ones marked, within a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from telemetry.core.fold.counter_calls import MAX_CALLS, MAX_COUNTERS, CounterCalls
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.text_validation import convert_event
from tests.unit.core.test_live_state import NOW, seen, ticket

if TYPE_CHECKING:
    from telemetry.core.fold.live_row_types import CallNow

LABELLED = {"type": "ticket.called", "n": 1, "t": 1, "ticket": "k1", "queue": "a", "service": "land", "counter": "c1"}


def called(label: str | None, t: int, *, counter: str = "c1", name: str = "", call: int = 1) -> ev.Event:
    kind = ev.TicketCalled if call == 1 else ev.TicketRecalled
    return kind(
        n=1, t=t, ticket=name or f"t-{label}", queue="a", service="land", counter=counter, entered=0, call=call,
        label=label,
    )  # fmt: skip


def newest(*events: ev.Event) -> list[CallNow]:
    calls = CounterCalls()
    for event in events:
        calls.apply(event)
    return list(calls.newest())


def test_the_newest_call_is_first_and_a_second_call_replaces_the_first() -> None:
    found = newest(called("A001", 10), called("A002", 20, counter="c2"), called("A001", 30, call=2))
    assert [(c.label, c.counter, c.at, c.call) for c in found] == [("A001", "c1", 30, 2), ("A002", "c2", 20, 1)]


def test_calls_without_a_printed_number_are_left_out() -> None:
    assert newest(called(None, 10, name="k1")) == []


@pytest.mark.parametrize("kind", [ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod])
def test_an_ended_ticket_is_marked(kind: type[ev.Event]) -> None:
    call = msgspec.structs.replace(ticket(ev.TicketCalled, 40), label="B7")
    (found,) = seen(call, ticket(kind, 20)).calls
    assert (found.label, found.ended, found.at) == ("B7", True, NOW - 40_000)


def test_a_ticket_that_is_passed_on_and_called_again_is_current_again() -> None:
    call = msgspec.structs.replace(ticket(ev.TicketCalled, 40), label="B7")
    again = msgspec.structs.replace(ticket(ev.TicketCalled, 10), label="B7", counter="c2")
    (found,) = seen(call, ticket(ev.TicketTransferred, 20), again).calls
    assert (found.counter, found.ended) == ("c2", False)


def test_a_day_of_calls_keeps_the_newest_and_one_of_each_counter() -> None:
    early = [called(f"E{i}", i, counter=f"k{i}") for i in range(MAX_COUNTERS + 5)]
    late = [called(f"L{i}", 1000 + i, counter="c1") for i in range(MAX_CALLS + 10)]
    found = newest(*early, *late)
    assert [c.label for c in found[:MAX_CALLS]] == [f"L{MAX_CALLS + 9 - i}" for i in range(MAX_CALLS)]
    assert len(found) == MAX_CALLS + MAX_COUNTERS - 1
    assert len({c.counter for c in found}) == MAX_COUNTERS


@pytest.mark.parametrize("label", ["", "a012", "0901234567", "A 12", "Nguyễn"])
def test_a_label_is_a_short_number_and_nothing_else(label: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert_event({**LABELLED, "entered": 1, "label": label}, ev.TicketCalled)
    assert convert_event({**LABELLED, "entered": 1, "label": "A-012"}, ev.TicketCalled).label == "A-012"
