"""Waiting before another try: full jitter, so that a fleet never returns at once. Pure."""

from __future__ import annotations

STABLE_CONNECTION_MS = 60_000
"""A connection must last this long before the waiting starts from the beginning."""


def full_jitter_ms(attempt: int, chance: float, first_ms: int = 1_000, cap_ms: int = 300_000) -> int:
    """Return ms to wait before try `attempt` (0, 1, …); `chance` in [0, 1) is drawn by the caller."""
    return int(chance * min(cap_ms, first_ms * 2 ** min(attempt, 30)))
