"""Adds totals of a scope into buckets on the open or the wall clock; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal, Protocol

from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, floor
from telemetry.core.figures.accounting import TimeByState, to_time_by_state
from telemetry.core.inventory import local_date
from telemetry.core.slo.periods import settled_until
from telemetry.queries.buckets import OpenWindowsCache
from telemetry.queries.publication import PublicationNote, exact_local_month, publication_note
from telemetry.queries.totals_cache import TIME_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import PublishedFigures, UnknownPolicy
    from telemetry.queries.buckets import BucketQuery
    from telemetry.queries.network import QueryScope
    from telemetry.queries.totals_cache import CompactTotal

ClockKind = Literal["open", "wall"]
AvailabilityDimension = Literal["service", "connectivity"]
"""Did it serve people, or did we hear from it."""
ValueRows = list[tuple[int, ...]]
_FIELDS_BY_DIMENSION: dict[AvailabilityDimension, tuple[str, ...]] = {
    "service": ("up_ms", "down_ms", "platform_ms", "cap_low_ms", "cap_high_ms"),
    "connectivity": ("conn_up_ms", "conn_down_ms", "conn_platform_ms"),
}


class CompactTotalsReader(Protocol):
    """Where totals come from; `zone` says whose days the window is made of."""

    def rows(
        self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str, zone: ZoneInfo
    ) -> Iterable[CompactTotal]:
        """Return totals starting in the window."""


@dataclass(frozen=True, slots=True)
class AvailabilityOptions:
    """On which clock time is counted, and what of.

    `published` holds what was published; `staffed` are the centres with critical counters or kiosks.
    """

    clock: ClockKind = "open"
    sli: AvailabilityDimension = "service"
    published: Mapping[tuple[str, str, str], PublishedFigures] = field(default_factory=dict)
    capacity_centres: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AvailabilityResult:
    """A scope's accounts by bucket, over a window on 5-minute marks; `notes` go with the rows, one each."""

    scope: str
    window: Window
    zone: ZoneInfo
    rows: tuple[tuple[Window, TimeByState], ...]
    overall: TimeByState
    unknown: UnknownPolicy = "exclude"
    notes: tuple[PublicationNote, ...] = ()
    settled_until: int = 0


@dataclass(frozen=True, slots=True)
class _BucketSums:
    """Sums of one bucket, ms; `lost` and `told` are of centres with counters: the platform's time, and cells there are.

    A cell that was never folded says nothing of its counters: all of them may have worked.
    """

    up: int = 0
    down: int = 0
    platform_outage: int = 0
    capacity_low: int = 0
    capacity_high: int = 0
    capacity_platform_outage: int = 0
    capacity_covered: int = 0

    def __add__(self, other: _BucketSums) -> _BucketSums:
        return _BucketSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class _OpenLengths:
    """How much of each bucket is open, is left out, and is open where there are counters, ms over all units."""

    open: list[int]
    excluded: list[int]
    capacity: list[int]


def compute_availability(
    reader: CompactTotalsReader,
    scope: QueryScope,
    query: BucketQuery,
    options: AvailabilityOptions,
    now: int,
    shared_cache: OpenWindowsCache | None = None,
) -> AvailabilityResult:
    """Account for each bucket up to the last 5-minute mark; time nobody reported on is unknown.

    The running five minutes are left out: a report speaks a little ahead, and would hide what is unknown.
    `openings` keeps what calendars say about windows.
    """
    past_buckets = [_clip_to_past(bucket, now) for bucket in query.buckets()]
    cache = shared_cache or OpenWindowsCache()
    sums = _sum_buckets(reader, scope, query, options, now, cache)
    lengths = _measure_open_time(scope, query.window, past_buckets, options, cache)
    accounts = [
        _bucket_account(s, open_ms, excluded_ms)
        for s, open_ms, excluded_ms in zip(sums, lengths.open, lengths.excluded, strict=True)
    ]
    settled_ms = settled_until(now, query.zone)
    return AvailabilityResult(
        scope.label, query.window, query.zone, tuple(zip(query.buckets(), accounts, strict=True)),
        _bucket_account(_sum_all(sums), sum(lengths.open), sum(lengths.excluded)),
        notes=tuple(_publication_notes(scope, query, options, accounts, _capacity_ranges(sums, lengths), settled_ms)),
        settled_until=settled_ms,
    )  # fmt: skip


