"""Folds hours of one entity: raw events become totals of all widths, which the store and the evaluator receive.

It must not increment: each call recomputes what it writes.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, ceil, day_window, days_in, floor
from telemetry.core.figures.chart_points import ChartedEntity, entity_chart
from telemetry.core.fold import aggregation, fold
from telemetry.core.fold.totals import encode_sums
from telemetry.core.inventory import System
from telemetry.core.protocol import events as ev
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.figures.chart_points import EntityChart
    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.rollup.contact_log import ContactLog
    from telemetry.rollup.event_reader import EventReader
    from telemetry.rollup.live_rows import EventCache
    from telemetry.slo.evaluator import SloEvaluator
    from telemetry.store import Store

_log = structlog.get_logger()
CHUNK_MS = 24 * HOUR
SETTLING_MS = 2 * MINUTE
"""A total of a bucket that ended so long ago is expected not to change; `reopened` is when one did."""


@dataclass(frozen=True, slots=True)
class FoldSideInputs:
    """What a fold needs or updates beside the events; `platform_outages` returns the outages within a window."""

    platform_outages: Callable[[Window], Sequence[Window]]
    event_reader: EventReader
    event_cache: EventCache
    contact_log: ContactLog


class FoldJob:
    """Writes totals of entities. `clock` returns Unix ms."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int],
        evaluator: SloEvaluator | None, side_inputs: FoldSideInputs,
    ) -> None:  # fmt: skip
        self._store, self._inventory, self._clock = store, inventory, clock
        self._evaluator, self._platform_outages = evaluator, side_inputs.platform_outages
        self._event_reader, self._event_cache = side_inputs.event_reader, side_inputs.event_cache
        self._contact_log = side_inputs.contact_log
        self._digests: dict[str, dict[int, int]] = {}
        self._calendars: tuple[Inventory | None, dict[str, Calendar]] = (None, {})
        self._started_at = clock()
        self.evaluator_failures = 0
        self._changed_at: dict[str, int] = {}
        """When totals of settled buckets were last written, Unix ms by entity."""
        self.up_to_date: set[str] = set()
        """Entities whose hours and days are all aggregated with the present calendar."""

    def calendar_for(self, entity: str) -> Calendar:
        """Return the entity's calendar; an undeclared one is open round the clock."""
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
        """Recompute all totals of an entity over whole hours."""
        for start in range(window.start, window.end, CHUNK_MS):
            self._fold_chunk(entity, Window(start, min(start + CHUNK_MS, window.end)))

    def _fold_chunk(self, entity: str, window: Window) -> None:
        events = self._event_reader.read(entity, fold.input_window(window))
        self._contact_log.record(entity, events)
        slot_totals = self._fold_slots(entity, events, window)
        if slot_totals is None:
            if self._inventory().devices_of(entity):
                return  # the vantage points inside the cloud: what they probe is folded, they themselves are not
            _log.warning("unit_not_declared", unit=entity, remedy="add it to the inventory and run rollup --rebuild")
            return
        self._event_cache.update(entity, events)
        self.write_totals(entity, "5m", window, slot_totals)
        calendar = self.calendar_for(entity)
        with_hours = entity not in self.up_to_date
        if not with_hours:
            self.write_totals(entity, "1h", window, aggregation.hourly_totals(slot_totals, calendar))
        for day in (day_window(date, calendar.zone) for date in days_in(window, calendar.zone)):
            totals_of_day = self._store.totals([entity], "5m", whole_hours(day) if with_hours else day)
            if with_hours:  # before the day, whose calendar fingerprint covers its hours too
                hour_totals = aggregation.hourly_totals(totals_of_day, calendar)
                self.write_totals(entity, "1h", whole_hours(day), hour_totals)
            within_day = (total for total in totals_of_day if day.start <= total.start < day.end)
            day_totals = aggregation.daily_totals(within_day, day, calendar)
            self.write_totals(entity, "1d", Window(day.start, day.start + 1), day_totals)
        self._detect_late_change(entity, window, slot_totals)
        if window.start <= self._clock() < window.end:
            self._publish_recent_state(entity, events)

    def _fold_slots(self, entity: str, events: Sequence[SourcedEvent], window: Window) -> list[Total] | None:
        inventory, outages, periods = self._inventory(), self._platform_outages(window), self._contact_log.periods
        centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
        if centre is not None:
            related = self._event_reader.read_related(entity, window, events, self._clock())
            return fold.fold_centre(centre, inventory.devices_of(entity), events, window, outages, periods, related)
        if system is None and any(isinstance(s.event, ev.SYSTEM_EVENTS) for s in events):
            system = System(entity, entity, entity, "undeclared")
        return fold.fold_system(system, inventory.province, events, window, outages, periods) if system else None

    def write_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Replace the totals in the window, in the store and in the evaluator."""
        with_chart = width != "5m" and self._store.has_chart_points
        chart = self._entity_chart(entity, width, window, totals) if with_chart else None
        self._store.replace_totals(entity, width, window, totals, chart)
        if self._evaluator:
            with self.evaluator_guard("take"):
                self._evaluator.on_totals(entity, width, window, totals)

    def _entity_chart(
        self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]
    ) -> EntityChart | None:
        charted = self._charted_entity(entity)
        return entity_chart(charted, width, window, totals, self._clock()) if charted else None

    def write_chart(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Replace the chart points of a declared entity in the window by those of its stored totals."""
        chart = self._entity_chart(entity, width, window, totals)
        if chart is not None:
            self._store.replace_chart(width, window, chart)

    def _charted_entity(self, entity: str) -> ChartedEntity | None:
        """Return what the chart points of an entity depend on beside its totals; None of an undeclared one."""
        inventory, calendar, periods = self._inventory(), self.calendar_for(entity), self._contact_log.periods
        centre = inventory.centres.get(entity)
        if centre is not None:
            own = (Scope.centre(entity), *(Scope.device(d.id) for d in inventory.devices_of(entity)))
            timed = () if centre.imported else own
            return ChartedEntity(entity, centre.province, calendar, timed, periods, centre.shown_service)
        if entity in inventory.systems:
            return ChartedEntity(entity, inventory.province, calendar, (Scope.system(entity),), periods, str)
        return None

    @contextmanager
    def evaluator_guard(self, step: str) -> Iterator[None]:
        """Log and count what the evaluator raises, so that it never stops the fold."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self.evaluator_failures += 1
            _log.error("watcher_failed", step=step, error=repr(error), faults=self.evaluator_failures, exc_info=error)

    def mark_changed(self, entity: str) -> None:
        """Record that totals of settled buckets were written."""
        self._changed_at[entity] = self._clock()

    def _publish_recent_state(self, entity: str, events: Sequence[SourcedEvent]) -> None:
        inventory, now, periods = self._inventory(), self._clock(), self._contact_log.periods
        centre, system = inventory.centres.get(entity), inventory.systems.get(entity)
        if self._evaluator is None:
            return
        if centre is not None:
            states = fold.centre_recent_states(centre, inventory.devices_of(entity), events, now, periods)
        elif system is not None:
            states = fold.system_recent_states(system, events, now, periods)
        else:
            return
        with self.evaluator_guard("follow"):
            self._evaluator.on_recent_state(states)

    def _detect_late_change(self, entity: str, window: Window, slot_totals: Sequence[Total]) -> None:
        """Record when totals of settled buckets differ from those written before, or when these are unknown."""
        rows_by_slot: dict[int, list[bytes]] = {slot_start: [] for slot_start in range(window.start, window.end, SLOT)}
        for total in slot_totals:
            rows_by_slot[total.start].append(msgspec.msgpack.encode((total.scope, encode_sums(total.sums))))
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
        """Return when totals of settled buckets were last written, at the earliest our start (Unix ms)."""
        return self._changed_at.get(entity, self._started_at)


def whole_hours(day: Window) -> Window:
    """Return the day widened to whole hours: in some zones midnight is within one."""
    return Window(floor(day.start, HOUR), ceil(day.end, HOUR))
