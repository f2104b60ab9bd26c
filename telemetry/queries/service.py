"""Answers the queries of pages, API and metrics from totals and live rows; it must not read raw events.

It must not choose a store either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, HOUR, Window, day_window
from telemetry.core.figures.counter_figures import counter_figures
from telemetry.core.fold.totals import add_sums
from telemetry.core.in_service import service_periods
from telemetry.core.inventory import ALWAYS_OPEN, UNDECLARED_SERVICE, Centre, local_date
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import settled_until
from telemetry.queries.availability import AvailabilityOptions, AvailabilityQuery, compute_availability
from telemetry.queries.buckets import OpenWindowsCache, bucket_query
from telemetry.queries.budget_history import BudgetHistories
from telemetry.queries.centre_days import CentreDays
from telemetry.queries.comparison import Comparisons
from telemetry.queries.completeness import StoreStatsCache
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.errors import BadScope, BadWindow, NotFound
from telemetry.queries.forecasts import (
    expected_half_hours,
    most_counters,
    next_forecast_day,
    staffing_plan,
)
from telemetry.queries.incidents import IncidentQueries
from telemetry.queries.indicator_figures import IndicatorInputs
from telemetry.queries.indicators import IndicatorQueries
from telemetry.queries.network import NetworkViewCache, planned_maintenance, scope_of_centres
from telemetry.queries.network_history import NetworkHistoryReader
from telemetry.queries.open_data.coverage import dataset_coverage
from telemetry.queries.open_data.rows import OpenDataInputs
from telemetry.queries.period_history import (
    days_with_tickets,
    newest_day_with_tickets,
    period_rows,
    read_centre_history,
)
from telemetry.queries.queue_groups import counters_by_bucket, group_key, group_rows
from telemetry.queries.queue_history import HistoryInputs, QueueHistoryReader, QueueHistoryRequest
from telemetry.queries.queues import QueueHistory, current_queues, empty_queue_row
from telemetry.queries.readiness import read_readiness
from telemetry.queries.rows_in_order import RowsInOrder
from telemetry.queries.slo_history import ScopedSloQuery
from telemetry.queries.slos import build_slo_index
from telemetry.queries.snapshot import SnapshotCache
from telemetry.queries.staffing_plans import StaffingPlans
from telemetry.queries.systems import SystemQueries
from telemetry.queries.timeline import TimelineInput, build_timeline, read_sums
from telemetry.queries.totals_cache import TotalsCache
from telemetry.queries.wait_models import WaitModelCards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import CalendarDay
    from telemetry.core.figures.counter_figures import CounterFigures
    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Inventory, Target, UnknownPolicy
    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.core.queueing.staffing import StaffingRules, WhatIf
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.queries.availability import AvailabilityDimension, AvailabilityResult, ClockKind
    from telemetry.queries.buckets import BucketSize, QueryCost
    from telemetry.queries.completeness import StoreStats
    from telemetry.queries.forecasts import ArrivalsForecast, StaffingPlan
    from telemetry.queries.network import CachedNetworkView, MaintenanceWindow, NetworkStatus
    from telemetry.queries.open_data.coverage import DatasetCoverage
    from telemetry.queries.period_history import DayRange, PeriodHistory
    from telemetry.queries.queue_groups import QueueGroup
    from telemetry.queries.queues import CurrentQueue
    from telemetry.queries.readiness import Readiness
    from telemetry.queries.slos import SloIndex
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.staffing_plans import PresentExpectation
    from telemetry.queries.timeline import TimelineSegment
    from telemetry.queries.views import CentreView, DeviceView
    from telemetry.queries.wait_models import CentreWithoutModel, WaitModelCard
    from telemetry.store import Store

WAIT_TARGET = "wait_mean"
MAX_CALENDAR_DAYS = 400


class Queries:
    """Answers questions; `clock` returns Unix ms.  Any method may raise StoreUnavailable, NotFound or BadWindow."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._snapshots = SnapshotCache(store, clock)
        self._totals_cache = TotalsCache(store, lambda: self.snapshot().reopened_at, clock)
        self._open_windows_cache = OpenWindowsCache()
        self._network_views = NetworkViewCache()
        self.systems = SystemQueries(store, self.network, self.availability, clock)
        self.incidents = IncidentQueries(
            store, self.network, lambda: self.snapshot().reopened_at, self._open_windows_cache, clock
        )
        self._store_stats = StoreStatsCache(store, clock)
        self._queue_histories = QueueHistoryReader(store, self._history_inputs, self._open_windows_cache)
        self._network_histories = NetworkHistoryReader(store, self._history_inputs)
        self._indicators = IndicatorQueries(inventory, self._indicator_inputs, clock)
        self._wait_model_cards = WaitModelCards(store, self._history_inputs)
        self._staffing_plans = StaffingPlans()
        self.centre_days = CentreDays(store, self.network, self.service_periods, clock, self._open_windows_cache)
        self.comparisons = Comparisons(store, self.network, self.availability, clock)
        self._budget_histories = BudgetHistories(store, lambda entity: self.snapshot().reopened_at(entity), clock)
        self._cached_slo_index: tuple[object, SloIndex] | None = None
        self._cached_periods: tuple[object, object, ServicePeriods] | None = None

    def now(self) -> int:
        """Return the present, Unix ms."""
        return self._clock()

    def inventory(self) -> Inventory:
        """Return the inventory in force."""
        return self._inventory()

    def snapshot(self) -> Snapshot:
        """Return the live rows, at most half a second old."""
        return self._snapshots.get()

    def network(self) -> CachedNetworkView:
        """Return the network now, at most half a second old."""
        return self._network_views.get(self._inventory(), self.snapshot(), self._clock(), self.service_periods())

    def service_periods(self) -> ServicePeriods:
        """Return when everything is in service; computed again when the inventory or a contact changes."""
        inventory, contacts, cached = self._inventory(), self.snapshot().contacts, self._cached_periods
        if cached is None or cached[0] is not inventory or cached[1] is not contacts:
            cached = self._cached_periods = (inventory, contacts, service_periods(inventory, contacts))
        return cached[2]

    def network_status(self) -> NetworkStatus:
        """Summarise the network."""
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

    def wait_model_cards(self) -> list[WaitModelCard]:
        """Return the cards of the centres' wait models, by centre."""
        return self._wait_model_cards.cards(self._inventory().centres.values(), self._clock())

    def centres_without_model(self) -> list[CentreWithoutModel]:
        """Return the declared centres without a wait model, by centre."""
        return self._wait_model_cards.without_model(self._inventory().centres.values(), self._clock())

    def device(self, ident: str) -> DeviceView:
        """Return one device."""
        return self.network().device(ident)

    def timeline(self, scope: str, window: Window, sli: AvailabilityDimension = "service") -> list[TimelineSegment]:
        """Return a device's or centre's time as segments; the window is past and of whole slots."""
        centre = self.centre_of(scope)
        if centre is None:
            raise BadScope(scope)
        scope_sums, centre_sums = read_sums(self._store, centre.id, scope, window)
        parent = Scope.centre(centre.id)
        device_ids = {d.now.id for d in self.centre(centre.id).devices} if scope == parent else {Scope(scope).id}
        completeness = self.store_stats().completeness
        has_missing_rows = any(d.device in device_ids and not d.is_complete for d in completeness.devices)
        settled_ms = settled_until(self._clock(), centre.zone)
        timeline_input = TimelineInput(
            scope_sums, centre_sums, sli, has_missing_rows, settled_ms, "" if scope == parent else str(parent)
        )
        return build_timeline(window, timeline_input, centre.calendar, self._window_of(scope, sli))

    def _window_of(self, scope: str, sli: AvailabilityDimension) -> Window:
        periods = self.service_periods()
        return periods.connectivity_window_of(scope) if sli == "connectivity" else periods.window_of(scope)

    def slo_index(self) -> SloIndex:
        """Return every objective as rollup last evaluated it; cached until the inventory or an evaluation changes."""
        inventory, snapshot = self._inventory(), self.snapshot()
        key = (inventory.version, tuple((i, id(now)) for i, now in snapshot.slos.items()))
        cached = self._cached_slo_index
        if cached is None or cached[0] != key:
            cached = self._cached_slo_index = (key, build_slo_index(inventory, snapshot, cached and cached[1]))
        return cached[1]

    def centre_of(self, scope: str) -> Centre | None:
        """Return the centre of a scope, None for systems and for scopes over several centres."""
        network, place = self.network(), Scope(scope)
        if place.kind == "device":
            return network.centre(network.device(place.id).centre)
        return network.centre(place.id) if place.kind == "centre" else None

    def scoped_slo(self, slo: str, scope: str) -> ScopedSloQuery:
        """Return an objective at one scope, for its history and spending; raises NotFound."""
        scoped, query_scope = self.slo_index().find(slo, scope), self.network().parse_scope(scope)
        entity, source = next(iter(query_scope.calendars.items()))
        calendar = source.calendar if isinstance(source, Centre) else source or Calendar(ALWAYS_OPEN, query_scope.zone)
        settled_ms = scoped.settled_until or settled_until(self._clock(), query_scope.zone)
        in_service = self._window_of(scope, "connectivity" if scoped.objective.sli == "connectivity" else "service")
        return ScopedSloQuery(
            scoped.objective,
            Scope(scope),
            entity,
            calendar,
            query_scope.zone,
            settled_ms,
            in_service,
            scoped.coverage_floor,
        )

    def slo_history(self, slo_query: ScopedSloQuery, window: Window, bucket: BucketSize) -> tuple[HistoryPoint, ...]:
        """Return an objective's figures bucket by bucket."""
        return self._budget_histories.history(slo_query, window, bucket)

    def budget_spending(self, slo_query: ScopedSloQuery, window: Window) -> tuple[BudgetSpend, ...]:
        """Return what consumed a budget, the greatest first."""
        return self._budget_histories.spending(slo_query, window)

    def calendar_days(self, centre: str, window: Window) -> list[CalendarDay]:
        """Explain every local day that the window touches; at most MAX_CALENDAR_DAYS."""
        if window.length > MAX_CALENDAR_DAYS * DAY:
            msg = f"at most {MAX_CALENDAR_DAYS} days: use a shorter window"
            raise BadWindow(msg)
        in_service = self.service_periods().window_of(Scope.centre(centre))
        return [day.within(in_service) for day in self.network().centre(centre).calendar.explain_days(window)]

    def planned_maintenance(self, ahead_ms: int) -> list[MaintenanceWindow]:
        """Return the maintenance of now and the next `ahead_ms`."""
        now = self._clock()
        return planned_maintenance(self._inventory(), Window(now, now + ahead_ms))

    def zone(self, centre: str | None = None) -> ZoneInfo:
        """Return a centre's zone, or the province's."""
        return self._inventory().zone if centre is None else self.network().centre(centre).zone

    def today_so_far(self, zone: ZoneInfo) -> Window:
        """Return the local day so far."""
        now = self._clock()
        start = day_window(local_date(now, zone), zone).start
        return Window(start, max(now, start + 1))

    def last_24_hours(self) -> Window:
        """Return the last 24 hours."""
        now = self._clock()
        return Window(now - 24 * HOUR, now)

    def queue_history_cost(self, centre: str | None, window: Window, bucket: BucketSize) -> QueryCost:
        """Return what `queue_history` of the same would cost.  Raises NotFound or BadWindow."""
        network = self.network()
        entities = len(network.centres()) if centre is None else 1
        return bucket_query(window, bucket, self.zone(centre)).cost(entities)

    def availability_query(
        self, scope: str, window: Window | Callable[[ZoneInfo], Window], bucket: BucketSize = "total"
    ) -> AvailabilityQuery:
        """Read scope and window; `window` may be computed from the scope's zone.

        Raises BadScope, NotFound, or BadWindow when it would read too much.
        """
        query_scope = self.network().parse_scope(scope)
        query = bucket_query(window(query_scope.zone) if callable(window) else window, bucket, query_scope.zone)
        return AvailabilityQuery(query_scope, query, query.cost(len(query_scope.calendars)))

    def availability(
        self, scope: str, window: Window, bucket: BucketSize = "total",
        clock: ClockKind = "open", unknown: UnknownPolicy = "exclude", sli: AvailabilityDimension = "service",
    ) -> AvailabilityResult:  # fmt: skip
        """Account for a scope's time.  Raises what `availability_query` raises."""
        return self.answer_availability(self.availability_query(scope, window, bucket), clock, unknown, sli)

    def answer_availability(
        self, asked: AvailabilityQuery, clock: ClockKind = "open", unknown: UnknownPolicy = "exclude",
        sli: AvailabilityDimension = "service",
    ) -> AvailabilityResult:  # fmt: skip
        """Account for the time of a scope and window that were read."""
        query_scope, query, inventory = asked.scope, asked.query, self._inventory()
        options = AvailabilityOptions(clock, sli, inventory.published, self._network_views.capacity_centres(inventory))
        result = compute_availability(
            self._totals_cache, query_scope.within(query.window, self.service_periods(), sli), query, options,
            self._clock(), self._open_windows_cache,
        )  # fmt: skip
        return replace(result, unknown=unknown, coverage_floor=inventory.coverage_floor)

    def current_queues(self, centre: str | None = None, service: str | None = None) -> list[CurrentQueue]:
        """Return the queues now by centre and service."""
        network = self.network()
        views = network.centre_views() if centre is None else [network.centre_view(network.centre(centre))]
        rows = current_queues(views, service)
        if service is not None and not rows:
            self.check_service(service)
        return rows

    def queue_history(
        self, centre: str | None, service: str | None, window: Window, bucket: BucketSize = "total",
        by: QueueGroup | None = None, first_centre: str = "",
    ) -> QueueHistory:  # fmt: skip
        """Return past queue figures, grouped if asked; a named service of a named centre always has its total.

        Rows by centre are computed as they are read, from `first_centre` on.
        """
        network = self.network()
        centres = network.centres() if centre is None else [network.centre(centre)]
        query = bucket_query(window, bucket, network.inventory.zone if centre is None else centres[0].zone)
        from_centre = [c for c in centres if c.id >= first_centre] if by in {None, "centre"} else centres
        rows = self._queue_histories.rows(from_centre, QueueHistoryRequest(query, service, by))
        if service is not None and not first_centre and not rows:
            self.check_service(service, centres)
            if centre is not None and bucket == "total":
                empty = (empty_queue_row(centres[0], service, query),)
                key = group_key(by, {centre: centres[0]}, self._inventory().services) if by else None
                rows = RowsInOrder(group_rows(empty, key, {}) if key else empty)
        if all(c.imported for c in centres):
            return QueueHistory(query.window, query.zone, rows, None)
        total_query = replace(query, bucket="total")
        scope = scope_of_centres("", centres, query.zone).within(query.window, self.service_periods())
        result = compute_availability(
            self._totals_cache, scope, total_query, AvailabilityOptions(), self._clock(), self._open_windows_cache
        )
        return QueueHistory(query.window, query.zone, rows, result.overall.coverage)

    def _history_inputs(self) -> HistoryInputs:
        inventory, now = self._inventory(), self._clock()
        return HistoryInputs(self.snapshot(), self.service_periods(), dict(inventory.services), inventory.version, now)

    def check_service(self, service: str, centres: Sequence[Centre] | None = None) -> None:
        """Raise NotFound for a service that neither the inventory nor one of the centres declares."""
        centre_services = {s for c in centres or () for s in c.services}
        known = service == UNDECLARED_SERVICE or service in self._inventory().services or service in centre_services
        if not known:
            raise NotFound(service, "service")

    def arrivals_forecast(self, centre: str, window: Window, service: str | None = None) -> ArrivalsForecast:
        """Return the expected arrivals of a centre's half hours that begin in the window."""
        declared = self.network().centre(centre)
        if service is not None:
            self.check_service(service, [declared])
        return expected_half_hours(declared, self.snapshot().forecasts.get(centre), window, service)

    def staffing(self, centre: str, day: date | None, rules: StaffingRules, change: WhatIf) -> StaffingPlan:
        """Return the counters that a centre needs on a day, by default the next one that is forecast."""
        declared, forecast = self.network().centre(centre), self.snapshot().forecasts.get(centre)
        if day is None:
            day = next_forecast_day(declared, forecast, self._clock())
        return staffing_plan(declared, forecast, day, rules, change)

    def next_staffing(self, centre: str) -> StaffingPlan:
        """Return the plan of the next forecast day with the legal goal; computed once for each forecast and day."""
        declared, forecast = self.network().centre(centre), self.snapshot().forecasts.get(centre)
        return self._staffing_plans.plan(declared, forecast, next_forecast_day(declared, forecast, self._clock()))

    def present_expectation(self, centre: str) -> PresentExpectation:
        """Return the expected arrivals and the counters needed of the half hour that is now."""
        declared, forecast = self.network().centre(centre), self.snapshot().forecasts.get(centre)
        return self._staffing_plans.present(declared, forecast, self._clock())

    def period_history(self, centre: str | None, days: DayRange, service: str | None = None) -> PeriodHistory:
        """Return the queue figures of whole local days at a centre, or over all declared centres."""
        centres = self._centres_of_period(centre, service)
        if centre is None:
            return self._network_histories.read(centres, days, service)
        in_service = self.service_periods().window_of(f"centre:{centre}")
        return read_centre_history(self._store, centres[0], days, service, self._clock(), in_service)

    def period_rows(
        self, centre: str | None, days: DayRange, service: str | None = None
    ) -> tuple[QueueHistoryRow, ...]:
        """Return the same by centre, service and bucket: of all centres that is a long list."""
        return period_rows(self._store, self._centres_of_period(centre, service), days, service, self._clock())

    def _centres_of_period(self, centre: str | None, service: str | None) -> list[Centre]:
        centres = self._declared_centres() if centre is None else [self.network().centre(centre)]
        if service is not None:
            self.check_service(service, centres)
        return centres

    def period_counters(self, centre: str, days: DayRange) -> CounterFigures:
        """Return the figures of a centre's counters over whole local days."""
        query = bucket_query(days.window, "total", days.zone)
        declaration = self.network().centre(centre)
        sums = counters_by_bucket(
            self._store, [declaration], query, self._clock(), self._open_windows_cache, self.service_periods().window_of
        )
        return counter_figures(add_sums(sums.values()))

    def _declared_centres(self) -> list[Centre]:
        return declared_centres(self.network().centres())

    def days_with_tickets(self, centre: str, most: int) -> DayRange | None:
        """Return a centre's days from the first to the last with tickets, the newest `most` of them."""
        return days_with_tickets(self._store, self.network().centre(centre), most, self._clock())

    def newest_day_with_tickets(self, centre: str | None = None, before: int | None = None) -> int | None:
        """Return the start of the newest day with tickets of a centre, or of any; `before` (Unix ms), if given."""
        centres = [c.id for c in self._declared_centres()] if centre is None else [centre]
        return newest_day_with_tickets(self._store, centres, self._clock() if before is None else before)

    @property
    def indicators(self) -> IndicatorQueries:
        """Return the questions about indicators."""
        return self._indicators

    def open_data(self, centre: str | None = None) -> OpenDataInputs:
        """Return what open datasets are made of: of all declared centres, or of one; raises NotFound."""
        centres = self._declared_centres() if centre is None else [self.network().centre(centre)]
        return OpenDataInputs(
            self._store, self._inventory(), sorted(centres, key=lambda c: c.id), self.zone(centre), self._clock(),
            self.availability, self._indicators,
        )  # fmt: skip

    def dataset_coverage(self, dataset: Dataset) -> DatasetCoverage:
        """Return what an open dataset covers, and when it last changed."""
        return dataset_coverage(dataset, self._inventory(), self.service_periods(), self.snapshot(), self._clock())

    def _indicator_inputs(self) -> IndicatorInputs:
        return IndicatorInputs(
            self._store, self._inventory(), self.network_status(), self.store_stats().completeness.overall,
            self.availability, self._clock(), self._open_windows_cache, self._store.document,
            self.snapshot().forecasts, self._counters_needed, self.service_periods().window_of,
        )  # fmt: skip

    def _counters_needed(self, centre: str) -> int | None:
        return most_counters(self.next_staffing(centre))

    def store_stats(self) -> StoreStats:
        """Return counts about the store, at most ten seconds old."""
        return self._store_stats.get()

    def readiness(self) -> Readiness:
        """Return whether rollup keeps up, read from the store now."""
        return read_readiness(self._store, self._clock())
