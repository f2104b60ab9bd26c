"""A server of the loopback that answers every connection with given bytes, and then holds it open or closes it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass
class RawServer:
    """`port`, and what each connection asked for."""

    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def saying(*pieces: bytes, hold: bool = False, every_s: float = 0.0) -> Callable[..., None]:
    """Return a talk that sends the pieces, one `every_s`, and then waits for the client to go when it must `hold`."""

    def talk(line: socket.socket, _: bytes, stop: threading.Event) -> None:
        for piece in pieces:
            line.sendall(piece)
            if every_s and stop.wait(every_s):
                return
        while hold and not stop.is_set():
            if select.select([line], [], [], 0.02)[0] and not line.recv(4096):
                return

    return talk


def answering(answers: Sequence[bytes]) -> Callable[..., None]:
    """Return a talk that gives the answers one after the other, whoever asks, and the last one for ever."""
    left = list(answers)

    def talk(line: socket.socket, _: bytes, __: threading.Event) -> None:
        line.sendall(left.pop(0) if len(left) > 1 else left[0])

    return talk


@contextmanager
def raw_server(talk: Callable[..., None], *, reads_first: bool = True) -> Iterator[RawServer]:
    """Serve each connection in its own thread: read one request unless `talk` reads it, then `talk`."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        server = RawServer(listener.getsockname()[1])

        def serve(line: socket.socket) -> None:
            with line, contextlib.suppress(OSError):
                line.settimeout(5)
                asked = line.recv(65_536) if reads_first else b""
                server.requests.append(asked)
                talk(line, asked, stop)

        def accept() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    line, _ = listener.accept()
                    threads.append(threading.Thread(target=serve, args=(line,)))
                    threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            stop.set()
            for thread in (acceptor, *threads):
                thread.join(5)
