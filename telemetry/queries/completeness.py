"""Completeness per device: what became of every row its outboxes ever numbered. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.completeness import compute_completeness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.completeness import Completeness, OutboxRowRanges


@dataclass(frozen=True, slots=True)
class DeviceCompleteness:
    """One device's rows over all its outboxes."""

    device: str
    outbox_count: int
    counts: Completeness

    @property
    def is_complete(self) -> bool:
        """Tell whether every row up to the highest number is accounted for."""
        return self.counts.stored + self.counts.refused + self.counts.dropped >= self.counts.highest


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
