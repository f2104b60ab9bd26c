"""Completeness per device: what became of every row its outboxes ever numbered. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.completeness import completeness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.completeness import Completeness, RowRanges


@dataclass(frozen=True, slots=True)
class DeviceRows:
    """One device's rows over all its outboxes."""

    device: str
    spools: int
    parts: Completeness

    @property
    def complete(self) -> bool:
        """Tell whether every row up to the highest number is accounted for."""
        return self.parts.stored + self.parts.refused + self.parts.dropped >= self.parts.highest


@dataclass(frozen=True, slots=True)
class Accounted:
    """All devices and their sum."""

    devices: tuple[DeviceRows, ...]
    whole: Completeness


def accounted(ranges: Iterable[RowRanges]) -> Accounted:
    """Group outboxes by device."""
    found: dict[str, list[RowRanges]] = {}
    for row in ranges:
        found.setdefault(row.device, []).append(row)
    devices = tuple(DeviceRows(device, len(rows), completeness(rows)) for device, rows in sorted(found.items()))
    return Accounted(devices, completeness(r for rows in found.values() for r in rows))
