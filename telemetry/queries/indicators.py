"""Indicators of a window from totals, live rows and declarations; it must not read raw events."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, day_window, floor
from telemetry.core.fold.administrative_counts import CATALOGUE_COUNTS
from telemetry.core.fold.totals import CONNECTOR_FIELDS, add_to_sums
from telemetry.core.inventory import local_date
from telemetry.core.kpi.baseline import baseline_of, declared_figures
from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.digital_indicators import RECEIVED
from telemetry.core.kpi.figures import (
    FigureSet,
    add_administration_figures,
    add_procedure_figures,
    add_queue_figures,
    set_wait_percentile,
)
from telemetry.core.kpi.target_paths import milestone_state, targets_of
from telemetry.core.kpi.values import IndicatorValue, indicator_value
from telemetry.core.kpi.yearly_indices import index_figures, index_measurement, index_value
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query
from telemetry.queries.queues import queue_history_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from telemetry.core.figures.completeness import Completeness
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Centre, IndexFigure, Inventory
    from telemetry.core.kpi.baseline import Baseline, CountPeriod, DeclaredFigure
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.target_paths import MilestoneState
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.network import NetworkStatus
    from telemetry.queries.totals_cache import TotalsReader

CACHED_FOR_MS = 60_000
"""How long the figures of a window are answered again."""
MAX_CACHED_WINDOWS = 32
_MILESTONE_VALUES = (IndicatorValue("ok", 0, None, 0.0), IndicatorValue("ok", 1, None, 1.0))


@dataclass(frozen=True, slots=True)
class IndicatorInputs:
    """What indicators are made of; `availability` accounts for a scope's time in a window."""

    store: TotalsReader
    inventory: Inventory
    status: NetworkStatus
    completeness: Completeness
    availability: Callable[[str, Window], AvailabilityResult]
    now: int


@dataclass(frozen=True, slots=True)
class IndicatorReading:
    """An indicator's value over a window, over all and by level; `newest` is when its figures were last reported.

    `declared_period` is the period of the published counts that stand for figures that nobody reports.  `baseline` is
    the value that published counts alone give, for their own period whatever the window.  `imported` is the yearly
    index that is the value, `milestone` the state of one.
    """

    indicator: Indicator
    value: IndicatorValue
    by_level: Mapping[str, IndicatorValue]
    newest: int | None
    declared_period: CountPeriod | None = None
    baseline: Baseline | None = None
    imported: IndexFigure | None = None
    milestone: MilestoneState | None = None

    @property
    def is_declared(self) -> bool:
        """Return whether declared counts stand for figures that nobody reports."""
        return self.declared_period is not None


@dataclass(frozen=True, slots=True)
class IndicatorFigures:
    """The figures of a window; `declared` has the periods of those that come from the inventory alone."""

    window: Window
    as_of: int
    figures: FigureSet
    declared: Mapping[str, CountPeriod]
    inventory: Inventory

    @property
    def last_day(self) -> date:
        """Return the local day on which the window ends."""
        return local_date(self.window.end - 1, self.inventory.zone)

    def reading(self, indicator: Indicator) -> IndicatorReading:
        """Return an indicator's value with its levels."""
        if indicator.source == "import":
            return self._imported_reading(indicator)
        if indicator.unit == "milestone":
            return self._milestone_reading(indicator)
        levels = self.figures.by_level if indicator.by_level else {}
        names = {*indicator.numerator, *indicator.denominator}
        return IndicatorReading(
            indicator,
            indicator_value(indicator, self.figures.overall),
            {level: indicator_value(indicator, figures) for level, figures in sorted(levels.items())},
            self.figures.newest(indicator.evidence_figures),
            declared_period=min((self.declared[name] for name in names if name in self.declared), default=None),
            baseline=baseline_of(indicator.id, self.inventory.procedures, self.last_day),
        )

    def _imported_reading(self, indicator: Indicator) -> IndicatorReading:
        """Return the newest published year until the window's end; it is as fresh as the end of that year."""
        years = index_figures(self.inventory.indices, indicator.id, self.last_day)
        if not years:
            return IndicatorReading(indicator, IndicatorValue("no_source"), {}, None)
        newest = day_window(index_measurement(years[-1]).day, self.inventory.zone).start
        return IndicatorReading(indicator, index_value(years[-1]), {}, newest, imported=years[-1])

    def _milestone_reading(self, indicator: Indicator) -> IndicatorReading:
        """Return 1 for a milestone that is done by the window's end and 0 for one that is not, if it is declared."""
        targets = targets_of(self.inventory.targets, indicator)
        if not targets:
            return IndicatorReading(indicator, IndicatorValue("no_source"), {}, None)
        state = milestone_state(targets[-1], self.last_day)
        return IndicatorReading(indicator, _MILESTONE_VALUES[state == "done"], {}, None, milestone=state)

    def readings(self) -> Iterator[IndicatorReading]:
        """Yield every indicator of the catalogue in its order."""
        return map(self.reading, INDICATORS.values())


