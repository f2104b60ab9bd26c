"""The sources of events, one file each, and their interface; a source must not use MQTT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.outbox import PostKey, PostResult
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import AlarmCode, Event


def ignore_alarm(alarm: AlarmCode, source: str) -> None:
    """Raise no alarm: the source runs without an agent."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """Where a source works: its device, the folder of `agent.toml`, the default interval, Unix ms, shared state."""

    device: str
    folder: Path
    every_ms: int
    clock: Callable[[], int]
    state: DeviceState
    services: frozenset[str] = frozenset()
    """The services that the device's centre declares; empty when agent.toml does not say."""
    raise_alarm: Callable[[AlarmCode, str], None] = ignore_alarm
    """Raises an alarm about the source of this name; counted, and reported once an hour while it lasts."""


class Sink(Protocol):
    """Where a source's events go: the outbox, or a guard in front of it. What is appended is on disk on return."""

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Append events with their source's cursor in one commit; returns the first and last row number."""

    def append_idempotent(self, events: Sequence[Event], post: PostKey, now: int) -> PostResult:
        """Append a POST's events unless its key is a repeat, in one commit."""

    def cursor(self, source: str) -> str:
        """Return the source's cursor, empty at first."""

    def pending_count(self) -> int:
        """Return how many rows wait for a receipt."""

    @property
    def dropped_count(self) -> int:
        """Return how many rows were dropped since the start."""


class Stop(Protocol):
    """A source's stop signal; each call is also the source's heartbeat."""

    def is_set(self) -> bool:
        """Return whether the source must end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait `timeout` seconds or until the stop is requested; returns whether the source must end."""


class Source(Protocol):
    """Appends events until stopped; it runs in its own thread and calls `stop` often."""

    name: str

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Append events until `stop` is set; an exception is logged and the source is restarted later."""
