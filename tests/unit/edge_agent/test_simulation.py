"""A simulated day is the same each time, plausible, and all of it may be sent."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, datetime, time
from functools import cache
from typing import TYPE_CHECKING

import pytest

from edge_agent.sources.simulation import POWER_ON_MARGIN_MS, EventFeed, simulate_day
from telemetry import inventory
from telemetry.core.calendar.windows import MINUTE
from telemetry.core.figures.dossiers import dossier_figures
from telemetry.core.fold.administrative_counts import counts_of
from telemetry.core.fold.totals import add_sums
from telemetry.core.inventory import ALWAYS_OPEN, Device
from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.administrative_events import ADMINISTRATIVE_EVENTS

if TYPE_CHECKING:
    from telemetry.core.inventory import Centre, Inventory

DAY, SUNDAY = date(2026, 11, 23), date(2026, 11, 22)
ENDINGS = (ev.TicketFinished, ev.TicketAbandoned, ev.TicketNoShow, ev.TicketClosedEod)
OVERTIME_MS = 120 * MINUTE
"""The last customers are still served after closing."""
pytestmark = pytest.mark.parametrize("ident", ["vn83-83", "vn83-28756"])


@cache
def world() -> Inventory:
    return inventory.load(inventory.default_path())


def made(ident: str, day: date = DAY, seed: int = 1) -> dict[str, list[ev.Event]]:
    sample = world()
    return simulate_day(sample.centres[ident], sample.devices_of(ident), list(sample.systems.values()), day, seed)


def everything(ident: str) -> list[ev.Event]:
    return [event for events in made(ident).values() for event in events]


def edges(centre: Centre) -> tuple[int, int]:
    start = datetime.combine(DAY, time(), centre.zone).timestamp() * 1000
    from telemetry.core.calendar.windows import Window

    opening = centre.open_windows(Window(int(start), int(start) + 86_400_000))
    return opening[0].start, opening[-1].end


def test_the_same_seed_gives_the_same_day_and_another_does_not(ident: str) -> None:
    assert made(ident) == made(ident)
    assert made(ident, seed=2) != made(ident)


def test_halls_keep_their_promise_of_a_call_within_a_quarter_of_an_hour(ident: str) -> None:
    """A new user's first screen shows no exhausted budget: the sample promises it to four of five."""
    days = [day for number in range(14) if (day := date.fromordinal(DAY.toordinal() + number)).weekday() < 5]
    calls = [
        event
        for day in days
        for events in made(ident, day, 2021).values()
        for event in events
        if isinstance(event, ev.TicketCalled)
    ]
    assert sum(call.t - call.entered <= 15 * MINUTE for call in calls) >= 0.85 * len(calls)


def test_paper_runs_out_and_no_further(ident: str) -> None:
    """Ingest refuses a share below nothing, and with it the heartbeat."""
    centre = replace(world().centres[ident], hours=ALWAYS_OPEN)
    devices = [Device(f"{ident}-kiosk1", ident, "kiosk", 600_000)]
    beats = [e for e in simulate_day(centre, devices, [], DAY, 1)[devices[0].id] if isinstance(e, ev.DeviceHeartbeat)]
    assert min(beat.paper_pct for beat in beats if beat.paper_pct is not None) == 0.0


def test_a_closed_day_is_silent(ident: str) -> None:
    assert made(ident, SUNDAY) == {}


def test_every_ticket_begins_once_and_ends_once(ident: str) -> None:
    events = everything(ident)
    issued = [e.ticket for e in events if isinstance(e, ev.TicketIssued)]
    ended = [e.ticket for e in events if isinstance(e, ENDINGS)]
    assert issued
    assert len(set(issued)) == len(issued)
    assert sorted(issued) == sorted(ended)


def test_nobody_waits_or_is_served_less_than_no_time(ident: str) -> None:
    for event in everything(ident):
        assert event.t >= getattr(event, "entered", 0)
        if isinstance(event, ev.TicketFinished):
            assert event.entered <= event.called <= (event.started or event.called) <= event.t


