"""The totals that objectives are judged by, kept in memory cell by cell; it must not judge, and never reads raw events.

Filled from the store once (`loading`), then fed by rollup with everything it writes: both give the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import axis
from telemetry.core.calendar.windows import DAY, Width, Window
from telemetry.core.inventory import local_day
from telemetry.core.slo.cells import TIME, count_values, time_values
from telemetry.core.slo.frames import Frame, always, cut, frame
from telemetry.core.slo.periods import calendar as aligned
from telemetry.core.slo.readiness import ready_marks
from telemetry.core.slo.timeseries import Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory, Objective, Sli
    from telemetry.core.slo.evaluation import Aimed
    from telemetry.core.slo.frames import Part
    from telemetry.core.slo.readiness import Mark

AHEAD_MS = 100 * DAY
"""How far ahead the open clock is known: the end of a quarter, the end of a budget."""
YEAR_MS = 366 * DAY
"""How far where an objective has a year's budget: all of its open time counts."""
LEAST_DAYS = 28
"""So many days are kept at least: on the first of a month the rules look back into the one before."""
Source = tuple[str, "Sli", int, bool]
"""Scope, SLI, threshold (ms), whether the calendar's clock counts: objectives that share it share a track."""
Ready = tuple[int, int]


@dataclass(slots=True)
class Entry:
    """One source's track and how a total is read for it; `opens` is kept for readiness alone."""

    source: Source
    unit: str
    calendar: Calendar
    track: Track
    opens: tuple[Mark, ...] = ()

    @property
    def kind(self) -> str:
        """Return which totals of its unit it reads."""
        return "desk" if self.source[1] == "wait" else self.source[0].partition(":")[0]

    def values(self, total: Total) -> tuple[int, ...]:
        """Return what a total adds to the track."""
        _, sli, threshold, by_calendar = self.source
        if sli not in TIME:
            return count_values(total.sums, sli, threshold)
        place = self.track.frame.by_width["5m"].get(total.start)
        opening = self.track.frame.open
        is_open = place is not None and opening[place + 1] > opening[place]
        return time_values(total.sums, total.width, sli, by_calendar=by_calendar, is_open=is_open)


@dataclass
class Book:
    """All tracks of one inventory; `today` is, by zone, the local day that the cells are cut for."""

    inventory: Inventory
    today: dict[ZoneInfo, date] = field(default_factory=dict)
    entries: dict[Source, Entry] = field(default_factory=dict)
    ready: dict[str, dict[int, Ready]] = field(default_factory=lambda: defaultdict(dict))
    """By unit and the start of a day: what READY_FIELDS say."""
    cells: dict[ZoneInfo, list[Part]] = field(default_factory=dict)
    """How the past is cut, before cells that are shut are left out."""
    _frames: dict[tuple[str, bool, bool], Frame] = field(default_factory=dict)
    _opens: dict[str, tuple[Mark, ...]] = field(default_factory=dict)
    _by_unit: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))

    def is_for(self, now: int) -> bool:
        """Tell whether `now` still lies in the days that the cells are cut for."""
        return all(local_day(now, zone) == day for zone, day in self.today.items())

    def take(self, unit: str, width: Width, window: Window, totals: Iterable[Total]) -> None:
        """Put these totals in place of the unit's of that width starting in the window."""
        if unit not in self._by_unit:
            return
        rows = list(totals)
        if width == "1d":
            self.take_readiness(unit, window, rows)
        put(self._by_unit[unit], width, window, rows)

    def take_readiness(self, unit: str, window: Window, rows: Sequence[Total]) -> None:
        """Put what these days said after opening in place of what the unit's days in the window said."""
        days = self.ready[unit]
        for start in [start for start in days if window.start <= start < window.end]:
            del days[start]
        for total in rows:
            if total.scope == f"centre:{unit}":
                days[total.start] = total.sums.get("ready_up", 0), total.sums.get("ready_down", 0)

    def of(self, aimed: Aimed) -> Entry:
        """Return the entry an objective is judged by."""
        return self.entries[source_of(aimed)]

    def add(self, aimed: Aimed) -> None:
        """Keep what an objective needs; objectives that share a source share a track."""
        source, calendar = source_of(aimed), calendar_of(aimed, self.inventory)
        if source not in self.entries:
            found = self._frame(calendar, by_calendar=source[3], timed=source[1] in TIME)
            entry = Entry(source, aimed.unit, calendar, Track(found, 4 if source[1] in TIME else 2))
            self.entries[source] = entry
            self._by_unit[aimed.unit].append(entry)
        if aimed.objective.sli == "readiness":
            self.entries[source].opens = self._marks(calendar)

    def _frame(self, calendar: Calendar, *, by_calendar: bool, timed: bool) -> Frame:
        """Return the frame; what counts tickets counts those outside opening hours too, so it has every cell."""
        key = (calendar.version, by_calendar, timed)
        if key not in self._frames:
            parts = self.cells[calendar.zone]
            whole = Window(parts[0][1].start, parts[-1][1].end + _ahead(self.inventory))
            opening = axis(calendar.open_windows(whole)) if by_calendar else always(whole)
            excluded = axis(calendar.excluded_windows(whole) if by_calendar else ())
            self._frames[key] = frame(parts, opening, excluded, sparse=by_calendar and timed)
        return self._frames[key]

    def _marks(self, calendar: Calendar) -> tuple[Mark, ...]:
        if calendar.version not in self._opens:
            parts = self.cells[calendar.zone]
            self._opens[calendar.version] = ready_marks(calendar, Window(parts[0][1].start, parts[-1][1].end))
        return self._opens[calendar.version]


