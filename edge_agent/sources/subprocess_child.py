"""The process of one isolated source: runs it and asks the parent for every commit; it must not keep data."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.sources.builder import Site, build
from edge_agent.sources.isolation import BEAT_S
from edge_agent.sources.liveness import Pulse
from edge_agent.sources.state import DeviceState
from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.protocol.events import Event


class Parent:
    """The outbox of the parent's process, over the line; the line's end ends this process at once."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._asking = threading.Lock()
        self._saying = threading.Lock()
        self._answers = line.makefile("rb")
        self.dropped = 0

    def description(self) -> dict[str, Any]:
        """Return what the parent says this source is."""
        return dict(msgspec.json.decode(self._heard()))

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Have events kept with their cursor in one commit."""
        bodies = [msgspec.Raw(codec.encode_event(event)) for event in events]
        told = self._ask({"do": "append", "events": bodies, "source": source, "cursor": cursor})
        return told["first"], told["last"]

    def append_once(self, key: str, events: Sequence[Event], now: int) -> tuple[str, bool]:
        """Refuse: no isolated source takes posts."""
        raise NotImplementedError(key, events, now)

    def append_numbered(self, events: Sequence[Event]) -> None:
        """Refuse: no isolated source brings its own numbers."""
        raise NotImplementedError(events)

    def cursor(self, source: str) -> str:
        """Return the source's cursor."""
        return str(self._ask({"do": "cursor", "source": source})["cursor"])

    def pending(self) -> int:
        """Return how many rows wait for a receipt."""
        return int(self._ask({"do": "pending"})["pending"])

    def beat(self) -> None:
        """Say that the source goes on."""
        self._say({"do": "beat"})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._asking:
            self._say(request)
            return dict(msgspec.json.decode(self._heard()))

    def _say(self, request: dict[str, Any]) -> None:
        try:
            with self._saying:
                self._line.sendall(msgspec.json.encode(request) + b"\n")
        except OSError:
            os._exit(0)

    def _heard(self) -> bytes:
        try:
            answer = self._answers.readline()
        except OSError:
            answer = b""
        if not answer:
            os._exit(0)
        return answer


def run(line: socket.socket) -> None:
    """Be the source the parent describes until the line ends."""
    parent = Parent(line)
    told = parent.description()
    site = Site(told["device"], Path(told["folder"]), told["every_ms"], _wall_ms, DeviceState())
    source = build(told["kind"], told["values"], site)
    pulse = Pulse(_monotonic_ms)
    threading.Thread(target=_beat, args=(parent, pulse, told["hang_s"]), daemon=True).start()
    source.run(parent, pulse)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _beat(parent: Parent, pulse: Pulse, hang_s: float) -> None:
    """Say that the source goes on for as long as it does; a silent child is ended by its parent."""
    while True:
        if pulse.waiting or _monotonic_ms() - pulse.beat_at < hang_s * 1000:
            parent.beat()
        time.sleep(BEAT_S)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the parent, whose end of the line ends us
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as own:
        run(own)