def test_a_counter_serves_one_at_a_time(ident: str) -> None:
    served = [e for e in everything(ident) if isinstance(e, ev.TicketFinished)]
    for counter in {e.counter for e in served}:
        spans = sorted((e.called, e.t) for e in served if e.counter == counter)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_a_few_wait_long_and_nine_in_ten_do_not(ident: str) -> None:
    waits = [
        event.t - event.entered
        for seed in range(5)
        for events in made(ident, seed=seed).values()
        for event in events
        if isinstance(event, ev.TicketCalled)
    ]
    within = sum(wait <= 15 * MINUTE for wait in waits) / len(waits)
    assert within >= 0.85
    assert max(waits) >= 3 * MINUTE


def test_a_digital_system_is_hardly_ever_down_for_two_vantage_points(ident: str) -> None:
    probes = [
        event
        for seed in range(5)
        for events in made(ident, seed=seed).values()
        for event in events
        if isinstance(event, ev.ProbeResult)
    ]
    failed = sum(not probe.ok for probe in probes)
    assert failed <= len(probes) * 0.005


def test_all_of_it_may_be_stored(ident: str) -> None:
    for events in made(ident).values():
        for event in events:
            frame = codec.encode_frame("s", "", 0, [codec.encode_event(event)])
            assert codec.decode_frame(frame, codec.CONTENT_TYPE, event.t) == codec.DecodedFrame("s", [event])


def test_it_keeps_to_the_hours(ident: str) -> None:
    opens, closes = edges(world().centres[ident])
    events = everything(ident)
    assert min(e.t for e in events) >= opens - POWER_ON_MARGIN_MS
    assert max(e.t for e in events) <= closes + OVERTIME_MS
    assert all(opens <= e.t < closes for e in events if isinstance(e, (ev.TicketIssued, ev.TicketCalled)))
    beats = [e.t for e in events if isinstance(e, ev.DeviceHeartbeat)]
    assert max(beats) < closes + POWER_ON_MARGIN_MS


def test_it_says_that_it_is_simulated(ident: str) -> None:
    assert all(e.simulated for e in everything(ident) if isinstance(e, ev.DeviceHeartbeat))


def test_a_feed_hands_out_each_event_once_in_its_time(ident: str) -> None:
    events = max(made(ident).values(), key=len)
    assert events == sorted(events, key=lambda e: e.t)
    feed, got = EventFeed(events), list[ev.Event]()
    while (when := feed.next_due_at()) is not None:
        assert feed.take_due(when - 1) == []
        due = feed.take_due(when)
        assert {e.t for e in due} == {when}
        got += due
    assert got == events
    assert feed.take_due(1 << 60) == []


def test_link_losses_are_the_same_each_time_and_within_opening_hours(ident: str) -> None:
    from edge_agent.sources.simulation import link_losses
    from telemetry.core.calendar.windows import day_window

    centre = world().centres[ident]
    days = [date.fromordinal(DAY.toordinal() + back) for back in range(-120, 1)]
    found = {day: link_losses(centre, day, 1) for day in days}
    assert found == {day: link_losses(centre, day, 1) for day in days}
    assert any(found.values())
    for day, losses in found.items():
        opening = centre.open_windows(day_window(day, centre.zone))
        assert all(any(w.start <= loss.start < w.end for w in opening) for loss in losses)


def test_a_day_has_what_the_indicators_of_administration_are_made_of(ident: str) -> None:
    events = everything(ident)
    totals = add_sums(counts_of(event) for event in events if isinstance(event, ADMINISTRATIVE_EVENTS))
    assert totals["resolved_on_time"] > 0
    assert totals["backlog_snapshots"] == 1
    assert 0 < totals["resolved_digital"] <= dossier_figures(totals).resolved
    is_province = world().centres[ident].level == "province"
    assert totals.get("snapshots_procedures", 0) == (3 if is_province else 0)
    gateway = next(d.id for d in world().devices_of(ident) if d.kind == "gateway")
    assert {d for d, own in made(ident).items() if any(isinstance(e, ADMINISTRATIVE_EVENTS) for e in own)} == {gateway}
