"""Totals of the past kept in memory while the live rows say that they are still what was written; never for writing.

A live row's `reopened` moves after totals were changed that had ended two minutes before.  A total that ended four
minutes ago is kept with the `reopened` of a snapshot taken before it was read, and read again when that moves.  Later
totals, and those of units whose row does not say, are kept for a second.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, day_window, days_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.totals import Total

SETTLING_MS = 4 * MINUTE
"""Two minutes more than rollup's: so far may the clocks of the two be apart."""
MAX_CACHED_TOTALS = 120_000
"""Totals kept at most, all together; what was longest not asked for is dropped first."""
MAX_CACHED_BUCKETS = 1_000
"""A question about more cells of one unit is read through: it is nobody's poll."""
RECENT_TTL_MS = 1_000
TIME_FIELDS = (
    "up_ms", "down_ms", "platform_ms", "cap_low_ms", "cap_high_ms", "conn_up_ms", "conn_down_ms", "conn_platform_ms",
    "open_up_ms", "open_down_ms", "open_platform_ms", "open_cap_low_ms", "open_cap_high_ms", "open_conn_up_ms",
    "open_conn_down_ms", "open_conn_platform_ms",
)  # fmt: skip
_BUCKET_MS: dict[BucketWidth, int] = {"5m": SLOT, "1h": HOUR}


class CompactTotal(Struct, frozen=True, gc=False):
    """A total without what nobody asks of it: ms in the order of FIELDS; unseen by the garbage collector, for speed."""

    entity: str
    scope: str
    start: int
    values: tuple[int, ...]


CompactTotals = tuple[CompactTotal, ...]


class TotalsReader(Protocol):
    """Where totals come from: a store, or `Kept` before it."""

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> Sequence[Total]:
        """Return totals starting in the window."""


@dataclass(slots=True)
class _EntityCache:
    """What is kept of one unit, by the start of the cell; `young` holds until it is `due`, Unix ms."""

    reopened_at: int
    stable: dict[int, CompactTotals] = field(default_factory=dict)
    recent: dict[int, CompactTotals] = field(default_factory=dict)
    recent_expires_at: int = 0
    size: int = 0

    def lookup(self, starts: list[int]) -> list[CompactTotals | None]:
        """Return what is kept at each start."""
        cached = list(map(self.stable.get, starts))
        if None in cached and self.recent:
            return [
                self.recent.get(start) if rows is None else rows for start, rows in zip(starts, cached, strict=True)
            ]
        return cached

    def put(self, start: int, rows: CompactTotals, *, stable: bool) -> None:
        (self.stable if stable else self.recent)[start] = rows
        self.size += 1 + len(rows)

    def drop_recent(self, expires_at: int) -> None:
        self.size -= sum(1 + len(rows) for rows in self.recent.values())
        self.recent, self.recent_expires_at = {}, expires_at


@dataclass(frozen=True, slots=True)
class _BucketRead:
    """One question: cells of a kind and width, in order, and the present."""

    kind: str
    width: BucketWidth
    starts: list[int]
    ends: list[int]
    now: int

    def window(self, first: int, last: int) -> Window:
        """Return the time from cell `first` to cell `last`, both in it."""
        return Window(self.starts[first], self.ends[last])


