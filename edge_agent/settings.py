"""An agent's settings and its environment (clocks, random numbers, ids); plain values, nothing here does IO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.delivery import DeliveryPace

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.clock import ClockWatch
    from telemetry.mqtt.address import BrokerAddress


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Which device this is and how it behaves; times in ms."""

    device: str
    centre: str
    broker: BrokerAddress
    linger_ms: int = 250
    compress: bool = True
    pace: DeliveryPace = field(default_factory=DeliveryPace)
    first_retry_ms: int = 1_000
    alarms_enabled: bool = False
    """Whether the agent appends events about its own faults; a replay must not."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the agent may not get for itself: clocks (ms), random numbers in [0, 1), new ids."""

    wall: Callable[[], int]
    monotonic: Callable[[], int]
    chance: Callable[[], float]
    new_id: Callable[[], str]
    clock: ClockWatch | None = None
    rss: Callable[[], int] = int
    """Memory in use, bytes; 0 when unknown."""
