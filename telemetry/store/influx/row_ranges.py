"""The stored, refused and dropped rows of each outbox, merged from many writes. Pure, and repeats change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from telemetry.core.figures import completeness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.store.influx.line_protocol import OutboxDelta

MAX_LOCATIONS: Final = 6
MAX_RANGES: Final = 5_000
RowLocation = tuple[int, int, int, int]
"""Row numbers [low, high] are stored at times [first, last], ms."""


class RowRangesEntry(Struct, frozen=True, array_like=True):
    """One outbox's rows and their approximate times, so that a repeat is located without reading all events."""

    device: str
    outbox_id: str
    stored: completeness.ClosedRanges = ()
    refused: completeness.ClosedRanges = ()
    dropped: completeness.ClosedRanges = ()
    locations: tuple[RowLocation, ...] = ()


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


def split_entry(entry: RowRangesEntry) -> Iterator[RowRangesEntry]:
    """Yield the entry in pieces that fit into a point; merged they are the entry."""
    longest = max(len(entry.stored), len(entry.refused), len(entry.dropped), 1)
    for at in range(0, longest, MAX_RANGES):
        part = slice(at, at + MAX_RANGES)
        locations = entry.locations if at == 0 else ()
        yield RowRangesEntry(
            entry.device, entry.outbox_id, entry.stored[part], entry.refused[part], entry.dropped[part], locations
        )


def group_of(device: str) -> str:
    """Return the name of the summary that has a device: its id without the last part, so about one per centre."""
    return device.rpartition("-")[0] or "-"


def merge_entries(entries: Iterable[RowRangesEntry]) -> dict[tuple[str, str], RowRangesEntry]:
    """Return one entry per outbox."""
    out: dict[tuple[str, str], RowRangesEntry] = {}
    for entry in entries:
        key = (entry.device, entry.outbox_id)
        out[key] = merge_entry(out[key], entry) if key in out else entry
    return out
