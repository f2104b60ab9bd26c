"""Folds stored raw events again: all at once on request, or newest days first, some in each pass, after a new fold.

It must not decide what a fold writes, nor hold a pass: the caller takes one step after another while it has time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from telemetry.core.calendar.calendar_values import END_OF_TIME_MS
from telemetry.core.calendar.windows import (
    DAY,
    HOUR,
    Window,
    ceil,
    difference,
    floor,
    intersection,
    merge,
    total_length,
)
from telemetry.core.fold.event_spans import TICKET_LOOKBACK_MS, dirty_hours
from telemetry.core.fold.fold import FOLD_LOOKBACK_MS, FOLD_VERSION
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY
from telemetry.core.fold.totals import EVIDENCE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from telemetry.rollup.contact_log import ContactLog
    from telemetry.rollup.fold_faults import FoldFaults
    from telemetry.rollup.platform_outages import PlatformOutages
    from telemetry.store import Store

_log = structlog.get_logger()
VERSION_CHECKPOINT = "fold_version"
REFOLDED_CHECKPOINT = f"refolded_since:{FOLD_VERSION}"
"""Checkpoint: since when all hours are folded with the present version, Unix ms; 0 before the first day."""


class Refold:
    """What is folded again without a change. `fold` folds a part of an entity's hours; `clock` returns Unix ms."""

    def __init__(
        self, store: Store, outages: PlatformOutages, contact_log: ContactLog, faults: FoldFaults,
        fold: Callable[[str, Window], None],
    ) -> None:  # fmt: skip
        self._store, self._outages, self._contact_log, self._faults = store, outages, contact_log, faults
        self._fold = fold
        self._steps: Iterator[None] | None = None
        self._waiting: dict[str, list[Window]] = {}

    def is_outdated(self) -> bool:
        """Return whether another version of the fold made the totals, or some of them."""
        return self._store.checkpoint(VERSION_CHECKPOINT) < FOLD_VERSION

    def waiting_entities(self) -> set[str]:
        """Return the entities of which hours wait to be folded with the present version."""
        return set(self._waiting)

    def begin(self, declared: Iterable[str], parts: Callable[[str, Window], Iterable[Window]], now: int) -> None:
        """Prepare the steps that fold everything again, if it is outdated; an empty store is marked only.

        `parts` cuts an entity's hours into what is folded at once.
        """
        if self._steps is None and self.is_outdated():
            self._steps = self._refold_steps(sorted(declared), parts, now)

    def continue_until(self, is_over: Callable[[], bool]) -> None:
        """Take steps until none is left or `is_over`; at least one."""
        while self._steps is not None:
            if next(self._steps, self) is self:
                self._steps = None
            if is_over():
                return

    def _refold_steps(
        self, declared: Iterable[str], parts: Callable[[str, Window], Iterable[Window]], now: int
    ) -> Iterator[None]:
        """Fold newest days first, all entities of a day in turn; a restart goes on before the last complete day."""
        refolded_since = self._store.checkpoint(REFOLDED_CHECKPOINT)
        is_folded = [Window(refolded_since, END_OF_TIME_MS)] if refolded_since else []
        if not refolded_since:
            self._contact_log.mark_all_folded()  # what waits is folded with the present service periods
        if extent := self._extent():
            self._waiting = {entity: [] for entity in {*extent, *declared}}
            for entity in sorted(self._waiting):
                with self._faults.guard(entity, "rebuild"):
                    hours = merge([*self._reaches(entity, extent.get(entity, ())), *self._silence(entity, now)])
                    self._waiting[entity] = difference(hours, is_folded)
                yield
            self._waiting = {entity: hours for entity, hours in self._waiting.items() if hours}
            waiting_hours = sum(total_length(windows) for windows in self._waiting.values()) // HOUR
            _log.info("folding_again", fold_version=FOLD_VERSION, units=len(self._waiting), hours=waiting_hours)
        while self._waiting:
            day = floor(max(windows[-1].end for windows in self._waiting.values()) - 1, DAY)
            for entity in sorted(self._waiting):
                yield from self._refold_day(entity, Window(day, day + DAY), parts)
            self._store.set_checkpoint(REFOLDED_CHECKPOINT, day)
        self._record_version()

    def _record_version(self) -> None:
        if self._store.checkpoint(REFOLDED_CHECKPOINT):
            self._store.set_checkpoint(REFOLDED_CHECKPOINT, 0)
        self._store.set_checkpoint(VERSION_CHECKPOINT, FOLD_VERSION)

    def _refold_day(self, entity: str, day: Window, parts: Callable[[str, Window], Iterable[Window]]) -> Iterator[None]:
        for window in intersection(self._waiting[entity], [day]):
            for part in parts(entity, window):
                self._fold(entity, part)
                yield
        remaining = difference(self._waiting[entity], [day])
        if remaining:
            self._waiting[entity] = remaining
        else:
            del self._waiting[entity]

    def rebuild(self, window: Window | None = None, progress: Callable[[int, int], None] | None = None) -> int:
        """Fold all stored raw events again, or only `window`; returns how many entities. `progress` gets done, all."""
        self._contact_log.follow_inventory()
        extent = self._extent()
        folded = 0
        for number, (entity, days) in enumerate(sorted(extent.items())):
            with self._faults.guard(entity, "rebuild"):
                folded += self._rebuild_entity(entity, days, window)
            if progress is not None:
                progress(number + 1, len(extent))
        if window is None:
            self._contact_log.mark_all_folded()
        if rows := self._contact_log.changed_rows():
            self._store.put_live_rows(rows)
        if window is None:
            self._steps, self._waiting = None, {}
            self._record_version()
        return folded

    def _extent(self) -> dict[str, list[Window]]:
        extent = self._store.days_with_events()
        for window_of_heartbeats in extent.pop(PLATFORM_ENTITY, []):
            self._outages.invalidate(window_of_heartbeats)
        return extent

    def _rebuild_entity(self, entity: str, days: Iterable[Window], window: Window | None) -> bool:
        """Fold all stored raw events of an entity again, or only `window`; returns whether there are any."""
        parts = self._reaches(entity, days)
        parts = parts if window is None else [part for day in parts if (part := day.clip(window)) is not None]
        for part in merge(parts):
            self._fold(entity, Window(floor(part.start, HOUR), ceil(part.end, HOUR)))
        return bool(parts)

    def _reaches(self, entity: str, days: Iterable[Window]) -> list[Window]:
        return [self._reach_of(entity, run) for run in days]

    def _silence(self, entity: str, now: int) -> list[Window]:
        """Return the hours with totals before an entity's first contact: no raw event can be missing there."""
        first_contact = floor(self._contact_log.first_contact(entity, now), HOUR)
        days = self._store.totals([entity], "1d", Window(0, first_contact))
        starts = {floor(total.start, HOUR) for total in days}
        return merge(Window(start, min(start + DAY + HOUR, first_contact)) for start in starts if start < first_contact)

    def _reach_of(self, entity: str, run: Window) -> Window:
        """Return the hours that the events of a run of days affect, without those whose raw events are deleted.

        Totals of events before the first one that is stored show that its predecessors are deleted.  Hours that a fold
        of what is left would lose some of retain their totals.
        """
        first_day = self._store.events(entity, Window(run.start, min(run.start + DAY, run.end)))
        last_day = self._store.events(entity, Window(run.end - DAY, run.end))
        affected = dirty_hours((entity, s.event) for s in (*first_day, *last_day))
        if not affected:
            return run
        reach, first = Window(affected[0][1], affected[-1][2]), first_day[0].event.t
        before = self._store.totals([entity], "5m", Window(first - TICKET_LOOKBACK_MS, floor(first, HOUR)))
        if any(total.sums.get(name) for total in before for name in EVIDENCE_FIELDS):
            return Window(min(ceil(first + FOLD_LOOKBACK_MS, HOUR), reach.end), reach.end)
        return reach
