"""Adds totals of a scope into buckets on the open or the wall clock; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, Protocol

from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, floor
from telemetry.core.figures.accounting import (
    CoveredRatio,
    TimeByState,
    covered_ratio,
    time_in_scope,
)
from telemetry.core.inventory import DEFAULT_COVERAGE_FLOOR, Centre, local_date
from telemetry.core.slo.periods import settled_until
from telemetry.queries.buckets import OpenWindowsCache
from telemetry.queries.publication import PublicationNote, exact_local_month, publication_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import PublishedFigures, UnknownPolicy
    from telemetry.queries.buckets import BucketQuery, QueryCost
    from telemetry.queries.network import QueryScope
    from telemetry.queries.totals_cache import CompactTotal

ClockKind = Literal["open", "wall"]
AvailabilityDimension = Literal["service", "connectivity"]
"""Was it able to serve people, or in contact."""
_TIME_FIELDS: dict[AvailabilityDimension, dict[str, str]] = {
    "service": {"up": "up_ms", "down": "down_ms", "platform_outage": "platform_ms"},
    "connectivity": {"up": "conn_up_ms", "down": "conn_down_ms", "platform_outage": "conn_platform_ms"},
}
"""Field of _BucketTime: field of the totals."""
_CAPACITY_FIELDS = {
    "capacity_low": "cap_low_ms", "capacity_high": "cap_high_ms", "capacity_platform_outage": "platform_ms",
}  # fmt: skip
"""Likewise, of centres with counters or kiosks."""


class CompactTotalsReader(Protocol):
    """The source of totals; `zone` is the one whose days make up the window."""

    def rows(
        self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str, zone: ZoneInfo
    ) -> Iterable[CompactTotal]:
        """Return totals starting in the window."""


@dataclass(frozen=True, slots=True)
class AvailabilityOptions:
    """On which clock time is counted, and of what.

    `published` are the published figures by month, scope and objective; `capacity_centres` the centres with critical
    counters or kiosks.
    """

    clock: ClockKind = "open"
    sli: AvailabilityDimension = "service"
    published: Mapping[tuple[str, str, str], PublishedFigures] = field(default_factory=dict)
    capacity_centres: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AvailabilityQuery:
    """A scope and a window with its buckets, as they were asked for, and what the answer will cost."""

    scope: QueryScope
    query: BucketQuery
    cost: QueryCost


@dataclass(frozen=True, slots=True)
class AvailabilityResult:
    """A scope's accounts by bucket, over a window of whole slots; `notes` has one entry per row.

    `centre` is the centre whose calendar counted, if it was one.
    """

    scope: str
    window: Window
    zone: ZoneInfo
    rows: tuple[tuple[Window, TimeByState], ...]
    overall: TimeByState
    unknown: UnknownPolicy = "exclude"
    notes: tuple[PublicationNote, ...] = ()
    settled_until: int = 0
    centre: Centre | None = None
    coverage_floor: float = DEFAULT_COVERAGE_FLOOR

    def ratio_of(self, account: TimeByState) -> CoveredRatio:
        """Return the availability of one of its accounts, by its policy and the coverage floor."""
        return covered_ratio(account.availability(self.unknown), account, self.coverage_floor)


@dataclass(slots=True)
class _BucketTime:
    """One bucket over all entities of the scope, ms: `open` and `excluded` by the calendars, the rest from totals.

    `not_in_service` is the part of `open` before an entity was in service, or after.
    `capacity` is the open time of centres with counters or kiosks, `capacity_covered` the part of it that totals
    exist for: where an hour was never folded, all counters may have worked.
    """

    window: Window
    open: int = 0
    excluded: int = 0
    not_in_service: int = 0
    up: int = 0
    down: int = 0
    platform_outage: int = 0
    capacity: int = 0
    capacity_covered: int = 0
    capacity_low: int = 0
    capacity_high: int = 0
    capacity_platform_outage: int = 0

    def add(self, **amounts: int) -> None:
        for name, ms in amounts.items():
            setattr(self, name, getattr(self, name) + ms)

    def account(self) -> TimeByState:
        """Return the time by state; outages of the platform are not in scope."""
        return time_in_scope(
            self.open, self.up, self.down, excluded_ms=self.excluded, not_in_service_ms=self.not_in_service,
            platform_outage_ms=self.platform_outage,
        ).to_seconds()  # fmt: skip

    def capacity_range(self) -> tuple[float, float] | None:
        """Return the working share of the counters: unknown ones as down, and as up; None without any."""
        possible_ms = self.capacity - self.capacity_platform_outage
        if possible_ms <= 0:
            return None
        high_ms = self.capacity_high + max(0, self.capacity - self.capacity_covered)
        return min(1.0, self.capacity_low / possible_ms), min(1.0, high_ms / possible_ms)


def compute_availability(
    reader: CompactTotalsReader,
    scope: QueryScope,
    query: BucketQuery,
    options: AvailabilityOptions,
    now: int,
    shared_cache: OpenWindowsCache | None = None,
) -> AvailabilityResult:
    """Account for each bucket up to the last slot boundary; time without reports is unknown.

    The current slot is left out: a report is valid into the future and would hide unknown time.
    `shared_cache` holds the open windows of calendars.
    """
    buckets, cache = [_BucketTime(window) for window in query.buckets()], shared_cache or OpenWindowsCache()
    _add_totals(buckets, reader, scope, replace(query, window=_clip_to_past(query.window, now)), options, cache)
    _add_open_time(buckets, scope, query.window, options, now, cache)
    overall = {name: sum(getattr(b, name) for b in buckets) for name in _BucketTime.__slots__[1:]}
    accounts = [(bucket.window, bucket.account()) for bucket in buckets]
    settled_ms = settled_until(now, query.zone)
    sources = list(scope.calendars.values())
    return AvailabilityResult(
        scope.label, query.window, query.zone, tuple(accounts), _BucketTime(query.window, **overall).account(),
        notes=tuple(
            publication_note(
                window, account, _published_for(scope, window, query.zone, options), settled_ms, bucket.capacity_range()
            )
            for (window, account), bucket in zip(accounts, buckets, strict=True)
        ),
        settled_until=settled_ms,
        centre=sources[0] if len(sources) == 1 and isinstance(sources[0], Centre) else None,
    )  # fmt: skip


def _published_for(
    scope: QueryScope, bucket: Window, zone: ZoneInfo, options: AvailabilityOptions
) -> PublishedFigures | None:
    """Return the published figures of the bucket: only of whole local months, on the open clock, of service."""
    if not options.published or (options.clock, options.sli) != ("open", "service"):
        return None
    return options.published.get((exact_local_month(bucket, zone), scope.label, ""))


def _add_totals(
    buckets: list[_BucketTime],
    reader: CompactTotalsReader,
    scope: QueryScope,
    past_query: BucketQuery,
    options: AvailabilityOptions,
    cache: OpenWindowsCache,
) -> None:
    """Add the totals of the past."""
    starts, entities = [bucket.window.start for bucket in buckets], sorted(scope.calendars)
    capacity_centres = _capacity_centres(scope, options)
    full_window = Window(starts[0], buckets[-1].window.end)
    capacity_windows = _open_windows_for(scope, full_window, options.clock, cache, capacity_centres)
    for width, window in past_query.runs_to_read() if entities else []:
        rows = list(reader.rows(entities, width, window, scope.kind, past_query.zone))
        if scope.in_service:
            rows = _rows_in_service(rows, scope.in_service, (width, past_query.zone))
        for index, covered_ms in _covered_ms(rows, starts, (width, past_query.zone), capacity_windows).items():
            buckets[index].add(capacity_covered=covered_ms)
        # A 5-minute total is open or not, by the calendar.  Wider ones have the open time as sums.
        is_slot_clock = options.clock == "open" and width == "5m"
        open_by_entity = _open_windows_for(scope, window, "open", cache, entities) if is_slot_clock else {}
        prefix = "open_" if options.clock == "open" and width != "5m" else ""
        for index, (all_rows, capacity_rows) in _rows_by_bucket(
            rows, starts, scope.names, open_by_entity, capacity_centres
        ).items():
            buckets[index].add(**_sum_fields(all_rows, _TIME_FIELDS[options.sli], prefix))
            buckets[index].add(**_sum_fields(capacity_rows, _CAPACITY_FIELDS, prefix))


def _sum_fields(rows: list[CompactTotal], fields: Mapping[str, str], prefix: str) -> dict[str, int]:
    return {name: sum(map(attrgetter(prefix + total_field), rows)) for name, total_field in fields.items()}


def _covered_ms(
    rows: Iterable[CompactTotal],
    starts: list[int],
    width_and_zone: tuple[BucketWidth, ZoneInfo],
    capacity_windows: Mapping[str, OpenTimeline],
) -> dict[int, int]:
    """Return the open time of capacity centres within existing totals, by bucket, ms."""
    windows_by_id = {id(open_windows): open_windows for open_windows in capacity_windows.values()}
    id_by_entity = {entity: id(open_windows) for entity, open_windows in capacity_windows.items()}
    row_counts = Counter((id_by_entity[row.entity], row.start) for row in rows if row.entity in id_by_entity)
    covered: dict[int, int] = defaultdict(int)
    for (key, start), row_count in row_counts.items():
        covered[bisect_right(starts, start) - 1] += row_count * windows_by_id[key].open_within(
            _bucket_window(start, *width_and_zone)
        )
    return covered


def _rows_in_service(
    rows: Iterable[CompactTotal], in_service: Mapping[str, Window], width_and_zone: tuple[BucketWidth, ZoneInfo]
) -> list[CompactTotal]:
    """Leave out what was reported outside a service period, of the entities that have one."""
    return [
        row
        for row in rows
        if row.entity not in in_service or _bucket_window(row.start, *width_and_zone).clip(in_service[row.entity])
    ]


def _bucket_window(start: int, width: BucketWidth, zone: ZoneInfo) -> Window:
    if width == "1d":
        return day_window(local_date(start, zone), zone)
    return Window(start, start + (HOUR if width == "1h" else SLOT))


def _rows_by_bucket(
    rows: Iterable[CompactTotal],
    starts: list[int],
    names: frozenset[str],
    open_by_entity: Mapping[str, OpenTimeline],
    capacity_centres: frozenset[str],
) -> dict[int, tuple[list[CompactTotal], list[CompactTotal]]]:
    """Return all rows and those of centres with capacity, by bucket; it allocates next to nothing for each row."""
    pair_by_bucket: dict[int, tuple[list[CompactTotal], list[CompactTotal]]] = defaultdict(lambda: ([], []))
    pair_by_start: dict[int, tuple[list[CompactTotal], list[CompactTotal]]] = {}
    for row in rows:
        if row.scope not in names or (open_by_entity and not open_by_entity[row.entity].is_open(row.start)):
            continue
        pair = pair_by_start.get(row.start)
        if pair is None:
            pair = pair_by_start[row.start] = pair_by_bucket[bisect_right(starts, row.start) - 1]
        pair[0].append(row)
        if row.entity in capacity_centres:
            pair[1].append(row)
    return pair_by_bucket


def _open_windows_for(
    scope: QueryScope, window: Window, clock: ClockKind, cache: OpenWindowsCache, entities: Iterable[str]
) -> dict[str, OpenTimeline]:
    """Return when the clock runs in each of the entities."""
    return {u: cache.open_windows(scope.calendars[u] if clock == "open" else None, window) for u in entities}


def _capacity_centres(scope: QueryScope, options: AvailabilityOptions) -> frozenset[str]:
    """Return the scope's centres that have a capacity."""
    if (scope.kind, options.sli) != ("centre", "service"):
        return frozenset()
    return options.capacity_centres.intersection(scope.calendars)


