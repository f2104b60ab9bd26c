"""Gathers the figures of indicators by bucket from totals, live rows and declarations; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, day_window, split_into_hours, to_local
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.administrative_counts import CATALOGUE_COUNTS
from telemetry.core.fold.totals import CONNECTOR_FIELDS
from telemetry.core.inventory import local_date
from telemetry.core.kpi.baseline import declared_figures
from telemetry.core.kpi.digital_indicators import RECEIVED
from telemetry.core.kpi.figures import (
    FigureSet,
    PeriodFigures,
)
from telemetry.core.scope import Scope
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.queue_groups import add_offered_work, counters_by_bucket
from telemetry.queries.queues import queue_history_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.figures.completeness import Completeness
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.kpi.baseline import CountPeriod, DeclaredFigure
    from telemetry.core.queueing.forecast_rows import CentreForecast
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.buckets import BucketQuery, BucketSize, OpenWindowsCache
    from telemetry.queries.network import NetworkStatus
    from telemetry.queries.totals_cache import TotalsReader
    from telemetry.queries.views import CentreView, SystemView

MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class PartOfProvince:
    """Some centres of the province under a name, and their services that count: all when `services` is empty."""

    name: str
    centres: frozenset[str]
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IndicatorInputs:
    """What indicators are made of; `availability` accounts for a scope's time in the buckets of a window.

    `document` returns a named document, `forecasts` are the stored forecasts by centre, and `counters_needed` returns
    the most counters that a centre's next forecast day needs at once, None without a plan.  `in_service` returns when
    the time of a scope counts.
    """

    store: TotalsReader
    inventory: Inventory
    status: NetworkStatus
    completeness: Completeness
    availability: Callable[[str, Window, BucketSize], AvailabilityResult]
    now: int
    open_windows: OpenWindowsCache
    document: Callable[[str], bytes | None]
    forecasts: Mapping[str, CentreForecast]
    counters_needed: Callable[[str], int | None]
    in_service: Callable[[str], Window]
    part: PartOfProvince | None = None
    """Whose figures are read, None for those of the whole province."""

    @property
    def centres(self) -> list[Centre]:
        """Return the declared centres by id, or those of the part; imported logs are no part of the province."""
        centres = declared_centres(self.inventory.centres.values())
        return [c for c in centres if self.part is None or c.id in self.part.centres]


class FigureBuckets:
    """The figures of a period for each bucket of a query."""

    def __init__(self, query: BucketQuery) -> None:
        self.query = query
        self.windows = query.buckets()
        self.periods = [PeriodFigures() for _ in self.windows]
        self._starts = [window.start for window in self.windows]

    def at(self, t: int) -> PeriodFigures:
        """Return the figures of the bucket of a time that lies in the query's window."""
        return self.periods[self.index(t)]

    def index(self, t: int) -> int:
        """Return the place of the bucket of a time."""
        return max(0, bisect_right(self._starts, t) - 1)


def read_administration(buckets: FigureBuckets, inputs: IndicatorInputs) -> None:
    """Add what administrative levels and procedures report."""
    entities = [c.id for c in inputs.centres]
    for width, run in _runs(buckets.query, inputs.now):
        for total in inputs.store.totals(entities, width, run, "administration"):
            buckets.at(total.start).add_administration(total)
        for total in inputs.store.totals(entities, width, run, "procedure"):
            buckets.at(total.start).add_procedure(total)


def _runs(query: BucketQuery, now: int) -> list[tuple[BucketWidth, Window]]:
    """Return the runs of totals to read; today's as hours, so that they tell when data last came."""
    today = day_window(to_local(now, query.zone).date(), query.zone)
    runs: list[tuple[BucketWidth, Window]] = []
    for width, run in query.runs_to_read():
        part = today.clip(run) if width == "1d" else None
        if part is None:
            runs.append((width, run))
            continue
        around = (Window(run.start, part.start), Window(part.end, run.end))
        runs += [(width, rest) for rest in around if rest.length > 0]
        runs += split_into_hours(part)
    return runs


