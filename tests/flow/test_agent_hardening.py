"""The agent as its own process in hard times: a long backlog, a full disk, a damaged outbox, a service manager."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox import Outbox
from telemetry.core.calendar.windows import Window
from telemetry.core.protocol.events import AgentAlarm, DeviceHeartbeat, PaymentResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.flow.conftest import House, Role
    from tests.flow.device import Until

pytestmark = pytest.mark.flow
CENTRE, DEVICE = "vn83-28756", "vn83-28756-gateway1"
MB = 1024 * 1024
CONFIG = """device = "{device}"
centre = "{centre}"
mqtt = "{mqtt}"
outbox = "box/outbox.db"
clock_hold_s = 0
{more}
[[source]]
kind = "http"
port = {port}
"""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Kiosk:
    """An agent's place in a house."""

    def __init__(self, house: House, port: int, more: str = "") -> None:
        self.house, self.port = house, port
        self.box = house.folder / "box"
        self.box.mkdir(exist_ok=True)
        self.config = house.folder / "agent.toml"
        self.config.write_text(
            CONFIG.format(device=DEVICE, centre=CENTRE, mqtt=house.mqtt, port=port, more=more), encoding="utf-8"
        )

    def start(self) -> Role:
        from tests.flow.conftest import MOTCUA

        return self.house.run(MOTCUA, "agent", "--config", str(self.config), label="agent")

    def post(self, service: str, count: int = 1) -> int:
        """Post so many payments at once; returns the answer's status, 0 when nobody answers."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        event = {"type": "payment.result", "t": now_ms(), "outcome": "ok", "service": service}
        try:
            line.request("POST", "/events", json.dumps([event] * count), {"Idempotency-Key": service})
            return line.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            line.close()

    def stored(self) -> list[object]:
        window = Window(now_ms() - 3_600_000, now_ms() + 3_600_000)
        return [s.event for s in self.house.store.events(CENTRE, window) if s.device == DEVICE]

    def paid(self) -> list[str]:
        return sorted(str(e.service) for e in self.stored() if isinstance(e, PaymentResult))

    def alarms(self) -> list[str]:
        return [e.alarm for e in self.stored() if isinstance(e, AgentAlarm)]


def serve(house: House) -> None:
    house.start("broker")
    house.linked(house.start("ingest"))


def test_a_live_event_arrives_while_a_long_backlog_drains_class_by_class(
    house: House, free_port: int, until: Until
) -> None:
    kiosk = Kiosk(house, free_port, "drain_rows_per_s = 100")
    box = Outbox(kiosk.box / "outbox.db", lambda: "01SPOOL")
    for first in range(0, 3_000, 500):
        t = now_ms() - 60_000
        box.append([DeviceHeartbeat(n=1, t=t + i) for i in range(first, first + 500)])
    box.append([PaymentResult(n=1, t=now_ms() - 60_000, outcome="ok", service="waited")])
    box.close()
    serve(house)
    kiosk.start()
    until(lambda: kiosk.post("live") == 201, "the agent takes a post")
    until(lambda: kiosk.paid() == ["live", "waited"], "the event of the backlog and the live one are stored")
    assert len(kiosk.stored()) < 2_500


@pytest.fixture
def small_disk(house: House) -> Iterator[Callable[[Path], None]]:
    """Return a function that mounts a small file system; needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    with ExitStack() as mounted:

        def mount(folder: Path) -> None:
            if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=12m") != 0:
                pytest.skip(f"cannot mount a tmpfs: {os.strerror(ctypes.get_errno())}; run as root")
            mounted.callback(lambda: libc.umount2(bytes(folder), 2))

        yield mount
        for role in reversed(house.roles):
            role.end()


def test_on_a_full_disk_nothing_is_taken_that_is_not_kept_and_what_was_kept_still_leaves(
    house: House, free_port: int, until: Until, small_disk: Callable[[Path], None]
) -> None:
    kiosk = Kiosk(house, free_port)
    small_disk(kiosk.box)
    (kiosk.box / "log-of-others").write_bytes(bytes(3 * MB))
    running, taken = kiosk.start(), list[str]()
    until(lambda: kiosk.post("first") == 201, "the agent takes a post")
    for i in range(1_000):
        if (status := kiosk.post(f"s{i}", 500)) != 201:
            break
        taken.append(f"s{i}")
    assert status == 503
    assert kiosk.post(f"s{i}", 500) == 503
    fill(kiosk.box / "filler")
    serve(house)
    expected = sorted(["first", *(name for name in taken for _ in range(500))])
    until(lambda: len(kiosk.paid()) >= len(expected), "all that was taken is stored", 40)
    assert kiosk.paid() == expected
    (kiosk.box / "log-of-others").unlink()
    until(lambda: kiosk.post("last") == 201, "there is room again")
    until(lambda: "disk_full" in kiosk.alarms(), "the alarm is stored")
    until(lambda: "last" in kiosk.paid(), "the last post is stored")
    assert running.running


def fill(path: Path) -> None:
    """Take every byte that is left."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)


def test_a_damaged_outbox_costs_no_taken_event_and_no_restart(house: House, free_port: int, until: Until) -> None:
    kiosk = Kiosk(house, free_port)
    running = kiosk.start()
    until(lambda: kiosk.post("s", 5_000) == 201, "the agent takes posts")
    running.kill()
    box = Outbox(kiosk.box / "outbox.db", lambda: "unused")
    spool, root = box.outbox_id, box.file.query("SELECT rootpage FROM sqlite_schema WHERE name = 'posted'")[0][0]
    box.close()
    with (kiosk.box / "outbox.db").open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    serve(house)
    running.start_again()
    until(lambda: kiosk.post("late") == 201, "the agent takes posts again")
    until(lambda: len(kiosk.paid()) >= 5_001, "all are stored", 40)
    assert kiosk.paid() == ["late", *["s"] * 5_000]
    until(lambda: kiosk.alarms() == ["outbox_corrupt"], "the alarm is stored")
    assert {ranges.outbox_id for ranges in house.store.row_ranges() if ranges.device == DEVICE} == {spool}
    assert running.running
    assert list(kiosk.box.glob("outbox.db.corrupt-*"))


def test_a_service_manager_hears_of_start_progress_and_stop_and_figures_are_written(
    house: House, free_port: int, until: Until, require: Callable[[str], str]
) -> None:
    promtool = require("promtool")
    serve(house)
    kiosk = Kiosk(house, free_port, 'metrics_file = "box/motcua.prom"')
    heard = list[bytes]()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(house.folder / "notify"))
        ear.settimeout(60)
        house._env["NOTIFY_SOCKET"] = str(house.folder / "notify")
        running = kiosk.start()
        while b"WATCHDOG=1" not in heard:
            heard.append(ear.recv(99))
        assert heard[0] == b"READY=1"
        until((kiosk.box / "motcua.prom").exists, "the figures are written")
        running.end()
        while b"STOPPING=1" not in heard:
            heard.append(ear.recv(99))
    text = (kiosk.box / "motcua.prom").read_text()
    done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f'motcua_agent_info{{device="{DEVICE}"' in text
    assert running.exit_code(1) == 0, running.text()
