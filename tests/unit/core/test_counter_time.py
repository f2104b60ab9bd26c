"""Counters' time: busy without holds and twice at once, open by their states, on the roster, hour by hour the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, floor
from telemetry.core.fold.counter_time import counter_sums
from telemetry.core.fold.event_spans import ROSTER_REACH_MS, TICKET_LOOKBACK_MS, event_span
from telemetry.core.fold.totals import COUNTER_FIELDS, add_sums
from telemetry.core.protocol import events as ev
from tests.oracles.counter_time import busy_ms
from tests.unit.days import made, ms, said, ticket

if TYPE_CHECKING:
    from telemetry.core.fold.sourced_event import SourcedEvent

T = ms(9)
DAY = Window(ms(7), ms(20))


def hall(*events: ev.Event) -> list[SourcedEvent]:
    return sorted((said(e, spool=f"s{i}") for i, e in enumerate(events)), key=lambda s: s.event.t)


def sums(*events: ev.Event, window: Window = DAY) -> dict[str, int]:
    found = add_sums(counter_sums(hall(*events), window).values())
    return {name: value for name, value in found.items() if value and name != "counter_known_ms"}


def service(start: int, end: int, name: str = "k1", counter: str = "c1", **fields: object) -> ev.Event:
    return ticket(ev.TicketFinished, end, ticket=name, entered=start, called=start, counter=counter, **fields)


def states(state: str, start: int, end: int, counter: str = "c1") -> list[ev.Event]:
    """What a gateway's heartbeats repeat every minute, the last one at `end`."""
    return [
        made(ev.DeviceHeartbeat, t, {"counters": [{"counter": counter, "state": state}]})
        for t in range(start, end + 1, MINUTE)
    ]


def test_two_tickets_at_once_keep_a_counter_busy_once() -> None:
    found = sums(service(T, T + 20 * MINUTE), service(T + 10 * MINUTE, T + 30 * MINUTE, "k2"))
    assert found == {"counter_service_ms": 30 * MINUTE}
    apart = sums(service(T, T + 20 * MINUTE), service(T + 10 * MINUTE, T + 30 * MINUTE, "k2", "c2"))
    assert apart == {"counter_service_ms": 40 * MINUTE}


def test_service_begins_with_its_start_or_with_the_call() -> None:
    assert sums(service(T, T + 20 * MINUTE, started=T + 5 * MINUTE)) == {"counter_service_ms": 15 * MINUTE}


def test_holds_are_not_busy_and_another_ticket_in_them_is() -> None:
    hold = ticket(ev.TicketHeld, T + 10 * MINUTE, counter="c1")
    again = ticket(ev.TicketHeld, T + 11 * MINUTE, counter="c1")
    resume = ticket(ev.TicketResumed, T + 20 * MINUTE, counter="c1")
    other = service(T + 12 * MINUTE, T + 18 * MINUTE, "k2")
    early = ticket(ev.TicketResumed, T + MINUTE, counter="c1")
    before = ticket(ev.TicketHeld, T - MINUTE, counter="c1")
    events = (service(T, T + 30 * MINUTE, held_ms=10 * MINUTE), hold, again, resume, early, before)
    assert sums(*events) == {"counter_service_ms": 20 * MINUTE}
    assert sums(*events, other) == {"counter_service_ms": 26 * MINUTE}
    assert sums(service(T, T + 30 * MINUTE), hold) == {"counter_service_ms": 10 * MINUTE}, "never resumed"


def test_a_hold_without_its_time_is_taken_as_the_last() -> None:
    assert sums(service(T, T + 30 * MINUTE, held_ms=10 * MINUTE), window=Window(T, T + 25 * MINUTE)) == {
        "counter_service_ms": 20 * MINUTE
    }
    assert sums(service(T, T + 30 * MINUTE, held_ms=40 * MINUTE)) == {}


@pytest.mark.parametrize(
    "event",
    [
        service(T, T + HOUR, quality="forgotten_open"),
        service(T + 2 * HOUR, T + HOUR),
        ticket(ev.TicketTransferred, T, entered=T - HOUR, to_queue="q", to_service="tax"),
        ticket(ev.TicketTransferred, T, entered=T - HOUR, to_queue="q", to_service="tax", called=T - 1),
        ticket(ev.TicketTransferred, T, entered=T - HOUR, to_queue="q", to_service="tax", counter="c1"),
    ],
)
def test_what_is_no_sure_service_is_not_busy(event: ev.Event) -> None:
    assert sums(event) == {}


def test_a_transfer_after_a_call_ends_a_service() -> None:
    event = ticket(
        ev.TicketTransferred, T, entered=T - HOUR, to_queue="q", to_service="tax", counter="c1", called=T - 5 * MINUTE
    )
    assert sums(event) == {"counter_service_ms": 5 * MINUTE}


def test_a_service_longer_than_a_fold_follows_back_is_busy_as_long_as_that() -> None:
    assert sums(service(T, T + 6 * HOUR)) == {"counter_service_ms": TICKET_LOOKBACK_MS}


