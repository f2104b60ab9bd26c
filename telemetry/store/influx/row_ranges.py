"""The stored, refused and dropped rows of outboxes, merged from many writes. Pure, and repeats change nothing.

The ranges of each outcome are divided into pages by their first row number, so that a write reads and changes the
pages beside its own rows only, however many gaps an outbox has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from telemetry.core.figures import completeness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.store.influx.line_protocol import OutboxDelta

MAX_LOCATIONS: Final = 6
PAGE_ROWS: Final = 1_024
"""Row numbers per page; a page has at most half as many ranges of one outcome."""
OUTCOMES: Final[tuple[Outcome, ...]] = ("stored", "refused", "dropped")
RowLocation = tuple[int, int, int, int]
"""Row numbers [low, high] are stored at times [first, last], ms."""
Outcome = Literal["stored", "refused", "dropped"]
OutboxKey = tuple[str, str]
"""Device and outbox."""


class RowRangesEntry(Struct, frozen=True, array_like=True):
    """One outbox's rows and their approximate times, so that a repeat is located without reading all events."""

    device: str
    outbox_id: str
    stored: completeness.ClosedRanges = ()
    refused: completeness.ClosedRanges = ()
    dropped: completeness.ClosedRanges = ()
    locations: tuple[RowLocation, ...] = ()

    def ranges_of(self, outcome: Outcome) -> completeness.ClosedRanges:
        """Return the rows with an outcome."""
        ranges: completeness.ClosedRanges = getattr(self, outcome)
        return ranges


@dataclass(frozen=True, slots=True)
class PageChanges:
    """The pages of one outcome that a merge changes; an empty one has no ranges any more.

    Whoever writes `grown` first and `shrunk` second loses no row when it stops between them: meanwhile some ranges are
    in two pages.
    """

    grown: Mapping[int, completeness.ClosedRanges] = field(default_factory=dict)
    shrunk: Mapping[int, completeness.ClosedRanges] = field(default_factory=dict)


def page_of(row: int) -> int:
    """Return the page that has the ranges that begin at a row."""
    return row // PAGE_ROWS


def page_spans(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pages, as closed ranges, that may have ranges which begin within these rows or directly after them."""
    return list(completeness.union_ranges((page_of(low), page_of(high + 1)) for low, high in ranges))


def merge_pages(pages: Mapping[int, completeness.ClosedRanges], added: Iterable[tuple[int, int]]) -> PageChanges:
    """Return how the pages change when rows are added; `pages` are those of `page_spans` and the one before each."""
    merged: dict[int, list[tuple[int, int]]] = {}
    for row_range in completeness.union_ranges(*pages.values(), (r for r in added if r[0] <= r[1])):
        merged.setdefault(page_of(row_range[0]), []).append(row_range)
    grown: dict[int, completeness.ClosedRanges] = {}
    shrunk: dict[int, completeness.ClosedRanges] = {}
    for page in sorted({*pages, *merged}):
        before, after = pages.get(page, ()), tuple(merged.get(page, ()))
        both = completeness.union_ranges(before, after)
        if both != before:
            grown[page] = both
        if both != after:
            shrunk[page] = after
    return PageChanges(grown, shrunk)


def merge_entry(entry: RowRangesEntry, *others: RowRangesEntry | OutboxDelta) -> RowRangesEntry:
    """Return the entry merged with others of the same outbox."""
    locations = [location for other in others for location in _locations_of(other)]
    return RowRangesEntry(
        entry.device,
        entry.outbox_id,
        completeness.union_ranges(entry.stored, *(o.stored for o in others)),
        completeness.union_ranges(entry.refused, *(o.refused for o in others)),
        completeness.union_ranges(entry.dropped, *(o.dropped for o in others)),
        _coarsen(sorted({*entry.locations, *locations})),
    )


def _locations_of(source: RowRangesEntry | OutboxDelta) -> tuple[RowLocation, ...]:
    if isinstance(source, RowRangesEntry):
        return source.locations
    return ((source.stored[0][0], source.stored[-1][1], source.first, source.last),)


def _coarsen(locations: list[RowLocation]) -> tuple[RowLocation, ...]:
    """Merge neighbours in the older half until MAX_LOCATIONS are left; the newest stay exact."""
    while len(locations) > MAX_LOCATIONS:
        half = len(locations) // 2
        older = [_enclosing_location(locations[at : at + 2]) for at in range(0, half, 2)]
        locations = [*older, *locations[len(older) * 2 :]]
    return tuple(locations)


def _enclosing_location(locations: list[RowLocation]) -> RowLocation:
    lows, highs, firsts, lasts = zip(*locations, strict=True)
    return min(lows), max(highs), min(firsts), max(lasts)


def has_repeats(merged: RowRangesEntry, entry: RowRangesEntry, deltas: Iterable[OutboxDelta]) -> bool:
    """Return whether any row of the merged entry was stored more than once."""
    added = sum(completeness.count_rows(delta.stored) for delta in deltas)
    return completeness.count_rows(merged.stored) != completeness.count_rows(entry.stored) + added


def repeated_rows(entry: RowRangesEntry, delta: OutboxDelta) -> completeness.ClosedRanges:
    """Return the rows of a write that were stored before."""
    return completeness.subtract_ranges(delta.stored, completeness.subtract_ranges(delta.stored, entry.stored))


def time_range_of(entry: RowRangesEntry, delta: OutboxDelta, rows: completeness.ClosedRanges) -> tuple[int, int]:
    """Return the first and last time, ms, at which the entry or the write may have stored these rows."""
    nearby = [p for p in entry.locations if any(p[0] <= high and p[1] >= low for low, high in rows)]
    return min([delta.first, *(p[2] for p in nearby)]), max([delta.last, *(p[3] for p in nearby)])


def merge_entries(entries: Iterable[RowRangesEntry]) -> dict[OutboxKey, RowRangesEntry]:
    """Return one entry per outbox."""
    out: dict[OutboxKey, RowRangesEntry] = {}
    for entry in entries:
        key = (entry.device, entry.outbox_id)
        out[key] = merge_entry(out[key], entry) if key in out else entry
    return out
