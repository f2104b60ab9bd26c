"""The totals that objectives are evaluated from, in memory as time series; it evaluates nothing, reads no raw events.

It is loaded from the store once, then updated by rollup with everything it writes: both have the same result.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from operator import add
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import DAY, HOUR, SLOT, BucketWidth, Window, day_window, days_in, merge_adjacent
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.core.slo.burn_rate import OPEN_CLOCK_RULES, WALL_CLOCK_RULES, long_window_starts
from telemetry.core.slo.periods import calendar_period
from telemetry.core.slo.sli import TIME_SLIS, good_bad_counts, time_sums
from telemetry.core.slo.timeseries import (
    BucketGrid,
    TimeSeries,
    bucket_layout,
    build_grid,
    map_buckets,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.opening_calendar import Calendar, ReadinessCheck
    from telemetry.core.calendar.windows import BucketSpan
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory, Objective, ObjectiveClock, SliKind
    from telemetry.core.scope import ScopeKind
    from telemetry.core.slo.evaluation import ScopedObjective
    from telemetry.core.slo.timeseries import CoveredBucket
    from telemetry.store import Store

LOOKAHEAD_MS = 100 * DAY
"""How far ahead the open clock is known: the end of a quarter, the exhaustion of a budget."""
YEAR_LOOKAHEAD_MS = 366 * DAY
"""How far where an objective has a year's budget: all of its open time counts."""
MIN_DAYS = 28
"""Minimum days in memory: on the first of a month the rules read the month before."""
BUCKETS_PER_READ = 2_500
ENTITIES_PER_READ = 100
_WIDTH_MS: dict[BucketWidth, int] = {"5m": SLOT, "1h": HOUR, "1d": DAY}
_MERGE_GAP_MS: dict[BucketWidth, int] = {"5m": 2 * HOUR, "1h": 2 * HOUR, "1d": 4 * DAY}
"""Buckets this near each other are read at once, with the gap between them: lunch, a weekend."""
TotalsSource = tuple[Scope, "SliKind", int, bool]
"""Scope, SLI, threshold (ms), whether the calendar's clock counts: objectives that share it share a series."""
ReadinessSums = tuple[int, int]
ReadGroup = tuple["ScopeKind", int, int]
"""Which totals, the grid that they fill, the grid of the previous table that has some of them (0: none)."""


@dataclass(slots=True)
class TableEntry:
    """One source's series and how a total is read for it; only readiness has `readiness_checks`."""

    source: TotalsSource
    entity: str
    calendar: Calendar
    series: TimeSeries
    readiness_checks: tuple[ReadinessCheck, ...] = ()

    @property
    def scope_kind(self) -> ScopeKind:
        """Return which totals of its entity it reads."""
        return "desk" if self.source[1] == "wait" else self.source[0].kind

    def values_of(self, total: Total) -> tuple[int, ...]:
        """Return what a total adds to the series."""
        _, sli, threshold, by_calendar = self.source
        index = self.series.grid.index_by_start["5m"].get(total.start)
        open_sums = self.series.grid.open_sums
        is_open = index is not None and open_sums[index + 1] > open_sums[index]
        if sli not in TIME_SLIS:
            return good_bad_counts(total.sums, sli, threshold, total.width, by_calendar=by_calendar, is_open=is_open)
        return time_sums(total.sums, total.width, sli, by_calendar=by_calendar, is_open=is_open)


@dataclass(frozen=True, slots=True)
class DayLayout:
    """How the local days of a zone are cut into buckets, before closed ones are left out."""

    zone: ZoneInfo
    first: date
    today: date
    edges: frozenset[date]

    @property
    def extent(self) -> Window:
        """Return the time from the first day to the end of today."""
        return Window(day_window(self.first, self.zone).start, day_window(self.today, self.zone).end)

    def spans_for(self, clocks: Iterable[ObjectiveClock], timeline: OpenTimeline) -> list[BucketSpan]:
        """Return the buckets; slots also on days on which a long window of the clocks' rules begins today."""
        rules = [rule for clock in clocks for rule in (OPEN_CLOCK_RULES if clock == "open" else WALL_CLOCK_RULES)]
        starts = long_window_starts(rules, timeline, day_window(self.today, self.zone))
        slot_days = frozenset(day for window in starts for day in days_in(window, self.zone))
        return bucket_layout(self.zone, self.first, self.today, self.edges, slot_days)


