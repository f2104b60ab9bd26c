"""The delay before another attempt: full jitter, so that a fleet does not reconnect at the same instant. Pure."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

STABLE_CONNECTION_MS = 60_000
"""A connection that lasts this long, ms, resets the number of attempts."""


def full_jitter_ms(attempt: int, chance: float, first_ms: int = 1_000, cap_ms: int = 300_000) -> int:
    """Return ms to wait before attempt number `attempt` (0, 1, …); `chance` in [0, 1) is random, from the caller."""
    return int(chance * min(cap_ms, first_ms * 2 ** min(attempt, 30)))


MAX_RETRY_AFTER_MS = 3_600_000
"""The longest wait, ms, that a server may ask for; a longer one counts as this."""


def retry_after_ms(header: str | None, now: int) -> int:
    """Return the wait that an HTTP answer's Retry-After asks for, ms: seconds or a date; `now` is Unix ms.

    It is at most MAX_RETRY_AFTER_MS, and 0 without the header, for a time that has passed, and for what cannot be
    read.  Source: RFC 9110, 10.2.3.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]) * 1_000, MAX_RETRY_AFTER_MS)
    try:
        wait_ms = parsedate_to_datetime(text).timestamp() * 1_000 - now
    except (ValueError, OverflowError):
        return 0
    return int(min(max(wait_ms, 0), MAX_RETRY_AFTER_MS))