class TotalsCache:
    """Reads totals of time by state (other sums are left out); safe to call from many threads."""

    def __init__(
        self, store: TotalsReader, reopened_at_reader: Callable[[], Callable[[str], int]], clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._reopened_at_reader = reopened_at_reader
        self._clock = clock
        self._lock = threading.Lock()
        self._entities: OrderedDict[tuple[str, str, str], _EntityCache] = OrderedDict()

    def rows(
        self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str, zone: ZoneInfo
    ) -> Iterable[CompactTotal]:
        """Return totals starting in the window, which lies on marks of the width (whole days of `zone`)."""
        buckets = _bucket_windows(width, window, zone)
        if len(buckets) > MAX_CACHED_BUCKETS:
            return map(_compact, self._store.totals(entities, width, window, kind))
        with self._lock:
            reopened_at, now = self._reopened_at_reader(), self._clock()
            read = _BucketRead(
                kind, width, [bucket.start for bucket in buckets], [bucket.end for bucket in buckets], now
            )
            cache_by_entity = {entity: self._entity_cache(entity, read, reopened_at(entity)) for entity in entities}
            rows_by_entity = {entity_id: entity.lookup(read.starts) for entity_id, entity in cache_by_entity.items()}
            missing = _missing_runs(rows_by_entity)
            for run, entity_ids in missing.items():
                self._fill(cache_by_entity, read, run, entity_ids)
                rows_by_entity.update(
                    (entity_id, cache_by_entity[entity_id].lookup(read.starts)) for entity_id in entity_ids
                )
            if missing:
                self._evict()
        return [row for buckets in rows_by_entity.values() for rows in buckets if rows for row in rows]

    def _entity_cache(self, entity: str, read: _BucketRead, reopened_at: int) -> _EntityCache:
        key = (read.kind, read.width, entity)
        cached = self._entities.get(key)
        if cached is None or cached.reopened_at != reopened_at:
            cached = self._entities[key] = _EntityCache(reopened_at)
        if not 0 <= cached.recent_expires_at - read.now <= RECENT_TTL_MS:
            cached.drop_recent(read.now + RECENT_TTL_MS)
        self._entities.move_to_end(key)
        return cached

    def _fill(
        self, cache_by_entity: dict[str, _EntityCache], read: _BucketRead, run: tuple[int, int], entities: list[str]
    ) -> None:
        rows_by_bucket: dict[tuple[str, int], list[CompactTotal]] = {}
        for total in self._store.totals(entities, read.width, read.window(*run), read.kind):
            start = read.starts[bisect_right(read.starts, total.start) - 1]
            rows_by_bucket.setdefault((total.entity, start), []).append(_compact(total))
        for i in range(run[0], run[1] + 1):
            start, is_stable = read.starts[i], read.ends[i] + SETTLING_MS <= read.now
            for name in entities:
                cache = cache_by_entity[name]
                cache.put(
                    start, tuple(rows_by_bucket.get((name, start), ())), stable=is_stable and cache.reopened_at > 0
                )

    def _evict(self) -> None:
        size = sum(cache.size for cache in self._entities.values())
        while size > MAX_CACHED_TOTALS:
            size -= self._entities.popitem(last=False)[1].size


def _bucket_windows(width: BucketWidth, window: Window, zone: ZoneInfo) -> list[Window]:
    if width == "1d":
        return [day_window(day, zone) for day in days_in(window, zone)]
    step = _BUCKET_MS[width]
    return [Window(start, start + step) for start in range(window.start, window.end, step)]


def _missing_runs(rows_by_entity: Mapping[str, list[CompactTotals | None]]) -> dict[tuple[int, int], list[str]]:
    """Return the first and last missing cell with the units that miss it."""
    entities_by_run: dict[tuple[int, int], list[str]] = {}
    for name, bucket_rows in rows_by_entity.items():
        if None in bucket_rows:
            last = len(bucket_rows) - 1 - bucket_rows[::-1].index(None)
            entities_by_run.setdefault((bucket_rows.index(None), last), []).append(name)
    return entities_by_run


def _compact(total: Total) -> CompactTotal:
    return CompactTotal(
        total.entity, total.scope, total.start, tuple([total.sums.get(name, 0) for name in TIME_FIELDS])
    )


class UncachedTotals:
    """Reads a store as `Kept` is read, and keeps nothing."""

    def __init__(self, store: TotalsReader) -> None:
        self._store = store

    def rows(
        self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str, zone: ZoneInfo
    ) -> Iterable[CompactTotal]:
        """Return totals starting in the window."""
        del zone
        return map(_compact, self._store.totals(entities, width, window, kind))
