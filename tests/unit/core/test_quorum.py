"""Kleene logic at one moment, capacity shares, what-if figures and the composite of a centre."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import Window
from telemetry.core.fold import states
from telemetry.core.fold.centre_state import capacity_bounds, combine_parts
from telemetry.core.fold.states import KnownState, StateSegment
from tests.oracles import quorum

if TYPE_CHECKING:
    from telemetry.core.fold.live_row_types import AvailabilityState

calm = settings(deadline=None)

LETTERS: dict[str, AvailabilityState] = {"U": "up", "?": "unknown", "D": "down"}
three: st.SearchStrategy[AvailabilityState] = st.sampled_from(["up", "unknown", "down"])
members = st.lists(three, min_size=1, max_size=8)


def of(text: str) -> list[AvailabilityState]:
    return [LETTERS[c] for c in text]


def line(text: str) -> tuple[StateSegment, ...]:
    """One ms per letter."""
    names: dict[str, KnownState] = {"U": "up", "D": "down"}
    return tuple(StateSegment(t, t + 1, names[c]) for t, c in enumerate(text) if c in names)


@pytest.mark.parametrize(("k", "state"), [(3, "up"), (5, "unknown"), (6, "down")])
def test_the_references_quorum_holds(k: int, state: str) -> None:
    assert quorum.k_of_n_state(k, of("UUU??DDD")) == state


@pytest.mark.parametrize(
    ("text", "every", "some"),
    [
        ("UU", "up", "up"),
        ("U?", "unknown", "up"),
        ("?D", "down", "unknown"),
        ("UD", "down", "up"),
        ("D", "down", "down"),
    ],
)
def test_series_and_redundance(text: str, every: str, some: str) -> None:
    assert (quorum.all_of_state(of(text)), quorum.any_of_state(of(text))) == (every, some)


@calm
@given(members, st.integers(1, 9))
def test_what_is_unknown_decides_nothing_that_is_certain(found: list[AvailabilityState], k: int) -> None:
    worst = ["down" if s == "unknown" else s for s in found]
    best = ["up" if s == "unknown" else s for s in found]
    bounds = {worst.count("up") >= k, best.count("up") >= k}
    expected = {frozenset({True}): "up", frozenset({False}): "down"}.get(frozenset(bounds), "unknown")
    assert quorum.k_of_n_state(k, found) == expected


@calm
@given(members, st.data())
def test_one_moment_agrees_with_the_time_axis(found: list[AvailabilityState], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(found)))
    segments = [[StateSegment(0, 1, s)] if s != "unknown" else [] for s in found]
    assert states.state_at(states.k_of_n(segments, k), 0) == quorum.k_of_n_state(k, found)


@pytest.mark.parametrize(
    ("up", "unknown", "grade"),
    [(6, 0, "operational"), (5, 0, "degraded"), (3, 0, "degraded"), (2, 0, "partial_outage"), (0, 0, "major_outage"),
     (8, 0, "operational"), (5, 1, "unknown"), (3, 1, "degraded")],
)  # fmt: skip
def test_six_counters_needed(up: int, unknown: int, grade: str) -> None:
    assert quorum.grade_capacity(*capacity_bounds(up, unknown, 6)) == grade


def test_a_roster_that_needs_nobody_is_always_met() -> None:
    assert capacity_bounds(0, 0, 0) == (1.0, 1.0)


def test_the_capacity_share_is_taken_over_the_time_in_scope() -> None:
    counters = [line("UUUD"), line("UU?D"), line("DDDD")]
    assert quorum.mean_capacity_bounds(counters, 2, [Window(0, 4)]) == (0.625, 0.75)
    assert quorum.mean_capacity_bounds(counters, 2, [Window(1, 3), Window(8, 10)]) == (0.375, 1.0)
    assert quorum.mean_capacity_bounds(counters, 2, []) is None


def test_what_if_figures_are_the_references() -> None:
    cases = ((8, 8), (7, 8), (6, 8), (2, 3), (1, 2))
    assert [round(quorum.k_of_n_availability([0.98] * n, k), 5) for k, n in cases] == [
        0.85076, 0.98966, 0.99958, 0.99882, 0.9996,
    ]  # fmt: skip
    series = [0.98, 0.995, 0.99, 0.995]
    assert quorum.k_of_n_availability(series, 4) == pytest.approx(prod(series)) == pytest.approx(0.9605, abs=5e-5)
    assert quorum.k_of_n_availability([0.5], 0) == quorum.k_of_n_availability([0.5], -1) == 1
    assert quorum.k_of_n_availability([0.5], 2) == 0


def shown(segments: list[StateSegment], ends: int) -> str:
    names = {state: letter for letter, state in LETTERS.items()}
    return "".join(names[states.state_at(segments, t)] for t in range(ends))


def test_a_centre_works_when_all_it_needs_works() -> None:
    parts = combine_parts(
        gateways=(line("UUU?DU"), line("UUUUUD")),
        kiosks=(line("UDDUUU"), line("DUDUUU")),
        counters=(line("UUUUUU"), line("UUUUUU"), line("DDDDDD")),
        counters_needed=2,
    )
    assert shown(parts, 6) == "UUD?DD"


def test_too_few_counters_close_a_centre() -> None:
    assert shown(combine_parts(counters=(line("UUU"), line("UD?")), counters_needed=2), 3) == "UD?"


def test_a_centre_without_declared_parts_is_unknown() -> None:
    assert combine_parts() == []
