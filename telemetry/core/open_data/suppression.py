"""Leaves small counts of people out of published tables, and what they could be computed from; it must not divide.

Primary suppression leaves out counts from 1 to 4.  Secondary suppression leaves out complements: where a total is
published beside its parts, one missing part would be the total less the others.  The tables are trees (a province, its
centres, their services): every cell is a part of one total at most, so two missing cells in each sum are enough that
no missing one is determined.  Decision 0045 has the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

LEAST_PUBLISHED_COUNT = 5
"""Counts of people below this are left out; 0 is nobody, and published."""
Counts = tuple[int, ...]
"""The counts of one row that are published or left out together, each in its place."""
Differences = tuple[tuple[int, int], ...]
"""Places of a whole and of a part of it: the rest is a count of people, too."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Which rows of a sum are left out: places of its parts, and the row of the total."""

    parts: frozenset[int]
    total: bool


def is_small(count: int) -> bool:
    """Return whether a count is about so few people that they could be recognised."""
    return 0 < abs(count) < LEAST_PUBLISHED_COUNT


def is_disclosive(counts: Counts, differences: Differences = ()) -> bool:
    """Return whether a row shows a small count, or two counts with a small rest between them."""
    rests = (counts[whole] - counts[part] for whole, part in differences)
    return any(map(is_small, counts)) or any(map(is_small, rests))


def may_publish_total(left_out: Sequence[Counts], differences: Differences = ()) -> bool:
    """Return whether the total of these rows and of published ones may be published.

    A reader subtracts the published rows and has the sum of the others.  It must be of no row or of two at least, show
    no small count itself, and leave room for each count in it.
    """
    if not left_out:
        return True
    if len(left_out) == 1:
        return False
    columns = list(zip(*left_out, strict=True))
    sums = tuple(map(sum, columns))
    return not is_disclosive(sums, differences) and all(map(_leaves_room, columns))


def _leaves_room(counts: Iterable[int]) -> bool:
    """Return whether a sum allows several values of its small counts, even to who knows which of them are small.

    Readers may know it: a mean is only shown of five or more.  A sum one above the least is none either: else a total
    that is left out for want of room would tell that it is the least.
    """
    small = [count for count in counts if is_small(count)]
    if not small:
        return True
    large = [count for count in counts if count >= LEAST_PUBLISHED_COUNT]
    total, least = sum(small) + sum(large), len(small) + LEAST_PUBLISHED_COUNT * len(large)
    if large:
        return total > least + 1
    return least < total < (LEAST_PUBLISHED_COUNT - 1) * len(small)


def stays_safe(left_out: Sequence[int]) -> bool:
    """Return whether the total over these counts may be published whatever other counts are left out besides them.

    So that a reader of many rows may stop: more counts only add room.
    """
    counts = [count for count in left_out if count]
    large = [count for count in counts if not is_small(count)]
    total, smalls = sum(counts), len(counts) - len(large)
    room = total - smalls - LEAST_PUBLISHED_COUNT * len(large)
    has_upper_room = bool(large) or total < (LEAST_PUBLISHED_COUNT - 1) * smalls
    return len(counts) > 1 and total >= LEAST_PUBLISHED_COUNT and room > 1 and has_upper_room


def suppress_parts(
    parts: Sequence[Counts], differences: Differences = (), already: Collection[int] = (), *, total_is: bool = False
) -> Suppression:
    """Return which rows of a sum are left out; the total is the sum of the parts.

    `already` are places of parts that are left out for another reason, `total_is` whether the total is.  The first
    part that is published and not 0 is the complement, whatever its size (the smallest would tell an upper bound), so
    the order of the parts must not depend on their counts; the total goes last, when no part is left.
    """
    if not parts:
        return Suppression(frozenset(), total_is)
    left_out = {place for place, counts in enumerate(parts) if place in already or is_disclosive(counts, differences)}
    has_no_total = total_is or is_disclosive(tuple(map(sum, zip(*parts, strict=True))), differences)
    published = [place for place, counts in enumerate(parts) if place not in left_out and any(counts)]

    def is_safe() -> bool:
        if has_no_total:
            return bool(left_out)
        return may_publish_total([parts[place] for place in sorted(left_out)], differences)

    for place in published:
        if is_safe():
            break
        left_out.add(place)
    return Suppression(frozenset(left_out), has_no_total or not is_safe())
