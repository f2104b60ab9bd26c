"""The one rollup of a store: folds changes, stores presence, writes live rows and has objectives evaluated.

It must not increment anything: every pass recomputes totals from raw events, so a pass that is interrupted,
repeated or run again from the start gives the same totals.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, floor, merge
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.live_row_types import SLO_ROW_PREFIX
from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY, RECONNECT_GRACE_MS
from telemetry.rollup.backlog import FoldBacklog
from telemetry.rollup.chart_upkeep import ChartUpkeep
from telemetry.rollup.contact_log import ContactLog
from telemetry.rollup.event_reader import EventReader
from telemetry.rollup.expected_waits import ExpectedWaits
from telemetry.rollup.fold_faults import FoldFaults, usable_hours
from telemetry.rollup.fold_job import FoldJob, FoldSideInputs
from telemetry.rollup.fold_pace import FoldPace
from telemetry.rollup.fold_progress import FoldProgress
from telemetry.rollup.forecasts import ForecastJob
from telemetry.rollup.live_rows import EventCache, LiveRowBuilder, in_order_of_arrival, to_status_event
from telemetry.rollup.platform_outages import PlatformOutages, PlatformWatch
from telemetry.rollup.presence_limit import PresenceLimit
from telemetry.rollup.reaggregation import Reaggregation
from telemetry.rollup.refold import Refold
from telemetry.store import (
    BACKLOG_HOURS_CHECKPOINT,
    CURRENT_UNTIL_CHECKPOINT,
    STALE_HOURS_CHECKPOINT,
    Batch,
    ChangeRecord,
    DeadLetter,
    StoredEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.rollup.backlog import WaitingFold
    from telemetry.slo.evaluator import SloEvaluator
    from telemetry.store import Store

_log = structlog.get_logger()
OVERLAP_US = 60_000_000
"""How far behind the cursor changes are read again: a slow writer's stamp may be older than its commit."""
EVALUATION_INTERVAL_MS = 15_000
"""Objectives are evaluated at every multiple of this."""
ELAPSED_HOURS_CHECKPOINT = "hours_passed"
"""Checkpoint: until when hours are folded for entities without events, Unix ms."""
MAX_ABSENCE_MS = 31 * DAY
PASS_BUDGET_S = 2.0
"""How long a pass folds changes; what is left waits for the next pass."""
OLDER_BUDGET_S = 0.5
"""How long a pass folds older hours at least, even when recent ones take all its time."""
CATCH_UP_BUDGET_S = 0.5
"""How long a pass does folds without a change, at least one: after a start, an outage or an hour without events."""
RETRY_BUDGET_S = 0.25
"""How long a pass folds again what was set aside, at least one part."""


