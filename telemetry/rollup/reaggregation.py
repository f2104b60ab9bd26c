"""Aggregates 5-minute totals again when a calendar has changed; it must not read raw events.

An entity's checkpoint in the store is the version of the calendar that its hours and days were aggregated with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from telemetry.core.calendar.windows import DAY, Window, day_window, to_local
from telemetry.core.fold import aggregation
from telemetry.core.fold.totals import CALENDAR_FIELD, OPEN_FIELDS, READY_FIELDS
from telemetry.rollup.fold_job import whole_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.rollup.fold_faults import FoldFaults
    from telemetry.rollup.fold_job import FoldJob
    from telemetry.store import Store

_log = structlog.get_logger()
STEPS_PER_PASS = 10
"""How many entities a pass checks, or days it aggregates again."""
_DONE: Final = object()
_CALENDAR_DEPENDENT = {CALENDAR_FIELD, *OPEN_FIELDS, *READY_FIELDS}


class Reaggregation:
    """Checks every entity's calendar after a start and whenever the inventory has changed, some in each pass."""

    def __init__(self, store: Store, fold_job: FoldJob, clock: Callable[[], int], faults: FoldFaults) -> None:
        self._store, self._fold_job, self._clock, self._faults = store, fold_job, clock, faults
        self._inventory: Inventory | None = None
        self._remaining_work: Iterator[None] = iter(())

    def step(self, inventory: Inventory) -> None:
        """Do a bounded part of the remaining work."""
        if inventory is not self._inventory:
            self._inventory = inventory
            self._fold_job.up_to_date.clear()
            self._remaining_work = self._reaggregate_all(sorted({*inventory.centres, *inventory.systems}))
        for _ in range(STEPS_PER_PASS):
            if next(self._remaining_work, _DONE) is _DONE:
                again = self.open_entities(inventory) - set(self._faults.set_aside())
                self._remaining_work = self._reaggregate_all(sorted(again))

    def open_entities(self, inventory: Inventory) -> set[str]:
        """Return the declared entities whose hours and days may still be aggregated with an earlier calendar."""
        declared = {*inventory.centres, *inventory.systems}
        return declared - self._fold_job.up_to_date if inventory is self._inventory else declared

    def _reaggregate_all(self, entities: Iterable[str]) -> Iterator[None]:
        for entity in entities:
            with self._faults.guard(entity, "calendar"):
                version = int(self._fold_job.calendar_for(entity).version, 16)
                if self._store.checkpoint(f"calendar:{entity}") != version:
                    yield from self._reaggregate_entity(entity)
                    self._store.set_checkpoint(f"calendar:{entity}", version)
                self._fold_job.up_to_date.add(entity)
            yield

    def _reaggregate_entity(self, entity: str) -> Iterator[None]:
        """Aggregate again every local day that has a row without the calendar's fingerprint."""
        calendar = self._fold_job.calendar_for(entity)
        rows_by_start: dict[int, list[Total]] = {}
        for total in self._store.totals([entity], "1d", Window(0, self._clock() + 2 * DAY)):
            rows_by_start.setdefault(total.start, []).append(total)
        stale_days = 0
        for start, rows in rows_by_start.items():
            day = day_window(to_local(start, calendar.zone).date(), calendar.zone)
            if {total.sums.get(CALENDAR_FIELD) for total in rows} != {calendar.fingerprint(day)}:
                self._reaggregate_day(entity, day, rows)
                self._fold_job.mark_changed(entity)
                stale_days += 1
                yield
        if stale_days:
            _log.info("calendar_changed", unit=entity, days_added_again=stale_days)

    def _reaggregate_day(self, entity: str, day: Window, rows: Iterable[Total]) -> None:
        slot_totals = self._store.totals([entity], "5m", whole_hours(day))
        calendar = self._fold_job.calendar_for(entity)
        day_totals = aggregation.daily_totals((t for t in slot_totals if day.start <= t.start < day.end), day, calendar)
        sums_by_scope = {total.scope: total.sums for total in day_totals}
        if all(_loses_nothing(sums_by_scope.get(row.scope, {}), row.sums) for row in rows):
            hour_totals = aggregation.hourly_totals(slot_totals, calendar)
            self._fold_job.write_totals(entity, "1h", whole_hours(day), hour_totals)
            self._fold_job.write_totals(entity, "1d", Window(day.start, day.start + 1), day_totals)
        else:
            reason = "its 5-minute totals are no longer stored"
            _log.warning("day_not_added_again", unit=entity, day=day.start, reason=reason)


def _loses_nothing(new: Mapping[str, int], old: Mapping[str, int]) -> bool:
    """Return whether no wall-clock sum would decrease: the store may retain days longer than 5-minute totals."""
    return all(new.get(name, 0) >= value for name, value in old.items() if name not in _CALENDAR_DEPENDENT)
