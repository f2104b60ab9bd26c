"""When our own platform was down, read from its beats; it must not judge anybody else's silence."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

from telemetry.core.platform import BELIEVED_MS, UNIT, gaps
from telemetry.core.windows import DAY, Window, floor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.store import Store

SINCE, SEEN = "platform_since", "platform_beat"
"""Marks: the first beat ever, and the last one whose gap was folded, Unix ms."""
LONGEST_DAYS = 62
"""A beat is looked for so far before and after a window."""


class Outages:
    """Reads beats by UTC day and keeps what it read until `forget` says that a day has new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._days: dict[int, tuple[int, ...]] = {}
        self._marks: dict[str, int] = {}
        self._told = 0

    def since(self) -> int | None:
        """Return the first beat ever, None when there was none."""
        return self._mark(SINCE) or None

    def _mark(self, key: str) -> int:
        if key not in self._marks:
            self._marks[key] = self._store.mark(key)
        return self._marks[key]

    def _set(self, key: str, value: int) -> None:
        self._store.set_mark(key, value)
        self._marks[key] = value

    def forget(self, window: Window) -> None:
        """Read the days of a window again, and remember the first beat ever."""
        for day in _days(window):
            self._days.pop(day, None)
        beats = [t for day in _days(window) for t in self._beats(day)]
        if beats and self.since() is None:
            self._set(SINCE, min(beats))

    def within(self, window: Window) -> list[Window]:
        """Return when we were down in the window, as far as a later beat has proved it."""
        since = self.since()
        if since is None or window.end <= since:
            return []
        beats = [t for day in _days(window) for t in self._beats(day)]
        if min(beats, default=window.end) > window.start:
            beats += self._nearest(floor(window.start, DAY), -DAY, since)
        if max(beats, default=window.start) < window.end:
            beats += self._nearest(floor(max(window.end - 1, 0), DAY), DAY, since)
        return gaps(beats, window, since)

    def _nearest(self, day: int, step: int, since: int) -> tuple[int, ...]:
        for number in range(1, LONGEST_DAYS + 1):
            near = day + number * step
            if near + DAY <= since or near < 0 or near > self._last():
                return ()
            if beats := self._beats(near):
                return beats
        return ()

    def _last(self) -> int:
        return max((self._mark(SEEN), self._told, *self._days))

    def _beats(self, day: int) -> tuple[int, ...]:
        if day not in self._days:
            found = self._store.events(UNIT, Window(day, day + DAY))
            self._days[day] = _around_gaps(sorted(s.event.t for s in found))
        return self._days[day]

    def ended(self) -> list[Window]:
        """Return the gaps of our own that the newest beats have ended; each is told once."""
        newest = max((t for beats in self._days.values() for t in beats), default=0)
        known = self._told or self._mark(SEEN) or self.since() or newest
        if newest <= known:
            return []
        self._told = newest
        return self.within(Window(known, newest))

    def settle(self) -> None:
        """Remember that everything told is folded: a restart tells it no more."""
        if self._told > self._mark(SEEN):
            self._set(SEEN, self._told)


def _around_gaps(beats: Sequence[int]) -> tuple[int, ...]:
    """Keep the first and the last beat, and those between which one was missing: the others say nothing more."""
    steps = ((one, other) for one, other in pairwise(beats) if other - one > BELIEVED_MS)
    return tuple(sorted({*beats[:1], *beats[-1:], *chain.from_iterable(steps)}))


def _days(window: Window) -> Iterator[int]:
    yield from range(floor(window.start, DAY), window.end, DAY)
