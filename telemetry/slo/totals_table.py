"""The totals that objectives are judged by, kept in memory cell by cell; it must not judge, and never reads raw events.

Filled from the store once (`loading`), then fed by rollup with everything it writes: both give the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import DAY, BucketWidth, Window
from telemetry.core.inventory import local_date
from telemetry.core.slo.cells import TIME_SLIS, good_bad_counts, time_sums
from telemetry.core.slo.frames import BucketGrid, bucket_layout, build_grid, wall_clock_timeline
from telemetry.core.slo.periods import calendar_period as aligned
from telemetry.core.slo.timeseries import BucketColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.opening_calendar import Calendar, ReadinessCheck
    from telemetry.core.calendar.windows import BucketSpan
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory, Objective, SliKind
    from telemetry.core.slo.evaluation import ScopedObjective

LOOKAHEAD_MS = 100 * DAY
"""How far ahead the open clock is known: the end of a quarter, the end of a budget."""
YEAR_LOOKAHEAD_MS = 366 * DAY
"""How far where an objective has a year's budget: all of its open time counts."""
MIN_DAYS = 28
"""So many days are kept at least: on the first of a month the rules look back into the one before."""
TotalsSource = tuple[str, "SliKind", int, bool]
"""Scope, SLI, threshold (ms), whether the calendar's clock counts: objectives that share it share a track."""
ReadinessSums = tuple[int, int]


@dataclass(slots=True)
class TableEntry:
    """One source's track and how a total is read for it; `opens` is kept for readiness alone."""

    source: TotalsSource
    entity: str
    calendar: Calendar
    columns: BucketColumns
    readiness_checks: tuple[ReadinessCheck, ...] = ()

    @property
    def scope_kind(self) -> str:
        """Return which totals of its unit it reads."""
        return "desk" if self.source[1] == "wait" else self.source[0].partition(":")[0]

    def values_of(self, total: Total) -> tuple[int, ...]:
        """Return what a total adds to the track."""
        _, sli, threshold, by_calendar = self.source
        if sli not in TIME_SLIS:
            return good_bad_counts(total.sums, sli, threshold)
        index = self.columns.frame.index_by_start["5m"].get(total.start)
        opening = self.columns.frame.open_sums
        is_open = index is not None and opening[index + 1] > opening[index]
        return time_sums(total.sums, total.width, sli, by_calendar=by_calendar, is_open=is_open)


@dataclass
class TotalsTable:
    """All tracks of one inventory; `today` is, by zone, the local day that the cells are cut for."""

    inventory: Inventory
    today: dict[ZoneInfo, date] = field(default_factory=dict)
    entries: dict[TotalsSource, TableEntry] = field(default_factory=dict)
    readiness: dict[str, dict[int, ReadinessSums]] = field(default_factory=lambda: defaultdict(dict))
    """By unit and the start of a day: what READY_FIELDS say."""
    bucket_spans: dict[ZoneInfo, list[BucketSpan]] = field(default_factory=dict)
    """How the past is cut, before cells that are shut are left out."""
    _grids: dict[tuple[str, bool, bool], BucketGrid] = field(default_factory=dict)
    _readiness_checks: dict[str, tuple[ReadinessCheck, ...]] = field(default_factory=dict)
    _by_entity: dict[str, list[TableEntry]] = field(default_factory=lambda: defaultdict(list))

    def covers(self, now: int) -> bool:
        """Tell whether `now` still lies in the days that the cells are cut for."""
        return all(local_date(now, zone) == day for zone, day in self.today.items())

    def apply_totals(self, entity: str, width: BucketWidth, window: Window, totals: Iterable[Total]) -> None:
        """Put these totals in place of the unit's of that width starting in the window."""
        if entity not in self._by_entity:
            return
        rows = list(totals)
        if width == "1d":
            self.apply_readiness(entity, window, rows)
        replace_rows(self._by_entity[entity], width, window, rows)

    def apply_readiness(self, entity: str, window: Window, rows: Sequence[Total]) -> None:
        """Put what these days said after opening in place of what the unit's days in the window said."""
        days = self.readiness[entity]
        for start in [start for start in days if window.start <= start < window.end]:
            del days[start]
        for total in rows:
            if total.scope == f"centre:{entity}":
                days[total.start] = total.sums.get("ready_up", 0), total.sums.get("ready_down", 0)

    def entry_of(self, scoped: ScopedObjective) -> TableEntry:
        """Return the entry an objective is judged by."""
        return self.entries[source_of(scoped)]

    def add_objective(self, scoped: ScopedObjective) -> None:
        """Keep what an objective needs; objectives that share a source share a track."""
        source, calendar = source_of(scoped), calendar_of(scoped, self.inventory)
        if source not in self.entries:
            grid = self._grid_for(calendar, by_calendar=source[3], timed=source[1] in TIME_SLIS)
            entry = TableEntry(source, scoped.entity, calendar, BucketColumns(grid, 4 if source[1] in TIME_SLIS else 2))
            self.entries[source] = entry
            self._by_entity[scoped.entity].append(entry)
        if scoped.objective.sli == "readiness":
            self.entries[source].readiness_checks = self._readiness_checks_for(calendar)

    def _grid_for(self, calendar: Calendar, *, by_calendar: bool, timed: bool) -> BucketGrid:
        """Return the frame; what counts tickets counts those outside opening hours too, so it has every cell."""
        key = (calendar.version, by_calendar, timed)
        if key not in self._grids:
            spans = self.bucket_spans[calendar.zone]
            extent = Window(spans[0][1].start, spans[-1][1].end + _lookahead_ms(self.inventory))
            open_timeline = (
                build_open_timeline(calendar.open_windows(extent)) if by_calendar else wall_clock_timeline(extent)
            )
            excluded_timeline = build_open_timeline(calendar.excluded_windows(extent) if by_calendar else ())
            self._grids[key] = build_grid(spans, open_timeline, excluded_timeline, sparse=by_calendar and timed)
        return self._grids[key]

    def _readiness_checks_for(self, calendar: Calendar) -> tuple[ReadinessCheck, ...]:
        if calendar.version not in self._readiness_checks:
            spans = self.bucket_spans[calendar.zone]
            extent = Window(spans[0][1].start, spans[-1][1].end)
            self._readiness_checks[calendar.version] = calendar.readiness_checks(extent)
        return self._readiness_checks[calendar.version]


