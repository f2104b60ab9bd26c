"""A source in a process of its own: its crash, its silence and its parent's death lose and double nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.sources import SourceContext
from edge_agent.sources.builder import build_source
from edge_agent.sources.isolation import ChildEnded, IsolatedSource
from edge_agent.sources.state import DeviceState
from edge_agent.sources.supervisor import SourceHung
from telemetry.source_settings import source_name
from tests.escpos_printer import Behaviour, TcpPrinter

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from edge_agent.outbox import Outbox


def line(t: int) -> str:
    return json.dumps({"type": "payment.result", "t": t, "outcome": "ok"}) + "\n"


class Run:
    """One run of a source in its thread, and how it ended."""

    def __init__(self, source: IsolatedSource, outbox: Outbox) -> None:
        self.source, self.outbox, self.stop = source, outbox, threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.source.run(self.outbox, self.stop)
        except (ChildEnded, SourceHung) as error:
            self.error = error

    def end(self) -> None:
        self.stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def isolated(folder: Path, kind: str, values: dict[str, object], silence_s: float = 60) -> IsolatedSource:
    site = SourceContext("vn83-28756-kiosk1", folder, 1_000, lambda: 1, DeviceState())
    source = build_source(kind, {**values, "isolate": True}, site)
    assert isinstance(source, IsolatedSource)
    source.silence_timeout_s = silence_s
    return source


def times(outbox: Outbox) -> list[int]:
    return [json.loads(row.body)["t"] for row in outbox.rows_after(0, 10_000)]


def test_lines_come_once_through_crashes_of_the_child(tmp_path: Path, outbox: Outbox) -> None:
    path, wrote = tmp_path / "x.jsonl", 0
    source = isolated(tmp_path, "file", {"path": "x.jsonl"})
    for count in (3, 200, 5):
        run = Run(source, outbox)
        for _ in range(count):
            with path.open("a") as file:
                file.write(line(wrote))
            wrote += 1
        until(lambda goal=wrote - count + 1: outbox.highest_n >= goal)  # type: ignore[misc]
        os.kill(source.pid, signal.SIGSEGV)
        run.thread.join(15)
        assert isinstance(run.error, ChildEnded)
    run = Run(source, outbox)
    until(lambda: outbox.highest_n >= wrote)
    run.end()
    assert run.error is None
    assert times(outbox) == list(range(wrote))


def test_a_child_that_hangs_is_ended(tmp_path: Path, outbox: Outbox) -> None:
    (tmp_path / "x.jsonl").write_text(line(1))
    source = isolated(tmp_path, "file", {"path": "x.jsonl"}, silence_s=3)
    run = Run(source, outbox)
    until(lambda: outbox.highest_n == 1)
    os.kill(source.pid, signal.SIGSTOP)
    run.thread.join(20)
    assert isinstance(run.error, SourceHung)
    assert gone(source.pid)


def test_a_stop_ends_the_child(tmp_path: Path, outbox: Outbox) -> None:
    (tmp_path / "x.jsonl").write_text(line(1))
    source = isolated(tmp_path, "file", {"path": "x.jsonl"})
    run = Run(source, outbox)
    until(lambda: outbox.highest_n == 1)
    run.end()
    assert gone(source.pid)


def test_an_alarm_of_the_child_is_raised_by_the_agent(tmp_path: Path, outbox: Outbox) -> None:
    (tmp_path / "x.jsonl").write_text("no event\n" + line(1))
    source, alarms = isolated(tmp_path, "file", {"path": "x.jsonl"}), []
    source.context = replace(source.context, raise_alarm=lambda alarm, name: alarms.append((alarm, name)))
    run = Run(source, outbox)
    until(lambda: outbox.highest_n == 1)
    run.end()
    assert alarms == [("events_skipped", source.name)]


def test_a_printers_state_reaches_the_heartbeat(tmp_path: Path, outbox: Outbox) -> None:
    printer = TcpPrinter(Behaviour({4: 0x60}))
    source = isolated(tmp_path, "escpos", {"address": printer.address})
    run = Run(source, outbox)
    until(lambda: outbox.highest_n == 1)
    run.end()
    printer.close()
    assert (source.context.state.service, source.context.state.printer) == ("out_of_order", "paper_out")
    assert outbox.cursor(source_name("escpos", {"address": printer.address})) == "out_of_order:paper_out"


def test_what_is_no_request_ends_the_child(tmp_path: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agent.sources import isolation

    def babbler(theirs: socket.socket) -> subprocess.Popen[bytes]:
        with theirs:
            theirs.sendall(b"Segmentation fault\n")
        return subprocess.Popen(["sleep", "60"])

    monkeypatch.setattr(isolation, "_start_child", babbler)
    source = isolated(tmp_path, "file", {"path": "x.jsonl"})
    run = Run(source, outbox)
    run.thread.join(15)
    assert isinstance(run.error, ChildEnded)
    assert gone(source.pid)


PARENT = """
import sys, threading
from pathlib import Path
from edge_agent.outbox import Outbox
from edge_agent.sources import SourceContext
from edge_agent.sources.builder import build_source
from edge_agent.sources.state import DeviceState
folder = Path(sys.argv[1])
site = SourceContext("vn83-28756-kiosk1", folder, 1_000, lambda: 1, DeviceState())
source = build_source("file", {"path": "x.jsonl", "isolate": True}, site)
box = Outbox(folder / "killed.db", lambda: "s")
box.on_appended = lambda: print(source.pid, flush=True)
source.run(box, threading.Event())
"""


def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(line(1))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
    finally:
        parent.kill()
        parent.communicate()
    until(lambda: gone(child))
