"""Runs a source that may hang or crash in its own process, over JSON lines; it must validate what that process sends.

The child requests each commit and continues when it is answered, so a child that ends at any point loses and repeats
nothing.  Lines to the child: the source's description, then answers; from the child: requests and heartbeats.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.sources.supervisor import SourceHung
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import AlarmCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_agent.sources import Sink, SourceContext, Stop

HEARTBEAT_S = 1.0
"""How often a child whose source is alive sends a heartbeat."""
SILENCE_TIMEOUT_S = 90.0
"""A child that sends nothing for this long is ended."""
START_TIMEOUT_S = 60.0
EXIT_TIMEOUT_S = 2.0
POLL_S = 0.25
MAX_LINE_BYTES = 1024 * 1024


class ChildEnded(RuntimeError):
    """The source's process ended by itself or by a signal, or sent an invalid request."""


@dataclass(slots=True)
class IsolatedSource:
    """A source in a child process; a fault of the child is raised here, and the supervisor restarts it."""

    kind: str
    values: Mapping[str, Any]
    context: SourceContext
    name: str
    silence_timeout_s: float = SILENCE_TIMEOUT_S
    pid: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Serve one child until stopped. Raises ChildEnded, SourceHung."""
        parent_end, child_end = socket.socketpair()
        with parent_end, _start_child(child_end) as child:
            self.pid = child.pid
            try:
                parent_end.settimeout(POLL_S)
                with suppress(OSError):
                    parent_end.sendall(self._encode_description())
                self._serve_requests(parent_end, outbox, stop)
                if not stop.is_set():
                    raise ChildEnded(f"the source's process ended with {_exit_code(child)}")
            finally:
                parent_end.close()
                _stop_child(child)

    def _encode_description(self) -> bytes:
        description = {
            "kind": self.kind, "values": dict(self.values), "device": self.context.device,
            "folder": str(self.context.folder), "every_ms": self.context.every_ms, "hang_s": self.silence_timeout_s / 2,
        }  # fmt: skip
        return msgspec.json.encode(description) + b"\n"

    def _serve_requests(self, connection: socket.socket, outbox: Sink, stop: Stop) -> None:
        """Answer requests until the child ends or `stop` is set."""
        for request in self._read_requests(connection, stop):
            answer = self._handle_request(request, outbox)
            if answer is not None:
                with suppress(OSError):
                    connection.sendall(msgspec.json.encode(answer) + b"\n")

    def _read_requests(self, connection: socket.socket, stop: Stop) -> Iterator[bytes]:
        """Yield the child's lines. Raises SourceHung after `silence_timeout_s` without one."""
        buffer, last_received, limit = b"", time.monotonic(), max(START_TIMEOUT_S, self.silence_timeout_s)
        while not stop.is_set():
            try:
                data = connection.recv(65_536)
            except TimeoutError:
                if time.monotonic() - last_received > limit:
                    raise SourceHung(f"no sign of life for {limit:g} s; its process {self.pid} is ended") from None
                continue
            except OSError:
                return
            if not data:
                return
            last_received, limit = time.monotonic(), self.silence_timeout_s
            *lines, buffer = (buffer + data).split(b"\n")
            if len(buffer) > MAX_LINE_BYTES:
                raise ChildEnded("the source's process sent an endless line")
            yield from lines

    def _handle_request(self, request: bytes, outbox: Sink) -> dict[str, Any] | None:
        try:
            child_request = _REQUEST_DECODER.decode(request)
            events = [codec.decode_event(bytes(event)) for event in child_request.events]
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ChildEnded("the source's process sent an invalid request") from error
        if child_request.do == "beat":
            return None
        if child_request.do == "alarm":
            self.context.raise_alarm(child_request.alarm, self.name)
            return None
        if child_request.do == "cursor":
            return {"cursor": outbox.cursor(child_request.source)}
        if child_request.do == "pending":
            return {"pending": outbox.pending_count()}
        first, last = outbox.append(events, source=child_request.source, cursor=child_request.cursor)
        for event in events:
            self.context.state.update(event, self.name)
        return {"first": first, "last": last}


class ChildRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request of the child."""

    do: str
    events: list[msgspec.Raw] = []
    source: str = ""
    cursor: str = ""
    alarm: AlarmCode = "events_skipped"


_REQUEST_DECODER = msgspec.json.Decoder(ChildRequest)


def _start_child(child_end: socket.socket) -> subprocess.Popen[bytes]:
    """Start the child with its end of the connection; a driver's prints go to stderr."""
    with child_end:
        return subprocess.Popen(
            [sys.executable, "-m", "edge_agent.sources.subprocess_child", str(child_end.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=(child_end.fileno(),),
        )


def _exit_code(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(EXIT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return None


def _stop_child(child: subprocess.Popen[bytes]) -> None:
    """Wait for the child to end after the connection is closed, then kill it."""
    try:
        child.wait(EXIT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
