"""The one rollup of a store: it folds what changed, follows presence, writes the live rows and has objectives judged.

It must not increment anything: every pass recomputes totals from raw events, so a pass that is cut
short, repeated or run again from the start leaves the same totals.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import structlog

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, floor, merge
from telemetry.core.fold.event_spans import SERVICE_LEVEL_REACH_MS, TICKET_LOOKBACK_MS, dirty_hours
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.platform_heartbeat import HEARTBEAT_TTL_MS, PLATFORM_ENTITY, RECONNECT_GRACE_MS
from telemetry.core.protocol import events as ev
from telemetry.rollup.event_cache import EventCache
from telemetry.rollup.fold_job import FoldJob
from telemetry.rollup.live_rows import LiveRowBuilder, to_status_event
from telemetry.rollup.platform_outages import PlatformOutages
from telemetry.rollup.reaggregation import Reaggregation
from telemetry.store import Batch, ChangeRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.slo.evaluator import SloEvaluator
    from telemetry.store import Store

_log = structlog.get_logger()
OVERLAP_US = 60_000_000
"""How far behind the cursor changes are read again: a slow writer's stamp may be older than its commit."""
EVALUATION_INTERVAL_MS = 15_000
"""Objectives are judged on every mark of this step."""
ELAPSED_HOURS_CHECKPOINT = "hours_passed"
"""Mark: up to where hours are folded for units that said nothing in them, Unix ms."""
MAX_ABSENCE_MS = 31 * DAY
ENTITIES_PER_PASS = 25
"""How many units a pass folds that did not change themselves: after a start, an outage of ours, a silent hour."""


