"""Timelines tile their window and hold exactly the time that totals hold."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.calendar_values import CalendarRules, SingleMaintenance
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import SLOT, Window
from telemetry.core.fold.aggregation import hourly_totals
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import ALWAYS_OPEN, Centre
from telemetry.queries.availability import AvailabilityDimension, AvailabilityOptions, compute_availability
from telemetry.queries.buckets import bucket_query
from telemetry.queries.network import scope_of_centres
from telemetry.queries.timeline import SegmentKind, TimelineInput, build_timeline, open_time_account, round_to_seconds
from tests.total_rows import Rows

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
START = 1_795_392_000_000  # 07:00 on a Monday
SECONDS = st.integers(0, 300)
CELLS = st.lists(st.tuples(SECONDS, SECONDS, SECONDS, SECONDS), min_size=1, max_size=12)


def sums(cell: tuple[int, int, int, int]) -> dict[str, int]:
    """Return a total whose parts fit into five minutes."""
    left, out = 300, {}
    for name, want in zip(("up_ms", "down_ms", "platform_ms", "link_ms"), cell, strict=True):
        out[name] = min(left, want) * 1000
        left -= min(left, want)
    return out


def seen(cells: list[tuple[int, int, int, int]]) -> TimelineInput:
    own = {START + i * SLOT: sums(cell) for i, cell in enumerate(cells)}
    return TimelineInput(own, {}, "service", has_missing_rows=False, settled_until=START)


@settings(deadline=None)
@given(CELLS)
def test_segments_tile_the_window_and_hold_what_the_totals_hold(cells: list[tuple[int, int, int, int]]) -> None:
    window, known = Window(START, START + len(cells) * SLOT), seen(cells)
    found = build_timeline(window, known, Calendar(ALWAYS_OPEN, ZONE))
    assert [s.window.start for s in found[1:]] == [s.window.end for s in found[:-1]]
    assert (found[0].window.start, found[-1].window.end) == (window.start, window.end)
    account = open_time_account(found)
    assert account.up * 1000 == sum(row["up_ms"] for row in known.scope_sums.values())
    assert account.down * 1000 == sum(row["down_ms"] for row in known.scope_sums.values())
    assert account.excluded * 1000 == sum(row["platform_ms"] for row in known.scope_sums.values())
    assert (account.open + account.excluded) * 1000 == window.length


@settings(deadline=None)
@given(CELLS)
def test_neighbours_are_never_of_one_kind(cells: list[tuple[int, int, int, int]]) -> None:
    found = build_timeline(Window(START, START + len(cells) * SLOT), seen(cells), Calendar(ALWAYS_OPEN, ZONE))
    assert all(one.kind != other.kind or one.parts or other.parts for one, other in itertools.pairwise(found))
    assert all(s.window.length == SLOT for s in found if s.parts)


@settings(deadline=None)
@given(CELLS)
def test_what_is_mixed_is_of_two_states_or_more(cells: list[tuple[int, int, int, int]]) -> None:
    found = build_timeline(Window(START, START + len(cells) * SLOT), seen(cells), Calendar(ALWAYS_OPEN, ZONE))
    assert all((s.kind.state == "mixed") == (len(s.ms_by_state) > 1) for s in found)
    assert all(sum(part.ms for part in s.parts) == SLOT for s in found if s.parts)


@pytest.mark.parametrize("before_and_after", [*itertools.product([(300, 0, 0, 0), (0, 300, 0, 0)], repeat=2)])
def test_neighbours_never_divide_five_minutes(before_and_after: tuple[tuple[int, int, int, int], ...]) -> None:
    before, after = before_and_after  # as much down in one piece, in three pieces or at the wrong end fits them all
    found = build_timeline(
        Window(START, START + 3 * SLOT), seen([before, (120, 180, 0, 0), after]), Calendar(ALWAYS_OPEN, ZONE)
    )
    middle = found[1]
    assert (middle.window, middle.kind) == (Window(START + SLOT, START + 2 * SLOT), SegmentKind("mixed", "device"))
    assert middle.ms_by_state == {"up": 120_000, "down": 180_000}


def test_each_mixed_five_minutes_keeps_its_own_time() -> None:
    cells = [(299, 1, 0, 0), (1, 299, 0, 0)]
    found = build_timeline(Window(START, START + 2 * SLOT), seen(cells), Calendar(ALWAYS_OPEN, ZONE))
    assert [s.ms_by_state for s in found] == [{"up": 299_000, "down": 1_000}, {"up": 1_000, "down": 299_000}]


MAINTENANCE = SingleMaintenance("tủ mạng", Window(START + 4 * SLOT, START + 6 * SLOT))
MORNING = tuple(((time(7, 5), time(7, 50)),) for _ in range(7))
MS = st.integers(0, SLOT)
SLIS: tuple[AvailabilityDimension, ...] = ("service", "connectivity")


@settings(deadline=None)
@given(
    st.lists(st.none() | st.tuples(MS, MS, MS, MS), min_size=12, max_size=12),
    st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted),
    st.sampled_from(SLIS),
)
def test_a_timeline_holds_what_availability_answers(
    cells: list[tuple[int, int, int, int] | None], served: list[int], sli: AvailabilityDimension
) -> None:
    """At every ms, with closed, excluded and never folded time and time out of service."""
    rules = CalendarRules(maintenance=(MAINTENANCE,))
    centre = Centre("vn83-1", "83", "commune", "Một", "One", "83", "", 0, MORNING, (), ZONE, rules=rules)
    window, in_service = Window(START, START + 12 * SLOT), Window(START + served[0] * SLOT, START + served[1] * SLOT)
    prefix = "" if sli == "service" else "conn_"
    own = {
        START + i * SLOT: {prefix + name: ms for name, ms in split_ms(cell).items()}
        for i, cell in enumerate(cells)
        if cell
    }
    totals = [Total(centre.id, "centre:vn83-1", "5m", start, "83", sums) for start, sums in own.items()]
    scope = replace(scope_of_centres("centre:vn83-1", [centre]), in_service={centre.id: in_service})
    options = AvailabilityOptions("open", sli)
    hours = hourly_totals([t for t in totals if in_service.start <= t.start < in_service.end], centre.calendar)
    reader = Rows(*totals, *hours)  # the fold writes nothing out of service into hours
    answers = [
        compute_availability(reader, scope, bucket_query(window, size, ZONE), options, window.end).overall
        for size in ("5m", "total")
    ]
    timeline_input = TimelineInput(own, {}, sli, has_missing_rows=False, settled_until=START)
    account = open_time_account(build_timeline(window, timeline_input, centre.calendar, in_service))
    assert [replace(answer, not_in_service=0) for answer in answers] == [account, account]


def split_ms(cell: tuple[int, int, int, int]) -> dict[str, int]:
    """Return a total whose parts fit into five minutes, to the ms."""
    left, out = SLOT, {}
    for name, want in zip(("up_ms", "down_ms", "platform_ms", "link_ms"), cell, strict=True):
        out[name] = min(left, want)
        left -= out[name]
    return out


def test_unknown_for_two_causes_has_the_time_of_both() -> None:
    window = Window(START, START + SLOT)
    (one,) = build_timeline(window, seen([(0, 0, 0, 200)]), Calendar(ALWAYS_OPEN, ZONE))
    assert (one.kind.state, one.kind.cause) == ("unknown", "link")
    assert (one.ms_by_state, one.ms_by_cause) == ({"unknown": SLOT}, {"link": 200_000, "device": 100_000})


def test_a_closed_centre_has_one_closed_segment() -> None:
    morning = tuple(((time(7), time(8)),) for _ in range(7))
    window = Window(START + 12 * SLOT, START + 24 * SLOT)
    found = build_timeline(window, seen([(300, 0, 0, 0)]), Calendar(morning, ZONE))
    assert [(s.window, s.kind.state) for s in found] == [(window, "closed")]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4))
def test_whole_seconds_of_parts_add_up(parts: list[int]) -> None:
    found = round_to_seconds({str(i): ms for i, ms in enumerate(parts)})
    assert sum(found.values()) == (sum(parts) + 500) // 1000
