"""Gaps have one cause each, in order of proof, and every moment is charged to one source."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import Window, difference, intersection, merge, total_length
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.states import KnownState, StateSegment
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy
from tests.oracles import causes as cs

calm = settings(deadline=None)

DAY = Window(0, 100)
windows = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 20)).map(lambda p: Window(p[0], p[0] + p[1])), max_size=5
)
evidence = st.builds(cs.GapEvidence, windows, windows, windows)
known_states: st.SearchStrategy[KnownState] = st.sampled_from(["up", "down"])
known = st.lists(known_states, max_size=6).map(
    lambda found: [StateSegment(15 * i, 15 * i + 10, state) for i, state in enumerate(found)]
)


def up(start: int, end: int) -> StateSegment:
    return StateSegment(start, end, "up")


def told(found: list[cs.AttributedSpan]) -> list[tuple[int, int, str, str | None]]:
    return [(s.window.start, s.window.end, s.state, s.cause) for s in found]


def test_the_first_cause_that_is_proved_counts() -> None:
    proofs = cs.GapEvidence(late=[Window(10, 30)], platform=[Window(20, 50)], link=[Window(0, 70)])
    assert told(cs.attribute_gaps([up(60, 80)], Window(10, 90), proofs)) == [
        (10, 30, "unknown", "late"),
        (30, 50, "excluded", "platform"),
        (50, 60, "unknown", "link"),
        (60, 80, "up", None),
        (80, 90, "unknown", "device"),
    ]


def test_what_is_known_needs_no_cause() -> None:
    everything = cs.GapEvidence(late=[DAY], platform=[DAY], link=[DAY])
    found = cs.attribute_gaps([up(-5, 60), StateSegment(60, 130, "down")], DAY, everything)
    assert told(found) == [(0, 60, "up", None), (60, 100, "down", None)]


@calm
@given(known, evidence)
def test_spells_tile_the_window(found: list[StateSegment], proofs: cs.GapEvidence) -> None:
    spells = cs.attribute_gaps(found, DAY, proofs)
    assert (spells[0].window.start, spells[-1].window.end) == (0, 100)
    assert all(a.window.end == b.window.start for a, b in pairwise(spells))
    assert all((s.cause is None) == (s.state in {"up", "down"}) for s in spells)


@calm
@given(known, evidence, windows)
def test_a_tally_holds_all_time_in_scope_once(
    found: list[StateSegment], proofs: cs.GapEvidence, scope: list[Window]
) -> None:
    tally = cs.sum_spans(cs.attribute_gaps(found, DAY, proofs), merge(scope))
    assert tally.open + tally.excluded == total_length(intersection(scope, [DAY]))
    assert tally.charged_elsewhere <= tally.unknown


@calm
@given(known, evidence, windows, st.integers(0, 100))
def test_a_day_cut_in_two_adds_up(
    found: list[StateSegment], proofs: cs.GapEvidence, scope: list[Window], cut: int
) -> None:
    parts = [
        cs.sum_spans(cs.attribute_gaps(found, w, proofs), merge(scope))
        for w in (Window(0, cut), Window(cut, 100))
        if w.length
    ]
    assert sum(parts, TimeByState()) == cs.sum_spans(cs.attribute_gaps(found, DAY, proofs), merge(scope))


def test_a_site_that_falls_silent_together_lost_its_link() -> None:
    one, other = [up(0, 40), up(60, 100)], [up(0, 50), StateSegment(50, 60, "down")]
    assert cs.common_silence([one, other], DAY) == [Window(50, 60)]
    assert cs.common_silence([one], DAY) == []


def test_a_dead_link_burns_no_device_and_an_unexplained_silence_does() -> None:
    proofs = cs.GapEvidence(link=[Window(20, 50)], platform=[Window(90, 100)])
    tally = cs.sum_spans(cs.attribute_gaps([up(0, 20), up(60, 90)], DAY, proofs), [DAY])
    assert tally == TimeByState(up=50, unknown=40, excluded=10, charged_elsewhere=30)
    assert apply_unknown_policy(tally, "settle") == GoodBad(50, 10)
    assert apply_unknown_policy(tally, "settle", settled=False) == GoodBad(50, 0)
    assert apply_unknown_policy(tally, "down") == GoodBad(50, 40)


def test_time_under_a_dead_parent_is_marked_once() -> None:
    spells = cs.attribute_gaps([up(0, 20), StateSegment(20, 60, "down")], DAY, cs.GapEvidence())
    found = cs.attribute_to_parent(
        cs.attribute_to_parent(spells, "power", [Window(10, 40), Window(70, 80)]), "link", [Window(30, 100)]
    )
    assert [(s.window.start, s.window.end, s.state, s.caused_by) for s in found] == [
        (0, 20, "up", ""),
        (20, 40, "down", "power"),
        (40, 60, "down", "link"),
        (60, 70, "unknown", "link"),
        (70, 80, "unknown", "power"),
        (80, 100, "unknown", "link"),
    ]
    assert cs.sum_spans(found, [DAY]) == cs.sum_spans(spells, [DAY])


def test_parents_are_charged_first() -> None:
    down = {"link": [Window(10, 30)], "kiosk1": [Window(0, 40)], "kiosk2": [Window(20, 50)]}
    assert cs.charge_each_once(down) == {
        "link": [Window(10, 30)],
        "kiosk1": [Window(0, 10), Window(30, 40)],
        "kiosk2": [Window(40, 50)],
    }


@calm
@given(st.lists(windows, max_size=5))
def test_every_moment_is_charged_exactly_once(found: list[list[Window]]) -> None:
    charges = cs.charge_each_once({str(i): w for i, w in enumerate(found)})
    whole = [w for ws in found for w in ws]
    assert sum(total_length(w) for w in charges.values()) == total_length(whole)
    assert difference(whole, [w for ws in charges.values() for w in ws]) == []
