"""Reads when centres, devices and systems were not up: days first, and closer only where a wider total lost time.

Past days are cached until their totals are written again.  It must not read raw events.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from operator import is_
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from telemetry.core.calendar.windows import HOUR, SLOT, Window, ceil, day_window, floor, intersection
from telemetry.core.figures.outages import (
    LostTime,
    is_uniform,
    join_adjacent,
    lost_time,
    spread_uniform,
)
from telemetry.core.scope import Scope
from telemetry.queries.totals_cache import SETTLING_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.totals import Total
    from telemetry.queries.totals_cache import TotalsReader

MAX_CACHED_DAYS = 40_000
"""Days of entities cached at most; those that were used least recently are dropped first."""
RECENT_TTL_MS = 60_000
"""How long the present day is cached within a slot, and up to as much again, so that not all is read at once.

A later change of older slots is seen at once; one of the newest slot, up to two minutes after its end, that late.
"""
LostByScope = dict[Scope, tuple[LostTime, ...]]
EntityKind = Literal["centre", "system"]
_KINDS: dict[EntityKind, tuple[str, ...]] = {"centre": ("centre", "device"), "system": ("system",)}


@dataclass(frozen=True, slots=True)
class WatchedEntity:
    """A centre or system, the scopes whose time is watched with when they are in service, and its open time."""

    id: str
    kind: EntityKind
    in_service: Mapping[Scope, Window]
    timeline: Callable[[Window], OpenTimeline]


@dataclass(frozen=True, slots=True)
class _CachedDay:
    past: Window
    reopened_at: int
    expires_at: int
    lost: LostByScope


class LostTimeReader:
    """Reads lost time by day; safe to call from many threads."""

    def __init__(
        self, store: TotalsReader, reopened_at_reader: Callable[[], Callable[[str], int]], clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._reopened_at_reader = reopened_at_reader
        self._clock = clock
        self._lock = threading.Lock()
        self._version: tuple[object, ...] = ()
        self._days: OrderedDict[tuple[str, int], _CachedDay] = OrderedDict()

    def read_day(
        self, entities: Sequence[WatchedEntity], day: date, zone: ZoneInfo, version: tuple[object, ...]
    ) -> dict[str, LostByScope]:
        """Return the lost time of a local day up to the last slot that has passed, by entity and scope, in order.

        With other objects in `version` (the declarations, the service periods) everything is read again.
        """
        window = day_window(day, zone)
        with self._lock:
            if len(self._version) != len(version) or not all(map(is_, self._version, version)):
                self._version = version
                self._days.clear()
            now, reopened_at = self._clock(), self._reopened_at_reader()
            past = Window(window.start, max(window.start, min(window.end, floor(now, SLOT))))
            missing = [e for e in entities if not self._is_cached((e.id, past), reopened_at(e.id), now)]
            if missing:
                settled = window.end + SETTLING_MS <= now
                for entity, lost in _read_entities(self._store, missing, window, past).items():
                    reopened = reopened_at(entity)
                    expires_at = (
                        0 if settled and reopened else now + RECENT_TTL_MS + crc32(entity.encode()) % RECENT_TTL_MS
                    )
                    self._days[entity, window.start] = _CachedDay(past, reopened, expires_at, lost)
                while len(self._days) > MAX_CACHED_DAYS:
                    self._days.popitem(last=False)
            return {e.id: self._days[e.id, window.start].lost for e in entities}

    def _is_cached(self, key: tuple[str, Window], reopened_at: int, now: int) -> bool:
        entity, past = key
        cached = self._days.get((entity, past.start))
        if cached is None or cached.reopened_at != reopened_at or cached.past != past:
            return False
        if cached.expires_at and not 0 <= cached.expires_at - now <= 2 * RECENT_TTL_MS:
            return False
        self._days.move_to_end((entity, past.start))
        return True


@dataclass(frozen=True, slots=True)
class _ScopeDay:
    """One scope on the past part of a day: which of its time counts."""

    entity: str
    scope: Scope
    window: Window
    timeline: OpenTimeline

    def open_ms(self, window: Window) -> int:
        part = self.window.clip(window)
        return self.timeline.open_within(part) if part else 0


def _read_entities(
    store: TotalsReader, entities: Sequence[WatchedEntity], day: Window, past: Window
) -> dict[str, LostByScope]:
    lost: dict[str, LostByScope] = {entity.id: {} for entity in entities}
    for kind, total_kinds in _KINDS.items():
        own = [entity for entity in entities if entity.kind == kind]
        for total_kind in total_kinds:
            scope_days = [s for entity in own for s in _scope_days(entity, total_kind, day, past)]
            for scope_day, parts in _LevelReader(store, total_kind, day, past).read(scope_days):
                lost[scope_day.entity][scope_day.scope] = tuple(join_adjacent(parts))
    return lost


def _scope_days(entity: WatchedEntity, total_kind: str, day: Window, past: Window) -> Iterable[_ScopeDay]:
    timeline = entity.timeline(day)
    for scope, in_service in entity.in_service.items():
        window = past.clip(in_service)
        if scope.kind == total_kind and window and timeline.open_within(window):
            yield _ScopeDay(entity.id, scope, window, timeline)


class _LevelReader:
    """Reads one kind of totals of one day: the day's, then hours, then slots, of ever fewer scopes."""

    def __init__(self, store: TotalsReader, kind: str, day: Window, past: Window) -> None:
        self._store, self._kind, self._day, self._past = store, kind, day, past
        self._least_unknown_ms = 1 if past.end < day.end else SLOT

    def read(self, scope_days: Sequence[_ScopeDay]) -> Iterable[tuple[_ScopeDay, list[LostTime]]]:
        """Yield each scope with lost time, its parts in order."""
        suspects = self._suspects(scope_days)
        if not suspects:
            return
        hours = self._sums_by_start(suspects, "1h", Window(floor(self._day.start, HOUR), ceil(self._past.end, HOUR)))
        parts_by_scope: dict[Scope, list[LostTime]] = {s.scope: [] for s in suspects}
        mixed: list[tuple[_ScopeDay, int]] = []
        for scope_day in suspects:
            for start in range(floor(scope_day.window.start, HOUR), scope_day.window.end, HOUR):
                parts = self._parts_of_hour(scope_day, start, hours.get((scope_day.scope, start), {}))
                if parts is None:
                    mixed.append((scope_day, start))
                else:
                    parts_by_scope[scope_day.scope] += parts
        for scope_day, parts in self._parts_of_slots(mixed, hours):
            parts_by_scope[scope_day.scope] += parts
        for scope_day in suspects:
            if parts := parts_by_scope[scope_day.scope]:
                yield scope_day, sorted(parts, key=lambda part: part.window)

    def _suspects(self, scope_days: Sequence[_ScopeDay]) -> list[_ScopeDay]:
        """Return the scopes whose day lost time; of silence at least a slot, of the running day any."""
        sums = self._sums_by_start(scope_days, "1d", Window(self._day.start, self._day.start + 1))
        suspects: list[_ScopeDay] = []
        for scope_day in scope_days:
            own = sums.get((scope_day.scope, self._day.start), {})
            lost = lost_time(self._day, scope_day.open_ms(self._day), own, "open_")
            if lost.down_ms or lost.unknown_ms >= self._least_unknown_ms:
                suspects.append(scope_day)
        return suspects

    def _parts_of_hour(self, scope_day: _ScopeDay, start: int, sums: Mapping[str, int]) -> list[LostTime] | None:
        """Return an hour's parts, None when its slots must be read: it is cut, or has several states."""
        hour = Window(start, start + HOUR)
        window = hour.clip(scope_day.window) or Window(start, start)
        open_ms = scope_day.open_ms(window)
        if not open_ms:
            return []
        if window != hour and any(sums.values()):
            return None
        lost = lost_time(window, open_ms, sums, "open_")
        if not is_uniform(lost, open_ms):
            return None
        return spread_uniform(lost, intersection(scope_day.timeline.open_windows, [window]), open_ms)

    def _parts_of_slots(
        self, mixed: Sequence[tuple[_ScopeDay, int]], hours: Mapping[tuple[Scope, int], Mapping[str, int]]
    ) -> Iterable[tuple[_ScopeDay, list[LostTime]]]:
        starts = [start for _, start in mixed]
        window = Window(min(starts, default=0), max(starts, default=-HOUR) + HOUR)
        slots = self._sums_by_start([scope_day for scope_day, _ in mixed], "5m", window)
        folded = {(scope, floor(start, HOUR)) for scope, start in slots}
        for scope_day, start in mixed:
            hour = Window(start, start + HOUR).clip(scope_day.window) or Window(start, start)
            if (scope_day.scope, start) in folded:
                yield scope_day, list(_lost_slots(scope_day, hour, slots))
            else:  # slots may be stored for a shorter time than hours
                lost = lost_time(hour, scope_day.open_ms(hour), hours.get((scope_day.scope, start), {}), "open_")
                yield scope_day, [] if lost.is_empty else [lost]

    def _sums_by_start(
        self, scope_days: Sequence[_ScopeDay], width: BucketWidth, window: Window
    ) -> dict[tuple[Scope, int], Mapping[str, int]]:
        entities = list(dict.fromkeys(s.entity for s in scope_days))
        totals: Iterable[Total] = self._store.totals(entities, width, window, self._kind) if entities else ()
        return {(Scope(total.scope), total.start): total.sums for total in totals}


def _lost_slots(
    scope_day: _ScopeDay, hour: Window, slots: Mapping[tuple[Scope, int], Mapping[str, int]]
) -> Iterable[LostTime]:
    for start in range(hour.start, hour.end, SLOT):
        slot = Window(start, start + SLOT)
        if scope_day.timeline.is_open(start):
            lost = lost_time(slot, SLOT, slots.get((scope_day.scope, start), {}))
            if not lost.is_empty:
                yield lost
