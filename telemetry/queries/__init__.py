"""The questions people ask, answered from totals and live rows; it must not read raw events or choose a store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, day_window, floor
from telemetry.core.inventory import ALWAYS_OPEN, Centre, local_date
from telemetry.core.slo.periods import settled_until
from telemetry.queries.availability import (
    AvailabilityDimension,
    AvailabilityOptions,
    AvailabilityResult,
    ClockKind,
    compute_availability,
)
from telemetry.queries.buckets import BucketSize, OpenWindowsCache, bucket_query
from telemetry.queries.calendars import MaintenanceWindow, explain_days, planned_maintenance
from telemetry.queries.completeness import NetworkCompleteness
from telemetry.queries.errors import BadScope, BadWindow, NotFound
from telemetry.queries.health import StoreStats, StoreStatsCache
from telemetry.queries.network import NetworkView, QueryScope, scope_of_centres
from telemetry.queries.publication import PublicationNote
from telemetry.queries.queues import (
    CurrentQueue,
    QueueHistory,
    QueueHistoryRow,
    current_queues,
    empty_queue_row,
    queue_history_rows,
)
from telemetry.queries.slo_history import ScopedSloQuery, budget_spending, slo_history
from telemetry.queries.slos import ScopedSlo, SloIndex, build_slo_index
from telemetry.queries.snapshot import Snapshot, SnapshotCache
from telemetry.queries.status import NetworkStatus, sort_worst_first
from telemetry.queries.systems import SystemDetail, build_system_detail
from telemetry.queries.timeline import TimelineInput, TimelineSegment, build_timeline, read_sums
from telemetry.queries.totals_cache import TotalsCache
from telemetry.queries.views import CentreCondition, CentreView, DeviceView, SystemView, count_states
from telemetry.queries.worlds import CachedNetworkView, NetworkViewCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import CalendarDay
    from telemetry.core.inventory import Inventory, Target, UnknownPolicy as UnknownAs
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.store import Store

__all__ = [
    "WAIT_TARGET",
    "AvailabilityDimension",
    "AvailabilityResult",
    "BadScope",
    "BadWindow",
    "BucketSize",
    "CentreCondition",
    "CentreView",
    "ClockKind",
    "CurrentQueue",
    "DeviceView",
    "MaintenanceWindow",
    "NetworkCompleteness",
    "NetworkStatus",
    "NetworkView",
    "NotFound",
    "PublicationNote",
    "Queries",
    "QueueHistory",
    "QueueHistoryRow",
    "ScopedSlo",
    "SloIndex",
    "Snapshot",
    "StoreStats",
    "SystemView",
    "count_states",
    "sort_worst_first",
]  # fmt: skip

WAIT_TARGET = "wait_mean"


class Queries:
    """Answers questions; `clock` gives Unix ms.  Any method may raise StoreUnavailable, Unknown or BadWindow."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._snapshots = SnapshotCache(store, clock)
        self._totals_cache = TotalsCache(store, lambda: self.snapshot().reopened_at, clock)
        self._open_windows_cache = OpenWindowsCache()
        self._network_views = NetworkViewCache()
        self._store_stats = StoreStatsCache(store, clock)
        self._cached_slo_index: tuple[object, SloIndex] | None = None

    def now(self) -> int:
        """Return the present, Unix ms."""
        return self._clock()

    def inventory(self) -> Inventory:
        """Return the inventory in force."""
        return self._inventory()

    def snapshot(self) -> Snapshot:
        """Return the live rows, at most a second old."""
        return self._snapshots.get()

    def network(self) -> CachedNetworkView:
        """Return everything there is now, at most a second old."""
        return self._network_views.get(self._inventory(), self.snapshot(), self._clock())

    def network_status(self) -> NetworkStatus:
        """Look at the whole network."""
        return self.network().status(self.wait_target())

    def wait_target(self) -> Target | None:
        """Return the mean-wait target in force today."""
        inventory = self._inventory()
        return inventory.target_in_force(WAIT_TARGET, local_date(self._clock(), inventory.zone))

    def centres(self) -> list[CentreView]:
        """Return all centres by id."""
        return self.network().centre_views()

    def centre(self, ident: str) -> CentreView:
        """Return one centre."""
        network = self.network()
        return network.centre_view(network.centre(ident))

    def devices(self, centre: str) -> tuple[DeviceView, ...]:
        """Return a centre's devices by id."""
        return self.centre(centre).devices

    def device(self, ident: str) -> DeviceView:
        """Return one device."""
        return self.network().device(ident)

    def systems(self) -> list[SystemView]:
        """Return the digital systems by id."""
        return self.network().systems()

    def system(self, ident: str) -> SystemView:
        """Return one digital system."""
        return self.network().system(ident)

    def system_detail(self, ident: str) -> SystemDetail:
        """Return one digital system with its vantage table and the figures of its last day and 28 days."""
        view, end = self.system(ident), floor(self._clock(), SLOT)
        day, month = Window(end - DAY, end), Window(end - 28 * DAY, end)
        last_day, last_28_days = (self.availability(f"system:{ident}", window).overall for window in (day, month))
        runs = bucket_query(day, "total", self.zone()).runs_to_read()
        totals = [total for width, window in runs for total in self._store.totals([ident], width, window, "system")]
        return build_system_detail(view, last_day, last_28_days, totals)

    def timeline(self, scope: str, window: Window, sli: AvailabilityDimension = "service") -> list[TimelineSegment]:
        """Return a device's or centre's time as segments of one state; the window must have passed on its marks."""
        centre = self.centre_of(scope)
        if centre is None:
            raise BadScope(scope)
        scope_sums, centre_sums = read_sums(self._store, centre.id, scope, window)
        parent = f"centre:{centre.id}"
        device_ids = {d.now.id for d in self.devices(centre.id)} if scope == parent else {scope.partition(":")[2]}
        has_missing_rows = any(d.device in device_ids and not d.is_complete for d in self.completeness().devices)
        settled_ms = settled_until(self._clock(), centre.zone)
        timeline_input = TimelineInput(
            scope_sums, centre_sums, sli, has_missing_rows, settled_ms, "" if scope == parent else parent
        )
        return build_timeline(window, timeline_input, centre.calendar)

    def slo_index(self) -> SloIndex:
        """Return every objective as rollup last judged it; kept until the inventory or a judgement changes."""
        inventory, snapshot = self._inventory(), self.snapshot()
        key = (inventory.version, tuple((i, id(now)) for i, now in snapshot.slos.items()))
        cached = self._cached_slo_index
        if cached is None or cached[0] != key:
            cached = self._cached_slo_index = (key, build_slo_index(inventory, snapshot, cached and cached[1]))
        return cached[1]

    def centre_of(self, scope: str) -> Centre | None:
        """Return the centre a scope lies in, None for systems and what spans centres."""
        network, (kind, _, ident) = self.network(), scope.partition(":")
        if kind == "device":
            return network.centre(network.device(ident).centre)
        return network.centre(ident) if kind == "centre" else None

    def scoped_slo(self, slo: str, scope: str) -> ScopedSloQuery:
        """Return an objective at one scope, to look at how its budget went; raises Unknown."""
        scoped, query_scope = self.slo_index().find(slo, scope), self.parse_scope(scope)
        entity, source = next(iter(query_scope.calendars.items()))
        calendar = source.calendar if isinstance(source, Centre) else source or Calendar(ALWAYS_OPEN, query_scope.zone)
        settled_ms = scoped.settled_until or settled_until(self._clock(), query_scope.zone)
        return ScopedSloQuery(scoped.objective, scope, entity, calendar, query_scope.zone, settled_ms)

    def slo_history(self, slo_query: ScopedSloQuery, window: Window, bucket: BucketSize) -> list[HistoryPoint]:
        """Return an objective's figures bucket by bucket."""
        return slo_history(self._store, slo_query, window, bucket, self._clock())

    def budget_spending(self, slo_query: ScopedSloQuery, window: Window) -> list[BudgetSpend]:
        """Return what consumed a budget, the greatest first."""
        return budget_spending(self._store, slo_query, window)

    def calendar_days(self, centre: str, window: Window) -> list[CalendarDay]:
        """Explain a centre's days."""
        return explain_days(self.network().centre(centre), window)

    def planned_maintenance(self, ahead_ms: int) -> list[MaintenanceWindow]:
        """Return the maintenance of now and the next `ahead` ms."""
        now = self._clock()
        return planned_maintenance(self._inventory(), Window(now, now + ahead_ms))

    def zone(self, centre: str | None = None) -> ZoneInfo:
        """Return a centre's zone, or the province's."""
        return self._inventory().zone if centre is None else self.network().centre(centre).zone

    def parse_scope(self, text: str) -> QueryScope:
        """Read a scope; raises BadScope or Unknown."""
        return self.network().parse_scope(text)

    def today_so_far(self, zone: ZoneInfo) -> Window:
        """Return the local day so far."""
        now = self._clock()
        start = day_window(local_date(now, zone), zone).start
        return Window(start, max(now, start + 1))

    def last_24_hours(self) -> Window:
        """Return the last 24 hours."""
        now = self._clock()
        return Window(now - 24 * HOUR, now)

    def availability(
        self, scope: QueryScope | str, window: Window, bucket: BucketSize = "total", clock: ClockKind = "open",
        unknown: UnknownAs = "exclude", sli: AvailabilityDimension = "service",
    ) -> AvailabilityResult:  # fmt: skip
        """Account for a scope's time."""
        query_scope = self.parse_scope(scope) if isinstance(scope, str) else scope
        inventory = self._inventory()
        options = AvailabilityOptions(clock, sli, inventory.published, self._network_views.capacity_centres(inventory))
        query = bucket_query(window, bucket, query_scope.zone)
        result = compute_availability(
            self._totals_cache, query_scope, query, options, self._clock(), self._open_windows_cache
        )
        return replace(result, unknown=unknown)

    def current_queues(self, centre: str | None = None, service: str | None = None) -> list[CurrentQueue]:
        """Return the queues now by centre and service."""
        network = self.network()
        views = network.centre_views() if centre is None else [network.centre_view(network.centre(centre))]
        rows = current_queues(views, service)
        if service is not None and not rows:
            self._check_service(service)
        return rows

    def queue_history(
        self, centre: str | None, service: str | None, window: Window, bucket: BucketSize = "total",
    ) -> QueueHistory:  # fmt: skip
        """Return past queue figures; a named service of a named centre always has its total."""
        network = self.network()
        centres = network.centres() if centre is None else [network.centre(centre)]
        query = bucket_query(window, bucket, network.inventory.zone if centre is None else centres[0].zone)
        rows = queue_history_rows(self._store, centres, query, service, self._clock())
        if service is not None and not rows:
            self._check_service(service, centres)
            if centre is not None and bucket == "total":
                rows = (empty_queue_row(centres[0], service, query),)
        if all(c.imported for c in centres):
            return QueueHistory(query.window, query.zone, rows, None)
        total_query = replace(query, bucket="total")
        scope = scope_of_centres("", centres, query.zone)
        result = compute_availability(
            self._totals_cache, scope, total_query, AvailabilityOptions(), self._clock(), self._open_windows_cache
        )
        return QueueHistory(query.window, query.zone, rows, result.overall.coverage)

    def _check_service(self, service: str, centres: list[Centre] | None = None) -> None:
        centre_services = {s for c in centres or () for s in c.services}
        if service not in self._inventory().services and service not in centre_services:
            kind = "service"
            raise NotFound(kind, service)

    def last_day_with_tickets(self, centre: str) -> int | None:
        """Return the start of the newest day that has tickets, Unix ms; None when there is none."""
        totals = self._store.totals([centre], "1d", Window(0, self._clock()), "desk")
        return max((total.start for total in totals), default=None)

    def store_stats(self) -> StoreStats:
        """Return counts about the store, at most ten seconds old."""
        return self._store_stats.get()

    def completeness(self) -> NetworkCompleteness:
        """Return completeness by device."""
        return self.store_stats().completeness

    def check_store(self) -> None:
        """Raise StoreUnavailable unless the store answers now."""
        self._store.cursor()