def _publication_notes(
    scope: QueryScope, query: BucketQuery, options: AvailabilityOptions, accounts: list[TimeByState],
    capacities: list[tuple[float, float] | None], settled_ms: int,
) -> Iterable[PublicationNote]:  # fmt: skip
    for bucket, account, capacity in zip(query.buckets(), accounts, capacities, strict=True):
        yield publication_note(
            bucket, account, _published_for(scope, bucket, query.zone, options), settled_ms, capacity
        )


def _published_for(
    scope: QueryScope, bucket: Window, zone: ZoneInfo, options: AvailabilityOptions
) -> PublishedFigures | None:
    """Return what was published of the bucket: of whole local months, on the open clock, of service."""
    if not options.published or (options.clock, options.sli) != ("open", "service"):
        return None
    return options.published.get((exact_local_month(bucket, zone), scope.label, ""))


def _bucket_account(sums: _BucketSums, open_ms: int, excluded_ms: int) -> TimeByState:
    """Take the time our own platform was down out of what is in scope."""
    open_ms, excluded_ms = max(0, open_ms - sums.platform_outage), excluded_ms + sums.platform_outage
    return to_time_by_state(open_ms, sums.up, sums.down, excluded_ms).to_seconds()


def _sum_all(sums: list[_BucketSums]) -> _BucketSums:
    return sum(sums, _BucketSums())


def _capacity_ranges(sums: list[_BucketSums], lengths: _OpenLengths) -> list[tuple[float, float] | None]:
    return [_capacity_range(s, capacity_ms) for s, capacity_ms in zip(sums, lengths.capacity, strict=True)]


def _capacity_range(sums: _BucketSums, capacity_ms: int) -> tuple[float, float] | None:
    possible_ms, uncovered_ms = capacity_ms - sums.capacity_platform_outage, max(0, capacity_ms - sums.capacity_covered)
    if possible_ms <= 0:
        return None
    return min(1.0, sums.capacity_low / possible_ms), min(1.0, (sums.capacity_high + uncovered_ms) / possible_ms)


def _sum_buckets(
    reader: CompactTotalsReader,
    scope: QueryScope,
    query: BucketQuery,
    options: AvailabilityOptions,
    now: int,
    cache: OpenWindowsCache,
) -> list[_BucketSums]:
    """Add the totals of the past into the buckets."""
    past_query, starts = (
        replace(query, window=_clip_to_past(query.window, now)),
        [bucket.start for bucket in query.buckets()],
    )
    sums, entities = [_BucketSums()] * len(starts), sorted(scope.calendars)
    capacity_centres = _capacity_centres(scope, options)
    counters = _open_windows_for(scope, query.window, options.clock, cache, capacity_centres)
    for width, window in past_query.runs_to_read() if entities else []:
        rows = list(reader.rows(entities, width, window, scope.kind, past_query.zone))
        for index, covered_ms in _covered_ms(rows, starts, (width, past_query.zone), counters).items():
            sums[index] += _BucketSums(capacity_covered=covered_ms)
        open_by_entity, columns = (
            _open_by_entity(scope, window, width, options.clock, cache),
            _column_indexes(options, width),
        )
        for index, (other_rows, capacity_rows) in _rows_by_bucket(
            rows, starts, scope.names, open_by_entity, capacity_centres
        ).items():
            sums[index] += _to_bucket_sums(columns, other_rows, capacity_rows)
    return sums


def _covered_ms(
    rows: Iterable[CompactTotal],
    starts: list[int],
    width_and_zone: tuple[BucketWidth, ZoneInfo],
    counters: Mapping[str, OpenTimeline],
) -> dict[int, int]:
    """Return by bucket how much open time of centres with counters lies in cells that have a row, ms."""
    windows_by_id = {id(open_windows): open_windows for open_windows in counters.values()}
    id_by_entity = {entity: id(open_windows) for entity, open_windows in counters.items()}
    row_counts = Counter((id_by_entity[row.entity], row.start) for row in rows if row.entity in id_by_entity)
    covered: dict[int, int] = defaultdict(int)
    for (key, start), row_count in row_counts.items():
        covered[bisect_right(starts, start) - 1] += row_count * windows_by_id[key].open_within(
            _bucket_window(start, *width_and_zone)
        )
    return covered


def _bucket_window(start: int, width: BucketWidth, zone: ZoneInfo) -> Window:
    if width == "1d":
        return day_window(local_date(start, zone), zone)
    return Window(start, start + (HOUR if width == "1h" else SLOT))


