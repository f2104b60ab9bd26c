"""An event with its source, and deduplication by its permanent id; it must not interpret events."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.protocol.events import Event


@dataclass(frozen=True, slots=True)
class SourcedEvent:
    """An event with its device and outbox."""

    device: str
    outbox_id: str
    event: Event


_ORDER = attrgetter("event.t", "device", "outbox_id", "event.n")


def deduplicate(events: Iterable[SourcedEvent]) -> list[SourcedEvent]:
    """Drop repeats: of one (device, outbox, n) the smallest t counts; sorted by t."""
    earliest: dict[tuple[str, str, int], SourcedEvent] = {}
    for s in events:
        key = (s.device, s.outbox_id, s.event.n)
        if s.event.t < earliest.setdefault(key, s).event.t:
            earliest[key] = s
    return sorted(earliest.values(), key=_ORDER)
