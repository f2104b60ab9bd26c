"""Spans: what time an event speaks about, and which hours that makes dirty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, Window, floor
from telemetry.core.fold.event_spans import (
    SERVICE_LEVEL_REACH_MS,
    dirty_hours,
    dirty_hours_of_frames,
    event_span,
    grace_ms,
)
from telemetry.core.protocol import events as ev

T = 1_767_225_600_000
TICKET: dict[str, Any] = {"n": 1, "t": T, "ticket": "k", "queue": "q", "service": "s"}


@pytest.mark.parametrize(
    ("event", "back", "ahead"),
    [
        (ev.DeviceHeartbeat(n=1, t=T), 0, ev.MAX_GRACE_MS),
        (ev.DeviceHeartbeat(n=1, t=T, every_ms=600_000), 0, 1_230_000),
        (ev.ProbeResult(n=1, t=T, system="s", kind="http", ok=True, every_ms=300_000), 0, ev.MAX_GRACE_MS),
        (ev.LinkState(n=1, t=T, up=True), 0, ev.MAX_GRACE_MS),
        (ev.DisplayState(n=1, t=T, state="on"), 0, 150_000),
        (ev.CounterState(n=1, t=T, counter="c", state="open"), 0, ev.MAX_GRACE_MS),
        (ev.KioskState(n=1, t=T, state="degraded"), 0, ev.MAX_GRACE_MS),
        (ev.DeviceContact(n=1, t=T), 0, ev.MAX_GRACE_MS),
        (ev.DeviceStatus(n=1, t=T, online=False, sid="s"), 0, 2 * ev.MAX_GRACE_MS),
        (ev.ConnectorStats(n=1, t=T, system="s", ok=1, failed=0, period_ms=MINUTE), MINUTE, 1),
        (ev.TicketIssued(**TICKET), 0, SERVICE_LEVEL_REACH_MS + 1),
        (ev.TicketCalled(**TICKET, counter="c", entered=T - 500), 500, SERVICE_LEVEL_REACH_MS - 499),
        (ev.CentreModeSet(n=1, t=T, mode="normal"), 0, ev.MAX_GRACE_MS),
        (ev.TicketHeld(**TICKET, counter="c"), 0, 4 * HOUR + 1),
        (ev.SchedulePublished(n=1, t=T, counter="c", opens=T + HOUR, closes=T + 3 * HOUR), 0, 3 * HOUR),
        (ev.SchedulePublished(n=1, t=T, counter="c", opens=T - HOUR, closes=T + 300 * HOUR), HOUR, 24 * HOUR),
        (ev.SchedulePublished(n=1, t=T, counter="c", opens=T - 9 * HOUR, closes=T - 8 * HOUR), 4 * HOUR, 1),
        (ev.TicketCalled(**TICKET, counter="c", entered=T - HOUR), HOUR, HOUR + 1),
        (ev.TicketRecalled(**TICKET, counter="c", entered=T - 500), 500, HOUR + 1),
        (ev.TicketServingStarted(**TICKET, counter="c", entered=T - 500, called=T - 1), 500, 1),
        (
            ev.TicketTransferred(**TICKET, entered=T - 500, to_queue="q", to_service="s"),
            500,
            SERVICE_LEVEL_REACH_MS + 1,
        ),
        (ev.TicketFinished(**TICKET, counter="c", entered=T - 500, called=T - 300), 300, HOUR + 1),
        (ev.TicketAbandoned(**TICKET, entered=T - 500), 500, SERVICE_LEVEL_REACH_MS - 499),
        (ev.TicketNoShow(**TICKET, entered=T - 500), 500, SERVICE_LEVEL_REACH_MS - 499),
        (ev.TicketClosedEod(**TICKET, entered=T - 500), 500, SERVICE_LEVEL_REACH_MS - 499),
        (ev.TicketClosedEod(**TICKET, entered=0), 4 * HOUR, 1),
        (ev.TicketCalled(**TICKET, counter="c", entered=T + 500), 0, SERVICE_LEVEL_REACH_MS + 501),
        (ev.TicketCalled(**TICKET, counter="c", entered=1 << 53), 0, SERVICE_LEVEL_REACH_MS + 60_001),
    ],
)  # fmt: skip
def test_an_event_speaks_about_its_own_time(event: ev.Event, back: int, ahead: int) -> None:
    assert event_span(event) == Window(T - back, T + ahead)


def test_a_span_never_begins_before_the_epoch() -> None:
    assert event_span(ev.ConnectorStats(n=1, t=5, system="s", ok=1, failed=0, period_ms=1 << 53)) == Window(0, 6)


def test_grace_is_two_intervals_and_thirty_seconds() -> None:
    assert grace_ms(60_000) == 150_000
    assert grace_ms(ev.MAX_INTERVAL_MS) == ev.MAX_GRACE_MS


def beat(t: int) -> ev.Event:
    return ev.DeviceHeartbeat(n=1, t=t)


def test_neighbouring_dirty_hours_join_and_units_stay_apart() -> None:
    said = [("b", beat(0)), ("a", beat(2 * HOUR - 1)), ("a", beat(0)), ("a", beat(9 * HOUR))]
    assert dirty_hours(said) == [("a", 0, 3 * HOUR), ("a", 9 * HOUR, 10 * HOUR), ("b", 0, HOUR)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20 * HOUR).map(beat)), max_size=8))
def test_dirty_hours_are_exactly_those_a_span_touches(said: list[tuple[str, ev.Event]]) -> None:
    found = {(unit, hour) for unit, start, end in dirty_hours(said) for hour in range(start, end, HOUR)}
    touched = {(u, h) for u, e in said for h in range(floor(e.t, HOUR), event_span(e).end, HOUR)}
    assert found == touched


def said_by(kind: str, t: int, back: int) -> ev.Event:
    on = {**TICKET, "t": t}
    made: dict[str, ev.Event] = {
        "issued": ev.TicketIssued(**on),
        "called": ev.TicketCalled(**on, counter="c", entered=max(t - back, 0)),
        "finished": ev.TicketFinished(**on, counter="c", entered=0, called=t + HOUR - back),
        "beat": ev.DeviceHeartbeat(n=1, t=t, every_ms=1_000 + back % 500_000),
        "state": ev.CounterState(n=1, t=t, counter="c", state="open"),
        "probe": ev.ProbeResult(n=1, t=t, system=f"s{back % 3}", kind="http", ok=True),
        "recalled": ev.TicketRecalled(**on, counter="c", entered=max(t - back, 0)),
    }
    return made[kind]


kinds = st.sampled_from(["issued", "called", "finished", "beat", "state", "probe", "recalled"])
frame = st.one_of(
    st.lists(st.tuples(kinds, st.integers(T, T + 3 * HOUR), st.integers(0, 6 * HOUR)), min_size=1, max_size=6),
    st.tuples(kinds, st.integers(T, T + 3 * HOUR)).flatmap(
        lambda like: st.lists(
            st.tuples(st.just(like[0]), st.integers(like[1], like[1] + MINUTE), st.integers(0, 40 * MINUTE)),
            min_size=1,
            max_size=6,
        )
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["c1", "c2"]), frame), max_size=5))
@example([("c1", [("state", T, 0), ("state", T + MINUTE, 0)])])
@example([("c1", [("state", T + HOUR - MINUTE, 0)])])
def test_whole_frames_touch_all_hours_of_their_events(frames: list[tuple[str, list[tuple[str, int, int]]]]) -> None:
    told = [(centre, [said_by(*row) for row in rows]) for centre, rows in frames]
    slow = dirty_hours((ev.entity_of(centre, event), event) for centre, events in told for event in events)
    assert dirty_hours_of_frames(told) == slow
