"""The one rollup of a store: it folds what changed, follows presence, writes the live rows and has objectives judged.

It must not increment anything: every pass recomputes totals from raw events, so a pass that is cut
short, repeated or run again from the start leaves the same totals.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import structlog

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, floor, merge
from telemetry.core.fold.event_spans import LEVEL_REACH_MS, LOOK_BACK_MS, dirty
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.platform_heartbeat import BELIEVED_MS, RETURN_MS, UNIT
from telemetry.core.protocol import events as ev
from telemetry.rollup.event_cache import Remembered
from telemetry.rollup.fold_job import Folding
from telemetry.rollup.live_rows import Present, status_of
from telemetry.rollup.platform_outages import Outages
from telemetry.rollup.reaggregation import Readding
from telemetry.slo.watcher import Silent
from telemetry.store import Batch, Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.calendar.windows import Width
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.evaluation import Tail
    from telemetry.mqtt.link import Message
    from telemetry.slo.watcher import Watcher
    from telemetry.store import Store

_log = structlog.get_logger()
OVERLAP_US = 60_000_000
"""How far behind the cursor changes are read again: a slow writer's stamp may be older than its commit."""
JUDGE_MS = 15_000
"""Objectives are judged on every mark of this step."""
PASSED = "hours_passed"
"""Mark: up to where hours are folded for units that said nothing in them, Unix ms."""
LONGEST_ABSENCE_MS = 31 * DAY
UNITS_A_PASS = 25
"""How many units a pass folds that did not change themselves: after a start, an outage of ours, a silent hour."""


