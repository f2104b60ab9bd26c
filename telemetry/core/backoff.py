"""The delay before another attempt: full jitter, so that a fleet does not reconnect at the same instant. Pure."""

from __future__ import annotations

STABLE_CONNECTION_MS = 60_000
"""A connection that lasts this long, ms, resets the number of attempts."""


def full_jitter_ms(attempt: int, chance: float, first_ms: int = 1_000, cap_ms: int = 300_000) -> int:
    """Return ms to wait before attempt number `attempt` (0, 1, …); `chance` in [0, 1) is random, from the caller."""
    return int(chance * min(cap_ms, first_ms * 2 ** min(attempt, 30)))
