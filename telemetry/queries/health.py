"""Counts about the store that cost a scan, kept for ten seconds; it must not read totals or raw events."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.completeness import count_rows
from telemetry.queries.completeness import NetworkCompleteness, completeness_by_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.store import Store

STATS_MAX_AGE_MS = 10_000


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counts about the store itself; `cursor_us` is how far changes are folded, Unix µs."""

    events: int
    dead_letters: dict[str, int]
    cursor_us: int
    completeness: NetworkCompleteness


class StoreStatsCache:
    """Hands out the newest counts; safe to call from many threads."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: tuple[int, StoreStats] | None = None

    def get(self) -> StoreStats:
        """Return counts at most ten seconds old; raises StoreUnavailable when they cannot be had."""
        with self._lock:
            now = self._clock()
            if self._cached is None or not 0 <= now - self._cached[0] < STATS_MAX_AGE_MS:
                self._cached = (now, self._read_stats())
            return self._cached[1]

    def _read_stats(self) -> StoreStats:
        ranges = self._store.row_ranges()
        stored = sum(count_rows(row_ranges.stored) for row_ranges in ranges)
        return StoreStats(
            stored, self._store.dead_letter_counts(), self._store.cursor(), completeness_by_device(ranges)
        )
