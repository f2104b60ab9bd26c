"""Finds the platform's own outages from its heartbeats; it must not explain a device's lost contact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, floor
from telemetry.core.fold.platform_heartbeat import (
    HEARTBEAT_TTL_MS,
    PLATFORM_ENTITY,
    PLATFORM_OUTBOX_ID,
    RECONNECT_GRACE_MS,
    alive_windows,
    gaps_between,
    outages_with_reconnect,
)
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from telemetry.store import Store, StoredEvent

FIRST_HEARTBEAT, LAST_FOLDED_HEARTBEAT = "platform_since", "platform_beat"
"""Checkpoints: the first heartbeat ever, and the last one before which gaps are folded, Unix ms."""
MAX_SEARCH_DAYS = 62
"""How far before and after a window heartbeats are read."""


class PlatformOutages:
    """Reads heartbeats by UTC day and caches them until `invalidate` names a day with new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alive_by_day: dict[int, tuple[Window, ...]] = {}
        self._checkpoints: dict[str, int] = {}
        self._reported_until = 0

    def first_heartbeat(self) -> int | None:
        """Return the time of the first heartbeat ever (Unix ms), None when there was none."""
        return self._checkpoint(FIRST_HEARTBEAT) or None

    def _checkpoint(self, key: str) -> int:
        if key not in self._checkpoints:
            self._checkpoints[key] = self._store.checkpoint(key)
        return self._checkpoints[key]

    def _set_checkpoint(self, key: str, value: int) -> None:
        self._store.set_checkpoint(key, value)
        self._checkpoints[key] = value

    def invalidate(self, window: Window) -> None:
        """Read the days of a window again, and store the time of the first heartbeat ever."""
        for day in _utc_days(window):
            self._alive_by_day.pop(day, None)
        alive = self._alive_within(window)
        if alive and self.first_heartbeat() is None:
            self._set_checkpoint(FIRST_HEARTBEAT, min(alive).start)

    def outages_within(self, window: Window) -> list[Window]:
        """Return when the platform causes lost contact: an outage proved by a later heartbeat, or agents reconnect."""
        extended = Window(max(window.start - RECONNECT_GRACE_MS, 0), window.end)
        return [part for outage in outages_with_reconnect(self._gaps_within(extended)) if (part := outage.clip(window))]

    def is_alive_at(self, at: int) -> bool:
        """Return whether a heartbeat is valid at `at` (Unix ms)."""
        alive = self._alive_within(Window(at - HEARTBEAT_TTL_MS, at + 1))
        return any(w.start <= at < w.end + HEARTBEAT_TTL_MS for w in alive)

    def _gaps_within(self, window: Window) -> list[Window]:
        since = self.first_heartbeat()
        if since is None or window.end <= since:
            return []
        alive = self._alive_within(window)
        if not alive or min(alive).start > window.start:
            alive += self._nearest_alive(floor(window.start, DAY), -DAY, since)
        if max((w.end for w in alive), default=window.start) < window.end:
            alive += self._nearest_alive(floor(max(window.end - 1, 0), DAY), DAY, since)
        return gaps_between((w for w in alive if w.end >= since), window)

    def _nearest_alive(self, day: int, step: int, since: int) -> tuple[Window, ...]:
        for number in range(1, MAX_SEARCH_DAYS + 1):
            candidate = day + number * step
            last_known = max(self._checkpoint(LAST_FOLDED_HEARTBEAT), self._reported_until, *self._alive_by_day)
            if candidate + DAY <= since or candidate < 0 or candidate > last_known:
                return ()
            if alive := self._alive_windows(candidate):
                return alive
        return ()

    def _alive_within(self, window: Window) -> list[Window]:
        return [w for day in _utc_days(window) for w in self._alive_windows(day)]

    def _alive_windows(self, day: int) -> tuple[Window, ...]:
        """Return the windows of a day's heartbeats; one for a day without a gap."""
        if day not in self._alive_by_day:
            heartbeats = self._store.events(PLATFORM_ENTITY, Window(day, day + DAY))
            self._alive_by_day[day] = tuple(alive_windows(s.event.t for s in heartbeats if _is_own_heartbeat(s)))
        return self._alive_by_day[day]

    def new_gaps(self) -> list[Window]:
        """Return the platform's gaps that the newest heartbeats ended; each is returned once."""
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
        """Store that every gap returned is folded: a restart does not return it again."""
        if self._reported_until > self._checkpoint(LAST_FOLDED_HEARTBEAT):
            self._set_checkpoint(LAST_FOLDED_HEARTBEAT, self._reported_until)


def _is_own_heartbeat(stored: StoredEvent) -> bool:
    """Return whether ingest wrote it: no frame of a device can have this centre, outbox id and type."""
    own = stored.centre == PLATFORM_ENTITY and stored.outbox_id == PLATFORM_OUTBOX_ID
    return own and isinstance(stored.event, ev.PlatformBeat)


def _utc_days(window: Window) -> range:
    return range(floor(window.start, DAY), window.end, DAY)


@dataclass(slots=True)
class PlatformWatch:
    """Whether ingest writes and whether this rollup was interrupted, by the rollup's own clock. Times are Unix ms."""

    outages: PlatformOutages
    last_received_at: int = 0
    """When a change was read that the rollup did not write itself."""
    last_pass_at: int = 0
    present_since: int = 0

    def begin_pass(self, at: int) -> None:
        """Detect that the last pass is long ago: the rollup or the store was unavailable, or the clock was set."""
        if not 0 <= at - self.last_pass_at < HEARTBEAT_TTL_MS:
            self.present_since = at

    def is_ingest_silent(self, now: int) -> bool:
        """Return whether ingest has written nothing for as long as a heartbeat is valid.

        The rollup's own writes do not count: the broker sends Last Wills.
        """
        silent_for = now - max(self.last_received_at, self.present_since)
        return self.outages.first_heartbeat() is not None and silent_for >= HEARTBEAT_TTL_MS

    def is_state_known(self, now: int) -> bool:
        """Return whether an outage up to now would be known; otherwise it would be charged to every device.

        After an interruption, wait for the next heartbeat as long as one is valid; without it the platform is down.
        """
        is_waiting = now - self.present_since < HEARTBEAT_TTL_MS and self.outages.first_heartbeat() is not None
        return not is_waiting or self.outages.is_alive_at(now)
