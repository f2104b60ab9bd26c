"""The traps of queue figures, each under its name: what others count wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, floor
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.figures.queue_periods import QueueHistoryRow
from telemetry.core.figures.segment_figures import Share, segment_figures
from telemetry.core.figures.suspect_services import suspect_services
from telemetry.core.fold.administrative_counts import counts_of
from telemetry.core.fold.event_spans import SEGMENT_REACH_MS, SERVICE_LEVEL_REACH_MS, event_span
from telemetry.core.fold.histogram_buckets import RELATIVE_ERROR, histogram_of
from telemetry.core.fold.ticket_segments import desk_counts
from telemetry.core.fold.totals import add_sums
from telemetry.core.protocol import events as ev
from tests.durations import nearest_rank
from tests.unit.days import WHOLE as WHOLE_DAY, ZONE, five, made, ms, said, sums_of, ticket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.fold.sourced_event import SourcedEvent

T = ms(9)
DAY = Window(ms(0), ms(23, 55))


def desk(*events: ev.Event, service: str = "land") -> Mapping[str, int]:
    return sums_of(five([said(event, spool=f"s{i}") for i, event in enumerate(events)]), f"desk:vn83-1:{service}")


def visit(
    name: str = "k1", entered: int = T, wait: int = 5 * MINUTE, length: int = 10 * MINUTE, **fields: object
) -> list[ev.Event]:
    call = entered + wait
    return [
        ticket(ev.TicketIssued, entered, ticket=name),
        ticket(ev.TicketCalled, call, ticket=name, entered=entered, counter="c1"),
        ticket(ev.TicketFinished, call + length, ticket=name, entered=entered, called=call, counter="c1", **fields),
    ]


# --- 1: open tickets --------------------------------------------------------------------------


def test_open_tickets_are_misses_at_entry_plus_x_and_no_later_event_changes_that() -> None:
    waiting = [ticket(ev.TicketIssued, T + i * MINUTE, ticket=f"k{i}") for i in range(10)]
    served = visit("a", T, MINUTE)
    before = desk(*served, *waiting)
    assert (before["level_good_900"], before["level_bad_900"]) == (1, 10)
    assert queue_figures(before).wait.mean_s == 60, "the mean of ended waits alone hides the ten"
    late = [ticket(ev.TicketCalled, T + HOUR, ticket=f"k{i}", entered=T + i * MINUTE, counter="c") for i in range(10)]
    after = desk(*served, *waiting, *late)
    assert (after["level_good_900"], after["level_bad_900"]) == (1, 10)


# --- 2: end of the day ------------------------------------------------------------------------


def test_end_of_day_closing_is_its_own_count_and_never_abandonment() -> None:
    sums = desk(ticket(ev.TicketIssued, T), ticket(ev.TicketClosedEod, ms(17), entered=T))
    figures = segment_figures(sums)
    assert (figures.closed_eod, figures.abandonment, figures.no_shows) == (1, Share(0, 1), Share(0, 1))


def test_midnight_divides_no_ticket() -> None:
    """What the night closes after midnight counts on its own day; the day before has its arrival and its misses."""
    midnight = ms(23) + HOUR
    closing = ticket(ev.TicketClosedEod, midnight + 1000, entered=ms(23, 50))
    hall = [said(ticket(ev.TicketIssued, ms(23, 50))), said(closing, spool="t")]
    windows = (Window(ms(23), midnight), Window(midnight, midnight + HOUR))
    evening, night = (sums_of(five(hall, window), "desk:vn83-1:land") for window in windows)
    assert (evening["issued"], evening.get("closed_eod", 0), evening["level_bad_300"]) == (1, 0, 1)
    assert (night.get("issued", 0), night["closed_eod"], night.get("abandoned", 0)) == (0, 1, 0)
    assert night.get("level_bad_900", 0) == 0


# --- 3: transfer ------------------------------------------------------------------------------


def transfer(t: int = T + 10 * MINUTE) -> list[ev.Event]:
    """Waits 5 minutes for `land`, is sent to `tax` after 5 more, waits there 7 minutes."""
    return [
        ticket(ev.TicketIssued, T),
        ticket(ev.TicketCalled, T + 5 * MINUTE, entered=T, counter="c1"),
        ticket(ev.TicketTransferred, t, entered=T, called=T + 5 * MINUTE, to_queue="tax", to_service="tax"),
        ticket(ev.TicketCalled, t + 7 * MINUTE, queue="tax", service="tax", entered=t, counter="c2"),
        ticket(ev.TicketFinished, t + 9 * MINUTE, queue="tax", service="tax", entered=t, called=t + 7 * MINUTE,
               counter="c2"),
    ]  # fmt: skip


def test_transfer_gives_each_segment_its_own_wait_and_the_visit_counts_once() -> None:
    first, second = desk(*transfer()), desk(*transfer(), service="tax")
    assert (first["wait_sum_ms"], second["wait_sum_ms"]) == (5 * MINUTE, 7 * MINUTE)
    assert (first["issued"], second.get("issued", 0)) == (1, 0)
    assert (first["transferred"], second["transferred_in"]) == (1, 1)
    both = add_sums([first, second])
    assert both["wait_sum_ms"] == 12 * MINUTE, "the wait of the visit is the sum of its segments"
    assert segment_figures(both, whole_days=True).data_quality == Share(2, 2)


# --- 4: recall and recycle --------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ev.TicketRecalled, ev.TicketCalled])
def test_recall_and_recycle_do_not_restart_the_wait_and_the_last_call_is_counted_beside_it(kind: type) -> None:
    issue, call, finish = visit(wait=5 * MINUTE, length=20 * MINUTE)
    again = ticket(kind, T + 12 * MINUTE, entered=T, counter="c1", call=2)
    began = ticket(ev.TicketServingStarted, T + 13 * MINUTE, entered=T, called=T + 5 * MINUTE, counter="c1")
    sums = desk(issue, call, again, began, finish)
    figures = segment_figures(sums)
    assert (sums["called"], sums["recalled"], sums["wait_sum_ms"]) == (1, 1, 5 * MINUTE)
    assert (figures.final_wait.count, figures.final_wait.mean_s) == (1, 12 * 60)
    assert figures.way_time.mean_s == 60, "from the last call"


def test_calling_early_does_not_shorten_the_wait_until_the_last_call() -> None:
    early = visit("a", wait=0, length=20 * MINUTE)
    again = ticket(ev.TicketRecalled, T + 15 * MINUTE, ticket="a", entered=T, counter="c1")
    sums = desk(*early, again)
    assert (queue_figures(sums).wait.mean_s, segment_figures(sums).final_wait.mean_s) == (0, 15 * 60)


# --- 5: late no-show decision -----------------------------------------------------------------


def test_late_no_show_folds_its_own_day_again_and_is_a_rate_apart_from_abandonment() -> None:
    missed = ticket(ev.TicketNoShow, ms(16, 59), entered=T, calls=3)
    left = ticket(ev.TicketAbandoned, T + 3 * MINUTE, ticket="k2", entered=T)
    figures = segment_figures(desk(ticket(ev.TicketIssued, T), ticket(ev.TicketIssued, T, ticket="k2"), missed, left))
    assert (figures.abandonment, figures.no_shows) == (Share(1, 2), Share(1, 2))
    assert floor(event_span(missed).start, HOUR) <= floor(missed.t, HOUR) < event_span(missed).end


# --- 6: double close, forgotten open ----------------------------------------------------------


def test_double_close_serves_one_person() -> None:
    *_, finish = once = visit()
    again = ticket(ev.TicketFinished, finish.t + MINUTE, entered=T, called=T + 5 * MINUTE, counter="c1")
    sums = desk(*once, again)
    assert (sums["served"], sums["double_closed"], sums["service_sum_ms"]) == (1, 1, 10 * MINUTE)


def test_forgotten_open_services_are_counted_and_have_no_length() -> None:
    sums = desk(*visit("a"), *visit("b", length=8 * HOUR, quality="forgotten_open"))
    assert (sums["served"], sums["forgotten_open"], sums["service_sum_ms"]) == (2, 1, 10 * MINUTE)


def test_forgotten_open_services_are_suspected_beyond_three_times_the_95th_percentile() -> None:
    usual = [minutes * MINUTE for minutes in (*range(5, 15), *range(5, 15))]
    sums = add_sums({"service_sum_ms": ms_, "service_histogram": histogram_of(ms_)} for ms_ in (*usual, 8 * HOUR))
    found = suspect_services(queue_figures(sums).service_time)
    assert (found.count, found.usual_count) == (1, 20)
    assert found.limit_s == pytest.approx(3 * 14 * 60, rel=RELATIVE_ERROR)
    assert found.usual_mean_s == pytest.approx(sum(usual) / 20_000, rel=0.1)
    few = suspect_services(
        queue_figures({"service_sum_ms": HOUR, "service_histogram": histogram_of(HOUR)}).service_time
    )
    assert (few.limit_s, few.count, few.usual_mean_s) == (None, 0, 3600)
    assert suspect_services(queue_figures({}).service_time).usual_mean_s is None


# --- 7: missing events ------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_missing_events_lower_the_quality_of_data(missing: int) -> None:
    whole = [event for i in range(9) for event in visit(f"a{i}", T + i * MINUTE)]
    broken = [event for i, event in enumerate(visit("b")) if i != missing]
    assert segment_figures(desk(*whole, *broken), whole_days=True).data_quality == Share(9, 10)


def test_missing_events_are_not_judged_of_a_visit_longer_than_the_fold_follows_back() -> None:
    only_end = visit(wait=MINUTE, length=SEGMENT_REACH_MS)[2:]
    assert segment_figures(desk(*only_end)).data_quality == Share(1, 1)


# --- 8: clock skew ----------------------------------------------------------------------------


def test_clock_skew_is_quarantined_and_counted_never_clamped_to_zero() -> None:
    call = ticket(ev.TicketCalled, T, entered=T + 3000, counter="c")
    began = ticket(ev.TicketServingStarted, T, ticket="k2", entered=T - MINUTE, called=T + 2000, counter="c")
    end = ticket(ev.TicketFinished, T, ticket="k3", entered=T - MINUTE, called=T + 1000, counter="c")
    sums = desk(call, began, end)
    figures = segment_figures(sums)
    assert (figures.negative.wait, figures.negative.way, figures.negative.service) == (1, 1, 1)
    assert (queue_figures(sums).wait.count, figures.way_time.count, queue_figures(sums).service_time.count) == (0, 0, 0)
    assert (sums["called"], sums["served"]) == (1, 1)


# --- 9: duplicates and replays ----------------------------------------------------------------


def test_duplicates_and_replays_change_nothing() -> None:
    once = [said(event, spool=f"s{i}") for i, event in enumerate(transfer())]
    assert five([*once, *reversed(once), *once]) == five(once)


# --- 10: averages of averages -----------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 4 * HOUR), min_size=1, max_size=30), min_size=2, max_size=5))
def test_averages_of_averages_are_not_taken_sums_and_histograms_are_merged(parts: list[list[int]]) -> None:
    sums = [
        add_sums(sums for j, ms_ in enumerate(part) for sums in [desk_sums(i, j, ms_)]) for i, part in enumerate(parts)
    ]
    merged = queue_figures(add_sums(sums)).wait
    waits = [wait for part in parts for wait in part]
    assert merged.count == len(waits)
    assert merged.mean_s == pytest.approx(sum(waits) / len(waits) / 1000)
    exact = nearest_rank(waits, 0.9) / 1000
    assert merged.percentile_s(0.9) == pytest.approx(exact, rel=RELATIVE_ERROR)


def desk_sums(i: int, j: int, wait: int) -> dict[str, int]:
    call = ticket(ev.TicketCalled, T + wait, ticket=f"k{i}-{j}", entered=T, counter="c")
    (by_slot,) = desk_counts([said(call)], Window(T, T + 5 * HOUR)).values()
    return add_sums(by_slot.values())


# --- 11: denominator zero ---------------------------------------------------------------------


def test_denominator_zero_gives_null_never_zero_or_one() -> None:
    figures = segment_figures({})
    assert [s.ratio for s in (figures.abandonment, figures.no_shows, figures.data_quality)] == [None] * 3
    assert (figures.way_time.mean_s, figures.final_wait.mean_s, figures.final_wait.sum_s) == (None, None, 0)


# --- 12: seconds, not minutes -----------------------------------------------------------------


def test_seconds_not_minutes_for_way_time() -> None:
    began = [
        ticket(ev.TicketServingStarted, T + way, ticket=f"k{way}", entered=T - MINUTE, called=T, counter="c")
        for way in (29_000, 31_000, 500)
    ]
    way_time = segment_figures(desk(*began)).way_time
    assert (way_time.count, way_time.sum_s) == (3, 60.5)


# --- 14: two services in one visit ------------------------------------------------------------


def test_two_services_in_one_visit_have_two_service_times_and_one_wait() -> None:
    issue, call, finish = visit(length=10 * MINUTE)
    second = ticket(
        ev.TicketFinished, finish.t + 4 * MINUTE, queue="tax", service="tax", counter="c1", entered=T,
        called=T + 5 * MINUTE, started=finish.t,
    )  # fmt: skip
    land, tax = desk(issue, call, finish, second), desk(issue, call, finish, second, service="tax")
    assert (land["wait_sum_ms"], tax.get("wait_sum_ms", 0), tax.get("called", 0)) == (5 * MINUTE, 0, 0)
    assert (land["service_sum_ms"], tax["service_sum_ms"]) == (10 * MINUTE, 4 * MINUTE)
    assert (land["issued"], tax.get("issued", 0)) == (1, 0)


# --- 15: appointments -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("booked", "call", "wait"),
    [
        (T + 20 * MINUTE, T + 25 * MINUTE, 5 * MINUTE),
        (T - 20 * MINUTE, T + 25 * MINUTE, 25 * MINUTE),
        (T + 20 * MINUTE, T + 10 * MINUTE, 0),
    ],
)
def test_appointments_wait_from_the_later_of_arrival_and_booked_time(booked: int, call: int, wait: int) -> None:
    appointment = ticket(ev.TicketIssued, T, ticket="a", channel="booking", booked=booked)
    called = ticket(ev.TicketCalled, call, ticket="a", entered=T, counter="c1")
    sums = desk(appointment, called, *visit(wait=7 * MINUTE))
    figures = segment_figures(sums)
    assert sums.get("wait_sum_ms", 0) == wait + 7 * MINUTE
    assert (figures.booked.issued, figures.booked.count, figures.booked.sum_s) == (1, 1, wait / 1000)
    assert (figures.booked.mean_s, segment_figures({}).booked.mean_s) == (wait / 1000, None)


def test_appointments_too_need_clocks_that_agree() -> None:
    appointment = ticket(ev.TicketIssued, T, booked=T + HOUR)
    sums = desk(appointment, ticket(ev.TicketCalled, T - 2000, entered=T, counter="c1"))
    assert sums["wait_negative"] == 1
    far = desk(appointment, ticket(ev.TicketCalled, T + 2 * HOUR, entered=T, counter="c1"))
    assert far["wait_sum_ms"] == 2 * HOUR, "the booking lies further back than a fold follows a ticket"


# --- 16: working-day due dates ----------------------------------------------------------------


def test_working_day_due_dates_are_the_systems_own_and_no_weekend_makes_a_dossier_late() -> None:
    """The system that took the dossier excludes weekends, holidays and requests for supplements when it sets `due`."""
    monday = ms(10) + 3 * 24 * HOUR
    fields = {"received": T, "channel": "direct", "due": monday}
    on_time, late = (
        counts_of(made(ev.DossierResolved, t, {**fields, "dossier": "d1", "service": "land"}))
        for t in (monday, monday + 1)
    )
    assert (on_time.get("resolved_on_time"), on_time.get("resolved_late")) == (1, None)
    assert (late.get("resolved_on_time"), late.get("resolved_late")) == (None, 1)


# --- the fold of any window -------------------------------------------------------------------


def any_event(kind: type[ev.Event], minutes: int, age: int, name: str) -> ev.Event:
    t = T + minutes * MINUTE
    fields: dict[str, object] = {
        "entered": max(ms(7), t - age * MINUTE), "counter": "c", "called": t - 2 * MINUTE, "started": t - MINUTE,
        "to_queue": "tax", "to_service": "tax",
    }  # fmt: skip
    return ticket(kind, t, ticket=name, **{k: v for k, v in fields.items() if k in kind.__struct_fields__})


TICKET_EVENTS = st.builds(
    any_event,
    st.sampled_from((
        ev.TicketIssued, ev.TicketCalled, ev.TicketRecalled, ev.TicketServingStarted, ev.TicketTransferred,
        ev.TicketFinished, ev.TicketNoShow, ev.TicketAbandoned, ev.TicketClosedEod, ev.TicketHeld,
    )),
    st.integers(0, 150),
    st.sampled_from((0, 1, 20, 59, 61, 90)),
    st.sampled_from("ab"),
)  # fmt: skip
HALLS = st.lists(TICKET_EVENTS, max_size=14).map(
    lambda events: sorted((said(e, spool=str(i)) for i, e in enumerate(events)), key=lambda s: s.event.t)
)
WHOLE = Window(ms(8), ms(13))


@given(HALLS)
def test_hours_folded_one_by_one_are_the_whole(hall: list[SourcedEvent]) -> None:
    parts: dict[str, dict[int, dict[str, int]]] = {}
    for start in range(WHOLE.start, WHOLE.end, HOUR):
        window = Window(start, start + HOUR)
        read = [s for s in hall if start - SERVICE_LEVEL_REACH_MS <= s.event.t < window.end]
        for service, slots in desk_counts(read, window).items():
            parts.setdefault(service, {}).update(slots)
    assert parts == desk_counts(hall, WHOLE)


@given(HALLS, TICKET_EVENTS)
def test_a_late_event_changes_nothing_outside_its_span(hall: list[SourcedEvent], late: ev.Event) -> None:
    after = sorted([*hall, said(late, spool="late")], key=lambda s: s.event.t)
    one, other = desk_counts(hall, WHOLE), desk_counts(after, WHOLE)
    span = event_span(late)
    for service in {*one, *other}:
        before, now = one.get(service, {}), other.get(service, {})
        changed = [slot for slot in {*before, *now} if before.get(slot) != now.get(slot)]
        assert all(floor(span.start, SLOT) <= slot < span.end for slot in changed)


# --- 13: lunch, split shifts, online-only -----------------------------------------------------


def test_lunch_and_split_shifts_are_in_no_denominator() -> None:
    """The counter closes for lunch: utilisation and availability use the time on duty alone."""

    def beats(state: str, start: int, end: int) -> list[ev.Event]:
        counters = [{"counter": "c1", "state": state}]
        return [made(ev.DeviceHeartbeat, t, {"counters": counters}) for t in range(start, end, MINUTE)]

    shifts = [
        made(ev.SchedulePublished, ms(7) + i, {"counter": "c1", "opens": opens, "closes": closes})
        for i, (opens, closes) in enumerate(((ms(7, 30), ms(11, 30)), (ms(13, 30), ms(17))))
    ]
    day = [*beats("open", ms(7, 30), ms(11, 30)), *beats("break", ms(11, 30), ms(13, 30)),
           *beats("open", ms(13, 30), ms(16, 30)), *beats("closed", ms(16, 30), ms(17))]  # fmt: skip
    hall = [said(e, spool=f"s{i}") for i, e in enumerate([*shifts, *day, *visit(entered=ms(8), length=HOUR)])]
    sums = sums_of(five(hall, DAY), "counters:vn83-1")
    assert sums["counter_rostered_ms"] == 7 * HOUR + 30 * MINUTE
    assert sums["counter_open_ms"] == sums["counter_open_rostered_ms"] == 7 * HOUR
    assert sums["counter_busy_ms"] == HOUR


@pytest.mark.parametrize(
    ("window", "segments"),
    [(WHOLE_DAY, 2), (Window(WHOLE_DAY.start, WHOLE_DAY.end - SLOT), 1), (Window(T, T + HOUR), 1)],
)
def test_segments_without_an_end_are_known_over_whole_past_days_only(window: Window, segments: int) -> None:
    row = QueueHistoryRow("c", "land", window, ZONE, {"issued": 2, "served": 1})
    assert row.segments(WHOLE_DAY.end).data_quality == Share(1, segments)
    assert row.segments(window.end - 1).data_quality == Share(1, 1)
