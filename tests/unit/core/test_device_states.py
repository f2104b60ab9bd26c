"""What devices reported: their own truth, their connection, their link, a system as they saw it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from telemetry.core.calendar.windows import DAY, MINUTE, Window
from telemetry.core.fold.device_states import (
    contact_segments,
    link_segments,
    service_segments,
    vantage_segments,
    windows_in_state,
)
from telemetry.core.fold.fold import system_segments
from telemetry.core.fold.late_wills import devices_with_unknown_birth, drop_late_wills
from telemetry.core.fold.sourced_event import SourcedEvent, deduplicate
from telemetry.core.fold.states import StateSegment
from telemetry.core.protocol import events as ev
from telemetry.mqtt.link import KEEPALIVE_S
from tests.unit.days import GATEWAY, KIOSK, SYSTEM, beats, contacts, made, probe, said, status


def replace_n(event: ev.Event, n: int) -> ev.Event:
    return msgspec.structs.replace(event, n=n)


def test_a_repeat_keeps_the_smallest_time() -> None:
    first, *later = (said(ev.TicketIssued(n=1, t=t, ticket="k", queue="q", service="s")) for t in (40, 50, 90))
    assert deduplicate([*later, first, *later]) == [first]


# --- service ----------------------------------------------------------------------------------


def test_out_of_order_is_down_and_degraded_is_up() -> None:
    down = service_segments(beats(0, state="out_of_order"))
    assert down == {KIOSK.id: [StateSegment(0, 150_000, "down")]}
    assert service_segments(beats(0, state="degraded"))[KIOSK.id][0].state == "up"


def test_a_state_change_alone_is_believed_for_its_grace() -> None:
    found = [said(ev.KioskState(n=1, t=0, state="out_of_order"))]
    assert service_segments(found) == {KIOSK.id: [StateSegment(0, 150_000, "down")]}


def test_a_state_change_between_rare_heartbeats_makes_no_unknown_time() -> None:
    rare = beats(0, 300_000, every_ms=300_000)
    change = said(ev.KioskState(n=1, t=60_000, state="in_service"), spool="t")
    assert service_segments(deduplicate([*rare, change])) == {KIOSK.id: [StateSegment(0, 930_000, "up")]}


# --- connection -------------------------------------------------------------------------------


def test_a_device_is_connected_while_heard_and_not_after_its_will() -> None:
    found = [status(0, True), *contacts(60_000), status(90_000, False)]
    assert contact_segments(found) == {
        KIOSK.id: [StateSegment(0, 90_000, "up"), StateSegment(90_000, 90_000 + ev.MAX_GRACE_MS, "down")]
    }


def test_being_heard_again_ends_what_the_will_said() -> None:
    found = [status(0, False), *contacts(60_000)]
    assert contact_segments(found)[KIOSK.id] == [StateSegment(0, 60_000, "down"), StateSegment(60_000, 210_000, "up")]


@pytest.mark.parametrize("late_ms", [1_000, 90_000, ev.MAX_GRACE_MS, 40 * MINUTE, 41 * MINUTE, 3 * DAY])
def test_a_late_will_of_an_older_connection_never_counts(late_ms: int) -> None:
    found = [status(0, True, "new"), status(late_ms, False, "old")]
    assert contact_segments(found) == {KIOSK.id: [StateSegment(0, 150_000, "up")]}
    assert contact_segments(found[::-1]) == contact_segments(found)


def test_an_older_will_does_not_shorten_what_the_newest_one_says() -> None:
    found = [status(0, True, "new"), status(60_000, False, "new"), status(120_000, False, "old")]
    assert contact_segments(found)[KIOSK.id][-1] == StateSegment(60_000, 60_000 + ev.MAX_GRACE_MS, "down")


def test_a_repeated_birth_of_the_older_connection_makes_its_will_count_no_more() -> None:
    found = [
        status(0, True, "old"),
        status(1_000, True, "new"),
        status(2_000, True, "old"),
        status(3_000, False, "old"),
    ]
    repeats = [
        SourcedEvent(s.device, s.outbox_id, replace_n(s.event, n)) for s, n in zip(found, (2, 4, 2, 1), strict=True)
    ]
    assert contact_segments(repeats) == {KIOSK.id: [StateSegment(0, 152_000, "up")]}


def test_a_will_counts_for_its_own_device_alone() -> None:
    found = [status(0, True, "new"), status(10, False, "old", GATEWAY)]
    assert contact_segments(found)[GATEWAY.id][0].state == "down"


def test_the_birth_before_the_events_decides_when_it_is_known() -> None:
    will = [status(0, False, "old"), *beats(5)]
    assert devices_with_unknown_birth(will) == {KIOSK.id: 0}
    assert drop_late_wills(will, {KIOSK.id: "new"}) == will[1:]
    assert drop_late_wills(will, {KIOSK.id: "old", GATEWAY.id: "new"}) == will
    assert devices_with_unknown_birth([*will, status(0, True, "a")]) == {KIOSK.id: 0}
    assert devices_with_unknown_birth([status(1_000, True, "a"), status(2_000, False, "b")]) == {}


def test_a_will_whose_birth_was_never_heard_counts() -> None:
    assert contact_segments([status(5, False, "old"), *beats(9)])[KIOSK.id][0].state == "down"


def test_a_device_that_only_reports_has_no_connection_state() -> None:
    assert contact_segments(beats(0)) == {}


def test_a_will_that_the_broker_owes_for_a_dead_link_comes_within_45_seconds() -> None:
    """MQTT 5, 3.1.2.10: a broker closes a connection that was silent for one and a half keepalives."""
    assert KEEPALIVE_S * 1.5 <= 45


# --- the link ---------------------------------------------------------------------------------


def test_a_gateways_word_on_its_link_is_believed_for_its_grace() -> None:
    words = [said(made(ev.LinkState, t, {"up": up}), GATEWAY) for t, up in ((0, True), (60_000, False))]
    known = link_segments([*words, *beats(70_000)])
    assert known == {GATEWAY.id: [StateSegment(0, 60_000, "up"), StateSegment(60_000, 210_000, "down")]}
    assert (windows_in_state(known, "down"), windows_in_state(known, "up")) == (
        [Window(60_000, 210_000)],
        [Window(0, 60_000)],
    )


# --- digital systems --------------------------------------------------------------------------


def test_a_system_is_up_by_quorum_over_its_vantage_points() -> None:
    seen = vantage_segments([probe("a", 0), probe("b", 10_000), probe("c", 0, ok=False)])
    assert system_segments(SYSTEM, seen) == [StateSegment(10_000, 150_000, "up")]


def test_two_failing_vantage_points_of_three_bring_it_down() -> None:
    seen = vantage_segments([probe("a", 0, ok=False), probe("b", 0, ok=False)])
    assert system_segments(SYSTEM, seen) == [StateSegment(0, 150_000, "down")]


def test_without_declared_vantage_points_all_that_spoke_count() -> None:
    seen = vantage_segments([probe("x", 0)])
    assert system_segments(replace(SYSTEM, vantage=()), seen) == [StateSegment(0, 150_000, "up")]
    assert system_segments(replace(SYSTEM, vantage=()), {}) == []
