"""What one rollup process has folded, and the folds without a change that wait; it must not fold or store anything."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, Window, difference, merge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.store import ChangeRecord


@dataclass(slots=True)
class FoldProgress:
    """What this process has folded and what waits. Times are Unix ms, `written_at` is Unix µs."""

    known_changes: Counter[ChangeRecord] = field(default_factory=Counter)
    """Changes of the overlap that are folded or wait; equal ones are distinguished by their number."""
    own_changes: set[ChangeRecord] = field(default_factory=set)
    """Changes of the overlap that this rollup wrote itself."""
    newest_written_at: int = 0
    read_until: int = 0
    """Until when changes are read, Unix µs; the store's cursor stays behind it while some of them wait."""
    own_cursor: int = 0
    """The store's cursor as the last pass left it, Unix µs; another value is somebody else's and wins."""
    folded_hours: dict[str, list[Window]] = field(default_factory=dict)
    """Hours folded since the present one began, by entity; an event may fold a later hour but not one before it."""
    elapsed: deque[tuple[str, Window]] = field(default_factory=deque)
    """Folds without a change, of elapsed hours and platform outages; most are of entities that never had contact."""
    stale: deque[tuple[str, Window]] = field(default_factory=deque)
    """Folds without a change, of hours whose service periods have changed: an import waits for them."""
    queued_outage_folds: int = 0
    """Folds from the front of `elapsed` to the last one of a platform outage."""
    _was_stale: bool = False
    """Whether the last fold without a change was of `stale`."""
    current_hour: int = 0
    elapsed_until: int = 0
    """Until when hours are folded for entities without events."""

    def has_queued(self) -> bool:
        """Return whether a fold without a change waits."""
        return bool(self.elapsed or self.stale)

    def queued_entities(self) -> set[str]:
        """Return the entities of which a fold without a change waits."""
        return {entity for queue in (self.elapsed, self.stale) for entity, _ in queue}

    def count_stale_hours(self) -> int:
        """Return how many stale hours wait, those of each entity for itself."""
        return sum(window.length for _, window in self.stale) // HOUR

    def next_queued(self) -> tuple[str, Window]:
        """Return the next fold without a change: stale and elapsed hours in turn, so neither wait for the others."""
        queue = self.stale if self._is_turn_of_stale() else self.elapsed
        return queue[0]

    def record_fold(self, entity: str, window: Window) -> None:
        """Record that the window's hours are folded; those before the present hour are not asked for again."""
        if window.end > self.current_hour:
            since_hour = Window(max(window.start, self.current_hour), window.end)
            self.folded_hours[entity] = merge([*self.folded_hours.get(entity, ()), since_hour])

    def folded_until(self, at: int) -> int:
        """Return `at`, or the last instant of hours folded ahead of it: what changes them folds them again."""
        return max([at, *(windows[-1].end - 1 for windows in self.folded_hours.values())])

    def _is_turn_of_stale(self) -> bool:
        return bool(self.stale) and not (self._was_stale and self.elapsed)

    def remove_queued(self, part: Window) -> None:
        """Remove the first part of what `next_queued` returned, which is folded."""
        self._was_stale = self._is_turn_of_stale()
        queue = self.stale if self._was_stale else self.elapsed
        entity, window = queue.popleft()
        if part.end < window.end:
            queue.appendleft((entity, Window(part.end, window.end)))
        elif not self._was_stale:
            self.queued_outage_folds = max(0, self.queued_outage_folds - 1)

    def begin_hour(self, hour: int, elapsed: Window, entities: Iterable[str]) -> None:
        """Queue, for each entity, the parts of `elapsed` that are not folded, once; `hour` becomes the present one."""
        for entity in entities:
            self.elapsed.extend((entity, part) for part in difference([elapsed], self.folded_hours.get(entity, ())))
        self.current_hour = hour
        later = {entity: difference(folded, [Window(0, hour)]) for entity, folded in self.folded_hours.items()}
        self.folded_hours = {entity: windows for entity, windows in later.items() if windows}
