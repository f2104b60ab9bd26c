"""An ingest's own figures as plain counters; it must not know how they are shown."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.store import Batch

WRITE_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)
"""Upper bounds of the write latency's buckets; one more bucket holds what took longer."""


@dataclass(slots=True)
class Figures:
    """What came in, what became of it, how long writes took; all since the start. Times are ms."""

    frames: int = 0
    rows: int = 0
    receipts: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Rows that were not stored, by reason: rejected, deferred and those of unreadable frames."""
    writes: list[int] = field(default_factory=lambda: [0] * (len(WRITE_BOUNDS_MS) + 1))
    write_ms: int = 0
    failed_writes: int = 0
    newest: int = 0
    """Capture time of the newest event stored."""
    written: int = 0
    """When the last write ended."""
    failing: bool = False
    """The last write failed."""
    waiting: int = 0
    waiting_since: int = 0
    """Messages taken and not yet acknowledged, and when the oldest of them came."""
    linked: bool = False
    links: int = 0

    def took(self, now: int) -> None:
        """Note a message."""
        if not self.waiting:
            self.waiting_since = now
        self.waiting += 1

    def lag_ms(self) -> int:
        """Return how old the newest event was when the last write ended."""
        return max(self.written - self.newest, 0) if self.newest else 0

    def failed(self) -> None:
        """Note a write that failed."""
        self.failed_writes += 1
        self.failing = True

    def wrote(self, began: int, ended: int) -> None:
        """Note a write that succeeded."""
        took = max(ended - began, 0)
        self.writes[bisect_left(WRITE_BOUNDS_MS, took)] += 1
        self.write_ms += took
        self.written = ended
        self.failing = False

    def answered(self, batch: Batch, frames: int, rows: int, receipts: int) -> None:
        """Note what a write brought, once it is acknowledged."""
        self.frames += frames
        self.waiting -= frames
        self.waiting_since = self.written
        self.rows += rows
        self.receipts += receipts
        for letter in batch.dead:
            self.refused[letter.reason] += letter.rows
        if batch.events:
            self.newest = max(self.newest, batch.events[-1].event.t)
