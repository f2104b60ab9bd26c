"""When our own platform was down, told by its own beats; it must not guess: silence proves something once it has ended.

Ingest beats once a minute after a write that the store took, while its link to the broker is up; so neither a dead
store nor a dead broker beats.  The beats are events of the unit `UNIT`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from telemetry.core.calendar.windows import MINUTE, Window, merge

if TYPE_CHECKING:
    from collections.abc import Iterable

PLATFORM_ENTITY: Final = "motcua"
"""What the beats are folded under: no centre, no system."""
PLATFORM_OUTBOX_ID: Final = "platform"
HEARTBEAT_INTERVAL_MS: Final = MINUTE
HEARTBEAT_TTL_MS: Final = 150_000
"""How long a beat is believed, ms: two intervals and 30 s."""
RECONNECT_GRACE_MS: Final = 330_000
"""How long after an outage of ours agents may still be on their way back, ms: their longest back-off and 30 s."""


def heartbeat_gaps(heartbeats: Iterable[int], window: Window, since: int | None) -> list[Window]:
    """Return when the platform was down within `window`, Unix ms.

    A gap begins when a beat is no longer believed and ends with the next beat.  Before `since`, the first beat ever,
    there is no evidence; nor is there after the last beat, because nobody knows yet.
    """
    if since is None:
        return []
    return gaps_between(alive_windows(t for t in heartbeats if t >= since), window)


def alive_windows(heartbeats: Iterable[int]) -> list[Window]:
    """Return the times in which each beat came while the one before was believed, from first to last beat, Unix ms."""
    out: list[Window] = []
    for t in sorted(set(heartbeats)):
        if out and t <= out[-1].end + HEARTBEAT_TTL_MS:
            out[-1] = Window(out[-1].start, t)
        else:
            out.append(Window(t, t))
    return out


def gaps_between(alive: Iterable[Window], window: Window) -> list[Window]:
    """Return the gaps between stretches of beats, as far as they lie within `window`."""
    neighbours = pairwise(sorted(alive))
    gaps = (Window(a.end + HEARTBEAT_TTL_MS, b.start) for a, b in neighbours if b.start > a.end + HEARTBEAT_TTL_MS)
    return [part for gap in gaps if (part := gap.clip(window))]


def outages_with_reconnect(gaps: Iterable[Window]) -> list[Window]:
    """Return the windows in which silence is ours: the gaps, and the time in which agents come back after each."""
    return merge(Window(gap.start, gap.end + RECONNECT_GRACE_MS) for gap in gaps)
