"""Where events come from: one file each, behind small ports; a source must not know of MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.protocol.events import Event


class Sink(Protocol):
    """Where a source's events go: the outbox, or what stands before it. What a method has returned for is durable."""

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Keep events with their source's cursor in one commit; returns the first and last row number."""

    def append_idempotent(self, key: str, events: Sequence[Event], now: int) -> tuple[str, bool]:
        """Keep a POST's events unless its key was seen; returns (answer, repeated)."""

    def append_numbered(self, events: Sequence[Event]) -> None:
        """Keep events that bring their own numbers."""

    def cursor(self, source: str) -> str:
        """Return the source's cursor, empty at first."""

    def pending_count(self) -> int:
        """Return how many rows wait for a receipt."""

    @property
    def dropped_count(self) -> int:
        """Return how many rows were given up since the start."""


class Stop(Protocol):
    """How a source is told to end; asking is also how it shows that it still goes on."""

    def is_set(self) -> bool:
        """Tell whether to end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait so many seconds, or until told to end; tells whether to end."""


class Source(Protocol):
    """Something that appends events until told to stop; it runs in its own thread and asks `stop` often."""

    name: str

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Append events until `stop` is set; an exception is logged and the source started again later."""