@dataclass(frozen=True, slots=True)
class GridKey:
    """What makes a grid: sources that agree in it share one."""

    calendar_version: str
    by_calendar: bool
    counts_time: bool
    alert_clocks: frozenset[ObjectiveClock]


@dataclass
class TotalsTable:
    """All series of one inventory; `today` is, by zone, the local day that the buckets are built for."""

    inventory: Inventory
    today: dict[ZoneInfo, date] = field(default_factory=dict)
    entries: dict[TotalsSource, TableEntry] = field(default_factory=dict)
    readiness: dict[str, dict[int, ReadinessSums]] = field(default_factory=lambda: defaultdict(dict))
    """By entity and the start of a day: its READY_FIELDS."""
    layouts: dict[ZoneInfo, DayLayout] = field(default_factory=dict)
    alert_clocks: dict[TotalsSource, frozenset[ObjectiveClock]] = field(default_factory=dict)
    """The clocks of the burn-rate rules that read a source; without an alert it has none."""
    _grids: dict[GridKey, BucketGrid] = field(default_factory=dict)
    _readiness_checks: dict[str, tuple[ReadinessCheck, ...]] = field(default_factory=dict)
    _by_entity: dict[str, list[TableEntry]] = field(default_factory=lambda: defaultdict(list))

    def covers(self, now: int) -> bool:
        """Return whether `now` is still in the days that the buckets are built for."""
        return all(local_date(now, zone) == day for zone, day in self.today.items())

    def apply_totals(self, entity: str, width: BucketWidth, window: Window, totals: Iterable[Total]) -> None:
        """Put these totals in place of the entity's of that width starting in the window."""
        if entity not in self._by_entity:
            return
        rows = list(totals)
        if width == "1d":
            self.apply_readiness(entity, window, rows)
        replace_rows(self._by_entity[entity], width, window, rows)

    def apply_readiness(self, entity: str, window: Window, rows: Sequence[Total]) -> None:
        """Put the readiness of these days in place of the entity's days in the window."""
        days, centre = self.readiness[entity], Scope.centre(entity)
        for start in [start for start in days if window.start <= start < window.end]:
            del days[start]
        for total in rows:
            if total.scope == centre:
                days[total.start] = total.sums.get("ready_up", 0), total.sums.get("ready_down", 0)

    def entry_of(self, scoped: ScopedObjective) -> TableEntry:
        """Return the entry that an objective is evaluated from."""
        return self.entries[source_of(scoped)]

    def add_objective(self, scoped: ScopedObjective) -> None:
        """Add what an objective needs; objectives that share a source share a series."""
        source, calendar = source_of(scoped), calendar_of(scoped, self.inventory)
        if source not in self.entries:
            counts_time = source[1] in TIME_SLIS
            clocks = self.alert_clocks.get(source, frozenset())
            grid = self._grid_for(GridKey(calendar.version, source[3], counts_time, clocks), calendar)
            entry = TableEntry(source, scoped.entity, calendar, TimeSeries(grid, 4 if counts_time else 2))
            self.entries[source] = entry
            self._by_entity[scoped.entity].append(entry)
        if scoped.objective.sli == "readiness":
            if calendar.version not in self._readiness_checks:
                extent = self.layouts[calendar.zone].extent
                self._readiness_checks[calendar.version] = calendar.readiness_checks(extent)
            self.entries[source].readiness_checks = self._readiness_checks[calendar.version]

    def _grid_for(self, key: GridKey, calendar: Calendar) -> BucketGrid:
        """Return the grid; what counts tickets counts those outside opening hours too, so it has every bucket."""
        if key not in self._grids:
            layout = self.layouts[calendar.zone]
            has_year = any(objective.period == "year" for objective in self.inventory.objectives)
            past = layout.extent
            extent = Window(past.start, past.end + (YEAR_LOOKAHEAD_MS if has_year else LOOKAHEAD_MS))
            timeline = build_open_timeline(calendar.open_windows(extent) if key.by_calendar else [extent])
            excluded_windows = calendar.excluded_windows(extent) if key.by_calendar else ()
            self._grids[key] = build_grid(
                layout.spans_for(key.alert_clocks, timeline),
                timeline,
                build_open_timeline(excluded_windows),
                sparse=key.by_calendar and key.counts_time,
            )
        return self._grids[key]


