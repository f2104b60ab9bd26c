"""Wills that come late: none of an older connection ever counts as down, whichever pass, day or restart it falls in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, floor
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import CentreNow
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.mqtt.link import Message
from telemetry.store import CONTACT_OUTBOX_ID, Batch, ChangeRecord, StoredEvent
from tests.property_sizes import sized
from tests.unit.rollup.test_rollup_calendar import EVER, START, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GATEWAY = "c1-gateway1"
TOPIC = f"motcua/v1/c1/{GATEWAY}/state"
WILL_MS = 1_230_000
"""How long a Will is valid, as docs/reference/availability.md says it."""


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        created = Place(Path(folder))
        yield created
        created.store.close()


def certificate(sid: str, *, online: bool) -> Message:
    return Message(TOPIC, encode_presence(Presence(online=online, sid=sid)))


def hear(place: Place, t: int, *messages: Message) -> None:
    """Let rollup receive messages at `t` and do a pass."""
    place.now = t
    place.rollup.store_presence(messages)
    place.passes()


def contact(place: Place, t: int) -> None:
    event = ev.DeviceContact(n=t // MINUTE, t=t)
    stored = StoredEvent("c1", GATEWAY, CONTACT_OUTBOX_ID, event)
    place.store.append(Batch(t * 1000, [stored], [ChangeRecord(*w) for w in dirty_hours([("c1", event)])]))


def down_ms_by_slot(place: Place) -> dict[int, int]:
    rows = place.store.totals(["c1"], "5m", EVER, "device")
    return {row.start: row.sums["conn_down_ms"] for row in rows if row.sums["conn_down_ms"]}


def is_online(place: Place) -> bool | None:
    body = next(row.body for row in place.store.live_rows() if row.entity == "c1")
    return msgspec.json.decode(body, type=CentreNow).devices[0].online


@pytest.mark.parametrize(
    "late_ms", [MINUTE, 20 * MINUTE + 30_000, 40 * MINUTE, 41 * MINUTE, 3 * HOUR, 20 * HOUR, 9 * DAY]
)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_will_of_an_older_connection_is_never_down(place: Place, late_ms: int, restarted: bool) -> None:
    hear(place, START + 9 * HOUR, certificate("old", online=True))
    hear(place, START + 10 * HOUR, certificate("new", online=True))
    late = START + 10 * HOUR + late_ms
    contact(place, late - MINUTE)
    if restarted:
        place.start()
    hear(place, late, certificate("old", online=False))
    hear(place, late + 5_000)
    assert (down_ms_by_slot(place), is_online(place)) == ({}, True)
    place.rollup.rebuild()
    assert down_ms_by_slot(place) == {}
    assert all(s.state == "up" for s in place.tails[f"device:{GATEWAY}"].contact)


def test_the_will_of_the_newest_connection_is_down_for_twenty_minutes_and_thirty_seconds(place: Place) -> None:
    hear(place, START, certificate("s", online=True))
    hear(place, START + 9 * DAY, certificate("s", online=False))
    hear(place, START + 9 * DAY + 5_000)
    assert is_online(place) is False
    assert sum(down_ms_by_slot(place).values()) == WILL_MS
    hear(place, START + 9 * DAY + HOUR)
    assert sum(down_ms_by_slot(place).values()) == WILL_MS


def test_a_connection_that_begins_and_ends_within_one_pass_is_down(place: Place) -> None:
    hear(place, START, certificate("s", online=True), certificate("s", online=False))
    hear(place, START + 5_000)
    assert is_online(place) is False


def test_a_will_before_the_next_birth_of_the_same_pass_leaves_the_device_up(place: Place) -> None:
    hear(place, START, certificate("a", online=True))
    hear(place, START + HOUR, certificate("a", online=False), certificate("b", online=True))
    hear(place, START + HOUR + 5_000)
    assert is_online(place) is True
    assert sum(down_ms_by_slot(place).values()) == 1


# --- any order --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """What arrives at `t`: a birth or death of connection `sid`, or a contact without one."""

    t: int
    sid: str = ""
    online: bool = False


@st.composite
def histories(draw: st.DrawFn) -> list[Heard]:
    """Connections one after another; the Will of each comes when it ends, or any time later, or never."""
    heard, t = [], START + draw(st.integers(0, 3)) * 23 * HOUR
    for number in range(draw(st.integers(1, 5))):
        t += draw(st.integers(1, 40)) * 77_000
        heard.append(Heard(t, f"s{number}", online=True))
        heard += [Heard(t + 60_000 * (k + 1)) for k in range(draw(st.integers(0, 3)))]
        t += draw(st.integers(4, 200)) * 61_000
        late = draw(st.sampled_from([None, 0, 0, 90_000, 21 * MINUTE, 42 * MINUTE, 5 * HOUR, 2 * DAY]))
        if late is not None:
            heard.append(Heard(t + late + number, f"s{number}"))
    order = sorted(heard, key=lambda h: h.t)
    return [h for n, h in enumerate(order) if n == 0 or h.t > order[n - 1].t]


def recount_down_ms(heard: Sequence[Heard]) -> dict[int, int]:
    """Count the down time of each five minutes from what was heard, in the order in which it was heard."""
    newest, reports = "", list[tuple[int, bool]]()
    for h in heard:
        if not h.sid or h.online:
            reports.append((h.t, True))
            newest = h.sid or newest
        elif newest in {"", h.sid}:
            reports.append((h.t, False))
    down: dict[int, int] = {}
    for (t, up), (following, _) in zip(reports, [*reports[1:], (1 << 60, True)], strict=True):
        end = min(t + WILL_MS, following)
        for slot in () if up else range(floor(t, SLOT), end, SLOT):
            down[slot] = down.get(slot, 0) + min(end, slot + SLOT) - max(t, slot)
    return down


@given(histories(), st.sets(st.integers(0, 30)), st.booleans())
@sized(8, 300)
def test_down_time_is_what_the_newest_connections_wills_say(heard: list[Heard], restarts: set[int], once: bool) -> None:
    """`once`: what was stored is folded at the end, not after each message."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for number, h in enumerate(heard):
            if number in restarts:
                place.start()
            place.now = h.t
            if h.sid:
                place.rollup.store_presence([certificate(h.sid, online=h.online)])
            else:
                contact(place, h.t)
            if not once:
                place.passes()
        place.now = max(h.t for h in heard) + HOUR
        place.passes(3)
        wanted = recount_down_ms(heard)
        assert down_ms_by_slot(place) == wanted
        for window in (Window(heard[-1].t, heard[-1].t + HOUR), None):
            place.rollup.rebuild(window)
            assert down_ms_by_slot(place) == wanted
        place.store.close()
