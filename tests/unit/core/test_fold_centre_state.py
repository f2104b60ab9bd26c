"""A centre on one time axis: what makes it work, when it is heard, ready, and how much of it serves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import MINUTE, SLOT, Window, ceil, floor
from telemetry.core.fold import states
from telemetry.core.fold.centre_state import (
    CentreDevices,
    capacity_devices,
    centre_devices_of,
    exclude_replay_devices,
    integrate_capacity,
)
from telemetry.core.fold.states import KnownState, StateReport, StateSegment
from telemetry.core.protocol import events as ev
from tests.oracles.quorum import mean_capacity_bounds
from tests.unit.days import (
    CENTRE_SCOPE,
    DESK,
    DISPLAY,
    GATEWAY,
    KIOSK,
    NEXT_DESK,
    REPLAY,
    SECOND,
    beats,
    contacts,
    every_minute,
    five,
    ms,
    said,
    status,
    sums_of,
)

if TYPE_CHECKING:
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.inventory import Device

UP: KnownState = "up"
DOWN: KnownState = "down"
ALL = (GATEWAY, KIOSK, SECOND, DESK, NEXT_DESK, DISPLAY)


def site(devices: tuple[Device, ...], **known: str) -> CentreDevices:
    """A site whose devices (by the end of their id) are U, D, or unknown for 9 ms."""
    names: dict[str, KnownState] = {"U": UP, "D": DOWN}
    service = {f"vn83-1-{name}": [StateSegment(0, 9, names[state])] for name, state in known.items()}
    return CentreDevices(devices, service, {}, {})


def state(devices: tuple[Device, ...], **known: str) -> str:
    return states.state_at(site(devices, **known).working_segments(), 0)


WHOLE = {"gateway1": "U", "kiosk1": "U", "kiosk2": "U", "counter1": "U", "counter2": "U"}


def test_a_centre_works_with_its_gateway_a_kiosk_and_all_its_counters() -> None:
    assert state(ALL, **WHOLE) == "up"
    assert state(ALL, **WHOLE | {"gateway1": "D"}) == "down"
    assert state(ALL, **WHOLE | {"counter2": "D"}) == "down"
    assert state(ALL, **WHOLE | {"kiosk1": "D"}) == "up"
    assert state(ALL, **WHOLE | {"kiosk1": "D", "kiosk2": "D"}) == "down"


def test_what_is_unknown_hides_the_state_only_where_it_decides() -> None:
    def without(*names: str) -> dict[str, str]:
        return {name: value for name, value in WHOLE.items() if name not in names}

    assert state(ALL, **without("kiosk2")) == "up"
    assert state(ALL, **without("counter1")) == "unknown"
    assert state(ALL, **without("counter1") | {"gateway1": "D"}) == "down"


def test_parts_a_centre_does_not_have_are_left_out() -> None:
    assert state((GATEWAY,), gateway1="U") == "up"
    assert state((KIOSK, SECOND), kiosk2="U") == "up"
    assert state((), gateway1="U") == "unknown"
    assert state((DISPLAY,), display1="U") == "unknown"


def test_devices_that_are_not_critical_take_no_part() -> None:
    spare = replace(NEXT_DESK, critical=False)
    assert state((GATEWAY, DESK, spare), gateway1="U", counter1="U", counter2="D") == "up"
    assert states.state_at(site((GATEWAY, spare), gateway1="U", counter2="D").readiness_segments(), 0) == "up"
    assert capacity_devices((spare, KIOSK)) == [KIOSK]


def test_a_dead_link_takes_nothing_from_a_centre_whose_gateway_serves() -> None:
    cut = said(ev.LinkState(n=1, t=ms(8), up=False), GATEWAY, "link")
    totals = five([*beats(ms(8), device=GATEWAY), cut], devices=(GATEWAY,))
    assert sums_of(totals, CENTRE_SCOPE)["up_ms"] == 150_000


# --- the connection ---------------------------------------------------------------------------


def test_a_centre_is_heard_while_any_of_its_devices_is() -> None:
    found = [*contacts(ms(8), device=KIOSK), *contacts(ms(8, 1), device=GATEWAY)]
    sums = sums_of(five(found, devices=(GATEWAY, KIOSK, REPLAY)), CENTRE_SCOPE)
    assert (sums["conn_up_ms"], "conn_down_ms" in sums) == (210_000, False)


def test_a_dead_centre_is_down_when_all_its_devices_said_goodbye_and_unknown_when_one_was_never_heard() -> None:
    found = [status(ms(8), False, device=GATEWAY), status(ms(8), False)]
    assert sums_of(five(found, devices=(GATEWAY, KIOSK, REPLAY)), CENTRE_SCOPE)["conn_down_ms"] == ev.MAX_GRACE_MS
    assert "conn_down_ms" not in sums_of(five(found, devices=(GATEWAY, KIOSK, SECOND)), CENTRE_SCOPE)


def test_a_replay_speaks_for_a_centre_only_when_nothing_else_is_declared() -> None:
    assert exclude_replay_devices((KIOSK, REPLAY)) == [KIOSK]
    assert exclude_replay_devices((REPLAY,)) == [REPLAY]


# --- readiness --------------------------------------------------------------------------------


def test_a_mark_says_whether_every_critical_device_was_up_at_that_instant() -> None:
    first = every_minute(ms(8) - MINUTE, ms(8, 10))
    found = [*beats(*first, device=GATEWAY), *beats(*first), *beats(ms(8, 4, 30), device=DISPLAY, state="out_of_order")]
    found += beats(ms(8, 4, 30), ms(8, 5, 30), state="out_of_order", device=SECOND)
    devices = (GATEWAY, KIOSK, SECOND, DISPLAY)
    marks = {
        t.start: (t.sums["mark_up"], t.sums["mark_down"])
        for t in five(found, devices=devices)
        if t.scope == CENTRE_SCOPE
    }
    assert [marks[ms(8, minute)] for minute in (0, 5, 10)] == [(0, 0), (0, 1), (0, 0)]
    both = {t.start: t.sums["mark_up"] for t in five(found, devices=(GATEWAY, KIOSK)) if t.scope == CENTRE_SCOPE}
    assert [both[ms(8, minute)] for minute in (0, 5, 10)] == [1, 1, 1]


def test_a_centre_without_critical_devices_is_never_ready_nor_unready() -> None:
    sums = sums_of(five(beats(ms(8), device=DISPLAY), devices=(DISPLAY,)), CENTRE_SCOPE)
    assert {"mark_up", "mark_down"}.isdisjoint(sums)


# --- capacity ---------------------------------------------------------------------------------

HOUR = Window(ms(8), ms(9))


def test_capacity_is_the_share_of_counters_that_serve_with_bounds_for_the_unknown() -> None:
    found = [*beats(*every_minute(HOUR.start, HOUR.end), device=DESK), *beats(HOUR.start, device=KIOSK)]
    sums = sums_of(five(found, HOUR, (DESK, NEXT_DESK, KIOSK)), CENTRE_SCOPE)
    assert (sums["cap_low_ms"], sums["cap_high_ms"]) == (HOUR.length // 2, HOUR.length)


def test_without_counters_capacity_is_that_of_the_kiosks() -> None:
    found = [
        *beats(HOUR.start, every_ms=600_000),
        *beats(HOUR.start, every_ms=600_000, device=SECOND, state="out_of_order"),
    ]
    sums = sums_of(five(found, HOUR, (GATEWAY, KIOSK, SECOND)), CENTRE_SCOPE)
    assert (sums["cap_low_ms"], sums["cap_high_ms"]) == (1_230_000 // 2, HOUR.length - 1_230_000 // 2)


def test_a_centre_without_counters_and_kiosks_has_no_capacity() -> None:
    sums = sums_of(five(beats(HOUR.start, device=GATEWAY), HOUR, (GATEWAY,)), CENTRE_SCOPE)
    assert {"cap_low_ms", "cap_high_ms"}.isdisjoint(sums)


def test_time_our_own_platform_took_belongs_to_no_capacity() -> None:
    lost = Window(HOUR.start, HOUR.start + SLOT)
    sums = sums_of(five(beats(HOUR.start + SLOT), HOUR, (KIOSK,), (lost,)), CENTRE_SCOPE)
    assert (sums["platform_ms"], sums["cap_high_ms"]) == (SLOT, HOUR.length - SLOT)


STEP = SLOT // 10
known_states: st.SearchStrategy[KnownState] = st.sampled_from(["up", "down"])
reports = st.lists(st.tuples(st.integers(0, 50), known_states, st.integers(0, 15)), max_size=6).map(
    lambda rows: [StateReport(t * STEP, state, grace * STEP) for t, state, grace in rows]
)
members = st.lists(reports.map(states.build_segments), min_size=1, max_size=4)


@given(members, st.integers(1, 5), st.integers(0, 30), st.integers(1, 30))
def test_capacity_is_the_reference_at_every_moment(
    parts: list[list[StateSegment]], k: int, start: int, length: int
) -> None:
    scope = Window(start * STEP, (start + length) * STEP)
    found = integrate_capacity(parts, k, [scope])
    share = mean_capacity_bounds(parts, k, [scope])
    assert share is not None
    for bound in (0, 1):
        whole = sum(row[bound] for row in found.values())
        assert whole == pytest.approx(share[bound] * scope.length, abs=len(found))
    assert set(found) == set(range(floor(scope.start, SLOT), ceil(scope.end, SLOT), SLOT))


def test_a_scope_in_two_parts_of_one_mark_is_added() -> None:
    on = [StateSegment(0, SLOT, "up")]
    assert integrate_capacity([on, []], 2, [Window(0, 100), Window(200, 300)]) == {0: (100, 200)}
    assert integrate_capacity([on], 1, []) == {}


def test_a_site_reads_all_that_was_said() -> None:
    found: list[SourcedEvent] = [*beats(0), *contacts(0), said(ev.LinkState(n=1, t=0, up=True))]
    read = centre_devices_of((KIOSK, REPLAY), found)
    assert (set(read.service), set(read.contact), set(read.link)) == ({KIOSK.id}, {KIOSK.id}, {KIOSK.id})
    assert read.devices == [KIOSK]
