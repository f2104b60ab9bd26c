"""The fold: the reference's vectors, and the same totals whatever the order, repetition or division of the work."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st

from telemetry.core import events as ev, fold
from telemetry.core.fold import Said
from telemetry.core.inventory import Centre, Device, Hours, System
from telemetry.core.spans import dirty
from telemetry.core.states import Segment
from telemetry.core.totals import PROBE_FIELDS, QUEUE_FIELDS, STATE_FIELDS, Total
from telemetry.core.windows import FIVE, HOUR, MINUTE, Window, day_window, to_ms

if TYPE_CHECKING:
    from random import Random

E = TypeVar("E", bound=ev.Event)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = date(2026, 3, 2)
WHOLE = day_window(DAY, ZONE)
OPENING: Hours = ((time(7, 30), time(11, 30)), (time(13, 30), time(17)))
CENTRE = Centre(
    id="vn83-1",
    unit="28756",
    level="commune",
    name_vi="Một cửa",
    name_en="One door",
    province="83",
    parent="829",
    counters=3,
    hours=(OPENING,) * 7,
    services=("land",),
    zone=ZONE,
    exceptions=MappingProxyType({}),
)
KIOSK = Device("vn83-1-kiosk1", CENTRE.id, "kiosk")
SECOND = Device("vn83-1-kiosk2", CENTRE.id, "kiosk")
GATEWAY = Device("vn83-1-gateway1", CENTRE.id, "gateway")
SYSTEM = System("vn83-portal", "Cổng", "Portal", "portal", quorum=2, vantage=("a", "b", "c"))


def ms(hour: int, minute: int = 0, second: int = 0) -> int:
    return to_ms(datetime(DAY.year, DAY.month, DAY.day, hour, minute, second, tzinfo=ZONE))


def said(event: ev.Event, device: Device = KIOSK, spool: str = "s") -> Said:
    return Said(device.id, spool, event)


def made(kind: type[E], t: int, fields: dict[str, object]) -> E:
    return msgspec.convert({"type": kind.__struct_config__.tag, "n": t // 1000 + 1, "t": t} | fields, kind)


def beats(*times: int, device: Device = KIOSK, **fields: object) -> list[Said]:
    return [said(made(ev.DeviceHeartbeat, t, fields), device) for t in times]


def every_minute(start: int, end: int) -> list[int]:
    """From start to end, both included."""
    return list(range(start, end + 1, MINUTE))


def ticket(kind: type[ev.Event], t: int, **fields: object) -> ev.Event:
    return made(kind, t, {"ticket": "k1", "queue": "land", "service": "land"} | fields)


def five(found: list[Said], window: Window = WHOLE, devices: tuple[Device, ...] = (KIOSK,)) -> list[Total]:
    return fold.fold_centre(CENTRE, devices, found, window)


def day_of(found: list[Said], scope: str, devices: tuple[Device, ...] = (KIOSK,)) -> dict[str, int]:
    """The day's sums of one scope."""
    totals = fold.daily(five(found, devices=devices), WHOLE, CENTRE.open_windows(WHOLE))
    (sums,) = [t.sums for t in totals if t.scope == scope]
    return dict(sums)


def desk(*events: ev.Event) -> dict[str, int]:
    """The land desk's sums, zeros left out."""
    sums = day_of([said(e) for e in events], f"desk:{CENTRE.id}:land")
    return {name: value for name, value in sums.items() if value}


# --- vectors of slo.md 2.2 --------------------------------------------------------------------

V1 = [*every_minute(ms(0), ms(8)), *every_minute(ms(8, 20), ms(18))]
V2 = [*V1, *every_minute(ms(8, 5), ms(8, 15))]
V3 = [*every_minute(ms(0), ms(11, 29)), *every_minute(ms(13, 31), ms(18))]
V4 = every_minute(ms(8), ms(18))
V5 = [*V1, *V1]
V6 = [*V1[::2], *V1[1::2][::-1]]


