"""A new site's time before its first word is in no total, or with a declared day is charged, on any day of UTC."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import (
    DAY,
    HOUR,
    MINUTE,
    SLOT,
    Window,
    ceil,
    day_window,
    difference,
    floor,
    merge,
    to_local,
)
from telemetry.core.fold.event_spans import CONTACT_GRACE_MS
from telemetry.core.inventory import DeclaredPeriod, Device
from telemetry.core.protocol import events as ev
from tests.property_sizes import sized
from tests.unit.rollup.test_rollup_calendar import ALWAYS, EVER, HANOI, START, Place

UNDECLARED = DeclaredPeriod()
TIMES = tuple(f"{state}_ms" for state in ("up", "down", "link", "platform", "conn_up", "conn_down", "conn_platform"))
"""The sums of time that a total may have."""
UNITS = ("c1", "vn83-portal")


def new_site(place: Place) -> None:
    """Declare a centre of two devices and its system, none with a day on which its service begins."""
    devices = {
        "c1-gateway1": Device("c1-gateway1", "c1", "gateway", declared_period=UNDECLARED),
        "c1-kiosk1": Device("c1-kiosk1", "c1", "kiosk", declared_period=UNDECLARED),
    }
    centre = replace(place.world.centres["c1"], declared_period=UNDECLARED)
    system = replace(place.world.systems["vn83-portal"], declared_period=UNDECLARED)
    place.world = replace(place.world, devices=devices, centres={"c1": centre}, systems={system.id: system})
    place.start()


@pytest.mark.parametrize("is_running_before", [True, False], ids=["rollup-runs-before", "rollup-starts-then"])
@pytest.mark.parametrize(
    "first_word",
    [START + DAY - MINUTE, START + DAY + MINUTE, START + DAY + 7 * HOUR - MINUTE, START + DAY + 7 * HOUR + MINUTE],
    ids=["before-local-midnight", "after-local-midnight", "before-utc-midnight", "after-utc-midnight"],
)
def test_silence_before_the_first_word_is_in_no_total(first_word: int, is_running_before: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        new_site(place)
        if is_running_before:
            for place.now in range(first_word - 30 * HOUR, first_word, HOUR):
                place.passes()
        words = range(first_word, first_word + 15 * MINUTE, MINUTE)
        place.now = words[-1]
        place.write(*(ev.DeviceContact(n=3 * t // MINUTE, t=t) for t in words))
        place.write(*(ev.DeviceHeartbeat(n=3 * t // MINUTE + 1, t=t) for t in words))
        place.write(*(probe(t) for t in words))
        place.passes(2)
        for place.now in range(first_word + HOUR, first_word + 27 * HOUR, HOUR):
            place.passes(2)
        began = ceil(first_word, SLOT)
        timed = [t for t in place.store.totals(list(UNITS), "5m", EVER) if any(t.sums.get(name) for name in TIMES)]
        assert {t.scope for t in timed} == {"device:c1-gateway1", "centre:c1", "system:vn83-portal"}
        assert {min(t.start for t in timed if t.scope == scope) for scope in {t.scope for t in timed}} == {began}
        assert max(t.sums.get("link_ms", 0) for t in timed) == 0
        days = [t for t in place.store.totals(list(UNITS), "1d", EVER) if any(t.sums.get(name) for name in TIMES)]
        assert {t.start for t in days} == {day_window(to_local(began, HANOI).date(), HANOI).start}
        place.store.close()


def probe(t: int) -> ev.ProbeResult:
    return ev.ProbeResult(n=3 * t // MINUTE + 2, t=t, system="vn83-portal", kind="http", ok=True)


# --- a declared day -----------------------------------------------------------------------------


def declared_site(place: Place) -> None:
    """Declare a centre of two devices that is in service since 1970."""
    kiosk = Device("c1-kiosk1", "c1", "kiosk", declared_period=ALWAYS)
    place.world = replace(place.world, devices={**place.world.devices, kiosk.id: kiosk})
    place.start()


def link_windows(place: Place) -> dict[int, int]:
    """Return the time charged to the link by five minutes of the silent kiosk, ms, in the hours that have passed."""
    totals = place.store.totals(["c1"], "5m", Window(0, floor(place.now, HOUR)), "device")
    return {t.start: t.sums["link_ms"] for t in totals if t.scope == "device:c1-kiosk1" and t.sums["link_ms"]}


hours = st.integers(1, 70)


@given(
    words=st.lists(st.tuples(hours, hours), min_size=1, max_size=4),
    folded_first=st.lists(hours, max_size=4),
    restarts=st.booleans(),
)
@sized(10, 200)
def test_silence_proves_a_dead_link_from_the_first_contact_on_in_any_order_of_folds(
    words: list[tuple[int, int]], folded_first: list[int], restarts: bool
) -> None:
    """Each word has the hour it speaks about and the hour at which it arrives."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        declared_site(place)
        place.now = START + HOUR
        place.passes()
        for hour in folded_first:
            place.rollup.fold("c1", Window(START + hour * HOUR, START + (hour + 1) * HOUR))
        for number, (said, arrives) in enumerate(sorted(words, key=lambda word: word[1])):
            place.now = max(place.now, START + max(said, arrives) * HOUR + 10 * MINUTE)
            place.write(ev.DeviceContact(n=number + 1, t=START + said * HOUR + 7 * MINUTE))
            if restarts:
                place.start()
            place.passes(2)
        place.now = START + 72 * HOUR + MINUTE
        place.passes(8)
        spoken = [Window(t, t + CONTACT_GRACE_MS) for said, _ in words for t in [START + said * HOUR + 7 * MINUTE]]
        first = min(w.start for w in spoken)
        expected: dict[int, int] = {}
        for part in difference([Window(first, floor(place.now, HOUR))], merge(spoken)):
            for slot in range(floor(part.start, SLOT), part.end, SLOT):
                within = part.clip(Window(slot, slot + SLOT))
                assert within is not None
                expected[slot] = expected.get(slot, 0) + within.length
        assert link_windows(place) == expected
        place.store.close()


def test_a_declared_site_that_was_never_heard_is_charged_whichever_hour_is_folded() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        declared_site(place)
        for place.now in range(START + DAY, START + DAY + 4 * HOUR, HOUR):
            place.passes()
        place.rollup.fold("c1", Window(START, START + DAY))
        assert link_windows(place) == {}
        assert [t.sums["link_ms"] for t in place.store.totals(["c1"], "1d", EVER) if t.sums.get("link_ms")] == []
        place.store.close()
