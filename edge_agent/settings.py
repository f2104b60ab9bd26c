"""What an agent is given: who it is, how it behaves, clocks, who follows its configuration; it holds values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

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
    """Whether the agent adds events about its own troubles; a replay must not."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the agent may not fetch itself: clocks (ms), chance in [0, 1), new ids."""

    wall: Callable[[], int]
    monotonic: Callable[[], int]
    chance: Callable[[], float]
    new_id: Callable[[], str]
    clock: ClockWatch | None = None
    rss: Callable[[], int] = int
    """Memory in use, bytes; 0 when unknown."""


class RemoteHandler(Protocol):
    """What follows configuration and commands; called in the fleet's thread and quick to return."""

    def on_message(self, channel: str, payload: bytes, now: int, *, retained: bool = False) -> None:
        """Take a message of channel `config` or `command`; `now` is monotonic ms."""

    def step(self, now: int) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
