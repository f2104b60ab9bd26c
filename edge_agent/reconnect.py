"""When to reconnect: full jitter that grows until a connection lasts; a taken-over session waits longest. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.core.backoff import STABLE_CONNECTION_MS, full_jitter_ms

MAX_WAIT_MS = 300_000
MIN_WAIT_MS = 100
SHORT_LIVED_LIMIT = 6
"""This many short connections in a row, closed by the broker without a reason, count as a take-over: mosquitto 2.0 does
not send the reason, and a broker that restarts would also have been unreachable between two of them."""
OTHER_SESSIONS_LIMIT = 2
"""After this many closes in a row with another client's birth or death under our id, a take-over is certain."""
_LAST_ATTEMPT = 30
"""This number of attempts gives the longest wait."""


@dataclass(slots=True)
class ReconnectPolicy:
    """Schedules one link's next attempt. Times are ms of a monotonic clock; the caller draws `chance` in [0, 1)."""

    first_wait_ms: int = 1_000
    retry_at: int = 0
    """When to connect."""
    _attempt: int = 0
    _connected_at: int | None = None
    _short_lived: int = 0
    _other_sessions: int = 0

    def on_connected(self, now: int) -> None:
        """Record a connection."""
        self._connected_at = now

    def on_connect_failed(self, now: int, chance: float) -> None:
        """Schedule the next attempt after one that could not reach the broker."""
        self._short_lived = self._other_sessions = 0
        self._schedule_retry(now, chance)

    def _schedule_retry(self, now: int, chance: float) -> None:
        self.retry_at = now + MIN_WAIT_MS + full_jitter_ms(self._attempt, chance, self.first_wait_ms, MAX_WAIT_MS)
        self._attempt += 1

    def on_disconnected(self, now: int, chance: float, *, silently: bool) -> bool:
        """Schedule the next attempt; returns whether the connection lasted. `silently`: the broker sent no reason."""
        lasted = self._connected_at is not None and now - self._connected_at > STABLE_CONNECTION_MS
        short_lived = self._connected_at is not None and not lasted and silently
        self._short_lived = self._short_lived + 1 if short_lived else 0
        self._other_sessions = self._other_sessions if short_lived else 0
        self._connected_at = None
        if lasted:
            self._attempt = 0
        self._schedule_retry(now, chance)
        return lasted

    def saw_other_session(self) -> None:
        """Record a birth or death under our id from another client."""
        self._other_sessions += bool(self._short_lived)

    def is_takeover_suspected(self) -> bool:
        """Return whether another client seems to use our id."""
        return self._short_lived >= SHORT_LIVED_LIMIT or self._other_sessions >= OTHER_SESSIONS_LIMIT

    def on_takeover(self, now: int, chance: float) -> None:
        """Wait at least half the longest time: two clients with one id would disconnect each other again and again."""
        self._attempt = _LAST_ATTEMPT
        self.retry_at = now + int(MAX_WAIT_MS * (1 + chance) / 2)
