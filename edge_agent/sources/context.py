"""What every source is told of the place it works at; plain values, it must not load a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.sources.state import DeviceState


@dataclass(frozen=True, slots=True)
class SourceContext:
    """Where a source works: its device, the folder of `agent.toml`, the default interval, Unix ms, shared state."""

    device: str
    folder: Path
    every_ms: int
    clock: Callable[[], int]
    state: DeviceState
