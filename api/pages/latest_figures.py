"""Keeps a figure that is costly to compute: a page shows the last one while a thread computes the next."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry.errors import MotcuaError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Figure = TypeVar("Figure")


class LatestFigure(Generic[Figure]):
    """One figure, at most `max_age_ms` old when it is asked for; older ones are shown once more and renewed.

    `clock` returns Unix ms. A figure of another key (the inventory, the day) is not shown.
    """

    def __init__(self, clock: Callable[[], int], max_age_ms: int) -> None:
        self._clock, self._max_age_ms = clock, max_age_ms
        self._lock = threading.Lock()
        self._cached: tuple[Hashable, int, Figure] | None = None

    def get(self, key: Hashable, compute: Callable[[], Figure]) -> Figure:
        """Return the figure; the first one of a key is computed at once. Raises what `compute` raises then."""
        cached = self._cached
        if cached is None or cached[0] != key:
            with self._lock:
                cached = self._cached
                if cached is None or cached[0] != key:
                    cached = self._compute(key, compute)
        elif not 0 <= self._clock() - cached[1] < self._max_age_ms and self._lock.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(key, compute), daemon=True).start()
        return cached[2]

    def _compute(self, key: Hashable, compute: Callable[[], Figure]) -> tuple[Hashable, int, Figure]:
        at = self._clock()
        cached = self._cached = (key, at, compute())
        return cached

    def _renew(self, key: Hashable, compute: Callable[[], Figure]) -> None:
        try:
            with suppress(MotcuaError):  # the next request tries again
                self._compute(key, compute)
        finally:
            self._lock.release()
