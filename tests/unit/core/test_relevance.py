"""What of a day is remembered: the live row made from it is the one made from everything, whenever it was forgotten."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE
from telemetry.core.fold import fold, live_state
from telemetry.core.fold.live_state import relevant_events
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.inventory import Centre, Device
from telemetry.core.protocol import events as ev
from tests.property_sizes import sized

START = 1_767_200_400_000  # 2026-01-02 00:00 in the centre
CENTRE = Centre(
    "c1",
    "u",
    "commune",
    "C",
    "C",
    "vn83",
    "",
    2,
    (((time(7), time(17)),),) * 7,
    ("land",),
    ZoneInfo("Asia/Ho_Chi_Minh"),
)
KINDS = {"g": "gateway", "k": "kiosk", "c": "counter"}
DEVICES = [Device(name, "c1", kind) for name, kind in KINDS.items()]  # type: ignore[arg-type]

devices = st.sampled_from(sorted(KINDS))
ticks = st.integers(-20, 6 * 60).map(lambda n: START + n * MINUTE)
tickets = st.sampled_from(["t1", "t2", "t3"])
states = st.sampled_from(["in_service", "out_of_order"])
counters = st.lists(
    st.builds(ev.CounterNow, counter=st.sampled_from(["c1", "c2"]), state=st.sampled_from(["open", "closed"])),
    max_size=2,
).map(tuple)


def event(n: int) -> st.SearchStrategy[ev.Event]:
    own = {"n": st.just(n), "t": ticks}
    land = {"queue": st.just("land"), "service": st.just("land"), "ticket": tickets}
    called = {"entered": st.just(START), "counter": st.just("c1")}
    return st.one_of(
        st.builds(ev.DeviceHeartbeat, **own, state=states, every_ms=st.sampled_from([60_000, 600_000]),
                  simulated=st.booleans(), mode=st.sampled_from([None, "emergency"]), counters=counters),
        st.builds(ev.KioskState, **own, state=states),
        st.builds(ev.DeviceContact, **own),
        st.builds(ev.DeviceStatus, **own, online=st.booleans(), sid=st.sampled_from(["a", "b"])),
        st.builds(ev.TicketIssued, **own, **land),
        st.builds(ev.TicketCalled, **own, **land, **called),
        st.builds(ev.TicketAbandoned, **own, **land, entered=st.just(START)),
        st.builds(ev.CounterState, **own, counter=st.just("c1"), state=st.sampled_from(["open", "closed"])),
    )  # fmt: skip


days = st.lists(st.integers(1, 40), min_size=1, max_size=25).flatmap(
    lambda ns: st.tuples(*(st.builds(SourcedEvent, devices, st.sampled_from(["s1", "s2"]), event(n)) for n in ns))
)


@sized(short=20, long=600)
@given(days, days, st.lists(st.integers(0, 6 * 60), min_size=2, max_size=2).map(sorted))
def test_the_present_made_from_what_is_left_is_the_one_made_from_all(
    first: tuple[SourcedEvent, ...], then: tuple[SourcedEvent, ...], marks: list[int]
) -> None:
    early, moment = (START + mark * MINUTE for mark in marks)
    since = START - ev.MAX_GRACE_MS
    told = [s for s in {(s.device, s.outbox_id, s.event.n): s for s in (*first, *then)}.values() if s.event.t >= since]
    before = [s for s in told if s in first]
    left = relevant_events(
        [*relevant_events(before, early, since), *(s for s in told if s not in first)], moment, since
    )
    assert live_state.centre_now(CENTRE, DEVICES, left, moment, START) == live_state.centre_now(
        CENTRE, DEVICES, told, moment, START
    )
    assert relevant_events(left, moment, since) == left == relevant_events(reversed(told), moment, since)


@sized(short=20, long=600)
@given(days, st.integers(0, 6 * 60))
def test_so_are_the_tails(told: tuple[SourcedEvent, ...], mark: int) -> None:
    moment = START + mark * MINUTE
    left = relevant_events(told, moment, START - ev.MAX_GRACE_MS)
    wanted = [s for s in told if s.event.t >= START - ev.MAX_GRACE_MS]
    assert fold.centre_recent_states(CENTRE, DEVICES, left, moment) == fold.centre_recent_states(
        CENTRE, DEVICES, wanted, moment
    )


def test_old_words_are_forgotten_and_tickets_are_not() -> None:
    beats = [SourcedEvent("k", "s", ev.DeviceHeartbeat(n=n, t=START + n * MINUTE)) for n in range(1, 300)]
    issued = SourcedEvent("k", "s", ev.TicketIssued(n=300, t=START + 1, ticket="t1", queue="land", service="land"))
    left = relevant_events([*beats, issued], START + 5 * HOUR, START)
    assert issued in left
    assert len(left) == 2 + ev.MAX_GRACE_MS // MINUTE
