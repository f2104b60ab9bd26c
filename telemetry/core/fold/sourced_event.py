"""An event with who said it, and what is left when repeats are dropped; it must not interpret events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.protocol.events import Event


@dataclass(frozen=True, slots=True)
class Said:
    """An event with the device and spool that said it."""

    device: str
    spool: str
    event: Event


def once(said: Iterable[Said]) -> list[Said]:
    """Drop repeats: of one (device, spool, n) the smallest t counts; sorted by t."""
    best: dict[tuple[str, str, int], Said] = {}
    for s in said:
        key = (s.device, s.spool, s.event.n)
        if key not in best or s.event.t < best[key].event.t:
            best[key] = s
    return sorted(best.values(), key=lambda s: (s.event.t, s.device, s.spool, s.event.n))
