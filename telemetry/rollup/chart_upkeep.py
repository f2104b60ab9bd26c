"""Writes the chart points of the past: of a store of an earlier version, and when what they depend on is declared anew.

It must not read raw events.  An entity's checkpoint in the store is the digest of what its points were made with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import structlog

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, day_window, floor, to_local
from telemetry.core.figures.chart_points import CHART_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from telemetry.core.inventory import Inventory
    from telemetry.rollup.fold_faults import FoldFaults
    from telemetry.rollup.fold_job import FoldJob
    from telemetry.store import Store

_log = structlog.get_logger()
CHECKS_PER_PASS: Final = 10
"""How many entities a pass checks at most; one that has points to write takes the rest of the pass."""
HOURS_PER_STEP: Final = 7 * 24
"""How many hours of an entity are written at once."""
_DONE: Final = object()


class ChartUpkeep:
    """Checks every entity after a start and whenever the inventory has changed, some in each pass."""

    def __init__(self, store: Store, fold_job: FoldJob, clock: Callable[[], int], faults: FoldFaults) -> None:
        self._store, self._fold_job, self._clock, self._faults = store, fold_job, clock, faults
        self._inventory: Inventory | None = None
        self._remaining_work: Iterator[bool] = iter(())

    def step(self, inventory: Inventory) -> None:
        """Do a bounded part of the remaining work."""
        if not self._store.has_chart_points:
            return
        if inventory is not self._inventory:
            self._inventory = inventory
            self._remaining_work = self._write_all(inventory, sorted({*inventory.centres, *inventory.systems}))
        for _ in range(CHECKS_PER_PASS):
            if next(self._remaining_work, _DONE) is not False:
                return

    def _write_all(self, inventory: Inventory, entities: Iterable[str]) -> Iterator[bool]:
        """Yield after each part whether points were written."""
        for entity in entities:
            with self._faults.guard(entity, "chart"):
                digest, key = self._digest(inventory, entity), f"chart:{entity}"
                if self._store.checkpoint(key) != digest:
                    yield from self._write_past(entity)
                    self._store.set_checkpoint(key, digest)
            yield False

    def _digest(self, inventory: Inventory, entity: str) -> int:
        """Return a number of what an entity's points depend on beside its totals and service periods."""
        centre = inventory.centres.get(entity)
        services = sorted(centre.services) if centre else []
        devices = [device.id for device in inventory.devices_of(entity)]
        calendar = self._fold_job.calendar_for(entity).version
        return crc32(repr((CHART_VERSION, calendar, services, devices)).encode())

    def _write_past(self, entity: str) -> Iterator[bool]:
        """Write the points of all days since the first one with a total."""
        zone = self._fold_job.calendar_for(entity).zone
        days = self._store.totals([entity], "1d", Window(0, self._clock() + 2 * DAY))
        if not days:
            return
        whole = Window(min(total.start for total in days), day_window(to_local(self._clock(), zone).date(), zone).end)
        self._fold_job.write_chart(entity, "1d", whole, days)
        yield True
        hours, step = Window(floor(whole.start, HOUR), ceil(whole.end, HOUR)), HOURS_PER_STEP * HOUR
        for start in range(hours.start, hours.end, step):
            part = Window(start, min(start + step, hours.end))
            if totals := self._store.totals([entity], "1h", part):  # the store may retain days longer than hours
                self._fold_job.write_chart(entity, "1h", part, totals)
                yield True
        _log.info("charts_written", unit=entity, days=len({total.start for total in days}))
