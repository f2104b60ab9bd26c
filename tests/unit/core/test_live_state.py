"""The present: who waits, what a device last said, and silence shown as unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest

from telemetry.core.fold.live_row_types import CentreNow, DeviceNow, ServiceNow, VantageNow
from telemetry.core.fold.live_state import centre_now, system_now
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.inventory import ALWAYS_OPEN, Centre, Device, System
from telemetry.core.protocol import events as ev
from tests.unit.days import CENTRE

E = TypeVar("E", bound=ev.Event)
NOW = 1_767_254_400_000
MIDNIGHT = NOW - 9 * 3_600_000
KIOSK = Device("vn83-1-kiosk1", "vn83-1", "kiosk")
REPLAY = Device("vn83-1-replay1", "vn83-1", "replay")
SYSTEM = System("vn-ngsp", "Trục", "Bus", "bus", vantage=("a",))


def centre(imported: bool = False) -> Centre:
    return replace(CENTRE, hours=ALWAYS_OPEN, imported=imported)


def said(*events: ev.Event, device: str = KIOSK.id) -> list[SourcedEvent]:
    """Events by one device; each its own spool, so that row numbers do not matter here."""
    return [SourcedEvent(device, f"s{i}", event) for i, event in enumerate(events)]


def made(kind: type[E], ago_s: int, fields: dict[str, object]) -> E:
    tag = kind.__struct_config__.tag
    return msgspec.convert({"type": tag, "n": 1, "t": NOW - ago_s * 1000} | fields, kind)


def ticket(kind: type[ev.Event], ago_s: int, name: str = "k1") -> ev.Event:
    """An event of a ticket that entered 90 s ago at the land desk, with those fields its kind has."""
    known = {"ticket": name, "queue": "q", "service": "land", "to_queue": "tax", "to_service": "tax"}
    times = {"counter": "c1", "entered": NOW - 90_000, "called": NOW - 50_000}
    return made(kind, ago_s, {f: v for f, v in (known | times).items() if f in kind.__struct_fields__})


def seen(*events: ev.Event, imported: bool = False) -> CentreNow:
    return centre_now(centre(imported), (KIOSK, REPLAY), said(*events), NOW, MIDNIGHT)


def land(*events: ev.Event) -> tuple[int, int, int | None]:
    """The land desk: waiting, serving, since when the oldest waits."""
    (row,) = [s for s in seen(*events).services if s.service == "land"]
    return row.waiting, row.serving, row.oldest


def test_a_silent_centre_is_unknown_and_empty() -> None:
    found = seen()
    assert (found.state, found.mode, found.last_data, found.counters_open) == ("unknown", "normal", None, 0)
    assert found.services == (ServiceNow(service="land", waiting=0, serving=0),)
    assert found.devices == (DeviceNow(id=KIOSK.id, kind="kiosk", state="unknown"),)


def test_an_issued_ticket_waits_since_it_was_issued() -> None:
    assert land(ticket(ev.TicketIssued, 60), ticket(ev.TicketIssued, 30, "k2")) == (2, 0, NOW - 60_000)


@pytest.mark.parametrize(
    "kind", [ev.TicketCalled, ev.TicketRecalled, ev.TicketServingStarted, ev.TicketResumed, ev.TicketHeld]
)
def test_a_called_ticket_is_served_and_waits_no_more(kind: type[ev.Event]) -> None:
    assert land(ticket(ev.TicketIssued, 60), ticket(kind, 30)) == (0, 1, None)


@pytest.mark.parametrize("kind", [ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod])
def test_an_ended_ticket_is_gone_whatever_comes_later(kind: type[ev.Event]) -> None:
    late = ticket(ev.TicketCalled, 5)
    assert land(ticket(ev.TicketIssued, 60), ticket(kind, 30), late) == (0, 0, None)


def test_an_issue_that_comes_after_its_call_does_not_queue_the_ticket_again() -> None:
    assert land(ticket(ev.TicketCalled, 60), ticket(ev.TicketIssued, 30)) == (0, 1, None)


def test_a_transferred_ticket_waits_at_its_new_service() -> None:
    moved = ticket(ev.TicketTransferred, 30)
    found = {s.service: (s.waiting, s.serving) for s in seen(ticket(ev.TicketCalled, 60), moved).services}
    assert found == {"land": (0, 0), "tax": (1, 0)}


def test_todays_sums_leave_out_yesterday_and_the_future() -> None:
    yesterday = ticket(ev.TicketIssued, 9 * 3600 + 1)
    found = seen(yesterday, ticket(ev.TicketIssued, 0, "k2"), ticket(ev.TicketIssued, -1, "k3"))
    (row,) = found.services
    assert (row.waiting, row.today, found.last_data) == (1, {"issued": 1}, NOW)


def test_a_rating_counts_for_its_service_and_moves_no_ticket() -> None:
    rating = ev.RatingSubmitted(n=1, t=NOW, rating=5, service="land", ticket="k1")
    (row,) = seen(ticket(ev.TicketIssued, 60), rating).services
    assert (row.waiting, row.today) == (1, {"issued": 1, "ratings": 1, "ratings_good": 1})


def test_a_dossier_has_a_service_but_no_ticket() -> None:
    (row,) = seen(ev.DossierReceived(n=1, t=NOW, dossier="d", service="land")).services
    assert (row.waiting, row.today) == (0, {})


def test_the_mode_is_the_last_one_said() -> None:
    modes = [ev.CentreModeSet(n=1, t=NOW - 9, mode="closed"), ev.DeviceHeartbeat(n=1, t=NOW - 5, mode="online_only")]
    assert seen(*modes, ev.DeviceHeartbeat(n=1, t=NOW)).mode == "online_only"


def test_counters_are_open_by_their_latest_word_within_the_grace() -> None:
    old = ev.CounterState(n=1, t=NOW - ev.MAX_GRACE_MS - 1, counter="c9", state="open")
    states = [ev.CounterState(n=1, t=NOW - 9, counter=f"c{i}", state="open") for i in range(3)]
    closed = ev.CounterState(n=1, t=NOW - 5, counter="c0", state="closed")
    now = (ev.CounterNow(counter="c1", state="serving"), ev.CounterNow(counter="c2", state="break"))
    assert seen(old, *states, closed, ev.DeviceHeartbeat(n=1, t=NOW, counters=now)).counters_open == 1


def test_a_device_shows_its_last_heartbeat() -> None:
    beat = ev.DeviceHeartbeat(n=1, t=NOW - 9, state="degraded", fw="1.2", cpu_pct=5.0, outbox_rows=3, simulated=True)
    (device,) = seen(ev.DeviceHeartbeat(n=1, t=NOW - 99), beat, ticket(ev.TicketIssued, 0)).devices
    assert (device.state, device.service, device.fw, device.cpu_pct, device.outbox_rows) == (
        "up",
        "degraded",
        "1.2",
        5.0,
        3,
    )
    assert (device.last_event, device.last_contact, device.online) == (NOW, None, None)
    assert seen(beat).simulated


def test_a_device_is_online_while_heard() -> None:
    (device,) = seen(ev.DeviceContact(n=1, t=NOW - 60_000), ev.DeviceContact(n=2, t=NOW - 90_000)).devices
    assert (device.online, device.last_contact, device.last_event, device.state) == (
        True,
        NOW - 60_000,
        None,
        "unknown",
    )


def test_a_device_is_offline_after_its_will_and_after_silence() -> None:
    (dead,) = seen(ev.DeviceStatus(n=1, t=NOW - 5, online=False, sid="a")).devices
    (silent,) = seen(ev.DeviceContact(n=1, t=NOW - 150_000)).devices
    assert (dead.online, silent.online) == (False, False)


def test_a_centre_is_up_while_its_kiosk_is() -> None:
    assert seen(ev.DeviceHeartbeat(n=1, t=NOW - 149_999)).state == "up"
    assert seen(ev.DeviceHeartbeat(n=1, t=NOW - 150_000)).state == "unknown"
    assert seen(ev.KioskState(n=1, t=NOW, state="out_of_order")).state == "down"


def test_an_imported_centre_brings_its_names() -> None:
    declared = {"name_vi": "Một cửa", "name_en": "One door", "zone": "Asia/Ho_Chi_Minh"}
    assert seen(imported=True).declared == declared
    assert seen().declared is None


def probe(ago_s: int, ok: bool, **fields: object) -> ev.ProbeResult:
    return made(ev.ProbeResult, ago_s, {"system": SYSTEM.id, "kind": "http", "ok": ok} | fields)


def test_a_system_shows_what_each_vantage_point_saw_last() -> None:
    known = [*said(probe(60, True, latency_ms=5.0), probe(30, False, error="dns"), device="a"), *said(probe(-9, True))]
    found = system_now(SYSTEM, known, NOW)
    assert found.state == "down"
    assert found.vantage == (VantageNow(device="a", state="down", at=NOW - 30_000, error="dns"),)


def test_a_system_nobody_probes_any_more_is_unknown() -> None:
    found = system_now(SYSTEM, said(probe(151, True), device="a"), NOW)
    assert (found.state, [v.state for v in found.vantage]) == ("unknown", ["unknown"])
