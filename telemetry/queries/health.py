"""Counts about the store that cost a scan, kept for ten seconds; it must not read totals or raw events."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.completeness import size
from telemetry.queries.completeness import Accounted, accounted

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.store import Store

SLOW_MS = 10_000


@dataclass(frozen=True, slots=True)
class Health:
    """Counts about the store itself; `cursor_us` is how far changes are folded, Unix µs."""

    events: int
    dead: dict[str, int]
    cursor_us: int
    rows: Accounted


class Counts:
    """Hands out the newest counts; safe to call from many threads."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._held: tuple[int, Health] | None = None

    def get(self) -> Health:
        """Return counts at most ten seconds old; raises StoreUnavailable when they cannot be had."""
        with self._lock:
            now = self._clock()
            if self._held is None or not 0 <= now - self._held[0] < SLOW_MS:
                self._held = (now, self._read())
            return self._held[1]

    def _read(self) -> Health:
        ranges = self._store.row_ranges()
        stored = sum(size(one.stored) for one in ranges)
        return Health(stored, self._store.dead_letters(), self._store.cursor(), accounted(ranges))