def read_queues(buckets: FigureBuckets, inputs: IndicatorInputs) -> None:
    """Add the queue sums of all halls and their counters by level; a level's newest data are those of its halls."""
    level_of = {c.id: c.level for c in inputs.centres}
    newest: dict[str, int] = {}
    for view in inputs.status.centres:
        if view.last_data is not None:
            newest[view.centre.level] = max(view.last_data, newest.get(view.centre.level, 0))
    rows = queue_history_rows(inputs.store, inputs.centres, buckets.query, None, inputs.now)
    services = inputs.part.services if inputs.part else frozenset()
    if services:
        rows = tuple(row for row in rows if row.service in services)
    counters = counters_by_bucket(
        inputs.store,
        [] if services else inputs.centres,
        buckets.query,
        inputs.now,
        inputs.open_windows,
        inputs.in_service,
    )
    add_offered_work(counters, rows)
    sums_of_all = [
        *((row.centre, row.window, row.sums) for row in rows),
        *((centre, window, sums) for (centre, window), sums in counters.items() if any(sums.values())),
    ]
    for centre, window, sums in sums_of_all:
        level, index = level_of[centre], buckets.index(window.start)
        end = buckets.windows[index].end
        buckets.periods[index].add_queue_sums(level, sums, min(newest.get(level, end), end))


def read_declared_modes(buckets: FigureBuckets, inputs: IndicatorInputs) -> None:
    """Add the regular hours until now in which the calendar of a centre declares that it serves online only, ms."""
    past = Window(0, inputs.now).clip(buckets.query.window)
    paused_by_calendar: dict[str, list[Window]] = {}
    for centre in inputs.centres:
        if past is None:
            break
        version = centre.calendar.version
        if version not in paused_by_calendar:
            exclusions = centre.calendar.exclusions(past) if centre.calendar.mode_spans(past) else []
            paused_by_calendar[version] = [part.window for part in exclusions if part.cause == "online_only"]
        in_service = inputs.in_service(Scope.centre(centre.id))
        for paused in filter(None, (window.clip(in_service) for window in paused_by_calendar[version])):
            for index in range(buckets.index(paused.start), buckets.index(paused.end - 1) + 1):
                part = paused.clip(buckets.windows[index])
                if part is not None:
                    buckets.periods[index].flows.add(centre.level, "online_only_declared_ms", part.length, part.start)


def add_live_figures(figures: FigureSet, inputs: IndicatorInputs) -> None:
    """Add what is known as of now alone: live rows, stored forecasts, rows that are missing."""
    _add_present_state(figures, inputs.status)
    _add_forecasts(figures, inputs)
    _add_row_figures(figures, inputs)


def _add_forecasts(figures: FigureSet, inputs: IndicatorInputs) -> None:
    """Add the errors of the models that the forecasts use, in tickets, and the counters that the next day needs."""
    for centre in inputs.centres:
        forecast = inputs.forecasts.get(centre.id)
        if forecast is None:
            continue
        tested = forecast.backtest
        error = tested.profile_absolute if forecast.model == "profile" else tested.same_slot_absolute
        figures.add(centre.level, "forecast_error", round(error), forecast.at)
        figures.add(centre.level, "forecast_actual", tested.actual, forecast.at)
        needed = inputs.counters_needed(centre.id)
        if needed is not None:
            figures.add(centre.level, "counters_needed", needed, forecast.at)
            figures.add(centre.level, "counters_planned", 1, forecast.at)


def _add_present_state(figures: FigureSet, status: NetworkStatus) -> None:
    """Add what the live rows show: who waits, devices in contact and in service by kind."""
    for view in status.centres:
        level = view.centre.level
        if not view.stale:
            figures.add(level, "centres_live", 1, view.last_data)
            figures.add(level, "waiting", view.waiting, view.last_data)
            oldest = min((s.oldest for s in view.services if s.oldest is not None), default=None)
            wait_ms = 0 if oldest is None else max(0, view.now - oldest)
            drain_ms = _drain_ms(view)
            for target in (figures.overall, figures.by_level[level]):
                target["longest_wait_ms"] = max(wait_ms, target.get("longest_wait_ms", 0))
                if drain_ms is not None:
                    target["drain_ms"] = max(drain_ms, target.get("drain_ms", 0))
        for device in view.devices_in_service:
            names = ["device", device.now.kind] if device.now.kind in {"kiosk", "display", "gateway"} else ["device"]
            for name in names:
                figures.add(level, f"{name}s_expected", 1, view.last_data)
                figures.add(level, f"{name}s_up", int(device.state == "up"))


