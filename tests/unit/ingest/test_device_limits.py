"""How many outboxes, queues and counters a device may name in a day: what is beyond is answered, never stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.codec import DecodedFrame
from telemetry.core.protocol.topics import Topic
from telemetry.ingest import counted_rows, event_counts
from telemetry.ingest.device_limits import MAX_COUNTERS, MAX_OUTBOXES, MAX_QUEUES, DeviceLimits

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = 1_767_225_600_000
TOPIC = Topic("c1", "c1-kiosk1", "up")


def bounded(limits: DeviceLimits, topic: Topic, decoded: DecodedFrame, now: int) -> DecodedFrame:
    return limits.apply(topic, decoded, {type(event) for event in decoded.events}, now)


def issued(n: int, service: str) -> ev.Event:
    return ev.TicketIssued(n=n, t=NOW, ticket="k", queue="q", service=service)


def state(n: int, counter: str) -> ev.Event:
    return ev.CounterState(n=n, t=NOW, counter=counter, state="open")


@pytest.mark.parametrize(("name", "limit"), [("issued", MAX_QUEUES), ("state", MAX_COUNTERS)])
def test_rows_with_names_beyond_the_limit_are_rejected_and_known_names_stored(name: str, limit: int) -> None:
    make = {"issued": issued, "state": state}[name]
    reason = {"issued": "too_many_queues", "state": "too_many_counters"}[name]
    limits, events = DeviceLimits(), [make(n, f"x{n}") for n in range(1, limit + 3)]
    first = bounded(limits, TOPIC, DecodedFrame("s", events), NOW)
    assert len(first.events) == limit
    assert first.rejected == [(limit + 1, reason), (limit + 2, reason)]
    again = bounded(
        limits, TOPIC, DecodedFrame("s", [make(1, "x1"), make(2, "new"), ev.DeviceHeartbeat(n=3, t=NOW)]), NOW
    )
    assert [event.n for event in again.events] == [1, 3]
    other = bounded(limits, Topic("c1", "c1-kiosk2", "up"), DecodedFrame("s", [make(1, "new")]), NOW)
    assert other.rejected == [], "one device's names are not another's"
    tomorrow = bounded(limits, TOPIC, DecodedFrame("s", [make(2, "new")]), NOW + DAY)
    assert tomorrow.rejected == []


def test_the_counters_of_a_heartbeat_count() -> None:
    limits = DeviceLimits()
    counters = tuple(ev.CounterNow(counter=f"x{n}", state="open") for n in range(MAX_COUNTERS + 1))
    beats: list[ev.Event] = [ev.DeviceHeartbeat(n=1, t=NOW, counters=counters), ev.DeviceHeartbeat(n=2, t=NOW)]
    decoded = bounded(limits, TOPIC, DecodedFrame("s", beats), NOW)
    assert decoded.rejected == [(1, "too_many_counters")]
    assert [event.n for event in decoded.events] == [2]


def test_rows_of_outboxes_beyond_the_limit_are_deferred_until_tomorrow() -> None:
    limits = DeviceLimits()
    beat: list[ev.Event] = [ev.DeviceHeartbeat(n=1, t=NOW)]
    results = [bounded(limits, TOPIC, DecodedFrame(f"s{n}", beat), NOW) for n in range(2_000)]
    assert sum(bool(result.events) for result in results) == MAX_OUTBOXES
    assert results[-1].deferred == [(1, "too_many_outboxes")]
    assert bounded(limits, TOPIC, DecodedFrame("s0", beat), NOW).events == beat
    assert bounded(limits, TOPIC, DecodedFrame("s1999", beat), NOW + DAY).events == beat


def test_an_import_may_name_what_its_log_has() -> None:
    events = [issued(n, f"x{n}") for n in range(1, MAX_QUEUES + 3)]
    decoded = bounded(DeviceLimits(), Topic("c1", "c1-replay1", "up"), DecodedFrame("s", events), NOW)
    assert decoded.events == events


def test_events_of_a_day_beyond_the_limit_are_rejected_and_other_days_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_counts, "MAX_EVENTS_PER_DAY", 100)
    monkeypatch.setattr(event_counts, "UNCOUNTED_EVENTS", 40)
    limits = DeviceLimits()

    def beats(first: int, times: Iterable[int]) -> DecodedFrame:
        rows: list[ev.Event] = [ev.DeviceHeartbeat(n=n, t=t) for n, t in enumerate(times, first)]
        return bounded(limits, TOPIC, DecodedFrame("s", rows), NOW)

    for first in range(1, 91, 30):
        assert beats(first, [NOW + first] * 30).rejected == []
    mixed = beats(91, [NOW, NOW - DAY] * 20)
    assert [n for n, _ in mixed.rejected] == list(range(111, 131, 2)), "ten more of the day, all of the day before"
    assert {reason for _, reason in mixed.rejected} == {"too_many_events"}
    assert beats(200, [NOW + 5]).rejected == [(200, "too_many_events")]
    assert beats(201, [NOW - DAY]).rejected == []
    assert bounded(limits, Topic("c1", "c1-kiosk2", "up"), DecodedFrame("s", [state(1, "c")]), NOW).rejected == []


def test_tickets_that_are_never_closed_are_bounded_and_endings_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_counts, "MAX_OPENING_EVENTS_PER_DAY", 20)
    monkeypatch.setattr(event_counts, "MAX_TICKET_EVENTS_PER_DAY", 40)
    monkeypatch.setattr(event_counts, "UNCOUNTED_EVENTS", 10)
    limits = DeviceLimits()
    tickets = [ev.TicketIssued(n=n, t=NOW, ticket=f"k{n}", queue="q", service="q") for n in range(1, 1_001)]
    decoded = bounded(limits, TOPIC, DecodedFrame("s", [*tickets]), NOW)
    assert len(decoded.events) == 30
    assert {reason for _, reason in decoded.rejected} == {"too_many_tickets"}
    end = ev.TicketAbandoned(n=2_000, t=NOW, ticket="k1", queue="q", service="q", entered=NOW, by="customer")
    call = ev.TicketCalled(n=2_001, t=NOW, ticket="k1", queue="q", service="q", entered=NOW, counter="c")
    rows = bounded(limits, TOPIC, DecodedFrame("s", [end, call, *tickets[:1]]), NOW)
    assert [event.n for event in rows.events] == [2_000, 2_001]
    assert rows.rejected == [(1, "too_many_tickets")]
    ends = [
        ev.TicketNoShow(n=n, t=NOW, ticket=f"k{n}", queue="q", service="q", entered=NOW, calls=1)
        for n in range(3_000, 3_050)
    ]
    more = bounded(limits, TOPIC, DecodedFrame("s", [*ends, ev.DeviceHeartbeat(n=3_099, t=NOW)]), NOW)
    assert [event.n for event in more.events] == [*range(3_000, 3_018), 3_099]


def test_every_type_of_tickets_is_counted() -> None:
    of_tickets = {kind for kind in ev.AGENT_EVENTS if kind.__name__.startswith("Ticket")}
    assert of_tickets == event_counts._TICKET_TYPES
    endings = {ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod, ev.TicketCorrected}
    assert of_tickets - endings == event_counts._OPENING_TYPES


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_counts, "MAX_EVENTS_PER_DAY", 100)
    monkeypatch.setattr(event_counts, "MAX_TICKET_EVENTS_PER_DAY", 60)
    monkeypatch.setattr(event_counts, "MAX_OPENING_EVENTS_PER_DAY", 40)
    monkeypatch.setattr(event_counts, "UNCOUNTED_EVENTS", 10)


def tickets_of(numbers: Iterable[int], t: int = NOW) -> list[ev.Event]:
    return [ev.TicketIssued(n=n, t=t, ticket=f"k{n}", queue="q", service="q") for n in numbers]


@pytest.mark.usefixtures("small_limits")
def test_rows_that_a_healthy_device_sends_again_are_never_rejected() -> None:
    """After a long outage of receipts it has sent each of its rows several times, in any order."""
    limits, frames = DeviceLimits(), [range(1, 21), range(21, 31), range(25, 41), range(1, 41)]
    for number in range(10):
        sent = frames[number % 4]
        decoded = bounded(limits, TOPIC, DecodedFrame("s", tickets_of(sent)), NOW)
        assert [event.n for event in decoded.events] + [n for n, _ in decoded.deferred] == [*sent]
        assert decoded.rejected == []
    assert bounded(limits, TOPIC, DecodedFrame("s", tickets_of([41, 42])), NOW).rejected == []
    many = bounded(limits, TOPIC, DecodedFrame("s", tickets_of(range(43, 60))), NOW)
    assert [n for n, _ in many.rejected] == [*range(51, 60)], "10 that are not looked at, and 40"
    assert bounded(limits, TOPIC, DecodedFrame("s", tickets_of([59])), NOW).rejected == [(59, "too_many_tickets")]
    assert bounded(limits, TOPIC, DecodedFrame("other", tickets_of([1])), NOW).rejected == [(1, "too_many_tickets")]


@pytest.mark.usefixtures("small_limits")
def test_repeats_beyond_the_limit_are_deferred_and_no_way_round_it() -> None:
    limits = DeviceLimits()
    beats: list[ev.Event] = [ev.DeviceHeartbeat(n=n, t=NOW) for n in range(1, 61)]
    results = [bounded(limits, TOPIC, DecodedFrame("s", beats), NOW) for _ in range(4)]
    assert [len(result.events) for result in results] == [60, 60, 40, 0]
    assert results[2].deferred == [(n, "too_many_repeats") for n in range(41, 61)]
    assert not any(result.rejected for result in results)
    assert len(bounded(limits, TOPIC, DecodedFrame("s", beats), NOW + DAY).events) == 60
    # The highest number first does not make the others repeats.
    other = Topic("c1", "c1-kiosk2", "up")
    frames = [DecodedFrame("s", [ev.DeviceHeartbeat(n=n, t=NOW)]) for n in range(1_000, 0, -1)]
    backwards = [bounded(limits, other, frame, NOW) for frame in frames]
    assert sum(len(result.events) for result in backwards) == 100


@pytest.mark.usefixtures("small_limits")
def test_an_outbox_with_too_many_gaps_defers_what_may_be_a_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_rows, "MAX_RANGES", 20)
    limits = DeviceLimits()
    odd = [bounded(limits, TOPIC, DecodedFrame("s", [ev.DeviceHeartbeat(n=n, t=NOW)]), NOW) for n in range(1, 261, 2)]
    assert sum(len(result.events) for result in odd) == 100
    assert odd[-1].deferred == [(259, "too_many_repeats")]
    assert not any(result.rejected for result in odd)
