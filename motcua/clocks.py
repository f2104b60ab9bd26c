"""Clocks, chance and ids of this process: the one place that asks the machine for them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ulid import ULID

from edge_agent.agent import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable


def wall_ms() -> int:
    """Return Unix time, ms."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Return a clock that never steps, ms."""
    return time.monotonic_ns() // 1_000_000


def new_id() -> str:
    """Return a new ULID."""
    return str(ULID())


@dataclass(frozen=True, slots=True)
class WorldClock:
    """A demo's time: it starts at `start` and runs `speed` times as fast as ours."""

    start: int
    speed: float
    began: int

    def __call__(self) -> int:
        """Return the demo's Unix time, ms."""
        return self.start + int((monotonic_ms() - self.began) * self.speed)


def surroundings(wall: Callable[[], int] = wall_ms) -> Surroundings:
    """Return what agents of this process may use."""
    return Surroundings(wall, monotonic_ms, random.random, new_id)
