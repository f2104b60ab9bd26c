"""The service level: every wait is decided once per threshold, at entry + X, by what was said until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, floor
from telemetry.core.fold.event_spans import SERVICE_LEVEL_REACH_MS, dirty_hours_of_frames, event_span
from telemetry.core.fold.service_levels import service_level_counts
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.fold.totals import SERVICE_LEVEL_THRESHOLDS_S, add_sums
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = 1_767_225_600_000
WHOLE = Window(T - 2 * HOUR, T + 12 * HOUR)


def said(*events: ev.Event) -> list[SourcedEvent]:
    return [SourcedEvent("d", "s", event) for event in events]


def ticket(name: str = "k", service: str = "land") -> dict[str, Any]:
    return {"ticket": name, "queue": "q", "service": service}


def issued(t: int = T, name: str = "k") -> ev.Event:
    return ev.TicketIssued(n=1, t=t, **ticket(name))


def called(t: int, entered: int = T, name: str = "k", service: str = "land") -> ev.Event:
    return ev.TicketCalled(n=2, t=t, counter="c", entered=entered, **ticket(name, service))


def total(events: Iterable[SourcedEvent], service: str = "land", window: Window = WHOLE) -> dict[str, int]:
    return add_sums(service_level_counts(events, window).get(service, {}).values())


def test_a_ticket_called_after_twelve_minutes_misses_ten_and_meets_fifteen() -> None:
    assert total(said(issued(), called(T + 12 * MINUTE))) == {
        "level_bad_300": 1, "level_bad_600": 1, "level_good_900": 1, "level_good_1800": 1, "level_good_3600": 1,
    }  # fmt: skip


def test_it_is_counted_in_the_five_minutes_in_which_it_is_decided() -> None:
    found = service_level_counts(said(issued(), called(T + 12 * MINUTE)), WHOLE)["land"]
    assert [(mark - T) // MINUTE for mark, sums in sorted(found.items()) if sums] == [5, 10, 15, 30, 60]


def test_who_still_waits_has_missed() -> None:
    assert total(said(issued())) == {f"level_bad_{x}": 1 for x in SERVICE_LEVEL_THRESHOLDS_S}


def test_who_gives_up_is_counted_only_where_the_threshold_had_passed() -> None:
    left = ev.TicketAbandoned(n=3, t=T + 7 * MINUTE, entered=T, **ticket())
    assert total(said(issued(), left)) == {"level_bad_300": 1}


def test_who_was_called_and_did_not_come_counts_only_where_it_was_decided_before() -> None:
    gone = ev.TicketNoShow(n=3, t=T + 7 * MINUTE, entered=T, **ticket())
    assert total(said(issued(), called(T + 2 * MINUTE), gone)) == {"level_good_300": 1}


def test_an_entry_further_ahead_than_clocks_differ_decides_nothing() -> None:
    assert total(said(called(T, entered=1 << 53))) == {}
    assert event_span(called(T, entered=1 << 53)).end < T + 2 * HOUR
    moved = ev.TicketTransferred(n=3, t=T, entered=1 << 53, to_queue="q", to_service="tax", **ticket())
    assert total(said(moved), "tax") == {f"level_bad_{x}": 1 for x in SERVICE_LEVEL_THRESHOLDS_S}
    assert (
        len(
            dirty_hours_of_frames(
                [("c1", [called(T, entered=1 << 53), issued()]), ("c1", [called(T, entered=1 << 53)])]
            )
        )
        == 1
    )


def test_a_transfer_ends_one_wait_and_begins_another() -> None:
    moved = ev.TicketTransferred(n=3, t=T + 8 * MINUTE, entered=T, to_queue="q", to_service="tax", **ticket())
    events = said(issued(), called(T + MINUTE), moved, called(T + 9 * MINUTE, T + 8 * MINUTE, service="tax"))
    assert total(events) == total(events, "tax") == {f"level_good_{x}": 1 for x in SERVICE_LEVEL_THRESHOLDS_S}


def test_a_transfer_without_a_call_is_lost_to_its_first_desk() -> None:
    moved = ev.TicketTransferred(n=3, t=T + 8 * MINUTE, entered=T, to_queue="q", to_service="tax", **ticket())
    assert total(said(issued(), moved)) == {"level_bad_300": 1}


def test_clocks_of_kiosk_and_desk_that_differ_a_little_tell_of_one_wait() -> None:
    assert total(said(issued(), called(T + 2 * MINUTE, T + 3_000))) == {
        f"level_good_{x}": 1 for x in SERVICE_LEVEL_THRESHOLDS_S
    }


def test_two_entries_of_one_ticket_close_together_are_one_wait() -> None:
    events = [*said(issued()), SourcedEvent("other", "s", issued(T + 500)), *said(called(T + 2 * MINUTE))]
    assert total(events) == {f"level_good_{x}": 1 for x in SERVICE_LEVEL_THRESHOLDS_S}


def test_a_call_without_an_issue_is_a_wait_from_its_entry() -> None:
    assert total(said(called(T + 12 * MINUTE))) == {f"level_good_{x}": 1 for x in (900, 1800, 3600)}
    twice = said(called(T + 12 * MINUTE), called(T + 20 * MINUTE))
    assert total(twice) == {f"level_good_{x}": 1 for x in (900, 1800, 3600)}


NAMES = st.sampled_from(["a", "b"])
MINUTES = st.integers(0, 200).map(lambda m: T + m * MINUTE)


@st.composite
def events(draw: st.DrawFn) -> ev.Event:
    name, t, entered = draw(NAMES), draw(MINUTES), draw(MINUTES)
    kind = draw(st.sampled_from(["issued", "called", "abandoned", "moved", "eod"]))
    if kind == "issued":
        return issued(t, name)
    if kind == "called":
        return called(t, min(entered, t), name)
    if kind == "moved":
        return ev.TicketTransferred(n=3, t=t, entered=min(entered, t), to_queue="q", to_service="tax", **ticket(name))
    closing = ev.TicketAbandoned if kind == "abandoned" else ev.TicketClosedEod
    return closing(n=4, t=t, entered=min(entered, t), **ticket(name))


HALLS = st.lists(events(), max_size=12).map(lambda found: said(*found))


@given(HALLS, st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(hall: list[SourcedEvent], chance: Any) -> None:  # noqa: ANN401
    shuffled = [*hall, *hall[:3]]
    chance.shuffle(shuffled)
    assert service_level_counts(shuffled, WHOLE) == service_level_counts(hall, WHOLE)


def read(hall: Sequence[SourcedEvent], window: Window) -> list[SourcedEvent]:
    return [s for s in hall if window.start - SERVICE_LEVEL_REACH_MS <= s.event.t < window.end]


@given(HALLS)
def test_hours_folded_one_by_one_are_the_whole(hall: list[SourcedEvent]) -> None:
    whole = service_level_counts(hall, WHOLE)
    parts: dict[str, dict[int, dict[str, int]]] = {}
    for start in range(WHOLE.start, WHOLE.end, HOUR):
        window = Window(start, start + HOUR)
        for service, marks in service_level_counts(read(hall, window), window).items():
            parts.setdefault(service, {}).update(marks)
    assert parts == whole


@given(HALLS, events())
def test_a_late_event_changes_nothing_outside_its_span(hall: list[SourcedEvent], late: ev.Event) -> None:
    before, after = service_level_counts(hall, WHOLE), service_level_counts([*hall, *said(late)], WHOLE)
    touched = event_span(late)
    for service in {*before, *after}:
        one, other = before.get(service, {}), after.get(service, {})
        changed = [mark for mark in {*one, *other} if one.get(mark) != other.get(mark)]
        assert all(floor(touched.start, SLOT) <= mark < touched.end for mark in changed)
