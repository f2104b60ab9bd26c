"""The platform's own heartbeat: ingest writes one a minute while it can; it must not beat without link or store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemetry.core.calendar.windows import HOUR, floor
from telemetry.core.fold.platform_heartbeat import BEAT_EVERY_MS, SPOOL, UNIT
from telemetry.core.protocol.events import PlatformBeat
from telemetry.errors import StoreUnavailable
from telemetry.store import Batch, Change, Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.store import Store

DEVICE: Final = "ingest"
"""All workers beat under one name: one of them is enough."""
AGAIN_MS: Final = 5_000


class Beats:
    """Writes beats into a store. `clock` gives ms."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._due = 0

    def due(self) -> bool:
        """Tell whether it is time for the next beat."""
        return not 0 < self._due - self._clock() <= BEAT_EVERY_MS

    def beat(self) -> bool:
        """Write a beat; a store that is away is tried again a little later. Tells whether it did."""
        now = self._clock()
        event = PlatformBeat(n=now // BEAT_EVERY_MS + 1, t=now)
        change = Change(UNIT, floor(now, HOUR), floor(now, HOUR) + HOUR)
        try:
            self._store.append(Batch(now * 1000, [Stored(UNIT, DEVICE, SPOOL, event)], [change]))
        except StoreUnavailable:
            self._due = now + AGAIN_MS
            return False
        self._due = floor(now, BEAT_EVERY_MS) + BEAT_EVERY_MS
        return True
