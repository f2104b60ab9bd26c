"""Reads queue histories of many centres: as far as a page needs them, and settled ones once; never from raw events.

The rows of a centre over a window that ended some minutes ago are remembered until its live row's `reopened` changes,
which it does when a total of its past is written (see `totals_cache`).  Of a later window the past pieces are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, Window, day_window, floor
from telemetry.core.fold.totals import add_sums, add_to_sums
from telemetry.core.inventory import local_date
from telemetry.queries.queue_groups import add_offered_work, counters_by_bucket, group_key, group_rows
from telemetry.queries.queues import growing_chunks, queue_history_rows
from telemetry.queries.rows_in_order import RowsInOrder
from telemetry.queries.settled_cache import SettledCache, settled_version
from telemetry.queries.totals_cache import SETTLING_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Centre, Service
    from telemetry.queries.buckets import BucketQuery, OpenWindowsCache
    from telemetry.queries.queue_groups import CounterKey, QueueGroup
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.totals_cache import TotalsReader

MAX_CACHED_ROWS = 30_000
"""Rows remembered in all, about 2 kB each; the least recently used centres are dropped first."""
MAX_CACHED_MERGES = 16
"""Answers over all centres by level, service or agency that are remembered."""
MAX_MERGED_ROWS = 2_000
"""A longer one is not."""
Rows = tuple["QueueHistoryRow", ...]


@dataclass(frozen=True, slots=True)
class QueueHistoryRequest:
    """Which rows are asked for: of one service or all, one for each `by`, or for each centre and service."""

    query: BucketQuery
    service: str | None = None
    by: QueueGroup | None = None


@dataclass(frozen=True, slots=True)
class HistoryInputs:
    """The declarations and live rows that an answer is made with, and the present, Unix ms."""

    snapshot: Snapshot
    periods: ServicePeriods
    services: Mapping[str, Service]
    version: str
    now: int


class QueueHistoryReader:
    """Queue histories of centres; safe to call from many threads."""

    def __init__(
        self, store: TotalsReader, inputs: Callable[[], HistoryInputs], open_windows: OpenWindowsCache
    ) -> None:
        self._store, self._inputs, self._open_windows = store, inputs, open_windows
        self._rows: SettledCache[tuple[str, QueueHistoryRequest], Rows] = SettledCache(MAX_CACHED_ROWS)
        self._merges: SettledCache[tuple[tuple[str, ...], QueueHistoryRequest], Rows] = SettledCache(MAX_CACHED_MERGES)

    def rows(self, centres: Sequence[Centre], asked: QueueHistoryRequest) -> RowsInOrder[QueueHistoryRow]:
        """Return the rows in order; those by centre, or by centre and service, are computed as they are read."""
        inputs = self._inputs()
        for cache in (self._rows, self._merges):
            cache.forget_other_declarations((inputs.version, inputs.periods))
        in_order = sorted(centres, key=lambda centre: centre.id)
        if asked.by in {None, "centre"}:
            return RowsInOrder(self._rows_of(in_order, asked, inputs))
        return RowsInOrder(self._merged_rows(in_order, asked, inputs))

    def _merged_rows(self, centres: Sequence[Centre], asked: QueueHistoryRequest, inputs: HistoryInputs) -> Rows:
        key = tuple(centre.id for centre in centres), asked
        reopened = tuple(_reopened_at(centre, asked, inputs) for centre in centres)
        cached = self._merges.recall(key, reopened)
        if cached is not None:
            return cached
        rows = merge_rows(self._rows_of(centres, asked, inputs))
        if len(rows) <= MAX_MERGED_ROWS:
            self._merges.remember(key, reopened, rows)
        return rows

    def _rows_of(
        self, centres: Sequence[Centre], asked: QueueHistoryRequest, inputs: HistoryInputs
    ) -> Iterator[QueueHistoryRow]:
        for chunk in growing_chunks(centres):
            yield from self._rows_of_chunk(chunk, asked, inputs)

    def _rows_of_chunk(
        self, centres: Sequence[Centre], asked: QueueHistoryRequest, inputs: HistoryInputs
    ) -> Iterator[QueueHistoryRow]:
        versions = {centre.id: _reopened_at(centre, asked, inputs) for centre in centres}
        cached = {ident: self._rows.recall((ident, asked), version) for ident, version in versions.items()}
        missing = [centre for centre in centres if cached[centre.id] is None]
        fresh = self._read(missing, asked, inputs) if missing else {}
        for centre in centres:
            yield from cached[centre.id] or fresh.get(centre.id, ())

    def _read(self, centres: Sequence[Centre], asked: QueueHistoryRequest, inputs: HistoryInputs) -> dict[str, Rows]:
        """Read the rows of centres and remember the settled ones."""
        by_centre: dict[str, list[QueueHistoryRow]] = {centre.id: [] for centre in centres}
        for row in self._queue_rows(centres, asked, inputs):
            by_centre[row.centre].append(row)
        counters: dict[CounterKey, dict[str, int]] = {}
        if asked.service is None and asked.by in {"centre", "level"}:
            counters = counters_by_bucket(
                self._store, centres, asked.query, inputs.now, self._open_windows, inputs.periods.window_of
            )
        rows_by_centre: dict[str, Rows] = {}
        for centre in centres:
            own = {key: sums for key, sums in counters.items() if key[0] == centre.id}
            rows = _group_rows_of_centre(by_centre[centre.id], centre, asked, inputs, own)
            rows_by_centre[centre.id] = rows
            self._rows.remember((centre.id, asked), _reopened_at(centre, asked, inputs), rows, 1 + len(rows))
        return rows_by_centre

    def _queue_rows(
        self, centres: Sequence[Centre], asked: QueueHistoryRequest, inputs: HistoryInputs
    ) -> Iterator[QueueHistoryRow]:
        """Yield the rows by centre, service and time; the settled pieces of an open window are remembered."""
        for zone in {centre.zone for centre in centres}:
            in_zone = [centre for centre in centres if centre.zone == zone]
            query = replace(asked.query, zone=zone)
            pieces = pieces_to_remember(query, inputs.now)
            if len(pieces) == 1:
                yield from queue_history_rows(self._store, in_zone, query, asked.service, inputs.now)
                continue
            rows: list[QueueHistoryRow] = []
            for piece in pieces:
                piece_asked = QueueHistoryRequest(replace(query, window=piece), asked.service)
                rows.extend(self._rows_of_chunk(in_zone, piece_asked, inputs))
            yield from join_pieces(rows, query.buckets())


def _reopened_at(centre: Centre, asked: QueueHistoryRequest, inputs: HistoryInputs) -> int:
    return settled_version(inputs.snapshot, centre.id, asked.query.window, inputs.now)


def pieces_to_remember(query: BucketQuery, now: int) -> list[Window]:
    """Return the pieces of a window that has not settled: until the first midnight, whole past days, today, this hour.

    No piece divides a total that the window is read with.  A settled window is one piece.
    """
    window, zone = query.window, query.zone
    settled_at = now - SETTLING_MS
    if window.end <= settled_at or window.start >= settled_at or query.bucket not in {"total", "1d", "1mo"}:
        return [window]
    today = day_window(local_date(settled_at, zone), zone)
    first = day_window(local_date(window.start, zone), zone)
    cuts = {today.start} if first.start == window.start else {first.end, today.start}
    if window.end < today.end:
        cuts.add(max(floor(settled_at, HOUR), today.start))
    edges = [window.start, *sorted(cut for cut in cuts if window.start < cut < window.end), window.end]
    return [Window(start, end) for start, end in pairwise(edges)]


def join_pieces(rows: Iterable[QueueHistoryRow], buckets: Sequence[Window]) -> Iterator[QueueHistoryRow]:
    """Yield the rows of pieces of a window by centre, service and bucket; the only row of a bucket as it is."""
    starts = [bucket.start for bucket in buckets]
    parts: dict[tuple[str, str, int], list[QueueHistoryRow]] = defaultdict(list)
    for row in rows:
        parts[row.centre, row.service, bisect_right(starts, row.window.start) - 1].append(row)
    for key in sorted(parts):
        first, *others = parts[key]
        bucket = buckets[key[2]]
        if not others and first.window == bucket:
            yield first
        else:
            yield replace(first, window=bucket, sums=add_sums(row.sums for row in parts[key]))


def _group_rows_of_centre(
    rows: Sequence[QueueHistoryRow], centre: Centre, asked: QueueHistoryRequest, inputs: HistoryInputs,
    counters: dict[CounterKey, dict[str, int]],
) -> Rows:  # fmt: skip
    if asked.by is None:
        return tuple(rows)
    add_offered_work(counters, rows)
    return group_rows(rows, group_key(asked.by, {centre.id: centre}, inputs.services), counters)


def merge_rows(rows: Iterable[QueueHistoryRow]) -> Rows:
    """Add the rows of one group and bucket, whose centres have been counted; in order of group and time."""
    parts: dict[tuple[str, str, str, int], list[QueueHistoryRow]] = defaultdict(list)
    for row in rows:
        parts[row.centre, row.service, row.group, row.window.start].append(row)
    merged: list[QueueHistoryRow] = []
    for key in sorted(parts):
        sums: dict[str, int] = {}
        counters: dict[str, int] | None = None
        for row in parts[key]:
            add_to_sums(sums, row.sums)
            if row.counters is not None:
                counters = counters or {}
                add_to_sums(counters, row.counters)
        merged.append(replace(parts[key][0], sums=sums, counters=counters))
    return tuple(merged)
