"""The process of one isolated source: runs it and requests every commit from the parent; it must not store data."""

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

from edge_agent.sources import SourceContext
from edge_agent.sources.builder import build_source
from edge_agent.sources.isolation import HEARTBEAT_S
from edge_agent.sources.state import DeviceState
from edge_agent.sources.supervisor import SourceHeartbeat
from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.outbox import PostKey, PostResult
    from telemetry.core.protocol.events import AlarmCode, Event


class ParentConnection:
    """The parent's outbox over the connection; when the connection closes, this process ends at once."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._request_lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._replies = connection.makefile("rb")
        self.dropped_count = 0

    def read_description(self) -> dict[str, Any]:
        """Return the parent's description of this source."""
        return dict(msgspec.json.decode(self._read_reply()))

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Request a commit of events with their cursor."""
        bodies = [msgspec.Raw(codec.encode_event(event)) for event in events]
        reply = self._request({"do": "append", "events": bodies, "source": source, "cursor": cursor})
        return reply["first"], reply["last"]

    def append_idempotent(self, events: Sequence[Event], post: PostKey, now: int) -> PostResult:
        """Refuse: no isolated source accepts posts."""
        raise NotImplementedError(events, post, now)

    def cursor(self, source: str) -> str:
        """Return the source's cursor."""
        return str(self._request({"do": "cursor", "source": source})["cursor"])

    def pending_count(self) -> int:
        """Return how many rows wait for a receipt."""
        return int(self._request({"do": "pending"})["pending"])

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._request_lock:
            self.send(request)
            return dict(msgspec.json.decode(self._read_reply()))

    def raise_alarm(self, alarm: AlarmCode, source: str) -> None:
        """Ask the parent to raise an alarm about its source."""
        del source
        self.send({"do": "alarm", "alarm": alarm})

    def send(self, request: dict[str, Any]) -> None:
        """Send a request or heartbeat without waiting for a reply."""
        try:
            with self._send_lock:
                self._connection.sendall(msgspec.json.encode(request) + b"\n")
        except OSError:
            os._exit(0)

    def _read_reply(self) -> bytes:
        try:
            reply = self._replies.readline()
        except OSError:
            reply = b""
        if not reply:
            os._exit(0)
        return reply


def run_source(connection: socket.socket) -> None:
    """Run the source that the parent describes until the connection closes."""
    parent = ParentConnection(connection)
    description = parent.read_description()
    device, folder, every_ms = description["device"], Path(description["folder"]), description["every_ms"]
    context = SourceContext(device, folder, every_ms, _wall_ms, DeviceState(), raise_alarm=parent.raise_alarm)
    source = build_source(description["kind"], description["values"], context)
    heartbeat = SourceHeartbeat(_monotonic_ms)
    threading.Thread(target=_send_heartbeats, args=(parent, heartbeat, description["hang_s"]), daemon=True).start()
    source.run(parent, heartbeat)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _send_heartbeats(parent: ParentConnection, heartbeat: SourceHeartbeat, hang_s: float) -> None:
    """Send heartbeats while the source is alive; the parent ends a child without them."""
    while True:
        if heartbeat.is_waiting or _monotonic_ms() - heartbeat.last_beat_at < hang_s * 1000:
            parent.send({"do": "beat"})
        time.sleep(HEARTBEAT_S)


if __name__ == "__main__":
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # meant for the parent; its end closes the connection, which ends this process
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as parent_connection:
        run_source(parent_connection)
