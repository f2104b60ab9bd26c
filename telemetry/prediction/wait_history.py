"""Reads the events of a centre's past that predictions are fitted and tested on; it must not write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window
from telemetry.prediction.wait_walk import WALKED_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.protocol.events import Event
    from telemetry.store import Store

READ_MS = 7 * DAY
"""So much is read at once, ms."""
HISTORY_MS = 90 * DAY
"""How far back a fit looks, ms; longer is no better: staff and services change."""


def read_ticket_events(store: Store, centre: str, end: int, history_ms: int = HISTORY_MS) -> Iterator[Event]:
    """Yield the centre's ticket and counter events of the time before `end` (Unix ms), a week at a time."""
    days = store.days_with_events().get(centre, [])
    for run in days:
        for start in range(max(run.start, end - history_ms), min(run.end, end), READ_MS):
            window = Window(start, min(start + READ_MS, run.end, end))
            yield from (stored.event for stored in store.events(centre, window, WALKED_TYPES))
