"""When our own platform was down, from its own heartbeats; only a gap that has ended is an outage.

Ingest writes a heartbeat once a minute, after a successful write and while its link to the broker is up; so there is
none while the store or the broker is down.  The heartbeats are events of the entity `PLATFORM_ENTITY`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from telemetry.core.calendar.windows import MINUTE, Window, merge

if TYPE_CHECKING:
    from collections.abc import Iterable

PLATFORM_ENTITY: Final = "motcua"
"""The entity the heartbeats are folded under: no centre, no system."""
PLATFORM_OUTBOX_ID: Final = "platform"
HEARTBEAT_INTERVAL_MS: Final = MINUTE
HEARTBEAT_TTL_MS: Final = 150_000
"""How long a heartbeat is valid, ms: two intervals and 30 s."""
RECONNECT_GRACE_MS: Final = 330_000
"""How long after a platform outage agents may still be reconnecting, ms: their longest back-off and 30 s."""


def alive_windows(heartbeats: Iterable[int]) -> list[Window]:
    """Return the windows in which each heartbeat arrived while the one before was valid, first to last, Unix ms."""
    out: list[Window] = []
    for t in sorted(set(heartbeats)):
        if out and t <= out[-1].end + HEARTBEAT_TTL_MS:
            out[-1] = Window(out[-1].start, t)
        else:
            out.append(Window(t, t))
    return out


def gaps_between(alive: Iterable[Window], window: Window) -> list[Window]:
    """Return when the platform was down within `window`, Unix ms: the gaps between the windows of heartbeats.

    A gap begins when a heartbeat is no longer valid and ends with the next one. After the last one there is no
    evidence, because the gap may still end.
    """
    neighbours = pairwise(sorted(alive))
    gaps = (Window(a.end + HEARTBEAT_TTL_MS, b.start) for a, b in neighbours if b.start > a.end + HEARTBEAT_TTL_MS)
    return [part for gap in gaps if (part := gap.clip(window))]


def outages_with_reconnect(gaps: Iterable[Window]) -> list[Window]:
    """Return when our platform explains lost contact: the gaps, and the time to reconnect after each."""
    return merge(Window(gap.start, gap.end + RECONNECT_GRACE_MS) for gap in gaps)
