"""Completeness per device and counts about the store, cached for ten seconds; it must not read totals or raw events."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.completeness import compute_completeness, count_rows
from telemetry.queries.readiness import read_current_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemetry.core.figures.completeness import Completeness, OutboxRowRanges
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

STATS_MAX_AGE_MS = 10_000


@dataclass(frozen=True, slots=True)
class DeviceCompleteness:
    """One device's rows over all its outboxes."""

    device: str
    outbox_count: int
    counts: Completeness

    @property
    def is_complete(self) -> bool:
        """Return whether every row up to the highest number is accounted for."""
        return not self.counts.missing


@dataclass(frozen=True, slots=True)
class CentreCompleteness:
    """The rows of all devices that are declared at a centre."""

    centre: str
    counts: Completeness


@dataclass(frozen=True, slots=True)
class NetworkCompleteness:
    """All devices and their sum."""

    devices: tuple[DeviceCompleteness, ...]
    overall: Completeness


def completeness_by_device(ranges: Iterable[OutboxRowRanges]) -> NetworkCompleteness:
    """Group outboxes by device."""
    ranges_by_device: dict[str, list[OutboxRowRanges]] = {}
    for row in ranges:
        ranges_by_device.setdefault(row.device, []).append(row)
    devices = tuple(
        DeviceCompleteness(device, len(rows), compute_completeness(rows))
        for device, rows in sorted(ranges_by_device.items())
    )
    return NetworkCompleteness(devices, compute_completeness(r for rows in ranges_by_device.values() for r in rows))


def completeness_by_centre(devices: Iterable[DeviceCompleteness], inventory: Inventory) -> list[CentreCompleteness]:
    """Add up devices by the centre that they are declared at, most missing rows first.

    Undeclared ones and those inside the cloud, which are at no centre, are left out.
    """
    by_centre: dict[str, Completeness] = {}
    for device in devices:
        declared = inventory.devices.get(device.device)
        if declared is not None and declared.centre in inventory.centres:
            counts = by_centre.get(declared.centre)
            by_centre[declared.centre] = device.counts if counts is None else counts + device.counts
    rows = [CentreCompleteness(centre, counts) for centre, counts in by_centre.items()]
    return sorted(rows, key=lambda row: (-row.counts.missing, row.centre))


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counts about the store.

    `cursor_us` is how far all changes are folded, Unix µs; `current_until` how far those of recent hours are, Unix ms;
    `backlog_hours` how many older hours wait.
    """

    events: int
    dead_letters: dict[str, int]
    cursor_us: int
    current_until: int
    backlog_hours: int
    completeness: NetworkCompleteness


class StoreStatsCache:
    """Returns the newest counts; safe to call from many threads."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: tuple[int, StoreStats] | None = None

    def get(self) -> StoreStats:
        """Return counts at most ten seconds old; raises StoreUnavailable when they cannot be read."""
        with self._lock:
            now = self._clock()
            if self._cached is None or not 0 <= now - self._cached[0] < STATS_MAX_AGE_MS:
                ranges = self._store.row_ranges()
                stored = sum(count_rows(row.stored) for row in ranges)
                self._cached = (now, self._read(stored, completeness_by_device(ranges)))
            return self._cached[1]

    def _read(self, stored: int, completeness: NetworkCompleteness) -> StoreStats:
        until = read_current_until(self._store)
        dead_letters, cursor = self._store.dead_letter_counts(), self._store.cursor()
        return StoreStats(stored, dead_letters, cursor, until.current_until, until.backlog_hours, completeness)
