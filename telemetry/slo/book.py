"""The totals that objectives are judged by, kept in memory cell by cell; it must not judge, and never reads raw events.

Loaded from the store once, then fed by rollup with everything it writes: both give the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry.core.calendar_values import FOREVER
from telemetry.core.inventory import local_day
from telemetry.core.slo.axis import axis
from telemetry.core.slo.cells import TIME, count_values, time_values
from telemetry.core.slo.frames import Frame, always, cut, frame, runs
from telemetry.core.slo.periods import calendar as aligned
from telemetry.core.slo.tracks import Track
from telemetry.core.windows import DAY, Width, Window, day_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar import Calendar
    from telemetry.core.inventory import Inventory, Objective, Sli
    from telemetry.core.slo.frames import Part
    from telemetry.core.slo.judgement import Aimed
    from telemetry.core.totals import Total
    from telemetry.store import Store

AHEAD_MS = 100 * DAY
"""How far ahead the open clock is known: the end of a quarter, the end of a budget."""
YEAR_MS = 366 * DAY
"""How far where an objective has a year's budget: all of its open time counts."""
UNITS_A_READ = 50
Source = tuple[str, "Sli", int, bool]
"""Scope, SLI, threshold (ms), whether the calendar's clock counts: objectives that share it share a track."""
Ready = tuple[int, int]
_EVER = Window(0, FOREVER)


@dataclass(slots=True)
class Entry:
    """One source's track and how a total is read for it."""

    source: Source
    unit: str
    calendar: Calendar
    track: Track

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
    """All tracks of one inventory; `today` is the province's local day that the cells are cut for."""

    inventory: Inventory
    today: date
    entries: dict[Source, Entry] = field(default_factory=dict)
    ready: dict[str, dict[int, Ready]] = field(default_factory=lambda: defaultdict(dict))
    """By centre scope and the start of a day: what READY_FIELDS say."""
    cells: dict[str, list[Part]] = field(default_factory=dict)
    """By zone: how the past is cut, before cells that are shut are left out."""
    _frames: dict[tuple[str, bool, bool], Frame] = field(default_factory=dict)
    _by_scope: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _by_unit: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))

    def take(self, unit: str, width: Width, window: Window, totals: Iterable[Total]) -> None:
        """Put these totals in place of the unit's of that width starting in the window."""
        rows = list(totals)
        if width == "1d":
            self._take_readiness(unit, window, rows)
        if unit not in self._by_unit:
            return
        sums: dict[Source, dict[int, tuple[int, ...]]] = defaultdict(dict)
        for total in rows:
            kind, _, rest = total.scope.partition(":")
            scope = f"centre:{rest.partition(':')[0]}" if kind == "desk" else total.scope
            for entry in self._by_scope.get(scope, ()):
                if entry.kind == kind:
                    _add(sums[entry.source], total.start, entry.values(total))
        for entry in self._by_unit[unit]:
            found = sums.get(entry.source, {})
            nothing = (0,) * len(entry.track.columns)
            for start, place in entry.track.frame.within(width, window):
                entry.track.put(place, found.get(start, nothing))

    def _take_readiness(self, unit: str, window: Window, rows: Sequence[Total]) -> None:
        days = self.ready[f"centre:{unit}"]
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
        source = source_of(aimed)
        if source in self.entries:
            return
        calendar = calendar_of(aimed, self.inventory)
        by_calendar = source[3]
        timed = source[1] in TIME
        key = (calendar.version, by_calendar, timed)
        if key not in self._frames:
            parts = self.cells[calendar.zone.key]
            whole = Window(parts[0][1].start, parts[-1][1].end + _ahead(self.inventory))
            self._frames[key] = _frame(calendar, parts, whole, by_calendar=by_calendar, sparse=timed)
        entry = Entry(source, aimed.unit, calendar, Track(self._frames[key], 4 if timed else 2))
        self.entries[source] = entry
        self._by_scope[aimed.scope].append(entry)
        self._by_unit[aimed.unit].append(entry)

    def inherit(self, old: Book) -> None:
        """Take over what another cut of the same time holds, as far as whole cells tell."""
        for source, entry in self.entries.items():
            if source in old.entries:
                entry.track = old.entries[source].track.over(entry.track.frame)
        for scope, days in old.ready.items():
            self.ready[scope].update(days)

    def load(self, store: Store, wanted: Sequence[Window] = (_EVER,)) -> None:
        """Read the totals of all cells from the store, or only of those in the `wanted` windows."""
        for zone, units in self._zones().items():
            for width, window in runs(self.cells[zone.key]):
                for part in (part for w in wanted if (part := window.clip(w))):
                    self._load(store, units, width, part)

    def load_readiness(self, store: Store) -> None:
        """Read what the days said after opening: also of late, where the cells are hours and five minutes."""
        if all(objective.sli != "readiness" for objective in self.inventory.objectives):
            return
        for zone, units in self._zones().items():
            parts = self.cells[zone.key]
            window, names = Window(parts[0][1].start, parts[-1][1].end), sorted(units.get("centre", ()))
            for at in range(0, len(names), UNITS_A_READ):
                for total in store.totals(names[at : at + UNITS_A_READ], "1d", window, "centre"):
                    self._take_readiness(total.unit, Window(total.start, total.start + 1), [total])

    def _zones(self) -> dict[ZoneInfo, dict[str, set[str]]]:
        zones: dict[ZoneInfo, dict[str, set[str]]] = {}
        for entry in self.entries.values():
            zones.setdefault(entry.calendar.zone, {}).setdefault(entry.kind, set()).add(entry.unit)
        return zones

    def _load(self, store: Store, units: Mapping[str, set[str]], width: Width, window: Window) -> None:
        kinds_of: dict[str, list[str]] = defaultdict(list)
        for kind, names in units.items():
            for name in names:
                kinds_of[name].append(kind)
        groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in sorted(kinds_of):
            groups[tuple(sorted(kinds_of[name]))].append(name)
        for kinds, alike in groups.items():
            for at in range(0, len(alike), UNITS_A_READ):
                self._read(store, alike[at : at + UNITS_A_READ], kinds, (width, window))

    def _read(self, store: Store, units: list[str], kinds: Sequence[str], part: Part) -> None:
        width, window = part
        rows: dict[str, list[Total]] = defaultdict(list)
        for kind in kinds:
            for total in store.totals(units, width, window, kind):
                rows[total.unit].append(total)
        for unit, found in rows.items():
            self.take(unit, width, window, found)


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


