"""Completeness: ranges as sets of rows, and the accounted share made of them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, strategies as st

from telemetry.core.figures.completeness import (
    ClosedRanges,
    Completeness,
    OutboxRowRanges,
    compute_completeness,
    count_rows,
    intersect_ranges,
    ranges_of,
    subtract_ranges,
    union_ranges,
)

range_lists = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])), max_size=12)


def rows_of(ranges: ClosedRanges | list[tuple[int, int]]) -> set[int]:
    return {n for low, high in ranges for n in range(low, high + 1)}


@given(range_lists, range_lists)
def test_union_holds_the_rows_of_both(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    joined = union_ranges(first, second)
    assert rows_of(joined) == rows_of(first) | rows_of(second)
    assert count_rows(joined) == len(rows_of(joined))


@given(range_lists)
def test_union_is_idempotent_sorted_and_leaves_gaps_between(found: list[tuple[int, int]]) -> None:
    once = union_ranges(found)
    assert union_ranges(once) == union_ranges(once, once) == union_ranges(once, found) == once
    assert all(a[1] + 1 < b[0] for a, b in pairwise(once))


@given(range_lists, range_lists)
def test_minus_holds_the_rows_of_the_first_only(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    assert rows_of(subtract_ranges(union_ranges(first), union_ranges(second))) == rows_of(first) - rows_of(second)


@given(st.sets(st.integers(1, 40)))
@example({3, 4, 5})
@example({3, 5})
def test_numbers_become_the_ranges_that_hold_them(numbers: set[int]) -> None:
    assert rows_of(ranges_of(numbers)) == numbers


def test_neighbours_join_and_strangers_do_not() -> None:
    assert ranges_of([3, 1, 2, 5, 5]) == ((1, 3), (5, 5))


def test_an_outbox_nobody_heard_of_has_no_ratio() -> None:
    empty = compute_completeness([OutboxRowRanges("d", "s", ())])
    assert (empty.highest, empty.ratio) == (0, None)


def test_a_row_in_two_parts_counts_once_stored_before_refused_before_dropped() -> None:
    row = OutboxRowRanges("d", "s", stored=((1, 5),), refused=((5, 6),), dropped=((6, 8),))
    assert compute_completeness([row]) == Completeness(stored=5, refused=1, dropped=2, highest=8)
    assert compute_completeness([row]).ratio == 1


def test_the_highest_row_may_be_one_only_declared_dropped() -> None:
    assert OutboxRowRanges("d", "s", ((1, 2),), dropped=((7, 9),)).highest_row == 9


def test_outboxes_add_up_and_missing_rows_lower_the_ratio() -> None:
    found = compute_completeness([OutboxRowRanges("a", "s", ((1, 4),)), OutboxRowRanges("b", "s", ((4, 4),))])
    assert (found.stored, found.highest, found.ratio) == (5, 8, 5 / 8)


@given(range_lists, range_lists, range_lists)
def test_the_ratio_never_exceeds_one(
    stored: list[tuple[int, int]], refused: list[tuple[int, int]], dropped: list[tuple[int, int]]
) -> None:
    ratio = compute_completeness(
        [OutboxRowRanges("d", "s", union_ranges(stored), union_ranges(refused), union_ranges(dropped))]
    ).ratio
    assert ratio is None or 0 < ratio <= 1


@given(range_lists, range_lists)
def test_intersection_holds_the_rows_that_are_in_both(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    common = intersect_ranges(union_ranges(first), union_ranges(second))
    assert rows_of(common) == rows_of(first) & rows_of(second)


def test_missing_rows_are_the_rest_and_sums_of_outboxes_add() -> None:
    first, second = Completeness(90, 2, 1, 100), Completeness(5, 0, 0, 5)
    assert (first.missing, second.missing, (first + second).missing) == (7, 0, 7)
    assert first + second == Completeness(95, 2, 1, 105)