def _add_open_time(
    buckets: list[_BucketTime], scope: QueryScope, window: Window, options: AvailabilityOptions, now: int,
    cache: OpenWindowsCache,
) -> None:  # fmt: skip
    """Add what of each bucket's past is open and excluded by the calendars."""
    past_windows = [_clip_to_past(bucket.window, now) for bucket in buckets]
    sources = {entity: source if options.clock == "open" else None for entity, source in scope.calendars.items()}
    open_by_entity = _open_windows_for(scope, window, options.clock, cache, sources)
    excluded = [cache.excluded_windows(source, window) for source in sources.values()]
    capacity_centres = _capacity_centres(scope, options)
    capacity = [open_by_entity[entity] for entity in capacity_centres]
    for name, window_sets in (("open", list(open_by_entity.values())), ("excluded", excluded), ("capacity", capacity)):
        for bucket, ms in zip(buckets, _open_ms_by_window(window_sets, past_windows), strict=True):
            bucket.add(**{name: ms})
    for entity, in_service in scope.in_service.items():
        for bucket, past in zip(buckets, past_windows, strict=True):
            not_in_service = _open_outside(open_by_entity[entity], past, in_service)
            in_capacity = not_in_service if entity in capacity_centres else 0
            bucket.add(not_in_service=not_in_service, capacity=-in_capacity)


def _open_outside(timeline: OpenTimeline, window: Window, in_service: Window) -> int:
    part = window.clip(in_service)
    return timeline.open_within(window) - (timeline.open_within(part) if part else 0)


def _open_ms_by_window(window_sets: list[OpenTimeline], windows: list[Window]) -> list[int]:
    """Return the open ms of each window, over all entities; open windows that entities share are measured once."""
    by_id, counts_by_id = {id(o): o for o in window_sets}, Counter(map(id, window_sets))
    return [sum(by_id[key].open_within(window) * count for key, count in counts_by_id.items()) for window in windows]


def _clip_to_past(window: Window, now: int) -> Window:
    return Window(window.start, max(window.start, min(window.end, floor(now, SLOT))))
