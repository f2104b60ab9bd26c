"""When our own platform was down, told by its own beats; it must not guess: silence proves something once it has ended.

Ingest beats once a minute after a write that the store took, while its link to the broker is up; so neither a dead
store nor a dead broker beats.  The beats are events of the unit `UNIT`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from telemetry.core.windows import MINUTE, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

UNIT: Final = "motcua"
"""What the beats are folded under: no centre, no system."""
SPOOL: Final = "platform"
BEAT_EVERY_MS: Final = MINUTE
BELIEVED_MS: Final = 150_000
"""How long a beat is believed, ms: two intervals and 30 s."""


def gaps(beats: Iterable[int], window: Window, since: int | None) -> list[Window]:
    """Return when the platform was down within `window`, Unix ms.

    A gap begins when a beat is no longer believed and ends with the next beat.  Before `since`, the first beat ever,
    there is no evidence; nor is there after the last beat, because nobody knows yet.
    """
    if since is None:
        return []
    known = sorted({t for t in beats if t >= since})
    found = (Window(one + BELIEVED_MS, other) for one, other in pairwise(known) if other > one + BELIEVED_MS)
    return [part for gap in found if (part := gap.clip(window))]
