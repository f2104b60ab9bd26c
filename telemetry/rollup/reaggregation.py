"""Follows calendars: what another calendar had added is added again from 5-minute totals; it must not read raw events.

A unit's mark in the store says which calendar its hours and days were added with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from telemetry.core.calendar.windows import DAY, Window, at, day_window
from telemetry.core.fold import aggregation
from telemetry.core.fold.totals import CALENDAR_FIELD, OPEN_FIELDS, READY_FIELDS
from telemetry.rollup.fold_job import whole_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.rollup.fold_job import Folding
    from telemetry.store import Store

_log = structlog.get_logger()
STEPS = 10
"""How many units a pass looks at, or days it adds again."""
_BY_CALENDAR = {CALENDAR_FIELD, *OPEN_FIELDS, *READY_FIELDS}


class Readding:
    """Looks at every unit's calendar after a start and whenever the inventory is another one, some in each pass."""

    def __init__(self, store: Store, folding: Folding, clock: Callable[[], int]) -> None:
        self._store, self._folding, self._clock = store, folding, clock
        self._seen: Inventory | None = None
        self._work: Iterator[None] = iter(())

    def step(self, inventory: Inventory) -> None:
        """Do a bounded part of what is left to do."""
        if inventory is not self._seen:
            self._seen = inventory
            self._folding.settled.clear()
            self._work = self._all(sorted({*inventory.centres, *inventory.systems}))
        for _ in range(STEPS):
            next(self._work, None)

    def _all(self, units: Iterable[str]) -> Iterator[None]:
        for unit in units:
            version = int(self._folding.calendar(unit).version, 16)
            if self._store.mark(_mark(unit)) != version:
                yield from self._unit(unit)
                self._store.set_mark(_mark(unit), version)
            self._folding.settled.add(unit)
            yield

    def _unit(self, unit: str) -> Iterator[None]:
        stale = self._stale(unit)
        for day, rows in stale:
            self._day(unit, day, rows)
            self._folding.reopen(unit)
            yield
        if stale:
            _log.info("calendar_changed", unit=unit, days_added_again=len(stale))

    def _stale(self, unit: str) -> list[tuple[Window, list[Total]]]:
        """Return the local days whose rows do not say today's stamp, each with its rows."""
        calendar = self._folding.calendar(unit)
        found: dict[int, list[Total]] = {}
        for total in self._store.totals([unit], "1d", Window(0, self._clock() + 2 * DAY)):
            found.setdefault(total.start, []).append(total)
        days = ((day_window(at(start, calendar.zone).date(), calendar.zone), rows) for start, rows in found.items())
        return [(day, rows) for day, rows in days if _stamps(rows) != {calendar.stamp(day)}]

    def _day(self, unit: str, day: Window, rows: Iterable[Total]) -> None:
        five, calendar = self._store.totals([unit], "5m", whole_hours(day)), self._folding.calendar(unit)
        again = aggregation.daily((t for t in five if day.start <= t.start < day.end), day, calendar)
        known = {total.scope: total.sums for total in again}
        if all(_says_no_less(known.get(row.scope, {}), row.sums) for row in rows):
            self._folding.put(unit, "1h", whole_hours(day), aggregation.hourly(five, calendar))
            self._folding.put(unit, "1d", Window(day.start, day.start + 1), again)
        else:
            _log.warning("day_not_added_again", unit=unit, day=day.start, reason="its 5-minute totals are gone")


def _stamps(rows: Iterable[Total]) -> set[int | None]:
    return {total.sums.get(CALENDAR_FIELD) for total in rows}


def _says_no_less(new: Mapping[str, int], old: Mapping[str, int]) -> bool:
    """Tell whether no wall sum would be lost: the store may keep days longer than 5 minutes."""
    return all(new.get(name, 0) >= value for name, value in old.items() if name not in _BY_CALENDAR)


def _mark(unit: str) -> str:
    return f"calendar:{unit}"
