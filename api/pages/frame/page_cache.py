"""Keeps the newest renderings of pages, so that many readers of a page cost one rendering; it must not know a page."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PAGES = 64
"""Of at most 150 kB each."""


class PageCache:
    """Bodies by their ETag; equal requests at the same time wait for one rendering. Safe to share between threads."""

    def __init__(self, max_pages: int = MAX_PAGES) -> None:
        self._max_pages = max_pages
        self._lock = threading.Lock()
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._turns: dict[str, threading.Lock] = {}

    def get(self, tag: str, render: Callable[[], bytes]) -> bytes:
        """Return the body of a version, rendered when it is new. Raises what `render` raises."""
        with self._lock:
            turn = self._turns.setdefault(tag, threading.Lock())
        try:
            with turn:
                body = self._bodies.get(tag)
                if body is None:
                    body = self._keep(tag, render())
                return body
        finally:
            with self._lock:
                self._turns.pop(tag, None)

    def _keep(self, tag: str, body: bytes) -> bytes:
        with self._lock:
            self._bodies[tag] = body
            while len(self._bodies) > self._max_pages:
                self._bodies.popitem(last=False)
        return body
