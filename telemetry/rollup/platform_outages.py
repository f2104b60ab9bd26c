"""When our own platform was down, read from its beats; it must not judge anybody else's silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, floor
from telemetry.core.fold.platform_heartbeat import (
    HEARTBEAT_TTL_MS,
    PLATFORM_ENTITY,
    RECONNECT_GRACE_MS,
    alive_windows,
    gaps_between,
    outages_with_reconnect,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.store import Store

FIRST_HEARTBEAT, LAST_FOLDED_HEARTBEAT = "platform_since", "platform_beat"
"""Marks: the first beat ever, and the last one whose gap was folded, Unix ms."""
MAX_SEARCH_DAYS = 62
"""A beat is looked for so far before and after a window."""


class PlatformOutages:
    """Reads beats by UTC day and keeps what it read until `forget` says that a day has new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alive_by_day: dict[int, tuple[Window, ...]] = {}
        self._checkpoints: dict[str, int] = {}
        self._reported_until = 0

    def first_heartbeat(self) -> int | None:
        """Return the first beat ever, None when there was none."""
        return self._checkpoint(FIRST_HEARTBEAT) or None

    def _checkpoint(self, key: str) -> int:
        if key not in self._checkpoints:
            self._checkpoints[key] = self._store.checkpoint(key)
        return self._checkpoints[key]

    def _set_checkpoint(self, key: str, value: int) -> None:
        self._store.set_checkpoint(key, value)
        self._checkpoints[key] = value

    def invalidate(self, window: Window) -> None:
        """Read the days of a window again, and remember the first beat ever."""
        for day in _utc_days(window):
            self._alive_by_day.pop(day, None)
        alive = [w for day in _utc_days(window) for w in self._alive_windows(day)]
        if alive and self.first_heartbeat() is None:
            self._set_checkpoint(FIRST_HEARTBEAT, min(alive).start)

    def outages_within(self, window: Window) -> list[Window]:
        """Return when silence is ours in the window: we were down, as a later beat proved, or agents come back."""
        extended = Window(max(window.start - RECONNECT_GRACE_MS, 0), window.end)
        return [part for outage in outages_with_reconnect(self._gaps_within(extended)) if (part := outage.clip(window))]

    def is_alive_at(self, at: int) -> bool:
        """Tell whether a beat says that we are there at `moment` (Unix ms)."""
        days = _utc_days(Window(at - HEARTBEAT_TTL_MS, at + 1))
        return any(w.start <= at < w.end + HEARTBEAT_TTL_MS for day in days for w in self._alive_windows(day))

    def _gaps_within(self, window: Window) -> list[Window]:
        since = self.first_heartbeat()
        if since is None or window.end <= since:
            return []
        alive = [w for day in _utc_days(window) for w in self._alive_windows(day)]
        if not alive or min(alive).start > window.start:
            alive += self._nearest_alive(floor(window.start, DAY), -DAY, since)
        if max((w.end for w in alive), default=window.start) < window.end:
            alive += self._nearest_alive(floor(max(window.end - 1, 0), DAY), DAY, since)
        return gaps_between((w for w in alive if w.end >= since), window)

    def _nearest_alive(self, day: int, step: int, since: int) -> tuple[Window, ...]:
        for number in range(1, MAX_SEARCH_DAYS + 1):
            candidate = day + number * step
            if candidate + DAY <= since or candidate < 0 or candidate > self._last_known_day():
                return ()
            if alive := self._alive_windows(candidate):
                return alive
        return ()

    def _last_known_day(self) -> int:
        return max((self._checkpoint(LAST_FOLDED_HEARTBEAT), self._reported_until, *self._alive_by_day))

    def _alive_windows(self, day: int) -> tuple[Window, ...]:
        """Return the stretches of a day's beats; a day without a gap is one."""
        if day not in self._alive_by_day:
            heartbeats = self._store.events(PLATFORM_ENTITY, Window(day, day + DAY))
            self._alive_by_day[day] = tuple(alive_windows(s.event.t for s in heartbeats))
        return self._alive_by_day[day]

    def new_gaps(self) -> list[Window]:
        """Return the gaps of our own that the newest beats have ended; each is told once."""
        newest = max((w.end for alive in self._alive_by_day.values() for w in alive), default=0)
        reported_until = (
            self._reported_until or self._checkpoint(LAST_FOLDED_HEARTBEAT) or self.first_heartbeat() or newest
        )
        if newest <= reported_until:
            return []
        gaps = self._gaps_within(Window(reported_until, newest))
        self._reported_until = newest
        return gaps

    def save_progress(self) -> None:
        """Remember that everything told is folded: a restart tells it no more."""
        if self._reported_until > self._checkpoint(LAST_FOLDED_HEARTBEAT):
            self._set_checkpoint(LAST_FOLDED_HEARTBEAT, self._reported_until)


def _utc_days(window: Window) -> Iterator[int]:
    yield from range(floor(window.start, DAY), window.end, DAY)