def replace_rows(entries: Sequence[TableEntry], width: BucketWidth, window: Window, rows: Iterable[Total]) -> None:
    """Replace all figures of an entity's entries, of that width and starting in the window, by its totals."""
    by_scope: dict[str, list[TableEntry]] = defaultdict(list)
    for entry in entries:
        if entry.scope_kind != "desk":
            by_scope[entry.source[0]].append(entry)
    desk_entries = [entry for entry in entries if entry.scope_kind == "desk"]
    sums: dict[TotalsSource, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for total in rows:
        matching = by_scope.get(total.scope, ())
        if desk_entries and not matching and Scope(total.scope).kind == "desk":
            matching = desk_entries
        for entry in matching:
            values, by_start = entry.values_of(total), sums[entry.source]
            before = by_start.get(total.start)
            by_start[total.start] = tuple(map(add, before, values)) if before else values
    for entry in entries:
        values_by_start = sums.get(entry.source, {})
        zeros = (0,) * len(entry.series.columns)
        for start, index in entry.series.grid.buckets_within(width, window):
            entry.series.set_bucket(index, values_by_start.get(start, zeros))


def source_of(scoped: ScopedObjective) -> TotalsSource:
    """Return what the objective reads; readiness reads days alone and shares another one's series for its clock."""
    objective = scoped.objective
    sli: SliKind = "connectivity" if objective.sli == "readiness" else objective.sli
    by_calendar = objective.clock == "open" or objective.sli == "readiness" or scoped.centre is None
    return scoped.scope, sli, 0 if sli in TIME_SLIS else objective.threshold_ms, by_calendar


def calendar_of(scoped: ScopedObjective, inventory: Inventory) -> Calendar:
    """Return the calendar of an objective's scope; a digital system has none but its planned maintenance."""
    return scoped.centre.calendar if scoped.centre else inventory.systems[scoped.entity].calendar(inventory.zone)


def first_days(objectives: Iterable[Objective], now: int, zone: ZoneInfo) -> tuple[date, frozenset[date]]:
    """Return the first local day that is needed, and the days on which a rolling period begins."""
    today = local_date(now, zone)
    objectives = tuple(objectives)
    edges = frozenset(today - timedelta(days=o.days) for o in objectives if o.period == "rolling")
    starts = [local_date(calendar_period(o.period, now, zone).start, zone) for o in objectives if o.period != "rolling"]
    return min((*edges, *starts, today - timedelta(days=MIN_DAYS))), edges


def empty_table(inventory: Inventory, scoped_objectives: Iterable[ScopedObjective], now: int) -> TotalsTable:
    """Return a table without figures, built for the local days of `now`."""
    table = TotalsTable(inventory)
    scoped_objectives = tuple(scoped_objectives)
    for scoped in scoped_objectives:
        if scoped.objective.alert and scoped.objective.sli != "readiness":
            source = source_of(scoped)
            table.alert_clocks[source] = table.alert_clocks.get(source, frozenset()) | {scoped.objective.clock}
    for scoped in scoped_objectives:
        zone = calendar_of(scoped, inventory).zone
        if zone not in table.layouts:
            first, edges = first_days(inventory.objectives, now, zone)
            table.today[zone] = local_date(now, zone)
            table.layouts[zone] = DayLayout(zone, first, table.today[zone], edges)
        table.add_objective(scoped)
    return table


def load_table(table: TotalsTable, store: Store, previous_table: TotalsTable | None = None) -> None:
    """Fill an empty table: figures in `previous_table` (of another day or inventory) are copied, the rest is read.

    Only buckets in which an objective's clock runs are read, so nights and closed days are not.
    """
    groups: dict[ReadGroup, list[TableEntry]] = defaultdict(list)
    covered_by_grids: dict[tuple[int, int], list[CoveredBucket]] = {}
    for entry in table.entries.values():
        previous, grid = previous_table.entries.get(entry.source) if previous_table else None, entry.series.grid
        if previous and previous.calendar.version != entry.calendar.version:
            previous = None
        pair = (id(previous.series.grid) if previous else 0, id(grid))
        if pair not in covered_by_grids:
            covered_by_grids[pair] = map_buckets(previous.series.grid, grid) if previous else []
        if previous:
            entry.series = previous.series.rebucket(grid, covered_by_grids[pair])
        groups[entry.scope_kind, id(grid), pair[0]].append(entry)
    for (kind, grid_id, previous_id), entries in groups.items():
        covered_indexes = {index for index, _, _ in covered_by_grids[previous_id, grid_id]}
        _read_totals(store, kind, entries, _missing_ranges(entries[0].series.grid, covered_indexes))
    _load_readiness(table, store, previous_table)


def _missing_ranges(grid: BucketGrid, covered_indexes: set[int]) -> list[BucketSpan]:
    """Return runs of buckets to read, those near each other as one."""
    ranges: list[BucketSpan] = []
    for width, window in merge_adjacent(span for index, span in enumerate(grid.spans) if index not in covered_indexes):
        if ranges and ranges[-1][0] == width and window.start - ranges[-1][1].end <= _MERGE_GAP_MS[width]:
            ranges[-1] = (width, Window(ranges[-1][1].start, window.end))
        else:
            ranges.append((width, window))
    return ranges


def _read_totals(store: Store, kind: ScopeKind, entries: Iterable[TableEntry], spans: Iterable[BucketSpan]) -> None:
    entries_by_entity: dict[str, list[TableEntry]] = defaultdict(list)
    for entry in entries:
        entries_by_entity[entry.entity].append(entry)
    entities = sorted(entries_by_entity)
    for width, window in spans:
        size = max(1, min(ENTITIES_PER_READ, BUCKETS_PER_READ * _WIDTH_MS[width] // window.length))
        for entity, rows in _read_by_entity(store, entities, size, (width, window), kind):
            replace_rows(entries_by_entity[entity], width, window, rows)


def _read_by_entity(
    store: Store, entities: Sequence[str], size: int, span: BucketSpan, kind: ScopeKind
) -> Iterator[tuple[str, list[Total]]]:
    """Read totals for `size` entities at a time; yields those of each entity that has any."""
    for at in range(0, len(entities), size):
        rows: dict[str, list[Total]] = defaultdict(list)
        for total in store.totals(entities[at : at + size], *span, kind):
            rows[total.entity].append(total)
        yield from rows.items()


def _load_readiness(table: TotalsTable, store: Store, previous_table: TotalsTable | None) -> None:
    """Read the readiness of the days; a previous table of the same inventory has all of it."""
    if previous_table and previous_table.inventory is table.inventory:
        table.readiness = previous_table.readiness
        return
    entities = sorted({entry.entity for entry in table.entries.values() if entry.readiness_checks})
    if not entities:
        return
    extents = [layout.extent for layout in table.layouts.values()]
    window = Window(min(w.start for w in extents), max(w.end for w in extents))
    for entity, rows in _read_by_entity(store, entities, ENTITIES_PER_READ, ("1d", window), "centre"):
        table.apply_readiness(entity, window, rows)
