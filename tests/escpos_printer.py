"""A byte-level ESC/POS printer: answers DLE EOT n on a TCP port or a pseudo-terminal, well or badly. No test in it."""

from __future__ import annotations

import os
import select
import socket
import threading
import tty
from dataclasses import dataclass, field

FIXED = 0x12
ASB = bytes((0x14, 0x00, 0x03, 0x0F))
"""An automatic status: drawer pin high, paper near its end, in four bytes."""


@dataclass
class Behaviour:
    """What the printer says; `bits` by question. `before` and `after` surround each answer, `split` sends bytewise."""

    bits: dict[int, int] = field(default_factory=dict)
    mute: frozenset[int] = frozenset()
    before: bytes = b""
    after: bytes = b""
    hang_up: bool = False
    asked: list[int] = field(default_factory=list)

    def answer(self, n: int) -> bytes:
        self.asked.append(n)
        if n in self.mute:
            return b""
        return self.before + bytes((FIXED | self.bits.get(n, 0),)) + self.after


class _Printer:
    """Reads requests from a descriptor until stopped."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        raise NotImplementedError

    def _serve(self, descriptor: int) -> None:
        kept = b""
        while not self._stop.is_set():
            if not select.select([descriptor], [], [], 0.02)[0]:
                continue
            try:
                some = os.read(descriptor, 64)
            except OSError:
                return
            if not some or self.behaviour.hang_up:
                return
            kept += some
            while len(kept) >= 3:
                assert kept[:2] == b"\x10\x04", f"not a status request: {kept!r}"
                try:
                    for byte in self.behaviour.answer(kept[2]):
                        os.write(descriptor, bytes((byte,)))
                except OSError:  # whoever asked has hung up
                    return
                kept = kept[3:]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


class TcpPrinter(_Printer):
    """A printer with a network card: one connection at a time."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                line, _ = self._listener.accept()
            except TimeoutError:
                continue
            with line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.settimeout(None)
                self._serve(line.fileno())

    def close(self) -> None:
        super().close()
        self._listener.close()


class SerialPrinter(_Printer):
    """A printer on a serial line: the master's side of a pseudo-terminal."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        self.path = os.ttyname(self._slave)
        self.address = f"serial://{self.path}?baud=19200"
        self.start()

    def _run(self) -> None:
        self._serve(self._master)

    def close(self) -> None:
        super().close()
        os.close(self._slave)
        os.close(self._master)
