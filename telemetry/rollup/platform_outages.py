"""When our own platform was down, read from its beats; it must not judge anybody else's silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, floor
from telemetry.core.fold.platform_heartbeat import BELIEVED_MS, RETURN_MS, UNIT, between, excusing, stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.store import Store

SINCE, SEEN = "platform_since", "platform_beat"
"""Marks: the first beat ever, and the last one whose gap was folded, Unix ms."""
LONGEST_DAYS = 62
"""A beat is looked for so far before and after a window."""


class Outages:
    """Reads beats by UTC day and keeps what it read until `forget` says that a day has new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._days: dict[int, tuple[Window, ...]] = {}
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
        alive = [w for day in _days(window) for w in self._alive(day)]
        if alive and self.since() is None:
            self._set(SINCE, min(alive).start)

    def within(self, window: Window) -> list[Window]:
        """Return when silence is ours in the window: we were down, as a later beat proved, or agents come back."""
        wide = Window(max(window.start - RETURN_MS, 0), window.end)
        return [part for found in excusing(self._gaps(wide)) if (part := found.clip(window))]

    def believed(self, moment: int) -> bool:
        """Tell whether a beat says that we are there at `moment` (Unix ms)."""
        days = _days(Window(moment - BELIEVED_MS, moment + 1))
        return any(w.start <= moment < w.end + BELIEVED_MS for day in days for w in self._alive(day))

    def _gaps(self, window: Window) -> list[Window]:
        since = self.since()
        if since is None or window.end <= since:
            return []
        alive = [w for day in _days(window) for w in self._alive(day)]
        if not alive or min(alive).start > window.start:
            alive += self._nearest(floor(window.start, DAY), -DAY, since)
        if max((w.end for w in alive), default=window.start) < window.end:
            alive += self._nearest(floor(max(window.end - 1, 0), DAY), DAY, since)
        return between((w for w in alive if w.end >= since), window)

    def _nearest(self, day: int, step: int, since: int) -> tuple[Window, ...]:
        for number in range(1, LONGEST_DAYS + 1):
            near = day + number * step
            if near + DAY <= since or near < 0 or near > self._last():
                return ()
            if alive := self._alive(near):
                return alive
        return ()

    def _last(self) -> int:
        return max((self._mark(SEEN), self._told, *self._days))

    def _alive(self, day: int) -> tuple[Window, ...]:
        """Return the stretches of a day's beats; a day without a gap is one."""
        if day not in self._days:
            found = self._store.events(UNIT, Window(day, day + DAY))
            self._days[day] = tuple(stretches(s.event.t for s in found))
        return self._days[day]

    def ended(self) -> list[Window]:
        """Return the gaps of our own that the newest beats have ended; each is told once."""
        newest = max((w.end for alive in self._days.values() for w in alive), default=0)
        known = self._told or self._mark(SEEN) or self.since() or newest
        if newest <= known:
            return []
        found = self._gaps(Window(known, newest))
        self._told = newest
        return found

    def settle(self) -> None:
        """Remember that everything told is folded: a restart tells it no more."""
        if self._told > self._mark(SEEN):
            self._set(SEEN, self._told)


def _days(window: Window) -> Iterator[int]:
    yield from range(floor(window.start, DAY), window.end, DAY)
