"""Remembers answers about time that has settled, until a total of it is written again. It must not read a store.

The version of an answer is the `reopened` of its centre's live row, or those of all its centres (see `totals_cache`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry.queries.totals_cache import SETTLING_MS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from telemetry.core.calendar.windows import Window
    from telemetry.queries.snapshot import Snapshot

Key = TypeVar("Key", bound="Hashable")
Answer = TypeVar("Answer")
Version = int | tuple[int, ...]


class SettledCache(Generic[Key, Answer]):
    """Answers by key up to a total size, the least recently used dropped first; safe to share between threads."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._lock = threading.Lock()
        self._answers: OrderedDict[Key, tuple[Version, Answer, int]] = OrderedDict()
        self._size = 0
        self._made_with: object = None

    def forget_other_declarations(self, made_with: object) -> None:
        """Forget everything that was computed with other declarations than these."""
        with self._lock:
            if self._made_with != made_with:
                self._answers.clear()
                self._size, self._made_with = 0, made_with

    def recall(self, key: Key, version: Version) -> Answer | None:
        """Return the answer of this version, None when there is none."""
        with self._lock:
            cached = self._answers.get(key)
            if cached is None or cached[0] != version:
                return None
            self._answers.move_to_end(key)
            return cached[1]

    def remember(self, key: Key, version: Version, answer: Answer, size: int = 1) -> None:
        """Keep an answer, unless a part of its version is 0: that may still change unnoticed."""
        if not (all(version) if isinstance(version, tuple) else version):
            return
        with self._lock:
            former = self._answers.pop(key, None)
            self._answers[key] = version, answer, size
            self._size += size - (former[2] if former else 0)
            while self._size > self._max_size:
                self._size -= self._answers.popitem(last=False)[1][2]


def settled_version(snapshot: Snapshot, centre: str, window: Window, now: int) -> int:
    """Return the version of a centre's totals in a window, 0 when they may still change unnoticed."""
    return snapshot.reopened_at(centre) if window.end + SETTLING_MS <= now else 0