class Rollup:
    """Folds one store. `clock` returns Unix ms; change stamps are the same clock in µs."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int],
        evaluator: SloEvaluator | None = None, stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """`stopwatch` returns seconds; it limits how long a pass folds."""
        self._store, self._inventory, self._clock, self._evaluator = store, inventory, clock, evaluator
        self._stopwatch, self._pace = stopwatch, FoldPace()
        self._backlog = FoldBacklog(self._pace.part_ms)
        self._retries: Iterator[None] | None = None
        self._recorded_backlog: int | None = None
        self._recorded_stale: int | None = None
        self._presence_limit = PresenceLimit()
        self._outages = PlatformOutages(store)
        event_reader = EventReader(store)
        event_cache, self._expected_waits = EventCache(event_reader), ExpectedWaits(store)
        self._faults = FoldFaults(store, clock)
        self._contact_log = ContactLog(store, inventory, self._faults, self._outages.first_heartbeat)
        side_inputs = FoldSideInputs(self._outages.outages_within, event_reader, event_cache, self._contact_log)
        self._fold_job = FoldJob(store, inventory, clock, evaluator, side_inputs)
        self._forecasts = ForecastJob(store, inventory, self._faults, stopwatch)
        self._refold = Refold(store, self._outages, self._contact_log, self._faults, self._fold_part)
        self._reaggregation = Reaggregation(store, self._fold_job, clock, self._faults)
        self._chart_upkeep = ChartUpkeep(store, self._fold_job, clock, self._faults)
        self._live_rows = LiveRowBuilder(
            event_cache, self._fold_job.late_change_at, self._contact_log.periods, self._faults, stopwatch,
            self._expected_waits,
        )  # fmt: skip
        if evaluator is not None:
            evaluator.on_service_periods(self._contact_log.periods)
        self._progress, self._platform = FoldProgress(), PlatformWatch(self._outages)
        self._last_evaluated_at, self._is_ready = 0, False

    def run_once(self) -> int:
        """Fold what has changed since the last pass, within the pass's budget; returns how many entities were folded.

        What is left waits for the next pass, and the store's cursor stays before it.
        """
        self._contact_log.follow_inventory()
        self._store.reconcile()
        at = self._clock()
        self._platform.begin_pass(at)
        if at < self._last_evaluated_at - HOUR:
            _log.warning("clock_set_back", judged=self._last_evaluated_at, now=at)
            self._last_evaluated_at = 0
        self._read_changes(at)
        folded = self._fold_backlog()
        self.fold_outdated()
        waiting = self._backlog.windows_by_entity()
        settled = {entity: [*folded.get(entity, ()), *waiting.get(entity, ())] for entity in {*folded, *waiting}}
        self._progress.stale.extend(self._contact_log.stale_hours(settled, self._progress.folded_until(at)))
        self._catch_up(at)
        self._retry_faults()
        live_rows = self._live_rows.build_rows(self._inventory(), set(folded), at)
        self._progress.own_changes.update(self._expected_waits.store_outcomes(at))
        live_rows |= self._forecasts.rows_after_pass(folded, waiting, at)
        self._put_live_rows(live_rows | self._contact_log.changed_rows() | self._faults.changed_rows())
        self._advance_cursor(at)
        self._platform.last_pass_at = at
        self._evaluate_objectives()
        return len(folded)

    def _read_changes(self, at: int) -> None:
        """Add the changes written since the last pass to the backlog."""
        changes = self._unfolded_changes()
        if any(change not in self._progress.own_changes for change in changes):
            self._platform.last_received_at = at
        read: list[ChangeRecord] = []
        for change in changes:
            with self._faults.guard(change.entity, "change"):
                hours = usable_hours(Window(change.start, change.end), at)
                if hours.length:
                    read.append(msgspec.structs.replace(change, start=hours.start, end=hours.end))
        beats = [Window(c.start, c.end) for c in read if c.entity == PLATFORM_ENTITY]
        with self._faults.guard(PLATFORM_ENTITY, "heartbeats"):
            self._handle_platform_gaps(beats)
        inventory = self._inventory()
        others = (change for change in read if change.entity != PLATFORM_ENTITY)
        self._backlog.add(others, at, lambda entity: entity in inventory.centres or entity in inventory.systems)
        self._progress.known_changes.update(changes)

    def _fold_backlog(self) -> dict[str, list[Window]]:
        """Fold what waits while the pass has time; returns the hours folded with the present service periods."""
        folded: dict[str, list[Window]] = {}
        end = self._stopwatch() + PASS_BUDGET_S
        self._fold_until(end, self._next_recent, folded)
        self._fold_until(max(end, self._stopwatch() + OLDER_BUDGET_S), self._backlog.next_older, folded)
        return folded

    def _next_recent(self) -> WaitingFold | None:
        return self._backlog.next_recent(self._pace.resting(self._stopwatch()))

    def _fold_until(
        self, end: float, next_fold: Callable[[], WaitingFold | None], folded: dict[str, list[Window]]
    ) -> None:
        self._pace.end_turns()
        while (waiting := next_fold()) is not None:
            began, entity_folded = self._stopwatch(), folded.setdefault(waiting.entity, [])
            if entity_folded and waiting.window.start < entity_folded[-1].start:
                entity_folded.clear()  # an earlier first contact would change the service periods of these
            self._fold_part(waiting.entity, waiting.window)
            entity_folded.append(waiting.window)
            self._backlog.remove(waiting)
            now = self._stopwatch()
            if waiting.is_recent:
                self._pace.record_recent_part(waiting.entity, now - began, now)
            if now >= end:
                break

    def _fold_part(self, entity: str, window: Window) -> None:
        began = self._stopwatch()
        self.fold(entity, window)
        self._pace.record_part(entity, window, self._stopwatch() - began)

    def _advance_cursor(self, at: int) -> None:
        """Move the store's cursor to the oldest change that waits, or to `at`, and record how much waits."""
        stale_hours = self._progress.count_stale_hours()
        if stale_hours != self._recorded_stale:  # before the cursor: who waits for both reads the cursor first
            self._store.set_checkpoint(STALE_HOURS_CHECKPOINT, stale_hours)
            self._recorded_stale = stale_hours
        oldest, cursor = self._backlog.oldest_written_at(), self._store.cursor()
        folded_until = at * 1000 if oldest is None else min(at * 1000, oldest - 1)
        if folded_until > cursor:
            self._store.set_cursor(folded_until)
            cursor = folded_until
        self._progress.read_until, self._progress.own_cursor = at * 1000, cursor
        hours = self._backlog.count_hours()
        if self._recorded_backlog is None:
            self._recorded_backlog = self._store.checkpoint(BACKLOG_HOURS_CHECKPOINT)
        if hours or self._recorded_backlog:
            oldest_recent = self._backlog.oldest_recent_written_at()
            current_until = at if oldest_recent is None else min(at, oldest_recent // 1000)
            self._store.set_checkpoint(CURRENT_UNTIL_CHECKPOINT, current_until)
            self._store.set_checkpoint(BACKLOG_HOURS_CHECKPOINT, hours)
            self._recorded_backlog = hours

    def _retry_faults(self) -> None:
        """Fold some more of what was set aside and is due."""
        end = self._stopwatch() + RETRY_BUDGET_S
        self._retries = self._retries or self._retry_steps()
        for _ in self._retries:
            if self._stopwatch() >= end:
                return
        self._retries = None

    def _retry_steps(self) -> Iterator[None]:
        for entity, windows in self._faults.due():
            before = self._faults.failures_of(entity)
            if entity == PLATFORM_ENTITY:
                with self._faults.guard(entity, "heartbeats"):
                    self._handle_platform_gaps(windows)
            else:
                for part in (part for window in windows for part in self._pace.parts(entity, window)):
                    self._fold_part(entity, part)
                    yield
                self._live_rows.check(self._inventory(), entity, self._clock())
            if self._faults.failures_of(entity) == before:
                self._faults.clear(entity)
            yield

    def fold_outdated(self) -> None:
        """Fold some more of what another version of the fold made, newest days first; an empty store is marked only."""
        self._refold.begin(self._declared_entities(), self._pace.parts, self._clock())
        end = self._stopwatch() + OLDER_BUDGET_S
        self._refold.continue_until(lambda: self._stopwatch() >= end)

    def _unfolded_changes(self) -> list[ChangeRecord]:
        """Return changes not known yet, read from before the newest one known and before now.

        The clock may have been ahead: then the cursor and the newest change lie in the future.
        """
        progress, cursor = self._progress, self._store.cursor()
        if cursor == progress.own_cursor:
            cursor = progress.read_until
        newest = progress.newest_written_at or cursor
        since = max(min(cursor, self._clock() * 1000, newest) - OVERLAP_US, 0)
        changes = self._store.changes_since(since)
        progress.newest_written_at = max((c.written_at for c in changes), default=progress.newest_written_at)
        progress.known_changes = Counter({c: k for c, k in progress.known_changes.items() if c.written_at >= since})
        progress.own_changes = {c for c in progress.own_changes if c.written_at >= since}
        return list((Counter(changes) - progress.known_changes).elements())

    def fold(self, entity: str, window: Window) -> None:
        """Recompute all totals of an entity over whole hours; what cannot be folded is set aside, see `FoldFaults`."""
        with self._faults.guard(entity, "fold", window):
            self._fold_job.fold(entity, window)
        self._progress.record_fold(entity, window)

    def _handle_platform_gaps(self, changed: Sequence[Window]) -> None:
        """When a heartbeat has ended a platform outage, queue all its hours: it is excluded from the totals."""
        for window in merge(changed):  # every heartbeat of an absence names its hour
            self._outages.invalidate(window)
        for gap in self._outages.new_gaps() if changed else ():
            _log.warning("platform_was_down", start=gap.start, end=gap.end)
            hours = Window(floor(gap.start, HOUR), ceil(gap.end + RECONNECT_GRACE_MS, HOUR))
            self._progress.elapsed.extend((entity, hours) for entity in self._declared_entities())
            self._progress.queued_outage_folds = len(self._progress.elapsed)

    def _declared_entities(self) -> list[str]:
        inventory = self._inventory()
        return sorted({*(c.id for c in inventory.centres.values() if not c.imported), *inventory.systems})

    def _catch_up(self, at: int) -> None:
        """Do some of the folds without a change, and some aggregation after a change of calendar."""
        progress = self._progress
        self._queue_elapsed_hours(at)
        end = self._stopwatch() + CATCH_UP_BUDGET_S
        while progress.has_queued():
            entity, window = progress.next_queued()
            part = next(self._pace.parts(entity, window), window)
            self._fold_part(entity, part)
            progress.remove_queued(part)
            if self._stopwatch() >= end:
                break
        if not progress.stale:
            self._contact_log.mark_folded()
        if not progress.elapsed:
            self._outages.save_progress()
            if progress.elapsed_until < progress.current_hour:
                progress.elapsed_until = progress.current_hour
                self._store.set_checkpoint(ELAPSED_HOURS_CHECKPOINT, progress.current_hour)
        self._reaggregation.step(self._inventory())
        self._chart_upkeep.step(self._inventory())

    def _queue_elapsed_hours(self, at: int) -> None:
        """Queue the hours that have ended, also after an absence, for every entity for which they are not folded yet.

        After a start, these are the hours since the last rollup ended, the one before them and the present one.
        """
        hour, previous = floor(at, HOUR), self._progress.current_hour
        if hour == previous:
            return
        self._pace.forget_except(set(self._declared_entities()))
        earliest = hour - MAX_ABSENCE_MS
        if previous:
            elapsed = Window(max(previous if previous < hour else hour - HOUR, earliest), hour)
        else:
            until = self._store.checkpoint(ELAPSED_HOURS_CHECKPOINT) or hour
            elapsed = Window(max(min(until, hour) - HOUR, earliest), hour + HOUR)
        self._progress.begin_hour(hour, elapsed, self._declared_entities())

    def rebuild(self, window: Window | None = None, progress: Callable[[int, int], None] | None = None) -> int:
        """Fold all stored raw events again, or only `window`; returns how many entities. `progress` gets done, all."""
        return self._refold.rebuild(window, progress)

    def _put_live_rows(self, rows: Mapping[str, bytes]) -> None:
        if rows:
            self._store.put_live_rows(rows)

    def _evaluate_objectives(self) -> None:
        """Have objectives evaluated when due, once every entity's present state and platform outages are known.

        It comes after a pass's folds; entities with hours that still wait, with days of an earlier calendar, or of
        which something is set aside, keep their last evaluation, marked as stale.
        """
        now, progress = self._clock(), self._progress
        evaluate_at = floor(now, EVALUATION_INTERVAL_MS)
        self._is_ready = self._is_ready or (bool(progress.current_hour) and not progress.has_queued())
        if evaluate_at <= self._last_evaluated_at or not self._is_ready:
            return
        if progress.queued_outage_folds or not self._platform.is_state_known(now):
            return
        self._last_evaluated_at = evaluate_at
        if self._evaluator is None:
            return
        rows: Mapping[str, bytes] = {}
        is_silent = self._platform.is_ingest_silent(now)
        unfolded = progress.queued_entities() | self._backlog.windows_by_entity().keys()
        unfolded |= self._refold.waiting_entities()
        unfolded |= {*self._faults.set_aside(), *self._reaggregation.open_entities(self._inventory())}
        with self._fold_job.evaluator_guard("evaluate"):
            rows = self._evaluator.evaluate(evaluate_at, is_ingest_silent=is_silent, unfolded=unfolded)
        self._record_objectives(self._evaluator.take_failures())
        self._put_live_rows(rows)

    def _record_objectives(self, failures: Mapping[str, str]) -> None:
        """Record which objectives could not be evaluated; those that could be again are cleared."""
        for slo, reason in failures.items():
            self._faults.record(f"{SLO_ROW_PREFIX}{slo}", "evaluate", reason)
        for entity in self._faults.set_aside(SLO_ROW_PREFIX):
            if entity.removeprefix(SLO_ROW_PREFIX) not in failures:
                self._faults.clear(entity)

    def store_presence(self, messages: Iterable[Message]) -> None:
        """Store births and deaths from `…/state`, timed by the rollup's clock: a Will carries no time."""
        at = self._clock()
        decoded = [to_status_event(message, at) for message in messages]
        stored = [s for s in decoded if isinstance(s, StoredEvent)]
        letters = [letter for letter in decoded if isinstance(letter, DeadLetter)]
        for letter in letters:
            _log.warning("presence_dropped", device=letter.device, reason=letter.reason, size=letter.size)
        if not decoded:
            return
        inventory = self._inventory()
        declared = [s for s in stored if inventory.is_declared(s.centre, s.device)]
        within_limit, dead_letters = self._presence_limit.apply(declared, at)
        admitted = in_order_of_arrival(within_limit)
        changes = [ChangeRecord(*window, at * 1000) for window in dirty_hours((s.centre, s.event) for s in admitted)]
        self._progress.own_changes.update(changes)
        letters += dead_letters
        if admitted or letters:
            self._store.append(Batch(at * 1000, admitted, changes, letters))