@pytest.mark.parametrize(
    ("times", "up", "unknown"),
    [
        (V1, 25_950, 1_050),
        (V2, 26_700, 300),
        (V3, 26_940, 60),
        (V4, 25_200, 1_800),
        (V5, 25_950, 1_050),
        (V6, 25_950, 1_050),
    ],
    ids=["V1", "V2", "V3", "V4", "V5", "V6"],
)
@pytest.mark.parametrize("scope", [f"device:{KIOSK.id}", f"centre:{CENTRE.id}"])
def test_the_references_vectors_give_the_references_seconds(
    times: list[int], up: int, unknown: int, scope: str
) -> None:
    opening = sum(w.length for w in CENTRE.open_windows(WHOLE)) // 1000
    sums = day_of(beats(*times), scope)
    assert opening == 27_000
    assert (sums["open_up_ms"] // 1000, sums["open_down_ms"]) == (up, 0)
    assert opening - sums["open_up_ms"] // 1000 == unknown


# --- devices and the centre -------------------------------------------------------------------


def test_a_repeat_keeps_the_smallest_time() -> None:
    event = ev.TicketIssued(n=1, t=50, ticket="k", queue="q", service="s")
    late, early = said(msgspec.structs.replace(event, t=90)), said(msgspec.structs.replace(event, t=40))
    assert fold.once([said(event), late, early, said(event)]) == [early]


def test_out_of_order_is_down_and_degraded_is_up() -> None:
    down = fold.service_segments(beats(0, state="out_of_order"))
    assert down == {KIOSK.id: [Segment(0, 150_000, "down")]}
    assert fold.service_segments(beats(0, state="degraded"))[KIOSK.id][0].state == "up"


def test_a_state_change_alone_is_believed_for_its_grace() -> None:
    found = [said(ev.KioskState(n=1, t=0, state="out_of_order"))]
    assert fold.service_segments(found) == {KIOSK.id: [Segment(0, 150_000, "down")]}


def test_a_state_change_between_rare_heartbeats_makes_no_unknown_time() -> None:
    rare = beats(0, 300_000, every_ms=300_000)
    change = said(ev.KioskState(n=1, t=60_000, state="in_service"), spool="t")
    assert fold.service_segments(fold.once([*rare, change])) == {KIOSK.id: [Segment(0, 930_000, "up")]}


def test_a_device_is_connected_while_heard_and_not_after_its_will() -> None:
    found = [
        said(ev.DeviceStatus(n=1, t=0, online=True, sid="a"), spool="status"),
        said(ev.DeviceContact(n=1, t=60_000), spool="contact"),
        said(ev.DeviceStatus(n=2, t=90_000, online=False, sid="a"), spool="status"),
    ]
    assert fold.contact_segments(found) == {
        KIOSK.id: [Segment(0, 90_000, "up"), Segment(90_000, 90_000 + ev.MAX_GRACE_MS, "down")]
    }


def test_a_late_will_of_an_older_connection_is_ignored() -> None:
    born = said(ev.DeviceStatus(n=1, t=0, online=True, sid="new"), spool="status")
    died = said(ev.DeviceStatus(n=2, t=90_000, online=False, sid="old"), spool="status")
    assert fold.contact_segments([born, died]) == {KIOSK.id: [Segment(0, 150_000, "up")]}


def test_a_will_whose_birth_was_never_heard_counts() -> None:
    died = said(ev.DeviceStatus(n=2, t=5, online=False, sid="old"), spool="status")
    assert fold.contact_segments([died, *beats(9)])[KIOSK.id][0].state == "down"


def test_a_device_that_only_reports_has_no_connection_state() -> None:
    assert fold.contact_segments(beats(0)) == {}


def test_a_centre_needs_every_gateway_and_one_kiosk() -> None:
    up, down = [Segment(0, 9, "up")], [Segment(0, 9, "down")]
    devices = (GATEWAY, KIOSK, SECOND)
    one = {GATEWAY.id: up, KIOSK.id: up, SECOND.id: down}
    assert fold.centre_segments(devices, one) == up
    assert fold.centre_segments(devices, one | {GATEWAY.id: down}) == down
    assert fold.centre_segments(devices, one | {KIOSK.id: down}) == down
    assert fold.centre_segments(devices, {KIOSK.id: up}) == []
    assert fold.centre_segments((GATEWAY,), {GATEWAY.id: up}) == up
    assert fold.centre_segments((), {}) == []


def test_totals_name_every_field_zeros_included() -> None:
    found = [*beats(ms(8)), said(ticket(ev.TicketIssued, ms(8)), spool="t")]
    fields = {t.scope.split(":")[0]: tuple(t.sums) for t in five(found)}
    assert fields == {"device": STATE_FIELDS, "centre": STATE_FIELDS, "desk": QUEUE_FIELDS}
    assert {(t.unit, t.width, t.province) for t in five(found)} == {(CENTRE.id, "5m", "83")}


# --- desks ------------------------------------------------------------------------------------

T = ms(9)


def test_each_kind_of_ticket_event_counts_under_its_name() -> None:
    events = [
        ticket(ev.TicketIssued, T),
        ticket(ev.TicketAbandoned, T + 1000, entered=T),
        ticket(ev.TicketNoShow, T + 2000, entered=T),
        ticket(ev.TicketTransferred, T + 3000, entered=T, to_queue="tax", to_service="tax"),
        ticket(ev.TicketClosedEod, T + 4000, entered=T),
        ticket(ev.TicketRecalled, T + 5000, entered=T, counter="c"),
    ]
    assert desk(*events) == dict.fromkeys(("issued", "abandoned", "no_show", "transferred", "closed_eod"), 1)


def test_a_wait_runs_from_entering_to_the_call() -> None:
    call = ticket(ev.TicketCalled, T, entered=T - 60_000, counter="c")
    assert desk(call) == {"called": 1, "wait_sum_ms": 60_000, "wait_le_60": 1}


def test_a_negative_wait_is_not_counted_but_the_call_is() -> None:
    assert desk(ticket(ev.TicketCalled, T, entered=T + 1, counter="c")) == {"called": 1}


@pytest.mark.parametrize(
    ("fields", "service_ms"),
    [({}, 100_000), ({"held_ms": 40_000}, 60_000), ({"started": T - 70_000}, 70_000)],
)
def test_service_time_leaves_out_holds_and_the_way_to_the_counter(fields: dict[str, int], service_ms: int) -> None:
    done = ticket(ev.TicketFinished, T, entered=T - 200_000, called=T - 100_000, counter="c", **fields)
    assert desk(done)["service_sum_ms"] == service_ms
    assert (desk(done)["served"], desk(done)["service_count"]) == (1, 1)


@pytest.mark.parametrize("fields", [{"quality": "forgotten_open"}, {"held_ms": 200_000}])
def test_a_service_of_bad_quality_or_negative_length_counts_as_served_only(fields: dict[str, object]) -> None:
    assert desk(ticket(ev.TicketFinished, T, entered=T, called=T - 100_000, counter="c", **fields)) == {"served": 1}


@pytest.mark.parametrize(("rating", "good"), [(3, 0), (4, 1)])
def test_a_rating_of_four_or_five_is_good(rating: int, good: int) -> None:
    found = desk(ev.RatingSubmitted(n=1, t=T, rating=rating, service="land"))
    assert (found["ratings"], found.get("ratings_good", 0)) == (1, good)


def test_events_without_a_service_or_outside_the_window_count_nowhere() -> None:
    window = Window(T, T + FIVE)
    outside = [said(ticket(ev.TicketIssued, t)) for t in (T - 1000, T + FIVE)]
    assert five([*outside, said(ev.CentreModeSet(n=1, t=T, mode="closed"))], window) == []


# --- digital systems --------------------------------------------------------------------------


def probe(device: str, t: int, ok: bool = True, **fields: object) -> Said:
    return Said(device, "s", made(ev.ProbeResult, t, {"system": SYSTEM.id, "kind": "http", "ok": ok} | fields))


def test_a_system_is_up_by_quorum_over_its_vantage_points() -> None:
    seen = fold.vantage_segments([probe("a", 0), probe("b", 10_000), probe("c", 0, ok=False)])
    assert fold.system_segments(SYSTEM, seen) == [Segment(10_000, 150_000, "up")]


def test_two_failing_vantage_points_of_three_bring_it_down() -> None:
    seen = fold.vantage_segments([probe("a", 0, ok=False), probe("b", 0, ok=False)])
    assert fold.system_segments(SYSTEM, seen) == [Segment(0, 150_000, "down")]


def test_without_declared_vantage_points_all_that_spoke_count() -> None:
    seen = fold.vantage_segments([probe("x", 0)])
    assert fold.system_segments(replace(SYSTEM, vantage=()), seen) == [Segment(0, 150_000, "up")]
    assert fold.system_segments(replace(SYSTEM, vantage=()), {}) == []


def test_a_systems_totals_hold_states_probes_and_latency_of_good_ones() -> None:
    alone = replace(SYSTEM, vantage=("a",))
    stats = Said("a", "s", ev.ConnectorStats(n=9, t=0, system=SYSTEM.id, ok=1, failed=0, period_ms=1))
    found = [
        probe("a", 0, latency_ms=10.4),
        probe("a", 60_000, ok=False, latency_ms=99.0),
        probe("a", 90_000),
        probe("a", FIVE),
        stats,
    ]
    (total,) = fold.fold_system(alone, "83", found, Window(0, FIVE))
    assert (total.unit, total.scope, total.province) == (SYSTEM.id, f"system:{SYSTEM.id}", "83")
    assert total.sums == dict.fromkeys((*STATE_FIELDS, *PROBE_FIELDS), 0) | {
        "up_ms": 210_000,
        "down_ms": 30_000,
        "probes": 3,
        "probes_ok": 2,
        "latency_sum_ms": 10,
    }


# --- adding up --------------------------------------------------------------------------------


def total(start: int, **sums: int) -> Total:
    return Total("u", "device:d", "5m", start, "83", sums)


def test_hours_keep_wall_and_open_sums_apart() -> None:
    rows = [total(0, up_ms=5, probes=1), total(FIVE, up_ms=7), total(HOUR, up_ms=1)]
    first, second = fold.hourly(rows, [Window(0, FIVE)])
    assert (first.width, first.start, first.sums) == ("1h", 0, {"up_ms": 12, "open_up_ms": 5, "probes": 1})
    assert (second.start, second.sums) == (HOUR, {"up_ms": 1, "open_up_ms": 0})


def test_without_opening_hours_all_time_is_open() -> None:
    (found,) = fold.daily([total(0, down_ms=5), total(FIVE, down_ms=2)], Window(0, 24 * HOUR), None)
    assert (found.width, found.sums) == ("1d", {"down_ms": 7, "open_down_ms": 7})


def test_nothing_to_read_lies_before_the_epoch() -> None:
    assert fold.read_window(Window(5, 9)) == Window(0, 9)
    assert fold.read_window(Window(HOUR, 2 * HOUR)) == Window(HOUR - 2 * ev.MAX_GRACE_MS, 2 * HOUR)


# --- properties -------------------------------------------------------------------------------

STEP = 30_000
SPAN = Window(ms(8), ms(12))
moments = st.integers(SPAN.start // STEP, SPAN.end // STEP - 1).map(lambda mark: mark * STEP)
services = st.sampled_from(["in_service", "out_of_order"])


def status(t: int, online: bool, sid: str) -> ev.Event:
    return ev.DeviceStatus(n=1, t=t, online=online, sid=sid)


any_event = st.one_of(
    st.builds(lambda t, state: ev.DeviceHeartbeat(n=1, t=t, state=state, every_ms=600_000), moments, services),
    st.builds(lambda t, state: ev.KioskState(n=1, t=t, state=state), moments, services),
    st.builds(lambda t: ev.DeviceContact(n=1, t=t), moments),
    st.builds(status, moments, st.booleans(), st.sampled_from("ab")),
    st.builds(lambda t: ticket(ev.TicketCalled, t, counter="c", entered=t - 90_000), moments),
)  # fmt: skip
devices_used = st.sampled_from([KIOSK, SECOND, GATEWAY])
DEVICES = (GATEWAY, KIOSK, SECOND)


def numbered(found: list[tuple[Device, ev.Event]]) -> list[Said]:
    return [Said(d.id, "s", renumbered(e, i)) for i, (d, e) in enumerate(found, 1)]


def renumbered(event: ev.Event, n: int) -> ev.Event:
    return msgspec.structs.replace(event, n=n)


streams = st.lists(st.tuples(devices_used, any_event), max_size=14).map(numbered)
LONGER = Window(SPAN.start, SPAN.end + HOUR)


def read(found: list[Said], window: Window) -> list[Said]:
    """What a store would give for folding the window."""
    wide = fold.read_window(window)
    return [s for s in found if wide.start <= s.event.t < wide.end]


def hours(window: Window) -> list[Window]:
    return [Window(start, start + HOUR) for start in range(window.start, window.end, HOUR)]


@given(streams, st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_total(found: list[Said], chance: Random) -> None:
    again = [*found, *chance.choices(found, k=5)] if found else []
    chance.shuffle(again)
    assert five(again, LONGER, DEVICES) == five(found, LONGER, DEVICES)


@given(streams)
def test_folding_hour_by_hour_equals_folding_the_whole_window(found: list[Said]) -> None:
    parts = [t for hour in hours(LONGER) for t in five(read(found, hour), hour, DEVICES)]
    assert sorted(parts, key=lambda t: (t.scope, t.start)) == five(found, LONGER, DEVICES)


@given(streams)
def test_folding_only_the_hours_each_arrival_makes_dirty_equals_folding_everything_at_the_end(
    found: list[Said],
) -> None:
    kept: dict[tuple[str, int], Total] = {}
    for i, arrival in enumerate(found, 1):
        for _, start, end in dirty([(CENTRE.id, arrival.event)]):
            window = Window(start, end)
            kept = {key: t for key, t in kept.items() if not start <= t.start < end}
            fresh = five(read(found[:i], window), window, DEVICES)
            kept |= {(t.scope, t.start): t for t in fresh}
    assert [t for _, t in sorted(kept.items())] == five(found, LONGER, DEVICES)


@given(streams)
def test_known_time_of_a_bucket_never_exceeds_the_bucket(found: list[Said]) -> None:
    for t in five(found, LONGER, DEVICES):
        assert t.sums.get("up_ms", 0) + t.sums.get("down_ms", 0) <= FIVE
        assert t.sums.get("conn_up_ms", 0) + t.sums.get("conn_down_ms", 0) <= FIVE


@given(streams)
def test_hours_and_days_hold_the_sum_of_their_five_minutes(found: list[Said]) -> None:
    rows = five(found, LONGER, DEVICES)
    opening = CENTRE.open_windows(LONGER)
    by_hour, by_day = fold.hourly(rows, opening), fold.daily(rows, WHOLE, opening)
    for field in ("up_ms", "open_up_ms", "called", "wait_sum_ms"):
        assert sum(t.sums.get(field, 0) for t in by_hour) == sum(t.sums.get(field, 0) for t in by_day)
    assert sum(t.sums.get("up_ms", 0) for t in by_day) == sum(t.sums.get("up_ms", 0) for t in rows)


def rare(device: str, t: int, ok: bool) -> Said:
    return probe(device, t, ok, every_ms=300_000, latency_ms=5.0)


probe_sets = st.lists(
    st.builds(rare, st.sampled_from("abcx"), moments, st.booleans()),
    max_size=14,
    unique_by=lambda s: (s.device, s.event.n),
)


@given(probe_sets, st.randoms(use_true_random=False))
def test_a_system_folds_alike_in_any_order_and_hour_by_hour(found: list[Said], chance: Random) -> None:
    whole = fold.fold_system(SYSTEM, "83", found, LONGER)
    shuffled = [*found, *found]
    chance.shuffle(shuffled)
    parts = [t for hour in hours(LONGER) for t in fold.fold_system(SYSTEM, "83", read(found, hour), hour)]
    assert fold.fold_system(SYSTEM, "83", shuffled, LONGER) == whole == parts
