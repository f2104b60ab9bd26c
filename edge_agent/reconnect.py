"""When to connect again: full jitter, growing until a connection lasted; a session taken over waits longest. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.core.backoff import STABLE_MS, full_jitter

LONGEST_MS = 300_000
SHORTEST_MS = 100
SHORT_LIVED = 6
"""So many connections in a row that the broker took and soon closed without a word are taken for a take-over:
mosquitto 2.0 does not name the reason, and a broker that restarts would also have been away between two of them."""
OTHERS = 2
"""So many times in a row somebody else's birth or death stood under our name after such a close: that is surer."""
_WORN = 30
"""So many tries stand for the longest wait."""


@dataclass(slots=True)
class Reconnect:
    """One link's next try. Times are ms of a monotonic clock; `chance` in [0, 1) is drawn by the caller."""

    first_ms: int = 1_000
    at: int = 0
    """When to connect."""
    _attempt: int = 0
    _linked_at: int | None = None
    _short_lived: int = 0
    _others: int = 0

    def linked(self, now: int) -> None:
        """Note a connection."""
        self._linked_at = now

    def failed(self, now: int, chance: float) -> None:
        """Plan another try after one that found no broker."""
        self._short_lived = self._others = 0
        self._plan(now, chance)

    def _plan(self, now: int, chance: float) -> None:
        self.at = now + SHORTEST_MS + full_jitter(self._attempt, chance, self.first_ms, LONGEST_MS)
        self._attempt += 1

    def lost(self, now: int, chance: float, *, silently: bool) -> bool:
        """Plan the next connection; tells whether the last one had lasted. `silently`: the broker gave no reason."""
        lasted = self._linked_at is not None and now - self._linked_at > STABLE_MS
        short = self._linked_at is not None and not lasted and silently
        self._short_lived = self._short_lived + 1 if short else 0
        self._others = self._others if short else 0
        self._linked_at = None
        if lasted:
            self._attempt = 0
        self._plan(now, chance)
        return lasted

    def met_another(self) -> None:
        """Note somebody else's birth or death under our name."""
        self._others += bool(self._short_lived)

    def suspected(self) -> bool:
        """Tell whether another client seems to use our identity."""
        return self._short_lived >= SHORT_LIVED or self._others >= OTHERS

    def taken_over(self, now: int, chance: float) -> None:
        """Wait at least half the longest time: two with one identity would throw each other out for ever."""
        self._attempt = _WORN
        self.at = now + int(LONGEST_MS * (1 + chance) / 2)
