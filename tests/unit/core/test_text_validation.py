"""The words of events: one look at many says the same as a pattern at each."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given, strategies as st

from telemetry.core.protocol import events as ev, text_validation
from telemetry.core.protocol.events import Id, Ms

TICKET = {"type": "ticket.called", "n": 1, "t": 2, "ticket": "k_3", "queue": "land", "service": "tax", "entered": 1}
words = st.text("abAZ09-_.,é \n", min_size=1, max_size=5)


def called(ticket: str = "k3", queue: str = "land", counter: str = "c1") -> ev.Event:
    return ev.TicketCalled(n=1, t=2, ticket=ticket, queue=queue, service="land", counter=counter, entered=1)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=4))
def test_many_fit_when_each_word_fits(rows: list[tuple[str, str, str]]) -> None:
    fits = all(
        re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ticket) and all(re.fullmatch(r"[a-z0-9-]{1,63}", word) for word in rest)
        for ticket, *rest in rows
    )
    assert text_validation.texts_are_valid(called(*row) for row in rows) is bool(fits)


@pytest.mark.parametrize(
    "event",
    [
        ev.CounterState(n=1, t=2, counter="c1", state="open", queues=("land", "Tax")),
        ev.DeviceHeartbeat(n=1, t=2, counters=(ev.CounterNow(counter="c1", state="open", queues=("a b",)),)),
        ev.DeviceHeartbeat(n=1, t=2, fw="1 2"),
        ev.AgentAlarm(n=1, t=2, alarm="disk_full", subject="x y"),
        ev.RatingSubmitted(n=1, t=2, rating=3, service="land", ticket="k 3"),
    ],
)
def test_lists_nested_values_and_optional_fields_are_looked_at_too(event: ev.Event) -> None:
    assert not text_validation.texts_are_valid([called(), event])


def test_what_is_left_out_is_right() -> None:
    assert text_validation.texts_are_valid(
        [ev.RatingSubmitted(n=1, t=2, rating=3, service="land"), ev.DeviceHeartbeat(n=1, t=2)]
    )


def test_a_conversion_names_the_field_and_its_pattern() -> None:
    good = {**TICKET, "counter": "c1"}
    assert text_validation.convert_event(good, ev.TicketCalled).counter == "c1"
    with pytest.raises(msgspec.ValidationError, match=r"matching regex '\^\[a-z0-9-\]\{1,63\}\$' - at `\$.counter`"):
        text_validation.convert_event({**good, "counter": "C 1"}, ev.TicketCalled)


def test_a_literal_is_checked_against_its_fields_type() -> None:
    text_validation.check_literal("land", Id)
    text_validation.check_literal(5, Ms)
    with pytest.raises(msgspec.ValidationError, match="matching regex"):
        text_validation.check_literal("La nd", Id | None)


def test_only_so_many_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_validation, "_seen_ids", {None, "x"})
    monkeypatch.setattr(text_validation, "_MAX_SEEN_IDS", 2)
    assert text_validation.texts_are_valid([called(queue="y")])
    assert text_validation._seen_ids == {None, "x"}