def test_a_counter_on_break_is_not_open_and_a_lunch_break_is_in_neither_figure() -> None:
    events = [
        *states("open", T, T + 30 * MINUTE), *states("break", T + 31 * MINUTE, T + 60 * MINUTE),
        *states("closed", T + 61 * MINUTE, T + 90 * MINUTE), service(T + 5 * MINUTE, T + 20 * MINUTE),
    ]  # fmt: skip
    assert sums(*events) == {
        "counter_open_ms": 31 * MINUTE, "counter_busy_ms": 15 * MINUTE, "counter_service_ms": 15 * MINUTE,
    }  # fmt: skip


def test_time_in_which_a_counter_is_known_to_be_closed_is_known() -> None:
    (found,) = counter_sums(hall(*states("closed", T, T + MINUTE)), Window(T, T + SLOT)).values()
    assert found == {"counter_known_ms": 3 * MINUTE + 30_000}


def test_a_change_between_heartbeats_holds_until_the_next_one() -> None:
    beat = made(ev.DeviceHeartbeat, T, {"every_ms": 600_000, "counters": [{"counter": "c1", "state": "open"}]})
    close = made(ev.CounterState, T + 5 * MINUTE, {"counter": "c1", "state": "closed"})
    assert sums(beat) == {"counter_open_ms": 20 * MINUTE + 30_000}
    assert sums(beat, close) == {"counter_open_ms": 5 * MINUTE}


def test_utilisation_has_no_part_for_counters_whose_state_nobody_reports() -> None:
    found = sums(*states("open", T, T + 20 * MINUTE), service(T, T + 40 * MINUTE, "k2", "c2"))
    assert (found.get("counter_busy_ms", 0), found["counter_open_ms"]) == (0, 22 * MINUTE + 30_000)


def roster(opens: int, closes: int, t: int = T - HOUR, counter: str = "c1") -> ev.Event:
    return made(ev.SchedulePublished, t, {"counter": counter, "opens": opens, "closes": closes})


def test_a_roster_counts_its_shifts_and_what_of_them_was_open() -> None:
    shifts = [roster(T, T + HOUR), roster(T + 2 * HOUR, T + 3 * HOUR), roster(T + HOUR, T)]
    found = sums(*shifts, *states("open", T - 10 * MINUTE, T + 30 * MINUTE))
    assert (found["counter_rostered_ms"], found["counter_open_rostered_ms"]) == (2 * HOUR, 32 * MINUTE + 30_000)
    assert sums(roster(T + 30 * HOUR, T + 31 * HOUR), window=Window(T, T + 40 * HOUR)) == {}, "too far ahead"


def test_online_only_mode_pauses_the_roster_of_the_desks() -> None:
    mode = made(ev.CentreModeSet, T, {"mode": "online_only"})
    beat = made(ev.DeviceHeartbeat, T + 10 * MINUTE, {"mode": "normal"})
    found = sums(mode, beat, roster(T, T + HOUR))
    assert found == {"online_only_ms": 10 * MINUTE, "counter_rostered_ms": 50 * MINUTE}


# --- the fold of any window, and an independent recount ---------------------------------------


def event_of(kind: str, minutes: int, length: int, name: str, counter: str) -> ev.Event:
    t = T + minutes * MINUTE
    match kind:
        case "finished":
            return service(t, t + length * MINUTE, name, counter)
        case "held":
            return ticket(ev.TicketHeld, t, ticket=name, counter=counter)
        case "resumed":
            return ticket(ev.TicketResumed, t, ticket=name, counter=counter)
        case "roster":
            return roster(t + length * MINUTE, t + 2 * length * MINUTE, t, counter)
        case "mode":
            return made(ev.CentreModeSet, t, {"mode": "online_only" if length % 2 else "normal"})
        case _:
            return made(ev.CounterState, t, {"counter": counter, "state": kind})


EVENTS = st.builds(
    event_of, st.sampled_from(("finished", "held", "resumed", "roster", "mode", "open", "break", "serving")),
    st.integers(0, 240), st.sampled_from((1, 4, 30, 100, 239)), st.sampled_from("ab"), st.sampled_from(("c1", "c2")),
)  # fmt: skip
HALLS = st.lists(EVENTS, max_size=12)
WHOLE = Window(ms(8), ms(20))


@given(HALLS)
def test_hours_folded_one_by_one_are_the_whole(events: list[ev.Event]) -> None:
    parts: dict[int, dict[str, int]] = {}
    for start in range(WHOLE.start, WHOLE.end, HOUR):
        reach = Window(start - ROSTER_REACH_MS, start + HOUR + TICKET_LOOKBACK_MS)
        read = [s for s in hall(*events) if reach.start <= s.event.t < reach.end]
        parts |= counter_sums(read, Window(start, start + HOUR))
    assert parts == counter_sums(hall(*events), WHOLE)
    assert {name for row in parts.values() for name in row} <= {*COUNTER_FIELDS}


@given(HALLS, EVENTS)
def test_a_late_event_changes_nothing_outside_its_span(events: list[ev.Event], late: ev.Event) -> None:
    before, now = counter_sums(hall(*events), WHOLE), counter_sums(hall(*events, late), WHOLE)
    span = event_span(late)
    changed = [slot for slot in {*before, *now} if before.get(slot) != now.get(slot)]
    assert all(floor(span.start, SLOT) <= slot < span.end for slot in changed)


@given(HALLS)
def test_busy_time_equals_an_independent_recount_minute_by_minute(events: list[ev.Event]) -> None:
    assert sums(*events, window=WHOLE).get("counter_service_ms", 0) == busy_ms(events, WHOLE)
