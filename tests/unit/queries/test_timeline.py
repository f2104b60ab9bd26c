"""Timelines tile their window and hold exactly the time that totals hold."""

from __future__ import annotations

import itertools
from datetime import time
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import SLOT, Window
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.queries.timeline import TimelineInput, build_timeline, open_time_account, round_to_seconds

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
    assert all(one.kind != other.kind for one, other in itertools.pairwise(found))


@settings(deadline=None)
@given(CELLS)
def test_what_is_mixed_is_of_two_states_or_more(cells: list[tuple[int, int, int, int]]) -> None:
    found = build_timeline(Window(START, START + len(cells) * SLOT), seen(cells), Calendar(ALWAYS_OPEN, ZONE))
    assert all((s.kind.state == "mixed") == (len(s.parts) > 1) for s in found)


def test_unknown_for_two_causes_is_unknown_for_the_longer_one() -> None:
    window = Window(START, START + SLOT)
    (one,) = build_timeline(window, seen([(0, 0, 0, 200)]), Calendar(ALWAYS_OPEN, ZONE))
    assert (one.kind.state, one.kind.cause, one.parts) == ("unknown", "link", ())


def test_a_closed_centre_has_one_closed_segment() -> None:
    morning = tuple(((time(7), time(8)),) for _ in range(7))
    window = Window(START + 12 * SLOT, START + 24 * SLOT)
    found = build_timeline(window, seen([(300, 0, 0, 0)]), Calendar(morning, ZONE))
    assert [(s.window, s.kind.state) for s in found] == [(window, "closed")]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4))
def test_whole_seconds_of_parts_add_up(parts: list[int]) -> None:
    found = round_to_seconds([(str(i), ms) for i, ms in enumerate(parts)])
    assert sum(found.values()) == (sum(parts) + 500) // 1000