def _drain_ms(view: CentreView) -> int | None:
    """Return how long a hall's open counters need for those who wait; None when nobody can tell.

    It is Σ waiting × today's mean service time ÷ open counters; services that have served nobody today have the hall's.
    """
    if not view.waiting:
        return 0
    hall = view.today.service_time.mean_s
    if hall is None or not view.counters_open:
        return None
    means = ((queue.waiting, queue_figures(queue.today_sums).service_time.mean_s) for queue in view.services)
    return round(sum(waiting * 1000 * (hall if own is None else own) for waiting, own in means) / view.counters_open)


def read_availability(buckets: FigureBuckets, inputs: IndicatorInputs) -> None:
    """Add the time up and down of digital systems by kind, and of the halls, in ms."""
    for view in inputs.status.systems:
        kind = f"national-{view.system.kind}" if view.system.id.startswith("vn-") else view.system.kind
        result = inputs.availability(Scope.system(view.system.id), buckets.query.window, buckets.query.bucket)
        _add_times(buckets, kind, result, _newest_probe(view))
    result = inputs.availability(Scope.province(inputs.inventory.province), buckets.query.window, buckets.query.bucket)
    _add_times(buckets, "centre", result, inputs.status.last_data)


def _newest_probe(view: SystemView) -> int | None:
    return None if view.row is None else max((v.at for v in view.row.vantage), default=view.row.at)


def _add_times(buckets: FigureBuckets, kind: str, result: AvailabilityResult, newest: int | None) -> None:
    for window, account in result.rows:
        figures = buckets.at(window.start).flows
        at = None if newest is None else min(newest, window.end)
        figures.add("", f"{kind}_up_ms", account.up * MS_PER_S, at)
        figures.add("", f"{kind}_down_ms", account.down * MS_PER_S, at)


def read_connectors(buckets: FigureBuckets, inputs: IndicatorInputs) -> None:
    """Add the requests of all connectors."""
    systems = list(inputs.inventory.whole_systems)
    for width, run in _runs(buckets.query, inputs.now):
        for total in inputs.store.totals(systems, width, run, "system"):
            figures = buckets.at(total.start).flows
            for name in CONNECTOR_FIELDS:
                if value := total.sums.get(name, 0):
                    figures.add("", name, value, total.start)


def _add_row_figures(figures: FigureSet, inputs: IndicatorInputs) -> None:
    """Add the completeness of all rows ever numbered, as of now."""
    rows = inputs.completeness
    accounted = rows.stored + rows.refused + rows.dropped
    newest = inputs.status.last_data
    figures.add("", "rows_accounted", accounted, newest)
    figures.add("", "rows_numbered", rows.highest, newest)
    figures.add("", "rows_missing", max(0, rows.highest - accounted))


def unreported_counts(inventory: Inventory, window: Window, reported: Mapping[str, int]) -> dict[str, DeclaredFigure]:
    """Return the published counts of the window that no event reports; a catalogue is reported or declared as a whole.

    Whoever reports dossiers reports which procedures have some, so the published count does not stand beside them.
    """
    first, last = local_date(window.start, inventory.zone), local_date(window.end - 1, inventory.zone)
    has_catalogue = any(reported.get(f"catalogue_{name}") for name in CATALOGUE_COUNTS)
    has_dossiers = any(reported.get(name) for name in (*RECEIVED, "procedures_with_online_dossiers"))
    declared = declared_figures(inventory.procedures, first, last)
    return {
        name: figure
        for name, figure in declared.items()
        if not (has_catalogue if name.startswith("catalogue_") else has_dossiers)
    }


def add_declared_figures(figures: FigureSet, inventory: Inventory, window: Window) -> dict[str, CountPeriod]:
    """Add the published counts of figures that nobody reports, and return their periods."""
    declared = unreported_counts(inventory, window, figures.overall)
    for name, figure in declared.items():
        figures.add("", name, figure.value)
    return {name: figure.period for name, figure in declared.items()}
