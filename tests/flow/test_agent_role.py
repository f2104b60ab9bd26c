"""The agent as its own process: what a kiosk posted is stored once, whatever dies on the way."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import Window
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import DeviceHeartbeat, PaymentResult, ProbeResult

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flow.conftest import House, Role
    from tests.flow.device import Until

pytestmark = pytest.mark.flow
CENTRE, KIOSK = "vn83-28756", "vn83-28756-gateway1"
CONFIG = """device = "{device}"
centre = "{centre}"
mqtt = "{mqtt}"
clock_hold_s = 0
outbox = "outbox.db"
[[source]]
kind = "host"
every_ms = 1000
[[source]]
kind = "probe"
system = "vn83-portal"
probe = "tcp"
target = "127.0.0.1:{closed}"
every_ms = 1000
[[source]]
kind = "file"
path = "till.jsonl"
[[source]]
kind = "http"
port = {port}
"""


class Caller(threading.Thread):
    """A kiosk's program: it repeats each post, with its key, until it gets a 2xx."""

    def __init__(self, port: int, count: int) -> None:
        super().__init__(daemon=True)
        self.port, self.count, self.done, self.retries = port, count, 0, 0

    def run(self) -> None:
        for i in range(self.count):
            event = {"type": "payment.result", "t": time.time_ns() // 1_000_000, "outcome": "ok", "service": f"s{i}"}
            while not self._post(f"key-{i}", json.dumps(event)):
                self.retries += 1
                time.sleep(0.05)
            self.done += 1

    def _post(self, key: str, body: str) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        try:
            line.request("POST", "/events", body, headers)
            return line.getresponse().status in {200, 201}
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()


def configured(house: House, port: int, closed: int = 1) -> Path:
    path = house.folder / "agent.toml"
    path.write_text(CONFIG.format(device=KIOSK, centre=CENTRE, mqtt=house.mqtt, port=port, closed=closed))
    return path


def agent(house: House, path: Path) -> Role:
    from tests.flow.conftest import MOTCUA

    return house.run(MOTCUA, "agent", "--config", str(path), label="agent")


def stored(house: House) -> list[object]:
    """All events of the kiosk that are in the store."""
    now = time.time_ns() // 1_000_000
    window = Window(now - 3_600_000, now + 3_600_000)
    return [s.event for s in house.store.events(CENTRE, window) if s.device == KIOSK]


def paid(house: House) -> list[str]:
    return sorted(str(e.service) for e in stored(house) if isinstance(e, PaymentResult))


def test_posts_survive_kill_9_of_the_agent_once_each(house: House, free_port: int, until: Until) -> None:
    house.start("broker")
    house.linked(house.start("ingest"))
    path = configured(house, free_port)
    running = agent(house, path)
    caller = Caller(free_port, 120)
    caller.start()
    for goal in (30, 70):
        until(lambda goal=goal: caller.done >= goal, f"{goal} posts are taken")  # type: ignore[misc]
        running.kill()
        running.start_again()
    until(lambda: caller.done == 120, "all posts are taken")
    until(lambda: len(paid(house)) >= 120, "all posts are stored")
    assert paid(house) == sorted(f"s{i}" for i in range(120))
    assert caller.retries > 0


def test_every_source_reports_and_a_stop_is_a_good_bye(house: House, free_port: int, until: Until) -> None:
    house.start("broker")
    house.linked(house.start("ingest"))
    running = agent(house, configured(house, free_port))
    now = time.time_ns() // 1_000_000
    line = codec.encode_event(PaymentResult(n=1, t=now, outcome="ok", service="till")).replace(b'"n":1,', b"")
    (house.folder / "till.jsonl").write_bytes(line + b"\n")
    until(lambda: paid(house) == ["till"], "the file's line is stored")
    until(lambda: any(isinstance(e, DeviceHeartbeat) for e in stored(house)), "a heartbeat is stored")
    now = time.time_ns() // 1_000_000
    seen = Window(now - 3_600_000, now + 3_600_000)
    until(lambda: house.store.events("vn83-portal", seen), "a probe is stored")
    probes = [s.event for s in house.store.events("vn83-portal", seen)]
    assert all(isinstance(e, ProbeResult) and e.error == "refused" for e in probes)
    running.end()
    assert running.exit_code(1) == 0, running.text()


def test_a_source_that_cannot_run_stops_no_other(house: House, until: Until) -> None:
    """The HTTP source's port is the broker's."""
    house.start("broker")
    house.linked(house.start("ingest"))
    running = agent(house, configured(house, house.port))
    until(lambda: running.text().count("source_fault") >= 2, "the source is started again")
    until(lambda: any(isinstance(e, DeviceHeartbeat) for e in stored(house)), "a heartbeat is stored")
    assert running.running


def test_a_second_agent_on_one_outbox_ends_with_the_way_out(house: House, free_port: int, until: Until) -> None:
    path = configured(house, free_port)
    first = agent(house, path)
    until(lambda: "agent_started" in first.text(), "the first agent runs")
    second = agent(house, path)
    assert second.exit_code(20) == 1
    assert "no other agent uses the file" in second.text()
    assert first.running


def test_a_faulty_file_is_wrong_configuration(house: House) -> None:
    path = house.folder / "agent.toml"
    path.write_text('device = "A b"\ncolour = 1\n')
    role = agent(house, path)
    assert role.exit_code(20) == 2
    assert f"{path}:1: device" in role.text()
    assert "colour" in role.text()