class Rollup:
    """Folds one store. `clock` gives ms; change stamps are the same clock in µs."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int],
        watcher: Watcher | None = None,
    ) -> None:  # fmt: skip
        self._store, self._inventory, self._clock = store, inventory, clock
        self._watcher = _Guarded(watcher or Silent())
        self._outages = Outages(store)
        remembered = Remembered(store)
        self._folding = Folding(store, inventory, clock, self._watcher, self._outages.within, remembered)
        self._readding = Readding(store, self._folding, clock)
        self._present = Present(remembered, self._folding.reopened_at)
        self._done: Counter[Change] = Counter()
        self._folded: dict[str, int] = {}
        self._waiting: deque[tuple[str, Window]] = deque()
        self._held = self._heard = 0
        self._own: set[Change] = set()
        self._newest = self._since = self._at = 0
        self._hour = self._judged = 0
        self._ready = False
        self._passed = 0

    def run_once(self) -> int:
        """Fold what changed since the last pass; returns how many units were folded."""
        if self._store.mark("fold_version") < FOLD_VERSION:
            self.rebuild()
        self._store.reconcile()
        horizon = self._clock() * 1000
        self._note_absence(horizon // 1000)
        fresh = self._fresh()
        if any(change not in self._own for change in fresh):
            self._heard = horizon // 1000
        windows: dict[str, list[Window]] = {}
        for change in fresh:
            # Where an event was moved away from, a store names the time itself: it need not be whole hours.
            hours = Window(floor(change.start, HOUR), ceil(change.end, HOUR))
            windows.setdefault(change.unit, []).append(hours)
        self._mind_ourselves(windows.pop(UNIT, []))
        for unit, parts in windows.items():
            for window in merge(parts):
                self.fold(unit, window)
            self._judge()
        self._catch_up(horizon // 1000)
        self._refresh(set(windows), horizon // 1000)
        self._done.update(fresh)
        if horizon > self._store.cursor():
            self._store.set_cursor(horizon)
        self._at = horizon // 1000
        self._judge()
        return len(windows)

    def _fresh(self) -> list[Change]:
        """Return changes not folded yet; equal ones are told apart by their number.

        They are looked for behind the newest one known, and behind the present: our clock may have been ahead.
        """
        cursor = self._store.cursor()
        since = max(min(cursor, self._clock() * 1000, self._newest or cursor) - OVERLAP_US, 0)
        changes = self._store.changes(since)
        self._newest = max((c.written_at for c in changes), default=self._newest)
        found = Counter(changes)
        self._done = Counter({c: k for c, k in self._done.items() if c.written_at >= since})
        self._own = {c for c in self._own if c.written_at >= since}
        return list((found - self._done).elements())

    def fold(self, unit: str, window: Window) -> None:
        """Recompute all totals of a unit over whole hours."""
        self._folding.fold(unit, window)
        self._folded[unit] = max(self._folded.get(unit, 0), window.end)

    def _mind_ourselves(self, changed: Sequence[Window]) -> None:
        """When a beat has ended an outage of our own, all its hours are folded again: they leave the open time."""
        for window in changed:
            self._outages.forget(window)
        for gap in self._outages.ended() if changed else ():
            _log.warning("platform_was_down", start=gap.start, end=gap.end)
            hours = Window(floor(gap.start, HOUR), ceil(gap.end + RETURN_MS, HOUR))
            self._waiting.extend((unit, hours) for unit in self._declared())
            self._held = len(self._waiting)

    def _note_absence(self, moment: int) -> None:
        """Notice when the last pass is long ago: we were away, the store was, or the clock was set."""
        if not 0 <= moment - self._at < BELIEVED_MS:
            self._since = moment
        if moment < self._judged - HOUR:
            _log.warning("clock_set_back", judged=self._judged, now=moment)
            self._judged = 0

    def _declared(self) -> list[str]:
        inventory = self._inventory()
        return sorted({*(c.id for c in inventory.centres.values() if not c.imported), *inventory.systems})

    def _catch_up(self, moment: int) -> None:
        """Fold some of what no change asks for, and add again what another calendar had added."""
        self._pass_hours(moment)
        for _ in range(min(UNITS_A_PASS, len(self._waiting))):
            self.fold(*self._waiting[0])
            self._waiting.popleft()
            self._held = max(0, self._held - 1)
            self._judge()
        if not self._waiting:
            self._outages.settle()
            if self._passed < self._hour:
                self._passed = self._hour
                self._store.set_mark(PASSED, self._hour)
        self._readding.step(self._inventory())

    def _pass_hours(self, moment: int) -> None:
        """When an hour has passed, fold it for units that said nothing in it; after an absence, all that was missed."""
        hour = floor(moment, HOUR)
        if hour == self._hour:
            return
        passed, usual = (self._missed(hour), HOUR) if self._hour else (self._since_last(hour), 2 * HOUR)
        self._hour = hour
        every = passed.length > usual
        self._waiting.extend((u, passed) for u in self._declared() if every or self._folded.get(u, 0) < passed.end)

    def _missed(self, hour: int) -> Window:
        """Return the hours that have passed since the one that ran; they are more than one after an absence."""
        first = self._hour if self._hour < hour else hour - HOUR
        return Window(max(first, hour - LONGEST_ABSENCE_MS), hour)

    def _since_last(self, hour: int) -> Window:
        """Return the hours that passed while no rollup ran, the one before them, and the running one."""
        until = self._store.mark(PASSED) or hour
        return Window(max(min(until, hour) - HOUR, hour - LONGEST_ABSENCE_MS), hour + HOUR)

    def rebuild(self, window: Window | None = None, progress: Callable[[int, int], None] | None = None) -> int:
        """Fold everything that raw events still tell, or only `window`; returns how many units."""
        extent = self._store.extent()
        for beaten in extent.pop(UNIT, []):
            self._outages.forget(beaten)
        folded = 0
        for number, (unit, days) in enumerate(sorted(extent.items())):
            spoken = (_told_by(day) for day in days)
            parts = [part for day in spoken if (part := day if window is None else day.clip(window)) is not None]
            for part in merge(parts):
                self.fold(unit, Window(floor(part.start, HOUR), ceil(part.end, HOUR)))
            folded += bool(parts)
            if progress is not None:
                progress(number + 1, len(extent))
        if window is None:
            self._store.set_mark("fold_version", FOLD_VERSION)
        return folded

    def _refresh(self, units: set[str], moment: int) -> None:
        rows = self._present.rows(self._inventory(), units, moment)
        if rows:
            self._store.put_live(rows)

    def _judge(self) -> None:
        """Have objectives judged on each mark, once the present of every unit is known."""
        mark = floor(self._clock(), JUDGE_MS)
        self._ready = self._ready or (bool(self._hour) and not self._waiting)
        if mark <= self._judged or not self._ready or not self._knows_ourselves():
            return
        self._judged = mark
        rows = self._watcher.evaluate(mark, deaf=self._deaf())
        if rows:
            self._store.put_live(rows)

    def _deaf(self) -> bool:
        """Tell whether ingest has written nothing for as long as its beat is believed, by our own clock.

        What we write ourselves is no sign of it: Last Wills come from the broker.
        """
        silent = self._clock() - max(self._heard, self._since)
        return self._outages.since() is not None and silent >= BELIEVED_MS

    def _knows_ourselves(self) -> bool:
        """Tell whether our own absence is known and folded: else all that was silent meanwhile would be to blame.

        After an absence the next beat is waited for as long as one is believed; without it we are down indeed.
        """
        now = self._clock()
        waits = now - self._since < BELIEVED_MS and self._outages.since() is not None
        return not self._held and (not waits or self._outages.believed(now))

    def follow(self, messages: Iterable[Message]) -> None:
        """Store births and deaths from `…/state`, timed by our clock: a Will carries no time."""
        moment = self._clock()
        stored = [s for message in messages if (s := status_of(message, moment)) is not None]
        if not stored:
            return
        inventory = self._inventory()
        known = [s for s in stored if inventory.knows(s.centre, s.device)]
        changes = [Change(*cell, moment * 1000) for cell in dirty((s.centre, s.event) for s in known)]
        self._own.update(changes)
        self._store.append(Batch(moment * 1000, known, changes))


def _told_by(day: Window) -> Window:
    """Return what the events of a day may speak of."""
    return Window(day.start - LOOK_BACK_MS, ceil(day.end + max(2 * ev.MAX_GRACE_MS, LEVEL_REACH_MS), HOUR))


class _Guarded:
    """A watcher whose faults stop no folding: they are logged and counted."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.faults = 0

    def take(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Pass it on."""
        try:
            self._watcher.take(unit, width, window, totals)
        except Exception as error:  # noqa: BLE001
            self._failed("take", error)

    def follow(self, unit: str, tails: Mapping[str, Tail]) -> None:
        """Pass it on."""
        try:
            self._watcher.follow(unit, tails)
        except Exception as error:  # noqa: BLE001
            self._failed("follow", error)

    def evaluate(self, now: int, *, deaf: bool = False) -> Mapping[str, bytes]:
        """Pass it on; no rows after a fault."""
        try:
            return self._watcher.evaluate(now, deaf=deaf)
        except Exception as error:  # noqa: BLE001
            self._failed("evaluate", error)
            return {}

    def _failed(self, step: str, error: Exception) -> None:
        self.faults += 1
        _log.error("watcher_failed", step=step, error=repr(error), faults=self.faults, exc_info=error)
