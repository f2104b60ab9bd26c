"""Feeds a log's events, which bring their own numbers, at a chosen speed; it must not know of files or mappings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.sources import Sink, Stop
    from telemetry.core.protocol.events import Event

CHUNK_EVENTS = 500
MAX_PENDING_ROWS = 20_000


@dataclass(slots=True)
class ReplaySource:
    """Appends `events` in chunks, `speed` times as fast as they were (None: as fast as possible)."""

    events: Iterator[Event]
    speed: float | None = None
    max_pending: int = MAX_PENDING_ROWS
    name: str = "replay"

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Append all events, or until stopped; waits while too many rows have no receipt."""
        for chunk in self._timed_chunks(stop):
            while outbox.pending_count() > self.max_pending and not stop.wait(0.05):
                pass
            outbox.append_numbered(chunk)

    def _timed_chunks(self, stop: Stop) -> Iterator[list[Event]]:
        """Yield events in chunks; at a chosen speed, each not before its time."""
        chunk: list[Event] = []
        first: int | None = None
        started = time.monotonic()
        for event in self.events:
            if self.speed is not None:
                first = event.t if first is None else first
                wait_s = (event.t - first) / 1000 / self.speed - (time.monotonic() - started)
                if wait_s > 0.05:
                    if chunk:
                        yield chunk
                        chunk = []
                    stop.wait(wait_s)
            if stop.is_set():
                return
            chunk.append(event)
            if len(chunk) >= CHUNK_EVENTS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk
