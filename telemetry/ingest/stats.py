"""An ingest process's own counters; it must not depend on how they are shown."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.store import Batch

WRITE_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)
"""Upper bounds of the write latency's buckets, ms; one more bucket counts longer writes."""


@dataclass(slots=True)
class IngestStats:
    """Frames and rows received, their outcomes and write durations, all since the start. Times are Unix ms."""

    frames: int = 0
    rows: int = 0
    receipts: int = 0
    receipts_too_large: int = 0
    """Receipts that the broker's Maximum Packet Size did not let through."""
    receipts_withheld: int = 0
    """Answers about an outbox that were not sent, or not whole: their device had enough receipts for one write."""
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    """Rows that were not stored, by reason: rejected, deferred and those of unreadable frames."""
    write_counts: list[int] = field(default_factory=lambda: [0] * (len(WRITE_BOUNDS_MS) + 1))
    write_ms_sum: int = 0
    failed_writes: int = 0
    newest_event_at: int = 0
    """Capture time of the newest event stored."""
    last_write_at: int = 0
    """When the last write ended."""
    is_failing: bool = False
    """The last write failed."""
    waiting_messages: int = 0
    waiting_since: int = 0
    """Messages received and not yet acknowledged, and when the oldest of them arrived."""
    is_connected: bool = False
    connections: int = 0

    def record_connect(self) -> None:
        """Count a new connection to the broker."""
        self.is_connected, self.connections = True, self.connections + 1

    def record_disconnect(self) -> None:
        """Record the loss of the connection."""
        self.is_connected = False

    def record_message(self, now: int) -> None:
        """Count a message received at `now`."""
        if not self.waiting_messages:
            self.waiting_since = now
        self.waiting_messages += 1

    def lag_ms(self) -> int:
        """Return how old the newest event was when the last write ended."""
        return max(self.last_write_at - self.newest_event_at, 0) if self.newest_event_at else 0

    def record_failed_write(self) -> None:
        """Count a failed write."""
        self.failed_writes += 1
        self.is_failing = True

    def record_write(self, began: int, ended: int) -> None:
        """Count a successful write."""
        duration = max(ended - began, 0)
        self.write_counts[bisect_left(WRITE_BOUNDS_MS, duration)] += 1
        self.write_ms_sum += duration
        self.last_write_at = ended
        self.is_failing = False

    def record_answer(self, batch: Batch, frames: int, rows: int, receipts: int) -> None:
        """Count the contents of a write, once it is acknowledged."""
        self.frames += frames
        self.waiting_messages -= frames
        self.waiting_since = self.last_write_at
        self.rows += rows
        self.receipts += receipts
        for letter in batch.dead_letters:
            self.refused_by_reason[letter.reason] += letter.rows
        if batch.events:
            self.newest_event_at = max(self.newest_event_at, batch.events[-1].event.t)
