"""The fold: the reference's vectors, desks, digital systems, and the present it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window
from telemetry.core.fold import fold
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.fold.states import RecentState, StateSegment
from telemetry.core.fold.totals import (
    CALENDAR_FIELD,
    CAPACITY_FIELDS,
    CONNECTOR_FIELDS,
    PROBE_FIELDS,
    QUEUE_FIELDS,
    READY_AT_SLOT_FIELDS,
    STATE_FIELDS,
)
from telemetry.core.protocol import events as ev
from tests.unit.days import (
    CENTRE,
    CENTRE_SCOPE,
    GATEWAY,
    KIOSK,
    REPLAY,
    SYSTEM,
    WHOLE,
    beats,
    contacts,
    day_of,
    every_minute,
    five,
    made,
    ms,
    probe,
    said,
    status,
    ticket,
)


def desk(*events: ev.Event) -> dict[str, int]:
    """The land desk's sums, zeros and the service level left out."""
    sums = day_of([said(e) for e in events], f"desk:{CENTRE.id}:land")
    return {name: value for name, value in sums.items() if value and "level" not in name and name != CALENDAR_FIELD}


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
@pytest.mark.parametrize("scope", [f"device:{KIOSK.id}", CENTRE_SCOPE])
def test_the_references_vectors_give_the_references_seconds(
    times: list[int], up: int, unknown: int, scope: str
) -> None:
    opening = sum(w.length for w in CENTRE.open_windows(WHOLE)) // 1000
    sums = day_of(beats(*times), scope)
    assert opening == 27_000
    assert (sums["open_up_ms"] // 1000, sums["open_down_ms"]) == (up, 0)
    assert opening - sums["open_up_ms"] // 1000 == unknown


def test_totals_name_every_field_zeros_included() -> None:
    found = [*beats(ms(8)), said(ticket(ev.TicketIssued, ms(8)), spool="t")]
    fields = {t.scope.split(":")[0]: tuple(t.sums) for t in five(found)}
    whole = (*STATE_FIELDS, *CAPACITY_FIELDS, *READY_AT_SLOT_FIELDS)
    assert fields == {"device": STATE_FIELDS, "centre": whole, "desk": QUEUE_FIELDS}
    assert {(t.entity, t.width, t.province) for t in five(found)} == {(CENTRE.id, "5m", "83")}


def test_nothing_to_read_lies_before_the_epoch() -> None:
    assert fold.input_window(Window(5, 9)) == Window(0, 9)
    assert fold.input_window(Window(HOUR, 2 * HOUR)) == Window(0, 2 * HOUR)


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
    assert desk(*events) == dict.fromkeys(
        ("issued", "abandoned", "no_show", "transferred", "closed_eod", "recalled", "incomplete"), 1
    )


def test_a_wait_runs_from_entering_to_the_call() -> None:
    call = ticket(ev.TicketCalled, T, entered=T - 60_000, counter="c")
    assert desk(call) == {"called": 1, "wait_sum_ms": 60_000, "wait_histogram": histogram_of(60_000)}


def test_a_negative_wait_is_not_counted_but_the_call_is() -> None:
    assert desk(ticket(ev.TicketCalled, T, entered=T + 1, counter="c")) == {"called": 1, "wait_negative": 1}


@pytest.mark.parametrize(
    ("fields", "service_ms"),
    [({}, 100_000), ({"held_ms": 40_000}, 60_000), ({"started": T - 70_000}, 70_000)],
)
def test_service_time_leaves_out_holds_and_the_way_to_the_counter(fields: dict[str, int], service_ms: int) -> None:
    done = ticket(ev.TicketFinished, T, entered=T - 200_000, called=T - 100_000, counter="c", **fields)
    assert desk(done)["service_sum_ms"] == service_ms
    assert (desk(done)["served"], desk(done)["service_count"]) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "name"), [({"quality": "forgotten_open"}, "forgotten_open"), ({"held_ms": 200_000}, "service_negative")]
)
def test_a_service_of_bad_quality_or_negative_length_has_no_length(fields: dict[str, object], name: str) -> None:
    enters = ticket(ev.TicketIssued, T - 300_000)
    call = ticket(ev.TicketCalled, T - 100_000, entered=T - 300_000, counter="c")
    done = ticket(ev.TicketFinished, T, entered=T - 300_000, called=T - 100_000, counter="c", **fields)
    assert {k: v for k, v in desk(enters, call, done).items() if k not in desk(enters, call)} == {"served": 1, name: 1}


@pytest.mark.parametrize(("rating", "good"), [(3, 0), (4, 1)])
def test_a_rating_of_four_or_five_is_good(rating: int, good: int) -> None:
    found = desk(ev.RatingSubmitted(n=1, t=T, rating=rating, service="land"))
    assert (found["ratings"], found.get("ratings_good", 0)) == (1, good)


def test_events_without_a_service_or_outside_the_window_count_nowhere() -> None:
    window = Window(T, T + SLOT)
    outside = [said(ev.RatingSubmitted(n=t, t=t, rating=5, service="land")) for t in (T - 1000, T + SLOT)]
    totals = five([*outside, said(ev.CentreModeSet(n=1, t=T, mode="closed"))], window)
    assert {t.scope for t in totals} == {CENTRE_SCOPE}


# --- digital systems --------------------------------------------------------------------------


def test_a_systems_totals_hold_states_probes_and_latency_of_good_ones() -> None:
    alone = replace(SYSTEM, vantage=("a",))
    stats = SourcedEvent("a", "s", ev.ConnectorStats(n=9, t=0, system=SYSTEM.id, ok=1, failed=0, period_ms=1))
    found = [
        probe("a", 0, latency_ms=10.4),
        probe("a", 60_000, ok=False, latency_ms=99.0),
        probe("a", 90_000),
        probe("a", SLOT),
        stats,
    ]
    (total,) = fold.fold_system(alone, "83", found, Window(0, SLOT))
    assert (total.entity, total.scope, total.province) == (SYSTEM.id, f"system:{SYSTEM.id}", "83")
    assert tuple(total.sums) == (*STATE_FIELDS, *PROBE_FIELDS, *CONNECTOR_FIELDS)
    assert {name: value for name, value in total.sums.items() if value and "histogram" not in name} == {
        "up_ms": 210_000,
        "down_ms": 30_000,
        "probes": 3,
        "probes_ok": 2,
        "latency_sum_ms": 10,
        "connector_ok": 1,
    }


def test_a_probe_from_no_vantage_point_of_the_system_counts_in_no_figure() -> None:
    declared, own = replace(SYSTEM, vantage=("a",)), [probe("a", 0, latency_ms=10.0)]
    forged = [probe("b", t, latency_ms=1.0) for t in range(0, SLOT, 1_000)]
    window = Window(0, SLOT)
    assert fold.fold_system(declared, "83", own + forged, window) == fold.fold_system(declared, "83", own, window)
    (total,) = fold.fold_system(replace(SYSTEM, vantage=()), "83", own + forged, window)
    assert total.sums["probes"] == 301


def test_unknown_time_of_a_system_is_our_own_platforms_when_that_was_down() -> None:
    alone, lost = replace(SYSTEM, vantage=("a",)), Window(2 * MINUTE, 4 * MINUTE)
    (total,) = fold.fold_system(alone, "83", [probe("a", 0)], Window(0, SLOT), [lost])
    assert (total.sums["up_ms"], total.sums["platform_ms"], total.sums["link_ms"]) == (150_000, 90_000, 0)


# --- the present ------------------------------------------------------------------------------

NOW = ms(9, 2)


def test_the_tails_hold_what_is_believed_of_the_running_five_minutes() -> None:
    found = [*beats(ms(8, 59), device=GATEWAY), *beats(ms(8), ms(9, 1)), *contacts(ms(8, 58)), status(ms(9, 1), False)]
    tails = fold.centre_recent_states(CENTRE, (GATEWAY, KIOSK, REPLAY), found, NOW)
    gateway, kiosk = StateSegment(ms(8, 59), ms(9, 1, 30), "up"), StateSegment(ms(9, 1), ms(9, 3, 30), "up")
    gone = StateSegment(ms(9, 1), ms(9, 1) + ev.MAX_GRACE_MS, "down")
    assert tails == {
        f"device:{GATEWAY.id}": RecentState((gateway,)),
        f"device:{KIOSK.id}": RecentState((kiosk,), (StateSegment(ms(8, 58), ms(9, 0, 30), "up"), gone)),
        CENTRE_SCOPE: RecentState(
            (StateSegment(ms(9, 1), ms(9, 1, 30), "up"),), (StateSegment(ms(8, 58), ms(9, 0, 30), "up"),)
        ),
    }


def test_what_comes_after_the_present_or_long_ago_is_in_no_tail() -> None:
    found = [*beats(NOW + 1), *beats(NOW - fold.STATE_LOOKBACK_MS - 1, every_ms=600_000)]
    assert fold.centre_recent_states(CENTRE, (KIOSK,), found, NOW)[CENTRE_SCOPE] == RecentState()


def test_a_systems_tail_is_its_quorum() -> None:
    found = [probe("a", NOW - MINUTE), probe("b", NOW - 30_000), probe("c", NOW + 1)]
    tails = fold.system_recent_states(SYSTEM, found, NOW)
    assert tails == {f"system:{SYSTEM.id}": RecentState((StateSegment(NOW - 30_000, NOW + 90_000, "up"),))}


def test_an_undeclared_device_is_shown_as_it_spoke() -> None:
    stranger = replace(KIOSK, id="vn83-1-kiosk9")
    totals = five(
        [*beats(ms(8), device=stranger), said(made(ev.LinkState, ms(8), {"up": False}), stranger)], Window(ms(8), ms(9))
    )
    (row,) = [t for t in totals if t.scope == f"device:{stranger.id}"]
    assert (row.sums["up_ms"], row.sums["link_ms"]) == (150_000, 0)
