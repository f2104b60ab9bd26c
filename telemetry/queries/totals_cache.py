"""A cache of past totals, valid while the live rows show that they have not been written again; never for writing.

A live row's `reopened` changes after totals were written that had ended two minutes before.  A total that ended four
minutes ago is cached with the `reopened` of a snapshot taken before it was read, and read again when that changes.
Later totals, and those of entities whose row has no `reopened`, are cached for a second.
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
"""Two minutes more than rollup's: the two clocks may differ by that much."""
MAX_CACHED_TOTALS = 120_000
"""Totals cached at most, in all; the least recently used are dropped first."""
MAX_CACHED_BUCKETS = 1_000
"""A query for more buckets of one entity bypasses the cache: no page repeats it."""
RECENT_TTL_MS = 1_000
_BUCKET_MS: dict[BucketWidth, int] = {"5m": SLOT, "1h": HOUR}


class CompactTotal(Struct, frozen=True, gc=False):
    """A total with its sums of time only, ms, under their names; outside the garbage collector, for speed."""

    entity: str
    scope: str
    start: int
    up_ms: int = 0
    down_ms: int = 0
    platform_ms: int = 0
    cap_low_ms: int = 0
    cap_high_ms: int = 0
    conn_up_ms: int = 0
    conn_down_ms: int = 0
    conn_platform_ms: int = 0
    open_up_ms: int = 0
    open_down_ms: int = 0
    open_platform_ms: int = 0
    open_cap_low_ms: int = 0
    open_cap_high_ms: int = 0
    open_conn_up_ms: int = 0
    open_conn_down_ms: int = 0
    open_conn_platform_ms: int = 0

    @classmethod
    def from_total(cls, total: Total) -> CompactTotal:
        """Return a total without its other sums; missing ones count as zero."""
        get = total.sums.get
        return cls(total.entity, total.scope, total.start, *[get(name, 0) for name in TIME_FIELDS])


TIME_FIELDS = CompactTotal.__struct_fields__[3:]
"""The sums that are cached; a new one is a field of CompactTotal."""
CompactTotals = tuple[CompactTotal, ...]


class TotalsReader(Protocol):
    """The source of totals: a store."""

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> Sequence[Total]:
        """Return totals starting in the window."""


@dataclass(slots=True)
class _EntityCache:
    """The cached totals of one entity by bucket start; `recent` is valid until `recent_expires_at`, Unix ms."""

    reopened_at: int
    stable: dict[int, CompactTotals] = field(default_factory=dict)
    recent: dict[int, CompactTotals] = field(default_factory=dict)
    recent_expires_at: int = 0
    size: int = 0

    def lookup(self, starts: list[int]) -> list[CompactTotals | None]:
        """Return the cached rows at each start, None where they are missing."""
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
    """One query: buckets of a kind and width, in order, and the present."""

    kind: str
    width: BucketWidth
    starts: list[int]
    ends: list[int]
    now: int

    def window(self, first: int, last: int) -> Window:
        """Return the time from bucket `first` to bucket `last`, both included."""
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
        """Return totals starting in the window, whose ends are boundaries of the width (whole days of `zone`)."""
        buckets = _bucket_windows(width, window, zone)
        if len(buckets) > MAX_CACHED_BUCKETS:
            return map(CompactTotal.from_total, self._store.totals(entities, width, window, kind))
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
            rows_by_bucket.setdefault((total.entity, start), []).append(CompactTotal.from_total(total))
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
    """Return the entities with missing buckets by their first and last missing bucket."""
    entities_by_run: dict[tuple[int, int], list[str]] = {}
    for name, bucket_rows in rows_by_entity.items():
        if None in bucket_rows:
            last = len(bucket_rows) - 1 - bucket_rows[::-1].index(None)
            entities_by_run.setdefault((bucket_rows.index(None), last), []).append(name)
    return entities_by_run