def read_administration(store: TotalsReader, centres: Sequence[Centre], window: Window, figures: FigureSet) -> None:
    """Add what administrative levels and procedures report; one zone's days make up the window."""
    zone = centres[0].zone
    runs = bucket_query(window, "total", zone).runs_to_read()
    entities = [c.id for c in centres]
    for kind, add in (("administration", add_administration_figures), ("procedure", add_procedure_figures)):
        totals: list[Total] = []
        for width, run in runs:
            totals += store.totals(entities, width, run, kind)
        add(figures, totals)


def read_queues(store: TotalsReader, centres: Sequence[Centre], window: Window, now: int, figures: FigureSet) -> None:
    """Add the queue figures of all halls by level."""
    query = bucket_query(window, "total", centres[0].zone)
    level_of = {c.id: c.level for c in centres}
    by_level: dict[str, dict[str, int]] = {}
    overall: dict[str, int] = {}
    for row in queue_history_rows(store, centres, query, None, now):
        add_to_sums(by_level.setdefault(level_of[row.centre], {}), row.sums)
        add_to_sums(overall, row.sums)
    for level, sums in by_level.items():
        add_queue_figures(figures, level, sums, window.end)
    set_wait_percentile(figures, by_level, overall)


def add_live_figures(figures: FigureSet, status: NetworkStatus) -> None:
    """Add what the live rows show: who waits, devices in contact and in service by kind."""
    for view in status.centres:
        level = view.centre.level
        figures.add(level, "centres_live", int(not view.stale), status.network.now)
        if not view.stale:
            figures.add(level, "waiting", view.waiting)
            oldest = min((s.oldest for s in view.services if s.oldest is not None), default=None)
            wait_ms = 0 if oldest is None else max(0, view.now - oldest)
            for target in (figures.overall, figures.by_level[level]):
                target["longest_wait_ms"] = max(wait_ms, target.get("longest_wait_ms", 0))
        for device in view.devices_in_service:
            names = ["device", device.now.kind] if device.now.kind in {"kiosk", "display", "gateway"} else ["device"]
            for name in names:
                figures.add(level, f"{name}s_expected", 1, status.network.now)
                figures.add(level, f"{name}s_up", int(device.state == "up"))


def add_system_figures(figures: FigureSet, inputs: IndicatorInputs, window: Window) -> None:
    """Add the availability and the connectors of digital systems by kind, and the availability of the halls."""
    for system in inputs.inventory.systems.values():
        kind = f"national-{system.kind}" if system.id.startswith("vn-") else system.kind
        account = inputs.availability(Scope.system(system.id), window).overall
        newest = window.end if account.up + account.down else None
        figures.add("", f"{kind}_up_ms", account.up, newest)
        figures.add("", f"{kind}_down_ms", account.down, newest)
    account = inputs.availability(Scope.province(inputs.inventory.province), window).overall
    figures.add("", "centre_up_ms", account.up, window.end if account.up + account.down else None)
    figures.add("", "centre_down_ms", account.down)


