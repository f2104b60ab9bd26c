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

    def get(self, key: Hashable, compute: Callable[[], Figure], first_wait_s: float) -> Figure | None:
        """Return the figure, None when the first one of a key is not computed within `first_wait_s`."""
        cached = self._cached
        is_old = cached is None or cached[0] != key or not 0 <= self._clock() - cached[1] < self._max_age_ms
        if is_old and self._lock.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(key, compute), daemon=True).start()
        if cached is not None and cached[0] == key:
            return cached[2]
        if self._lock.acquire(timeout=first_wait_s):
            self._lock.release()
        first = self._cached
        return None if first is None or first[0] != key else first[2]

    def _renew(self, key: Hashable, compute: Callable[[], Figure]) -> None:
        """Compute the next figure in a thread that holds the lock, and release it."""
        try:
            with suppress(MotcuaError):  # the next request tries again
                at = self._clock()
                self._cached = (key, at, compute())
        finally:
            self._lock.release()