class Rollup:
    """Folds one store. `clock` gives ms; change stamps are the same clock in µs."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int],
        evaluator: SloEvaluator | None = None,
    ) -> None:  # fmt: skip
        self._store, self._inventory, self._clock = store, inventory, clock
        self._evaluator = evaluator
        self._outages = PlatformOutages(store)
        event_cache = EventCache(store)
        self._fold_job = FoldJob(store, inventory, clock, evaluator, self._outages.outages_within, event_cache)
        self._reaggregation = Reaggregation(store, self._fold_job, clock)
        self._live_rows = LiveRowBuilder(event_cache, self._fold_job.late_change_at)
        self._folded_changes: Counter[ChangeRecord] = Counter()
        self._folded_until: dict[str, int] = {}
        self._fold_queue: deque[tuple[str, Window]] = deque()
        self._queued_outage_folds = self._last_received_at = 0
        self._own_changes: set[ChangeRecord] = set()
        self._newest_written_at = self._present_since = self._last_pass_at = 0
        self._current_hour = self._last_evaluated_at = 0
        self._is_ready = False
        self._elapsed_until = 0

    def run_once(self) -> int:
        """Fold what changed since the last pass; returns how many units were folded."""
        if self._store.checkpoint("fold_version") < FOLD_VERSION:
            self.rebuild()
        self._store.reconcile()
        horizon = self._clock() * 1000
        self._detect_absence(horizon // 1000)
        changes = self._unfolded_changes()
        if any(change not in self._own_changes for change in changes):
            self._last_received_at = horizon // 1000
        windows: dict[str, list[Window]] = {}
        for change in changes:
            # Where an event was moved away from, a store names the time itself: it need not be whole hours.
            hours = Window(floor(change.start, HOUR), ceil(change.end, HOUR))
            windows.setdefault(change.entity, []).append(hours)
        self._handle_platform_gaps(windows.pop(PLATFORM_ENTITY, []))
        for entity, changed in windows.items():
            for window in merge(changed):
                self.fold(entity, window)
            self._evaluate_objectives()
        self._catch_up(horizon // 1000)
        self._refresh_live_rows(set(windows), horizon // 1000)
        self._folded_changes.update(changes)
        if horizon > self._store.cursor():
            self._store.set_cursor(horizon)
        self._last_pass_at = horizon // 1000
        self._evaluate_objectives()
        return len(windows)

    def _unfolded_changes(self) -> list[ChangeRecord]:
        """Return changes not folded yet; equal ones are told apart by their number.

        They are looked for behind the newest one known, and behind the present: our clock may have been ahead.
        """
        cursor = self._store.cursor()
        since = max(min(cursor, self._clock() * 1000, self._newest_written_at or cursor) - OVERLAP_US, 0)
        changes = self._store.changes_since(since)
        self._newest_written_at = max((c.written_at for c in changes), default=self._newest_written_at)
        change_counts = Counter(changes)
        self._folded_changes = Counter({c: k for c, k in self._folded_changes.items() if c.written_at >= since})
        self._own_changes = {c for c in self._own_changes if c.written_at >= since}
        return list((change_counts - self._folded_changes).elements())

    def fold(self, entity: str, window: Window) -> None:
        """Recompute all totals of a unit over whole hours."""
        self._fold_job.fold(entity, window)
        self._folded_until[entity] = max(self._folded_until.get(entity, 0), window.end)

    def _handle_platform_gaps(self, changed: Sequence[Window]) -> None:
        """When a beat has ended an outage of our own, all its hours are folded again: they leave the open time."""
        for window in changed:
            self._outages.invalidate(window)
        for gap in self._outages.new_gaps() if changed else ():
            _log.warning("platform_was_down", start=gap.start, end=gap.end)
            hours = Window(floor(gap.start, HOUR), ceil(gap.end + RECONNECT_GRACE_MS, HOUR))
            self._fold_queue.extend((entity, hours) for entity in self._declared_entities())
            self._queued_outage_folds = len(self._fold_queue)

    def _detect_absence(self, at: int) -> None:
        """Notice when the last pass is long ago: we were away, the store was, or the clock was set."""
        if not 0 <= at - self._last_pass_at < HEARTBEAT_TTL_MS:
            self._present_since = at
        if at < self._last_evaluated_at - HOUR:
            _log.warning("clock_set_back", judged=self._last_evaluated_at, now=at)
            self._last_evaluated_at = 0

    def _declared_entities(self) -> list[str]:
        inventory = self._inventory()
        return sorted({*(c.id for c in inventory.centres.values() if not c.imported), *inventory.systems})

    def _catch_up(self, at: int) -> None:
        """Fold some of what no change asks for, and add again what another calendar had added."""
        self._queue_elapsed_hours(at)
        for _ in range(min(ENTITIES_PER_PASS, len(self._fold_queue))):
            self.fold(*self._fold_queue[0])
            self._fold_queue.popleft()
            self._queued_outage_folds = max(0, self._queued_outage_folds - 1)
            self._evaluate_objectives()
        if not self._fold_queue:
            self._outages.save_progress()
            if self._elapsed_until < self._current_hour:
                self._elapsed_until = self._current_hour
                self._store.set_checkpoint(ELAPSED_HOURS_CHECKPOINT, self._current_hour)
        self._reaggregation.step(self._inventory())

    def _queue_elapsed_hours(self, at: int) -> None:
        """When an hour has passed, fold it for units that said nothing in it; after an absence, all that was missed."""
        hour = floor(at, HOUR)
        if hour == self._current_hour:
            return
        elapsed, usual = (
            (self._missed_hours(hour), HOUR) if self._current_hour else (self._hours_since_last_run(hour), 2 * HOUR)
        )
        self._current_hour = hour
        fold_all = elapsed.length > usual
        self._fold_queue.extend(
            (entity, elapsed)
            for entity in self._declared_entities()
            if fold_all or self._folded_until.get(entity, 0) < elapsed.end
        )

    def _missed_hours(self, hour: int) -> Window:
        """Return the hours that have passed since the one that ran; they are more than one after an absence."""
        first = self._current_hour if self._current_hour < hour else hour - HOUR
        return Window(max(first, hour - MAX_ABSENCE_MS), hour)

    def _hours_since_last_run(self, hour: int) -> Window:
        """Return the hours that passed while no rollup ran, the one before them, and the running one."""
        until = self._store.checkpoint(ELAPSED_HOURS_CHECKPOINT) or hour
        return Window(max(min(until, hour) - HOUR, hour - MAX_ABSENCE_MS), hour + HOUR)

    def rebuild(self, window: Window | None = None, progress: Callable[[int, int], None] | None = None) -> int:
        """Fold everything that raw events still tell, or only `window`; returns how many units."""
        extent = self._store.days_with_events()
        for window_of_heartbeats in extent.pop(PLATFORM_ENTITY, []):
            self._outages.invalidate(window_of_heartbeats)
        folded = 0
        for number, (entity, days) in enumerate(sorted(extent.items())):
            reaches = (_reach_of(day) for day in days)
            parts = [part for day in reaches if (part := day if window is None else day.clip(window)) is not None]
            for part in merge(parts):
                self.fold(entity, Window(floor(part.start, HOUR), ceil(part.end, HOUR)))
            folded += bool(parts)
            if progress is not None:
                progress(number + 1, len(extent))
        if window is None:
            self._store.set_checkpoint("fold_version", FOLD_VERSION)
        return folded

    def _refresh_live_rows(self, entities: set[str], at: int) -> None:
        rows = self._live_rows.build_rows(self._inventory(), entities, at)
        if rows:
            self._store.put_live_rows(rows)

    def _evaluate_objectives(self) -> None:
        """Evaluate objectives on each mark, once the present state of every entity is known."""
        evaluate_at = floor(self._clock(), EVALUATION_INTERVAL_MS)
        self._is_ready = self._is_ready or (bool(self._current_hour) and not self._fold_queue)
        if evaluate_at <= self._last_evaluated_at or not self._is_ready or not self._is_platform_state_known():
            return
        self._last_evaluated_at = evaluate_at
        if self._evaluator is None:
            return
        rows: Mapping[str, bytes] = {}
        with self._fold_job.evaluator_guard("evaluate"):
            rows = self._evaluator.evaluate(evaluate_at, is_ingest_silent=self._is_ingest_silent())
        if rows:
            self._store.put_live_rows(rows)

    def _is_ingest_silent(self) -> bool:
        """Tell whether ingest has written nothing for as long as its beat is believed, by our own clock.

        What we write ourselves is no sign of it: Last Wills come from the broker.
        """
        silent_for = self._clock() - max(self._last_received_at, self._present_since)
        return self._outages.first_heartbeat() is not None and silent_for >= HEARTBEAT_TTL_MS

    def _is_platform_state_known(self) -> bool:
        """Tell whether our own absence is known and folded: else all that was silent meanwhile would be to blame.

        After an absence the next beat is waited for as long as one is believed; without it we are down indeed.
        """
        now = self._clock()
        is_waiting = now - self._present_since < HEARTBEAT_TTL_MS and self._outages.first_heartbeat() is not None
        return not self._queued_outage_folds and (not is_waiting or self._outages.is_alive_at(now))

    def store_presence(self, messages: Iterable[Message]) -> None:
        """Store births and deaths from `…/state`, timed by our clock: a Will carries no time."""
        at = self._clock()
        stored = [s for message in messages if (s := to_status_event(message, at)) is not None]
        if not stored:
            return
        inventory = self._inventory()
        declared = [s for s in stored if inventory.is_declared(s.centre, s.device)]
        changes = [
            ChangeRecord(*dirty_window, at * 1000)
            for dirty_window in dirty_hours((s.centre, s.event) for s in declared)
        ]
        self._own_changes.update(changes)
        self._store.append(Batch(at * 1000, declared, changes))


def _reach_of(day: Window) -> Window:
    """Return what the events of a day may speak of."""
    return Window(
        day.start - TICKET_LOOKBACK_MS, ceil(day.end + max(2 * ev.MAX_GRACE_MS, SERVICE_LEVEL_REACH_MS), HOUR)
    )
