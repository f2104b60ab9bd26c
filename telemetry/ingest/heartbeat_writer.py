"""The platform's own heartbeat: ingest writes one a minute while it can; it must not beat without link or store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemetry.core.calendar.windows import HOUR, floor
from telemetry.core.fold.platform_heartbeat import HEARTBEAT_INTERVAL_MS, PLATFORM_ENTITY, PLATFORM_OUTBOX_ID
from telemetry.core.protocol.events import PlatformBeat
from telemetry.errors import StoreUnavailable
from telemetry.store import Batch, ChangeRecord, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.store import Store

HEARTBEAT_DEVICE: Final = "ingest"
"""All workers beat under one name: one of them is enough."""
RETRY_MS: Final = 5_000


class PlatformHeartbeatWriter:
    """Writes beats into a store. `clock` gives ms."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._due_at = 0

    def is_due(self) -> bool:
        """Tell whether it is time for the next beat."""
        return not 0 < self._due_at - self._clock() <= HEARTBEAT_INTERVAL_MS

    def write_heartbeat(self) -> bool:
        """Write a beat; a store that is away is tried again a little later. Tells whether it did."""
        now = self._clock()
        event = PlatformBeat(n=now // HEARTBEAT_INTERVAL_MS + 1, t=now)
        change = ChangeRecord(PLATFORM_ENTITY, floor(now, HOUR), floor(now, HOUR) + HOUR)
        try:
            self._store.append(
                Batch(now * 1000, [StoredEvent(PLATFORM_ENTITY, HEARTBEAT_DEVICE, PLATFORM_OUTBOX_ID, event)], [change])
            )
        except StoreUnavailable:
            self._due_at = now + RETRY_MS
            return False
        self._due_at = floor(now, HEARTBEAT_INTERVAL_MS) + HEARTBEAT_INTERVAL_MS
        return True
