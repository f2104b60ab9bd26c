"""Folds one unit's hours: raw events become totals of all widths, which are put in the store and told to the watcher.

It must not increment: each call recomputes what it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.calendar_values import ALWAYS
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import FIVE, HOUR, MINUTE, Window, ceil, day_window, days_in, floor
from telemetry.core.fold import aggregation, fold
from telemetry.core.inventory import System
from telemetry.core.protocol import events as ev
from telemetry.rollup.event_cache import said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telemetry.core.calendar.windows import Width
    from telemetry.core.fold.sourced_event import Said
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.rollup.event_cache import Remembered
    from telemetry.slo.watcher import Watcher
    from telemetry.store import Store

_log = structlog.get_logger()
CHUNK_MS = 24 * HOUR
SETTLING_MS = 2 * MINUTE
"""A total that ended so long ago is expected to stay; `reopened` says when one did not."""


class Folding:
    """Writes totals of units. `clock` gives ms; `down` the windows in which our own platform was down."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int], watcher: Watcher,
        down: Callable[[Window], Sequence[Window]], remembered: Remembered,
    ) -> None:  # fmt: skip
        self._store, self._inventory, self._clock = store, inventory, clock
        self._watcher, self._down, self._remembered = watcher, down, remembered
        self._digests: dict[str, dict[int, int]] = {}
        self._calendars: tuple[Inventory | None, dict[str, Calendar]] = (None, {})
        self._started = clock()
        self.reopened: dict[str, int] = {}
        """When totals of time that had passed were last written, by unit (ms)."""
        self.settled: set[str] = set()
        """Units whose hours and days are all known to be added with today's calendar."""

    def calendar(self, unit: str) -> Calendar:
        """Return the unit's calendar; round the clock for what is not declared."""
        inventory = self._inventory()
        if self._calendars[0] is not inventory:
            self._calendars = (inventory, {})
            self.settled.clear()
        known = self._calendars[1]
        if unit not in known:
            centre, system = inventory.centres.get(unit), inventory.systems.get(unit)
            own = system.calendar(inventory.zone) if system else Calendar(ALWAYS, inventory.zone)
            known[unit] = centre.calendar if centre else own
        return known[unit]

    def fold(self, unit: str, window: Window) -> None:
        """Recompute all totals of a unit over whole hours."""
        for chunk in _chunks(window):
            self._fold_chunk(unit, chunk)

    def _fold_chunk(self, unit: str, window: Window) -> None:
        said = [said_of(s) for s in self._store.events(unit, fold.read_window(window))]
        five = self._five(unit, said, window)
        if five is None:
            _log.warning("unit_not_declared", unit=unit, remedy="add it to the inventory and run rollup --rebuild")
            return
        self._remembered.heard(unit, said)
        self.put(unit, "5m", window, five)
        days = [day_window(day, self.calendar(unit).zone) for day in days_in(window, self.calendar(unit).zone)]
        if unit in self.settled:
            self.put(unit, "1h", window, aggregation.hourly(five, self.calendar(unit)))
        for day in days:
            hours = unit not in self.settled
            five_of_day = self._store.totals([unit], "5m", whole_hours(day) if hours else day)
            self.add_day(unit, day, five_of_day, hours=hours)
        self._note(unit, window, five)
        if window.start <= self._clock() < window.end:
            self._tell_present(unit, said)

    def _five(self, unit: str, said: Sequence[Said], window: Window) -> list[Total] | None:
        inventory = self._inventory()
        centre, system = inventory.centres.get(unit), inventory.systems.get(unit)
        if centre is not None:
            return fold.fold_centre(centre, inventory.devices_of(unit), said, window, self._down(window))
        if system is not None or _is_system(said):
            return fold.fold_system(system or _bare(unit), inventory.province, said, window, self._down(window))
        return None

    def put(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Put totals in place of those in the window, and tell the watcher."""
        self._store.replace_totals(unit, width, window, totals)
        self._watcher.take(unit, width, window, totals)

    def add_day(self, unit: str, day: Window, five: Sequence[Total], *, hours: bool) -> None:
        """Add a local day's 5-minute totals; with `hours` all its hours first, and `five` is of `whole_hours(day)`.

        Hours come first, because the day's stamp says that theirs are right too.
        """
        calendar = self.calendar(unit)
        if hours:
            self.put(unit, "1h", whole_hours(day), aggregation.hourly(five, calendar))
        own = [total for total in five if day.start <= total.start < day.end]
        self.put(unit, "1d", Window(day.start, day.start + 1), aggregation.daily(own, day, calendar))

    def reopen(self, unit: str) -> None:
        """Say that totals of time that had passed were written."""
        self.reopened[unit] = self._clock()

    def _tell_present(self, unit: str, said: Sequence[Said]) -> None:
        inventory, now = self._inventory(), self._clock()
        centre, system = inventory.centres.get(unit), inventory.systems.get(unit)
        if centre is not None:
            self._watcher.follow(unit, fold.centre_tails(centre, inventory.devices_of(unit), said, now))
        elif system is not None:
            self._watcher.follow(unit, fold.system_tails(system, said, now))

    def _note(self, unit: str, window: Window, five: Sequence[Total]) -> None:
        """Notice when totals of time that had passed are not what they were, as far as it is remembered."""
        by_mark: dict[int, list[bytes]] = {mark: [] for mark in range(window.start, window.end, FIVE)}
        for total in five:
            by_mark[total.start].append(msgspec.msgpack.encode((total.scope, total.sums)))
        fresh = {mark: hash(tuple(rows)) for mark, rows in by_mark.items()}
        known, past = self._digests.get(unit, {}), self._clock() - SETTLING_MS
        if any(known.get(mark) != found for mark, found in fresh.items() if mark + FIVE <= past):
            self.reopen(unit)
        recent = floor(self._clock(), HOUR) - HOUR
        self._digests[unit] = {m: d for m, d in {**known, **fresh}.items() if m >= recent}

    def reopened_at(self, unit: str) -> int:
        """Return when totals of time that had passed were last written, at the earliest our start (ms)."""
        return self.reopened.get(unit, self._started)


def whole_hours(day: Window) -> Window:
    """Return the day with all of the hours it touches: somewhere midnight lies within one."""
    return Window(floor(day.start, HOUR), ceil(day.end, HOUR))


def _is_system(said: Sequence[Said]) -> bool:
    return any(isinstance(s.event, ev.ProbeResult | ev.ConnectorStats) for s in said)


def _bare(unit: str) -> System:
    return System(unit, unit, unit, "undeclared")


def _chunks(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(start + CHUNK_MS, window.end)
        yield Window(start, end)
        start = end
