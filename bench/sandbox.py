"""A measurement's sandbox: a folder on this disk and its processes, removed at the end. It must not measure."""

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

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
SETTINGS_PREFIX = "MOTCUA_"
"""Settings of the user must not change what is measured."""


class BenchProcess:
    """One started process, its log, and when the log first matched `pattern`."""

    def __init__(self, command: Sequence[str], log: Path, environ: dict[str, str], pattern: str = "") -> None:
        self.log = log
        self.matched_at: float | None = None
        """`time.perf_counter()` when the log first matched `pattern`."""
        self._pattern = pattern.encode()
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
                if self._pattern and self.matched_at is None and self._pattern in line:
                    self.matched_at = time.perf_counter()
                out.write(line)

    @property
    def is_running(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Terminate it, and kill it when it does not end."""
        if self.is_running:
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        self._reader.join(5)

    def log_tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


@dataclass
class Sandbox:
    """A folder on a real disk, and the processes started for one measurement."""

    folder: Path
    stack: ExitStack
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], pattern: str = "") -> BenchProcess:
        """Start a process; it ends with the sandbox."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS_PREFIX)}
        log = self.folder / f"{name}-{time.monotonic_ns()}.log"
        process = BenchProcess(command, log, {**clean, "COLUMNS": "200", **self.environ}, pattern)
        self.stack.callback(process.stop)
        return process

    def start_role(self, name: str, *arguments: str, pattern: str = "") -> BenchProcess:
        """Start `motcua NAME …`."""
        return self.start(name, [sys.executable, "-m", "motcua", name, *arguments], pattern)

    def wait_until_ready(
        self, process: BenchProcess, ready: Callable[[], object], what: str, timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Wait until ready; a process that ends, or takes too long, ends the benchmark with its log."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not process.is_running:
                raise SystemExit(f"ended before {what}:\n{process.log_tail()}")
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {timeout_s:g} s: {what}\n{process.log_tail()}")
            time.sleep(0.01)


@contextmanager
def open_sandbox() -> Iterator[Sandbox]:
    """Open a sandbox in the current folder; Ctrl-C and SIGTERM remove it too."""
    name = tempfile.mkdtemp(prefix="motcua-bench-", dir=Path.cwd())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, name, ignore_errors=True)
        if threading.current_thread() is threading.main_thread():
            previous = signal.signal(signal.SIGTERM, _exit_on_signal)
            stack.callback(signal.signal, signal.SIGTERM, previous)
        yield Sandbox(Path(name), stack)


def _exit_on_signal(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def is_listening(port: int) -> bool:
    """Return whether a server listens on the port."""
    with socket.socket() as caller:
        caller.settimeout(0.5)
        return caller.connect_ex(("127.0.0.1", port)) == 0
