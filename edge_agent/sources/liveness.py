"""Stands between a source and the agent: notes its signs of life, and shuts a source out that was given up."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_agent.sources import Sink
    from telemetry.core.protocol.events import Event


class SourceReplaced(RuntimeError):
    """The source was given up as hung and another has taken its place: what it brings now would be doubled."""


class SourceHeartbeat:
    """One source's stop signal; each use of it is a sign of life. `monotonic` gives ms."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._stop_requested = threading.Event()
        self.last_beat_at = monotonic()
        self.is_waiting = False
        """Set while the source waits for its next turn: then silence is no fault."""

    def record_beat(self) -> None:
        """Note that the source goes on."""
        self.last_beat_at = self._monotonic()

    def is_set(self) -> bool:
        """Tell whether to end."""
        self.record_beat()
        return self._stop_requested.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait so many seconds, or until told to end; tells whether to end."""
        self.is_waiting = True
        try:
            return self._stop_requested.wait(timeout)
        finally:
            self.record_beat()
            self.is_waiting = False

    def request_stop(self) -> None:
        """Tell the source to end."""
        self._stop_requested.set()


class GuardedSink:
    """The outbox as one run of a source sees it, until that run is shut out.

    All runs of a source share `lock`: a new one reads its cursor only after the old one's last commit.
    """

    def __init__(self, outbox: Sink, heartbeat: SourceHeartbeat, lock: threading.RLock) -> None:
        self._outbox = outbox
        self._heartbeat = heartbeat
        self._lock = lock
        self._closed = False
        self.is_committing = False
        """Set while a commit is under way: a slow disk is no fault of the source."""

    def close(self) -> None:
        """Let nothing more through; a commit under way still ends."""
        self._closed = True

    @contextmanager
    def _commit_guard(self) -> Iterator[None]:
        self.is_committing = True
        try:
            with self._lock:
                if self._closed:
                    raise SourceReplaced
                yield
        finally:
            self._heartbeat.record_beat()
            self.is_committing = False

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Keep events with their cursor in one commit. Raises ShutOut."""
        with self._commit_guard():
            return self._outbox.append(events, source=source, cursor=cursor)

    def append_idempotent(self, key: str, events: Sequence[Event], now: int) -> tuple[str, bool]:
        """Keep a POST's events unless its key was seen. Raises ShutOut."""
        with self._commit_guard():
            return self._outbox.append_idempotent(key, events, now)

    def append_numbered(self, events: Sequence[Event]) -> None:
        """Keep events that bring their own numbers. Raises ShutOut."""
        with self._commit_guard():
            self._outbox.append_numbered(events)

    def cursor(self, source: str) -> str:
        """Return the source's cursor. Raises ShutOut."""
        with self._commit_guard():
            return self._outbox.cursor(source)

    def pending_count(self) -> int:
        """Return how many rows wait for a receipt."""
        return self._outbox.pending_count()

    @property
    def dropped_count(self) -> int:
        """Return how many rows were given up since the start."""
        return self._outbox.dropped_count
