"""How many outboxes, queues and counters a device may name in a day: what is beyond is answered, never stored."""

from __future__ import annotations

import pytest

from telemetry.core.calendar.windows import DAY
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.codec import DecodedFrame
from telemetry.core.protocol.topics import Topic
from telemetry.ingest.device_limits import MAX_COUNTERS, MAX_OUTBOXES, MAX_QUEUES, DeviceLimits

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
