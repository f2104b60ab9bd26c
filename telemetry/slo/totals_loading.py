"""Fills a book: what an earlier book tells is taken over, the rest is read from the store; never from raw events.

Read are only cells in which the clock of somebody runs, so nights and shut days are not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, merge_adjacent
from telemetry.core.slo.timeseries import map_buckets
from telemetry.slo.totals_table import replace_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.calendar.windows import BucketSpan, BucketWidth
    from telemetry.core.fold.totals import Total
    from telemetry.core.slo.frames import BucketGrid
    from telemetry.core.slo.timeseries import CoveredBucket
    from telemetry.slo.totals_table import TableEntry, TotalsTable
    from telemetry.store import Store

BUCKETS_PER_READ = 2_500
ENTITIES_PER_READ = 100
_WIDTH_MS: dict[BucketWidth, int] = {"5m": SLOT, "1h": HOUR, "1d": DAY}
_MERGE_GAP_MS: dict[BucketWidth, int] = {"5m": 2 * HOUR, "1h": 2 * HOUR, "1d": 4 * DAY}
"""Cells so near each other are read at once, with what lies between: lunch, a weekend."""
ReadGroup = tuple[str, int, int]
"""Which totals, the frame they fill, the frame of the book before that tells some of them (0: none)."""


def load_table(table: TotalsTable, store: Store, previous_table: TotalsTable | None = None) -> None:
    """Fill a blank book; `old` is one of the same store, for another day or another inventory."""
    groups: dict[ReadGroup, list[TableEntry]] = defaultdict(list)
    covered_by_grids: dict[tuple[int, int], list[CoveredBucket]] = {}
    for entry in table.entries.values():
        previous, grid = _previous_entry(entry, previous_table), entry.columns.frame
        pair = (id(previous.columns.frame) if previous else 0, id(grid))
        if pair not in covered_by_grids:
            covered_by_grids[pair] = map_buckets(previous.columns.frame, grid) if previous else []
        if previous:
            entry.columns = previous.columns.rebucket(grid, covered_by_grids[pair])
        groups[entry.scope_kind, id(grid), pair[0]].append(entry)
    for (kind, grid_id, previous_id), entries in groups.items():
        covered_indexes = {index for index, _, _ in covered_by_grids[previous_id, grid_id]}
        _read_totals(store, kind, entries, _missing_ranges(entries[0].columns.frame, covered_indexes))
    _load_readiness(table, store, previous_table)


def _previous_entry(entry: TableEntry, previous_table: TotalsTable | None) -> TableEntry | None:
    """Return what the earlier book holds of the same, on the same clock."""
    previous = previous_table.entries.get(entry.source) if previous_table else None
    return previous if previous and previous.calendar.version == entry.calendar.version else None


def _missing_ranges(grid: BucketGrid, covered_indexes: set[int]) -> list[BucketSpan]:
    """Return runs of cells to read, those near each other as one."""
    ranges: list[BucketSpan] = []
    for width, window in merge_adjacent(part for index, part in enumerate(grid.spans) if index not in covered_indexes):
        if ranges and ranges[-1][0] == width and window.start - ranges[-1][1].end <= _MERGE_GAP_MS[width]:
            ranges[-1] = (width, Window(ranges[-1][1].start, window.end))
        else:
            ranges.append((width, window))
    return ranges


def _read_totals(store: Store, kind: str, entries: Iterable[TableEntry], spans: Iterable[BucketSpan]) -> None:
    entries_by_entity: dict[str, list[TableEntry]] = defaultdict(list)
    for entry in entries:
        entries_by_entity[entry.entity].append(entry)
    entities = sorted(entries_by_entity)
    for width, window in spans:
        size = max(1, min(ENTITIES_PER_READ, BUCKETS_PER_READ * _WIDTH_MS[width] // window.length))
        for names in _batches(entities, size):
            for entity, rows in _group_by_entity(store.totals(names, width, window, kind)).items():
                replace_rows(entries_by_entity[entity], width, window, rows)


def _batches(entities: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (entities[at : at + size] for at in range(0, len(entities), size))


def _group_by_entity(totals: Iterable[Total]) -> dict[str, list[Total]]:
    rows: dict[str, list[Total]] = defaultdict(list)
    for total in totals:
        rows[total.entity].append(total)
    return rows


def _load_readiness(table: TotalsTable, store: Store, previous_table: TotalsTable | None) -> None:
    """Read what the days said after opening; of the same inventory the earlier book has heard it all."""
    if previous_table and previous_table.inventory is table.inventory:
        table.readiness = previous_table.readiness
        return
    entities = sorted({entry.entity for entry in table.entries.values() if entry.readiness_checks})
    extents = [Window(parts[0][1].start, parts[-1][1].end) for parts in table.bucket_spans.values()]
    if not entities:
        return
    window = Window(min(w.start for w in extents), max(w.end for w in extents))
    for names in _batches(entities, ENTITIES_PER_READ):
        for entity, rows in _group_by_entity(store.totals(names, "1d", window, "centre")).items():
            table.apply_readiness(entity, window, rows)
