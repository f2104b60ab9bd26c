"""Where events come from: one file each, behind one small port; a source must not know of MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from threading import Event as Signal

    from edge_agent.outbox import Outbox


class Source(Protocol):
    """Something that appends events to the outbox until told to stop; it runs in its own thread."""

    name: str

    def run(self, outbox: Outbox, stop: Signal) -> None:
        """Append events until `stop` is set; an exception is logged and the source started again later."""
