"""Folds one unit's hours: raw events become totals of all widths, which go to the store and the evaluator.

It must not increment: each call recomputes what it writes.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, ceil, day_window, days_in, floor
from telemetry.core.fold import aggregation, fold
from telemetry.core.inventory import System
from telemetry.core.protocol import events as ev
from telemetry.rollup.event_cache import to_sourced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.rollup.event_cache import EventCache
    from telemetry.slo.evaluator import SloEvaluator
    from telemetry.store import Store

_log = structlog.get_logger()
CHUNK_MS = 24 * HOUR
SETTLING_MS = 2 * MINUTE
"""A total that ended so long ago is expected to stay; `reopened` says when one did not."""


class FoldJob:
    """Writes totals of units. `clock` gives ms; `down` the windows in which our own platform was down."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int],
        evaluator: SloEvaluator | None, platform_outages: Callable[[Window], Sequence[Window]], event_cache: EventCache,
    ) -> None:  # fmt: skip
        self._store, self._inventory, self._clock = store, inventory, clock
        self._evaluator, self._platform_outages, self._event_cache = evaluator, platform_outages, event_cache
        self._digests: dict[str, dict[int, int]] = {}
        self._calendars: tuple[Inventory | None, dict[str, Calendar]] = (None, {})
        self._started_at = clock()
        self.evaluator_failures = 0
        self.changed_at: dict[str, int] = {}
        """When totals of time that had passed were last written, by unit (ms)."""
        self.up_to_date: set[str] = set()
        """Units whose hours and days are all known to be added with today's calendar."""

    def calendar_for(self, entity: str) -> Calendar:
        """Return the unit's calendar; round the clock for what is not declared."""
        inventory = self._inventory()
        if self._calendars[0] is not inventory:
            self._calendars = (inventory, {})
            self.up_to_date.clear()
        calendars = self._calendars[1]
        if entity not in calendars:
            centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
            own = system.calendar(inventory.zone) if system else Calendar(ALWAYS_OPEN, inventory.zone)
            calendars[entity] = centre.calendar if centre else own
        return calendars[entity]

    def fold(self, entity: str, window: Window) -> None:
        """Recompute all totals of a unit over whole hours."""
        for chunk in _split_into_chunks(window):
            self._fold_chunk(entity, chunk)

    def _fold_chunk(self, entity: str, window: Window) -> None:
        events = [to_sourced(s) for s in self._store.events(entity, fold.input_window(window))]
        slot_totals = self._fold_slots(entity, events, window)
        if slot_totals is None:
            _log.warning("unit_not_declared", unit=entity, remedy="add it to the inventory and run rollup --rebuild")
            return
        self._event_cache.update(entity, events)
        self.write_totals(entity, "5m", window, slot_totals)
        days = [
            day_window(day, self.calendar_for(entity).zone) for day in days_in(window, self.calendar_for(entity).zone)
        ]
        if entity in self.up_to_date:
            self.write_totals(entity, "1h", window, aggregation.hourly_totals(slot_totals, self.calendar_for(entity)))
        for day in days:
            with_hours = entity not in self.up_to_date
            totals_of_day = self._store.totals([entity], "5m", whole_hours(day) if with_hours else day)
            self.aggregate_day(entity, day, totals_of_day, with_hours=with_hours)
        self._detect_late_change(entity, window, slot_totals)
        if window.start <= self._clock() < window.end:
            self._publish_recent_state(entity, events)

    def _fold_slots(self, entity: str, events: Sequence[SourcedEvent], window: Window) -> list[Total] | None:
        inventory = self._inventory()
        centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
        if centre is not None:
            return fold.fold_centre(
                centre, inventory.devices_of(entity), events, window, self._platform_outages(window)
            )
        if system is not None or _has_system_events(events):
            return fold.fold_system(
                system or _undeclared_system(entity), inventory.province, events, window, self._platform_outages(window)
            )
        return None

    def write_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Put totals in place of those in the window, and pass them to the evaluator."""
        self._store.replace_totals(entity, width, window, totals)
        if self._evaluator:
            with self.evaluator_guard("take"):
                self._evaluator.on_totals(entity, width, window, totals)

    @contextmanager
    def evaluator_guard(self, step: str) -> Iterator[None]:
        """Log and count what the evaluator raises, so that it never stops the fold."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self.evaluator_failures += 1
            _log.error("watcher_failed", step=step, error=repr(error), faults=self.evaluator_failures, exc_info=error)

    def aggregate_day(self, entity: str, day: Window, slot_totals: Sequence[Total], *, with_hours: bool) -> None:
        """Add a local day's 5-minute totals; with `hours` all its hours first, and `five` is of `whole_hours(day)`.

        Hours come first, because the day's stamp says that theirs are right too.
        """
        calendar = self.calendar_for(entity)
        if with_hours:
            self.write_totals(entity, "1h", whole_hours(day), aggregation.hourly_totals(slot_totals, calendar))
        day_totals = [total for total in slot_totals if day.start <= total.start < day.end]
        self.write_totals(
            entity, "1d", Window(day.start, day.start + 1), aggregation.daily_totals(day_totals, day, calendar)
        )

    def mark_changed(self, entity: str) -> None:
        """Say that totals of time that had passed were written."""
        self.changed_at[entity] = self._clock()

    def _publish_recent_state(self, entity: str, events: Sequence[SourcedEvent]) -> None:
        inventory, now = self._inventory(), self._clock()
        centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
        if self._evaluator is None:
            return
        if centre is not None:
            states = fold.centre_recent_states(centre, inventory.devices_of(entity), events, now)
        elif system is not None:
            states = fold.system_recent_states(system, events, now)
        else:
            return
        with self.evaluator_guard("follow"):
            self._evaluator.on_recent_state(states)

    def _detect_late_change(self, entity: str, window: Window, slot_totals: Sequence[Total]) -> None:
        """Notice when totals of time that had passed are not what they were, as far as it is remembered."""
        rows_by_slot: dict[int, list[bytes]] = {slot_start: [] for slot_start in range(window.start, window.end, SLOT)}
        for total in slot_totals:
            rows_by_slot[total.start].append(msgspec.msgpack.encode((total.scope, total.sums)))
        new_digests = {slot_start: hash(tuple(rows)) for slot_start, rows in rows_by_slot.items()}
        old_digests, settled_before = self._digests.get(entity, {}), self._clock() - SETTLING_MS
        if any(
            old_digests.get(slot_start) != digest
            for slot_start, digest in new_digests.items()
            if slot_start + SLOT <= settled_before
        ):
            self.mark_changed(entity)
        recent = floor(self._clock(), HOUR) - HOUR
        self._digests[entity] = {m: d for m, d in {**old_digests, **new_digests}.items() if m >= recent}

    def late_change_at(self, entity: str) -> int:
        """Return when totals of time that had passed were last written, at the earliest our start (ms)."""
        return self.changed_at.get(entity, self._started_at)


def whole_hours(day: Window) -> Window:
    """Return the day with all of the hours it touches: somewhere midnight lies within one."""
    return Window(floor(day.start, HOUR), ceil(day.end, HOUR))


def _has_system_events(events: Sequence[SourcedEvent]) -> bool:
    return any(isinstance(s.event, ev.ProbeResult | ev.ConnectorStats) for s in events)


def _undeclared_system(entity: str) -> System:
    return System(entity, entity, entity, "undeclared")


def _split_into_chunks(window: Window) -> Iterator[Window]:
    start = window.start
    while start < window.end:
        end = min(start + CHUNK_MS, window.end)
        yield Window(start, end)
        start = end
