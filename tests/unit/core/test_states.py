"""Three-state time: belief ends, composites follow Kleene logic moment by moment."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import SLOT, Window
from telemetry.core.fold.states import (
    KnownState,
    StateReport,
    StateSegment,
    all_of,
    any_of,
    build_segments,
    k_of_n,
    spread_over_slots,
    state_at,
    unknown_windows,
)

if TYPE_CHECKING:
    from random import Random

    from telemetry.core.fold.live_row_types import AvailabilityState

known_states: st.SearchStrategy[KnownState] = st.sampled_from(["up", "down"])
reports = st.lists(st.builds(StateReport, st.integers(0, 50), known_states, st.integers(0, 15)), max_size=10)
members = st.lists(reports.map(build_segments), min_size=1, max_size=5)
HORIZON = range(70)


def letters(known: list[StateSegment], ends: int = 9) -> str:
    """States as U, D and ? per ms."""
    return "".join({"up": "U", "down": "D", "unknown": "?"}[state_at(known, t)] for t in range(ends))


def member(text: str) -> list[StateSegment]:
    """One segment per letter of `U?D`."""
    names: dict[str, KnownState] = {"U": "up", "D": "down"}
    return [StateSegment(t, t + 1, names[c]) for t, c in enumerate(text) if c in names]


def test_a_report_is_believed_for_its_grace() -> None:
    assert build_segments([StateReport(2, "up", 3)]) == [StateSegment(2, 5, "up")]


def test_a_newer_report_ends_the_older_ones_belief() -> None:
    assert build_segments([StateReport(0, "up", 9), StateReport(4, "down", 2)]) == [
        StateSegment(0, 4, "up"),
        StateSegment(4, 6, "down"),
    ]


def test_neighbours_of_one_state_join() -> None:
    assert build_segments([StateReport(0, "up", 5), StateReport(5, "up", 5), StateReport(11, "up", 1)]) == [
        StateSegment(0, 10, "up"),
        StateSegment(11, 12, "up"),
    ]


def test_of_two_reports_at_one_moment_up_wins_in_any_order() -> None:
    both = [StateReport(0, "up", 5), StateReport(0, "down", 9)]
    assert build_segments(both) == build_segments(both[::-1]) == [StateSegment(0, 5, "up")]


@given(reports, st.randoms(use_true_random=False))
def test_segments_do_not_depend_on_order_or_repeats(found: list[StateReport], chance: Random) -> None:
    shuffled = sorted([*found, *found], key=lambda _: chance.random())
    assert build_segments(shuffled) == build_segments(found)


@given(reports)
def test_segments_are_sorted_disjoint_and_not_empty(found: list[StateReport]) -> None:
    known = build_segments(found)
    assert all(s.start < s.end for s in known)
    assert all(a.end < b.start or (a.end == b.start and a.state != b.state) for a, b in pairwise(known))


@pytest.mark.parametrize(("k", "state"), [(3, "U"), (4, "?"), (5, "?"), (6, "D")])
def test_k_of_n_over_uuu_unknown_unknown_ddd_is_as_in_the_reference(k: int, state: str) -> None:
    assert letters(k_of_n([member(c) for c in "UUU??DDD"], k), 1) == state


def kleene(states: list[AvailabilityState], k: int) -> AvailabilityState:
    if states.count("up") >= k:
        return "up"
    return "down" if len(states) - states.count("down") < k else "unknown"


@given(members, st.integers(1, 5))
def test_k_of_n_is_right_at_every_moment(parts: list[list[StateSegment]], k: int) -> None:
    k = min(k, len(parts))
    combined = k_of_n(parts, k)
    assert [state_at(combined, t) for t in HORIZON] == [kleene([state_at(p, t) for p in parts], k) for t in HORIZON]


def test_series_is_down_when_one_is_and_redundancy_up_when_one_is() -> None:
    parts = [member("UUU???DDD"), member("U?DU?DU?D")]
    assert letters(all_of(parts)) == "U?D??DDDD"
    assert letters(any_of(parts)) == "UUUU??U?D"


@given(reports, st.integers(0, 50), st.integers(0, 50))
def test_marks_hold_the_known_time_of_the_window(found: list[StateReport], start: int, length: int) -> None:
    step = SLOT // 10
    known = [StateSegment(s.start * step, s.end * step, s.state) for s in build_segments(found)]
    window = Window(start * step, (start + length) * step)
    cells = spread_over_slots([(s.start, s.end, 3) for s in known], window)
    inside = [part.length for s in known if (part := Window(s.start, s.end).clip(window))]
    assert sum(cells.values()) == 3 * sum(inside)
    assert all(mark % SLOT == 0 and 0 < ms <= 3 * SLOT for mark, ms in cells.items())


@given(reports, st.integers(0, 50), st.integers(0, 50))
def test_gaps_are_the_moments_no_segment_covers(found: list[StateReport], start: int, length: int) -> None:
    known, window = build_segments(found), Window(start, start + length)
    silent = unknown_windows(known, window)
    covered = {t for w in silent for t in range(w.start, w.end)}
    assert covered == {t for t in range(start, start + length) if state_at(known, t) == "unknown"}
    assert all(w.length for w in silent)
    assert all(a.end < b.start for a, b in pairwise(silent))


def test_a_moment_nobody_spoke_of_is_unknown() -> None:
    assert state_at([], 5) == "unknown"
    assert letters([StateSegment(1, 3, "down")], 4) == "?DD?"