def replace_rows(entries: Sequence[TableEntry], width: BucketWidth, window: Window, rows: Iterable[Total]) -> None:
    """Put a unit's totals in place of all the entries hold of that width starting in the window."""
    by_name: dict[tuple[str, str], list[TableEntry]] = defaultdict(list)
    for entry in entries:
        by_name[entry.scope_kind, entry.source[0]].append(entry)
    sums: dict[TotalsSource, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for total in rows:
        kind, _, ident = total.scope.partition(":")
        scope = f"centre:{ident.partition(':')[0]}" if kind == "desk" else total.scope
        for entry in by_name.get((kind, scope), ()):
            _add_values(sums[entry.source], total.start, entry.values_of(total))
    for entry in entries:
        values_by_start = sums.get(entry.source, {})
        zeros = (0,) * len(entry.columns.arrays)
        for start, index in entry.columns.frame.buckets_within(width, window):
            entry.columns.set_bucket(index, values_by_start.get(start, zeros))


def _add_values(values_by_start: dict[int, tuple[int, ...]], start: int, values: tuple[int, ...]) -> None:
    before = values_by_start.get(start)
    values_by_start[start] = values if before is None else tuple(a + b for a, b in zip(before, values, strict=True))


def source_of(scoped: ScopedObjective) -> TotalsSource:
    """Return what the objective reads; readiness reads days alone and shares another one's track for its clock."""
    objective = scoped.objective
    sli: SliKind = "connectivity" if objective.sli == "readiness" else objective.sli
    by_calendar = objective.clock == "open" or objective.sli == "readiness" or scoped.centre is None
    return scoped.scope, sli, 0 if sli in TIME_SLIS else objective.threshold_ms, by_calendar


def calendar_of(scoped: ScopedObjective, inventory: Inventory) -> Calendar:
    """Return the calendar of an objective's scope; a digital system has none but its planned maintenance."""
    return scoped.centre.calendar if scoped.centre else inventory.systems[scoped.entity].calendar(inventory.zone)


def _lookahead_ms(inventory: Inventory) -> int:
    return YEAR_LOOKAHEAD_MS if any(objective.period == "year" for objective in inventory.objectives) else LOOKAHEAD_MS


def first_days(objectives: Iterable[Objective], now: int, zone: ZoneInfo) -> tuple[date, frozenset[date]]:
    """Return the first local day that is needed, and the days on which a rolling period begins."""
    today = local_date(now, zone)
    objectives = tuple(objectives)
    edges = frozenset(today - timedelta(days=o.days) for o in objectives if o.period == "rolling")
    starts = [local_date(aligned(o.period, now, zone).start, zone) for o in objectives if o.period != "rolling"]
    return min((*edges, *starts, today - timedelta(days=MIN_DAYS))), edges


def empty_table(inventory: Inventory, scoped_objectives: Iterable[ScopedObjective], now: int) -> TotalsTable:
    """Return a book without figures, cut for the local days of `now`."""
    table = TotalsTable(inventory)
    for scoped in scoped_objectives:
        zone = calendar_of(scoped, inventory).zone
        if zone not in table.bucket_spans:
            first, edges = first_days(inventory.objectives, now, zone)
            table.today[zone] = local_date(now, zone)
            table.bucket_spans[zone] = bucket_layout(zone, first, table.today[zone], edges)
        table.add_objective(scoped)
    return table