def _frame(calendar: Calendar, parts: list[Part], whole: Window, *, by_calendar: bool, sparse: bool) -> Frame:
    """Return the frame; what counts tickets counts those outside opening hours too, so it has every cell."""
    if not by_calendar:
        return frame(parts, always(whole), axis(()))
    return frame(parts, axis(calendar.open_windows(whole)), axis(calendar.excluded_windows(whole)), sparse=sparse)


def first_days(objectives: Iterable[Objective], now: int, zone: ZoneInfo) -> tuple[date, frozenset[date]]:
    """Return the first local day any period needs, and the days on which a rolling one begins."""
    today = local_day(now, zone)
    objectives = tuple(objectives)
    edges = frozenset(today - timedelta(days=o.days) for o in objectives if o.period == "rolling")
    starts = [local_day(aligned(o.period, now, zone).start, zone) for o in objectives if o.period != "rolling"]
    return min((*edges, *starts), default=today), edges


def blank(inventory: Inventory, aims: Iterable[Aimed], now: int) -> Book:
    """Return a book without figures, cut for the local day of `now`."""
    book = Book(inventory, local_day(now, inventory.zone))
    for aimed in aims:
        zone = calendar_of(aimed, inventory).zone
        if zone.key not in book.cells:
            first, edges = first_days(inventory.objectives, now, zone)
            book.cells[zone.key] = cut(zone, first, local_day(now, zone), edges)
        book.add(aimed)
    return book


def recut(old: Book, aims: Iterable[Aimed], now: int, store: Store) -> Book:
    """Return the book cut for a new day; read are hours on which a period begins now, and what the old one lacks."""
    book = blank(old.inventory, aims, now)
    book.inherit(old)
    _, edges = first_days(old.inventory.objectives, now, old.inventory.zone)
    days = [day_window(day, old.inventory.zone) for day in edges]
    book.load(store, [*days, Window(day_window(old.today, old.inventory.zone).end, FOREVER)])
    return book
