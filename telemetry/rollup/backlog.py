"""Which hours of which unit wait to be folded, and in what order; it must not read or fold anything.

Recent hours of declared units come first, the unit that waits longest before others.  Older hours, and those of
undeclared units, follow in turn, at most a day of one unit at a time, each unit's earliest hours first: so its first
contact is known before the hours after it are folded.  Of both, a part is folded at once whose length the caller sets
for each unit (`fold_pace`).  The store's cursor stays before the oldest change that waits, so a restart reads it again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, floor, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set as AbstractSet

    from telemetry.store import ChangeRecord

RECENT_HOURS = 23
"""Hours up to so long before the present one are recent: with it a day, which one fold covers."""


@dataclass(frozen=True, slots=True)
class WaitingFold:
    """Hours of an entity that wait to be folded."""

    entity: str
    window: Window
    is_recent: bool


@dataclass(slots=True)
class _WaitingHours:
    """An entity's hours, and when (Unix µs) the oldest of their changes was written."""

    windows: deque[Window]
    written_at: int

    def add(self, windows: Iterable[Window], written_at: int) -> None:
        self.windows = deque(merge([*self.windows, *windows]))
        self.written_at = min(self.written_at, written_at)

    def first_part(self, length_ms: int) -> Window:
        first = self.windows[0]
        return Window(first.start, min(first.start + length_ms, first.end))

    def remove_part(self, end: int) -> None:
        """Remove the first hours, up to `end`."""
        first = self.windows.popleft()
        if first.end > end:
            self.windows.appendleft(Window(end, first.end))


class FoldBacklog:
    """The hours that wait. An entity's older hours are folded in rounds: what arrives meanwhile joins the next one."""

    def __init__(self, part_ms: Callable[[str], int] = lambda _: DAY) -> None:
        """`part_ms` returns how much of an entity is folded at once, ms in whole hours, at most a day."""
        self._part_ms = part_ms
        self._recent: dict[str, _WaitingHours] = {}
        self._older: dict[str, _WaitingHours] = {}
        self._next_round: dict[str, _WaitingHours] = {}

    def add(self, changes: Iterable[ChangeRecord], at: int, is_declared: Callable[[str], bool]) -> None:
        """Add the whole hours of changes; `at` is now, Unix ms."""
        windows: dict[str, list[Window]] = {}
        written_at: dict[str, int] = {}
        for change in changes:
            # A store that moved an event records the exact time it was moved from: it need not be whole hours.
            hours = Window(floor(change.start, HOUR), ceil(change.end, HOUR))
            windows.setdefault(change.entity, []).append(hours)
            written_at[change.entity] = min(written_at.get(change.entity, change.written_at), change.written_at)
        recent_start = floor(at, HOUR) - RECENT_HOURS * HOUR
        for entity, changed in windows.items():
            start = recent_start if is_declared(entity) else max(w.end for w in changed)
            merged = merge(changed)
            recent = [Window(max(w.start, start), w.end) for w in merged if w.end > start]
            older = [Window(w.start, min(w.end, start)) for w in merged if w.start < start]
            if recent:
                _add_to(self._recent, entity, recent, written_at[entity])
            if older:
                is_in_round = entity in self._older
                _add_to(self._next_round if is_in_round else self._older, entity, older, written_at[entity])

    def next_recent(self, skipped: AbstractSet[str] = frozenset()) -> WaitingFold | None:
        """Return a part of the recent hours that wait longest, None when only skipped entities have any."""
        entity = next((e for e in self._recent if e not in skipped), None)
        return None if entity is None else self._part_of(entity, self._recent[entity], is_recent=True)

    def next_older(self) -> WaitingFold | None:
        """Return a part of the entity whose turn it is, None when nothing older waits."""
        for entity, waiting in self._older.items():
            return self._part_of(entity, waiting, is_recent=False)
        return None

    def _part_of(self, entity: str, waiting: _WaitingHours, *, is_recent: bool) -> WaitingFold:
        return WaitingFold(entity, waiting.first_part(self._part_ms(entity)), is_recent)

    def remove(self, fold: WaitingFold) -> None:
        """Remove hours that are folded; with older ones their entity's turn is over."""
        if fold.is_recent:
            recent = self._recent[fold.entity]
            recent.remove_part(fold.window.end)
            if not recent.windows:
                del self._recent[fold.entity]
            return
        waiting = self._older.pop(fold.entity)
        waiting.remove_part(fold.window.end)
        if not waiting.windows:
            following = self._next_round.pop(fold.entity, None)
            if following is None:
                return
            waiting = following
        self._older[fold.entity] = waiting

    def windows_by_entity(self) -> dict[str, list[Window]]:
        """Return all hours that wait."""
        windows: dict[str, list[Window]] = {}
        for part in (self._recent, self._older, self._next_round):
            for entity, waiting in part.items():
                windows.setdefault(entity, []).extend(waiting.windows)
        return windows

    def count_hours(self) -> int:
        """Return how many hours wait, those of each entity for itself."""
        return sum(w.length for windows in self.windows_by_entity().values() for w in merge(windows)) // HOUR

    def oldest_written_at(self) -> int | None:
        """Return when the oldest change that waits was written, Unix µs."""
        parts = (self._recent, self._older, self._next_round)
        return min((waiting.written_at for part in parts for waiting in part.values()), default=None)

    def oldest_recent_written_at(self) -> int | None:
        """Return when the oldest change whose hours are recent was written, Unix µs."""
        return min((waiting.written_at for waiting in self._recent.values()), default=None)


def _add_to(part: dict[str, _WaitingHours], entity: str, windows: list[Window], written_at: int) -> None:
    waiting = part.get(entity)
    if waiting is None:
        part[entity] = _WaitingHours(deque(windows), written_at)
    else:
        waiting.add(windows, written_at)