def _rows_by_bucket(
    rows: Iterable[CompactTotal],
    starts: list[int],
    names: frozenset[str],
    open_by_entity: dict[str, OpenTimeline] | None,
    capacity_centres: frozenset[str],
) -> dict[int, tuple[ValueRows, ValueRows]]:
    """Sort rows by bucket, those of centres with counters apart; made to allocate next to nothing for each row."""
    pair_by_bucket: dict[int, tuple[ValueRows, ValueRows]] = defaultdict(lambda: ([], []))
    pair_by_start: dict[int, tuple[ValueRows, ValueRows]] = {}
    for row in rows:
        if row.scope not in names or (open_by_entity and not open_by_entity[row.entity].is_open(row.start)):
            continue
        pair = pair_by_start.get(row.start)
        if pair is None:
            pair = pair_by_start[row.start] = pair_by_bucket[bisect_right(starts, row.start) - 1]
        pair[row.entity in capacity_centres].append(row.values)
    return pair_by_bucket


def _to_bucket_sums(columns: Sequence[int], other_rows: ValueRows, capacity_rows: ValueRows) -> _BucketSums:
    other_sums, capacity_sums = _column_sums(columns, other_rows), _column_sums(columns, capacity_rows)
    up, down, platform = (other_sums[i] + capacity_sums[i] for i in range(3))
    return _BucketSums(up, down, platform, capacity_sums[3], capacity_sums[4], capacity_sums[2])


def _column_sums(columns: Sequence[int], values: ValueRows) -> list[int]:
    flat = list(chain.from_iterable(values))
    return [sum(flat[i :: len(TIME_FIELDS)]) for i in columns] + [0] * (5 - len(columns))


def _column_indexes(options: AvailabilityOptions, width: BucketWidth) -> list[int]:
    """Return which sums count: five-minute totals know no calendar."""
    prefix = "open_" if options.clock == "open" and width != "5m" else ""
    return [TIME_FIELDS.index(prefix + name) for name in _FIELDS_BY_DIMENSION[options.sli]]


def _open_by_entity(
    scope: QueryScope, window: Window, width: BucketWidth, clock: ClockKind, cache: OpenWindowsCache
) -> dict[str, OpenTimeline] | None:
    """Return what is open in each unit where totals know no calendar: five minutes are open or not."""
    if clock == "wall" or width != "5m":
        return None
    return {entity: cache.open_windows(source, window) for entity, source in scope.calendars.items()}


def _open_windows_for(
    scope: QueryScope, window: Window, clock: ClockKind, cache: OpenWindowsCache, entities: Iterable[str]
) -> dict[str, OpenTimeline]:
    """Return when the clock runs in each of the units."""
    return {u: cache.open_windows(scope.calendars[u] if clock == "open" else None, window) for u in entities}


def _capacity_centres(scope: QueryScope, options: AvailabilityOptions) -> frozenset[str]:
    """Return the scope's centres whose capacity can be told."""
    if (scope.kind, options.sli) != ("centre", "service"):
        return frozenset()
    return options.capacity_centres.intersection(scope.calendars)


def _measure_open_time(
    scope: QueryScope, window: Window, past_buckets: list[Window], options: AvailabilityOptions, cache: OpenWindowsCache
) -> _OpenLengths:
    calendars = {entity: source if options.clock == "open" else None for entity, source in scope.calendars.items()}
    open_by_entity = _open_windows_for(scope, window, options.clock, cache, calendars)
    excluded = [cache.excluded_windows(source, window) for source in calendars.values()]
    capacity = [open_by_entity[entity] for entity in _capacity_centres(scope, options)]
    return _OpenLengths(
        _open_ms_by_window(open_by_entity.values(), past_buckets),
        _open_ms_by_window(excluded, past_buckets),
        _open_ms_by_window(capacity, past_buckets),
    )


def _open_ms_by_window(open_windows: Iterable[OpenTimeline], windows: list[Window]) -> list[int]:
    """Return the ms of each window that are open, over all units; units that share an opening are reckoned once."""
    window_sets = list(open_windows)
    by_id, counts_by_id = {id(o): o for o in window_sets}, Counter(map(id, window_sets))
    return [sum(by_id[key].open_within(window) * count for key, count in counts_by_id.items()) for window in windows]


def _clip_to_past(window: Window, now: int) -> Window:
    return Window(window.start, max(window.start, min(window.end, floor(now, SLOT))))
