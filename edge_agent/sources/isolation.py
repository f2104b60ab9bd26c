"""Keeps a source that may hang or crash in a process of its own, which speaks JSON lines; it must not trust it.

The child asks for each commit and goes on when it is answered, so a child ended at any point loses and doubles
nothing.  Lines to the child: the source's description, then answers; from it: requests and signs of life.
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.context import Site

BEAT_S = 1.0
"""How often a child whose source goes on says so."""
SILENCE_S = 90.0
"""A child that says nothing for so long is ended."""
START_S = 60.0
GOODBYE_S = 2.0
LOOK_S = 0.25
MAX_LINE = 1024 * 1024


class ChildEnded(RuntimeError):
    """The source's process ended by itself, by a signal, or said what is no request."""


@dataclass(slots=True)
class IsolatedSource:
    """A source in a child process; a fault of the child is raised here, and supervision starts it again."""

    kind: str
    values: Mapping[str, Any]
    site: Site
    name: str
    silence_s: float = SILENCE_S
    pid: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Serve one child until stopped. Raises ChildEnded, SourceHung."""
        ours, theirs = socket.socketpair()
        with ours, _child(theirs) as child:
            self.pid = child.pid
            try:
                ours.settimeout(LOOK_S)
                with suppress(OSError):
                    ours.sendall(self._description())
                self._serve(ours, outbox, stop)
                if not stop.is_set():
                    raise ChildEnded(f"the source's process ended with {_code(child)}")
            finally:
                ours.close()
                _end(child)

    def _description(self) -> bytes:
        told = {
            "kind": self.kind, "values": dict(self.values), "device": self.site.device,
            "folder": str(self.site.folder), "every_ms": self.site.every_ms, "hang_s": self.silence_s / 2,
        }  # fmt: skip
        return msgspec.json.encode(told) + b"\n"

    def _serve(self, line: socket.socket, outbox: Sink, stop: Stop) -> None:
        """Answer requests until the child ends or we are stopped."""
        for request in self._requests(line, stop):
            answer = self._answered(request, outbox)
            if answer is not None:
                with suppress(OSError):
                    line.sendall(msgspec.json.encode(answer) + b"\n")

    def _requests(self, line: socket.socket, stop: Stop) -> Iterator[bytes]:
        """Yield the child's lines. Raises SourceHung after a silence."""
        kept, heard, limit = b"", time.monotonic(), max(START_S, self.silence_s)
        while not stop.is_set():
            try:
                some = line.recv(65_536)
            except TimeoutError:
                if time.monotonic() - heard > limit:
                    raise SourceHung(f"no sign of life for {limit:g} s; its process {self.pid} is ended") from None
                continue
            except OSError:
                return
            if not some:
                return
            heard, limit = time.monotonic(), self.silence_s
            *lines, kept = (kept + some).split(b"\n")
            if len(kept) > MAX_LINE:
                raise ChildEnded("the source's process sent a line without an end")
            yield from lines

    def _answered(self, request: bytes, outbox: Sink) -> dict[str, Any] | None:
        try:
            asked = _REQUEST.decode(request)
            events = [codec.decode_event(bytes(event)) for event in asked.events]
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ChildEnded("the source's process said what is no request") from error
        if asked.do == "beat":
            return None
        if asked.do == "cursor":
            return {"cursor": outbox.cursor(asked.source)}
        if asked.do == "pending":
            return {"pending": outbox.pending()}
        first, last = outbox.append(events, source=asked.source, cursor=asked.cursor)
        for event in events:
            self.site.state.follow(event, self.name)
        return {"first": first, "last": last}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a child asks for."""

    do: str
    events: list[msgspec.Raw] = []
    source: str = ""
    cursor: str = ""


_REQUEST = msgspec.json.Decoder(Request)


def _child(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """Start the child with its end of the line; what a driver prints goes to our stderr."""
    with theirs:
        return subprocess.Popen(
            [sys.executable, "-m", "edge_agent.sources.subprocess_child", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=(theirs.fileno(),),
        )


def _code(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        return None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Give the child a moment to see that the line is gone, then kill it."""
    try:
        child.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