def read_connectors(store: TotalsReader, inventory: Inventory, window: Window, figures: FigureSet) -> None:
    """Add the requests of all connectors."""
    for width, run in bucket_query(window, "total", inventory.zone).runs_to_read():
        for total in store.totals(sorted(inventory.systems), width, run, "system"):
            for name in CONNECTOR_FIELDS:
                figures.add("", name, total.sums.get(name, 0), total.start)


def unreported_counts(inventory: Inventory, window: Window, reported: Mapping[str, int]) -> dict[str, DeclaredFigure]:
    """Return the published counts of the window that no event reports; a catalogue is reported or declared as a whole.

    Whoever reports dossiers reports which procedures have some, so the published count does not stand beside them.
    """
    first, last = local_date(window.start, inventory.zone), local_date(window.end - 1, inventory.zone)
    has_catalogue = any(reported.get(f"catalogue_{name}") for name in CATALOGUE_COUNTS)
    has_dossiers = any(reported.get(name) for name in (*RECEIVED, "procedures_with_dossiers"))
    declared = declared_figures(inventory.procedures, first, last)
    return {
        name: figure
        for name, figure in declared.items()
        if not (has_catalogue if name.startswith("catalogue_") else has_dossiers)
    }


class IndicatorCache:
    """The figures of recent windows; one thread computes at a time, others get the last answer or wait for it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: dict[Window, IndicatorFigures] = {}

    def get(self, window: Window, inputs: Callable[[], IndicatorInputs]) -> IndicatorFigures:
        """Return a window's figures, at most CACHED_FOR_MS old unless another thread is renewing them."""
        cached = self._cached.get(window)
        if cached is not None and 0 <= self._clock() - cached.as_of < CACHED_FOR_MS:
            return cached
        if not self._lock.acquire(blocking=cached is None):
            return cached  # type: ignore[return-value]  # only a cached answer does not wait
        try:
            fresh = self._cached.get(window)
            if fresh is None or fresh is cached:
                fresh = self._cached[window] = compute_indicator_figures(inputs(), window)
                while len(self._cached) > MAX_CACHED_WINDOWS:
                    self._cached.pop(next(iter(self._cached)))
            return fresh
        finally:
            self._lock.release()


def compute_indicator_figures(inputs: IndicatorInputs, window: Window) -> IndicatorFigures:
    """Return the figures of a window; declared counts stand where nobody reports a figure."""
    figures, inventory = FigureSet(), inputs.inventory
    centres = sorted((c for c in inventory.centres.values() if not c.imported), key=lambda c: c.id)
    read_administration(inputs.store, centres, window, figures)
    read_queues(inputs.store, centres, window, inputs.now, figures)
    add_live_figures(figures, inputs.status)
    add_system_figures(figures, inputs, window)
    read_connectors(inputs.store, inventory, window, figures)
    rows = inputs.completeness
    accounted = rows.stored + rows.refused + rows.dropped
    figures.add("", "rows_accounted", accounted, inputs.now)
    figures.add("", "rows_numbered", rows.highest, inputs.now)
    figures.add("", "rows_missing", max(0, rows.highest - accounted))
    declared = unreported_counts(inventory, window, figures.overall)
    for name, declared_figure in declared.items():
        figures.add("", name, declared_figure.value)
    periods = {name: declared_figure.period for name, declared_figure in declared.items()}
    return IndicatorFigures(window, inputs.now, figures, periods, inventory)


def default_window(now: int, inventory: Inventory) -> Window:
    """Return the local calendar year so far; it ends at the end of the local day, so that it is cached."""
    today = local_date(now, inventory.zone)
    start = day_window(today.replace(month=1, day=1), inventory.zone).start
    return Window(start, floor(day_window(today, inventory.zone).start + DAY, DAY // 288))