def put(entries: Sequence[Entry], width: Width, window: Window, rows: Iterable[Total]) -> None:
    """Put a unit's totals in place of all the entries hold of that width starting in the window."""
    by_name: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_name[entry.kind, entry.source[0]].append(entry)
    sums: dict[Source, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for total in rows:
        kind, _, rest = total.scope.partition(":")
        scope = f"centre:{rest.partition(':')[0]}" if kind == "desk" else total.scope
        for entry in by_name.get((kind, scope), ()):
            _add(sums[entry.source], total.start, entry.values(total))
    for entry in entries:
        found = sums.get(entry.source, {})
        nothing = (0,) * len(entry.track.columns)
        for start, place in entry.track.frame.within(width, window):
            entry.track.put(place, found.get(start, nothing))


def _add(found: dict[int, tuple[int, ...]], start: int, values: tuple[int, ...]) -> None:
    before = found.get(start)
    found[start] = values if before is None else tuple(a + b for a, b in zip(before, values, strict=True))


def source_of(aimed: Aimed) -> Source:
    """Return what the objective reads; readiness reads days alone and shares another one's track for its clock."""
    objective = aimed.objective
    sli: Sli = "connectivity" if objective.sli == "readiness" else objective.sli
    by_calendar = objective.clock == "open" or objective.sli == "readiness" or aimed.centre is None
    return aimed.scope, sli, 0 if sli in TIME else objective.threshold_ms, by_calendar


def calendar_of(aimed: Aimed, inventory: Inventory) -> Calendar:
    """Return the calendar of an objective's scope; a digital system has none but its planned maintenance."""
    return aimed.centre.calendar if aimed.centre else inventory.systems[aimed.unit].calendar(inventory.zone)


def _ahead(inventory: Inventory) -> int:
    return YEAR_MS if any(objective.period == "year" for objective in inventory.objectives) else AHEAD_MS


def first_days(objectives: Iterable[Objective], now: int, zone: ZoneInfo) -> tuple[date, frozenset[date]]:
    """Return the first local day that is needed, and the days on which a rolling period begins."""
    today = local_day(now, zone)
    objectives = tuple(objectives)
    edges = frozenset(today - timedelta(days=o.days) for o in objectives if o.period == "rolling")
    starts = [local_day(aligned(o.period, now, zone).start, zone) for o in objectives if o.period != "rolling"]
    return min((*edges, *starts, today - timedelta(days=LEAST_DAYS))), edges


def blank(inventory: Inventory, aims: Iterable[Aimed], now: int) -> Book:
    """Return a book without figures, cut for the local days of `now`."""
    book = Book(inventory)
    for aimed in aims:
        zone = calendar_of(aimed, inventory).zone
        if zone not in book.cells:
            first, edges = first_days(inventory.objectives, now, zone)
            book.today[zone] = local_day(now, zone)
            book.cells[zone] = cut(zone, first, book.today[zone], edges)
        book.add(aimed)
    return book
