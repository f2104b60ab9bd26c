"""Small counts and their complements: what a reader who subtracts, and knows the rules, can find out."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, strategies as st

from telemetry.core.open_data.suppression import (
    Counts,
    Suppression,
    is_disclosive,
    is_small,
    may_publish_total,
    stays_safe,
    suppress_parts,
)
from tests.property_sizes import sized

DIFFERENCES = ((0, 1),)


def withheld(*parts: int, already: tuple[int, ...] = (), total_is: bool = False) -> tuple[list[int], bool]:
    left_out = suppress_parts([(part,) for part in parts], already=already, total_is=total_is)
    return sorted(left_out.parts), left_out.total


@pytest.mark.parametrize(("count", "expected"), [(0, False), (1, True), (4, True), (5, False), (-3, True), (-5, False)])
def test_counts_from_one_to_four_are_small(count: int, expected: bool) -> None:
    assert is_small(count) is expected


def test_a_small_rest_between_two_counts_discloses_as_much_as_a_count() -> None:
    assert not is_disclosive((30, 28))
    assert is_disclosive((30, 28), DIFFERENCES)
    assert not is_disclosive((30, 25), DIFFERENCES)
    assert not is_disclosive((30, 30), DIFFERENCES)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), ([], False)),
        ((0, 0), ([], False)),
        ((20, 7), ([], False)),
        ((3, 20, 7), ([0, 1], False)),  # 30 − 7 is 3 + 20
        ((3, 0, 7), ([0, 2], False)),  # nobody is no complement
        ((3, 0), ([0], True)),  # the total is the count
        ((1, 2, 30), ([0, 1, 2], False)),  # 1 + 2 is small itself
        ((2, 3, 30), ([0, 1], False)),
        ((4, 4, 30), ([0, 1, 2], False)),  # 8 of two small counts is 4 + 4
        ((4, 4), ([0, 1], True)),
        ((1, 5, 9), ([0, 1, 2], False)),  # 6 of a small count and a larger one is 1 + 5
        ((1, 5), ([0, 1], True)),
        ((2, 5), ([0, 1], True)),  # else a missing total would say that it is 1 + 5
        ((3, 5), ([0, 1], False)),
    ],
)
def test_a_complement_is_left_out_so_that_the_total_says_nothing(
    parts: tuple[int, ...], expected: tuple[list[int], bool]
) -> None:
    assert withheld(*parts) == expected


def test_what_is_left_out_for_another_reason_needs_a_complement_too() -> None:
    assert withheld(50, 20, 7, already=(0,)) == ([0, 1], False)
    assert withheld(50, 20, total_is=True) == ([0], True)
    assert withheld(total_is=True) == ([], True)
    assert suppress_parts([], DIFFERENCES) == Suppression(frozenset(), total=False)


def test_a_total_whose_rest_is_small_is_left_out_with_one_part() -> None:
    assert suppress_parts([(20, 12), (9, 15)], DIFFERENCES) == Suppression(frozenset({0}), total=True)


def test_a_total_is_published_beside_no_or_at_least_two_rows_with_room() -> None:
    assert may_publish_total([])
    assert not may_publish_total([(50,)])
    assert may_publish_total([(2,), (3,)])
    assert not may_publish_total([(1,), (2,)])
    assert not may_publish_total([(30, 28), (20, 19)], DIFFERENCES)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((), False), ((9,), False), ((1, 2), False), ((2, 3), True), ((4, 4), False), ((1, 5), False), ((3, 9), True)],
)
def test_enough_counts_that_are_left_out_make_a_total_safe_for_ever(counts: tuple[int, ...], expected: bool) -> None:
    assert stays_safe(counts) is expected


@sized(short=200, long=5_000)
@given(st.lists(st.integers(0, 14), max_size=6), st.lists(st.integers(0, 14), max_size=6))
def test_what_is_safe_for_ever_is_safe_with_any_further_counts(counts: list[int], more: list[int]) -> None:
    assert not stays_safe(counts) or may_publish_total([(count,) for count in counts + more])


def published(parts: tuple[int, ...]) -> tuple[object, ...]:
    """What a reader sees of a sum, and may know: which of the missing parts are small."""
    left_out = suppress_parts([(part,) for part in parts])
    cells = (("small" if is_small(n) else "five or more") if i in left_out.parts else n for i, n in enumerate(parts))
    return (*cells, None if left_out.total else sum(parts))


@pytest.mark.parametrize(("columns", "most", "largest"), [(1, 40, 9), (2, 24, 11), (3, 13, 6)])
def test_no_reader_who_knows_rule_and_kinds_can_tell_a_missing_small_count(
    columns: int, most: int, largest: int
) -> None:
    """Every table of small numbers: at least two tables look the same and differ in the missing count."""
    views = {parts: published(parts) for parts in product(range(most + 1), repeat=columns)}
    alike: dict[tuple[object, ...], list[tuple[int, ...]]] = defaultdict(list)
    for parts, view in views.items():
        alike[view].append(parts)
    possible = {view: [set(column) for column in zip(*tables, strict=True)] for view, tables in alike.items()}
    totals = {view: set(map(sum, tables)) for view, tables in alike.items()}
    for parts, view in views.items():
        if max(parts) <= largest:
            assert [i for i, cell in enumerate(view[:-1]) if cell == "small" and len(possible[view][i]) < 2] == [], (
                parts
            )
            assert view[-1] is not None or len(totals[view]) > 1, parts


def rank(rows: list[list[Fraction]]) -> int:
    """Return the rank of a matrix by elimination."""
    rows, found = [row[:] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in rows[found:] if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        rows = [
            [a - b * row[column] / pivot[column] for a, b in zip(row, pivot, strict=True)] if i >= found else row
            for i, row in enumerate(rows)
        ]
        rows.insert(found, pivot)
        found += 1
    return found


def determined(cells: list[str], sums: list[tuple[str, list[str]]], missing: set[str]) -> list[str]:
    """Return the missing cells that the published ones determine: linear algebra, whatever the rules of suppression."""
    unknown = [cell for cell in cells if cell in missing]
    rows = [[Fraction((cell in parts) - (cell == total)) for cell in unknown] for total, parts in sums]
    rows = [row for row in rows if any(row)]
    full = rank(rows)
    return [
        cell for i, cell in enumerate(unknown)
        if rank([*rows, [Fraction(i == j) for j in range(len(unknown))]]) == full
    ]  # fmt: skip


rows_of_counts = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda pair: (sum(pair), pair[0]))
provinces = st.lists(st.lists(rows_of_counts, min_size=1, max_size=4), min_size=1, max_size=4)


@sized(short=150, long=2_000)
@given(provinces)
def test_nothing_left_out_of_a_province_can_be_computed_by_subtraction(province: list[list[Counts]]) -> None:
    """Centres with services, each centre's total, and the total of all: a tree, in each of two columns."""
    cells, sums, missing = ["all"], [("all", [])], set[str]()  # type: ignore[var-annotated]
    totals: dict[str, Counts] = {}
    for i, services in enumerate(province):
        centre, left_out = f"c{i}", suppress_parts(services, DIFFERENCES)
        names = [f"c{i}s{j}" for j in range(len(services))]
        cells += [centre, *names]
        sums += [(centre, names)]
        sums[0][1].append(centre)
        totals[centre] = tuple(map(sum, zip(*services, strict=True)))
        missing |= {names[j] for j in left_out.parts} | ({centre} if left_out.total else set())
    if not may_publish_total([totals[c] for c in totals if c in missing], DIFFERENCES):
        missing.add("all")
    assert determined(cells, sums, missing) == []
    shown = [*(c for services in province for c in services), *totals.values()]
    names = [cell for cell in cells if cell != "all"]
    values = {f"c{i}s{j}": c for i, s in enumerate(province) for j, c in enumerate(s)} | totals
    assert len(shown) == len(names)
    assert not any(is_disclosive(values[name], DIFFERENCES) for name in names if name not in missing)
