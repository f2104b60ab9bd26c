"""A measurement's room: a folder on this disk and the processes in it, all gone at its end. It must not measure."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

START_S = 60.0
END_S = 60.0
CONTROL = "MOTCUA_"
"""Settings of whoever runs the benchmark must not change what is measured."""


class Process:
    """One process of ours, its log, and when the log first said a word."""

    def __init__(self, command: Sequence[str], log: Path, environ: dict[str, str], watch: str = "") -> None:
        self.log = log
        self.said_at: float | None = None
        """`time.perf_counter()` when the log first held `watch`."""
        self._watch = watch.encode()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        with self.log.open("wb", buffering=0) as out:
            for line in self._process.stdout:
                if self._watch and self.said_at is None and self._watch in line:
                    self.said_at = time.perf_counter()
                out.write(line)

    @property
    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and make it end."""
        if self.running:
            self._process.send_signal(number)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_S)
        self._reader.join(5)

    def text(self) -> str:
        """Return its log's end."""
        return self.log.read_text(errors="replace")[-2000:]


@dataclass
class Room:
    """A folder on a real disk, and the processes started for one measurement."""

    folder: Path
    stack: ExitStack
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], watch: str = "") -> Process:
        """Start a process; it ends with the room."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(CONTROL)}
        log = self.folder / f"{name}-{time.monotonic_ns()}.log"
        process = Process(command, log, {**clean, "COLUMNS": "200", **self.environ}, watch)
        self.stack.callback(process.end)
        return process

    def role(self, name: str, *words: str, watch: str = "") -> Process:
        """Start `motcua NAME …`."""
        return self.start(name, [sys.executable, "-m", "motcua", name, *words], watch)

    def wait(self, process: Process, ready: Callable[[], object], what: str, within: float = START_S) -> None:
        """Wait until ready; a process that ends, or takes too long, ends the benchmark with its log."""
        deadline = time.monotonic() + within
        while not ready():
            if not process.running:
                raise SystemExit(f"ended before {what}:\n{process.text()}")
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {within:g} s: {what}\n{process.text()}")
            time.sleep(0.01)


@contextmanager
def room() -> Iterator[Room]:
    """Give a room in the current folder; Ctrl-C and SIGTERM clear it too."""
    name = tempfile.mkdtemp(prefix="motcua-bench-", dir=Path.cwd())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, name, ignore_errors=True)
        if threading.current_thread() is threading.main_thread():
            previous = signal.signal(signal.SIGTERM, _leave)
            stack.callback(signal.signal, signal.SIGTERM, previous)
        yield Room(Path(name), stack)


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def listening(port: int) -> bool:
    """Tell whether somebody listens there."""
    with socket.socket() as caller:
        caller.settimeout(0.5)
        return caller.connect_ex(("127.0.0.1", port)) == 0
