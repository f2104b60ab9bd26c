"""Operators' side of a real agent: configuration and commands over a broker, answered by events in the store."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from telemetry.core.calendar.windows import Window
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.protocol.topics import TopicChannel
    from tests.flow.conftest import House, Role
    from tests.flow.device import Until

pytestmark = pytest.mark.flow
CENTRE, DEVICE = "vn83-28756", "vn83-28756-gateway1"
CONFIG = """device = "{device}"
centre = "{centre}"
mqtt = "{mqtt}"
outbox = "outbox.db"
[[source]]
kind = "host"
every_ms = 60000
[[source]]
kind = "file"
path = "till.jsonl"
isolate = true
"""


class Office:
    """An operator on the wire, with the agent and the store."""

    def __init__(self, house: House, until: Until) -> None:
        self.house, self.until = house, until
        house.start("broker")
        house.linked(house.start("ingest"))
        self.path = house.folder / "agent.toml"
        self.path.write_text(CONFIG.format(device=DEVICE, centre=CENTRE, mqtt=house.mqtt))
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.connect("127.0.0.1", house.port)
        self.client.loop_start()
        self.agent = self._agent()
        self.until(lambda: self.stored(ev.DeviceHeartbeat), "a heartbeat is stored")

    def _agent(self) -> Role:
        from tests.flow.conftest import MOTCUA

        return self.house.run(MOTCUA, "agent", "--config", str(self.path), label="agent")

    def send(self, channel: TopicChannel, value: dict[str, Any], *, retain: bool = False) -> None:
        path = Topic(CENTRE, DEVICE, channel).path
        info = self.client.publish(path, json.dumps(value), qos=1, retain=retain)
        self.until(info.is_published, "the broker takes the message")

    def command(self, command: str, ident: str, expires_ms: int = 60_000, **args: str) -> None:
        expires = time.time_ns() // 1_000_000 + expires_ms
        self.send("command", {"v": 1, "id": ident, "command": command, "expires": expires, "args": args})

    def stored(self, kind: type[ev.Event]) -> list[Any]:
        now = time.time_ns() // 1_000_000
        window = Window(now - 3_600_000, now + 3_600_000)
        return [s.event for s in self.house.store.events(CENTRE, window) if isinstance(s.event, kind)]

    def results(self) -> list[tuple[Any, ...]]:
        return [(e.version, e.outcome, e.reason) for e in self.stored(ev.ConfigResult)]

    def answers(self) -> dict[str, tuple[Any, ...]]:
        return {e.id: (e.outcome, e.reason) for e in self.stored(ev.CommandResult)}

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def office(house: House, until: Until) -> Iterator[Office]:
    one = Office(house, until)
    yield one
    one.close()


def test_a_configuration_is_tried_committed_and_kept(office: Office, until: Until) -> None:
    office.send("config", {"v": 1, "version": 1, "settings": {"mqtt": "mqtt://elsewhere"}}, retain=True)
    until(lambda: office.results() == [(1, "rejected", "unknown-field")], "a bad document is refused")
    settings = {"linger_ms": 10, "sources": {"host": {"every_ms": 1_000}}}
    office.send("config", {"v": 1, "version": 1, "settings": settings}, retain=True)
    until(lambda: (1, "applied", None) in office.results(), "the configuration is committed", 60)
    assert any(beat.every_ms == 1_000 for beat in office.stored(ev.DeviceHeartbeat))
    office.agent.kill()
    office.agent.start_again()
    beats = len(office.stored(ev.DeviceHeartbeat))
    until(lambda: len(office.stored(ev.DeviceHeartbeat)) > beats + 3, "the settings hold after a kill")
    assert sorted(office.results()) == [(1, "applied", None), (1, "rejected", "unknown-field")]


def test_a_trial_cut_off_by_kill_9_is_rolled_back(office: Office, until: Until) -> None:
    office.send("config", {"v": 1, "version": 7, "settings": {"linger_ms": 10}}, retain=True)
    file = office.house.folder / "outbox.db.remote.json"
    until(lambda: file.exists() and b'"trial"' in file.read_bytes(), "the trial is on disk")
    office.agent.kill()
    office.agent.start_again()
    until(lambda: office.results() == [(7, "rolled_back", "restarted")], "it is rolled back")
    office.command("send-diagnostics", "d")

    def told() -> list[object]:
        return [figures.config_version for figures in office.stored(ev.AgentDiagnostics)]

    until(lambda: told()[-1:] == [0], "figures are stored; the trial's own may stand before them")


def test_commands_run_once_and_are_answered(office: Office, until: Until) -> None:
    office.command("restart-source", "r1", source="file:till.jsonl")
    office.command("flush", "f1")
    office.command("flush", "f1")
    office.command("flush", "late", -1)
    office.command("reboot", "x")
    expected = {"r1": ("done", None), "f1": ("done", None), "late": ("expired", None), "x": ("unknown", None)}
    until(lambda: office.answers() == expected, "each is answered")
    line = {"type": "payment.result", "t": time.time_ns() // 1_000_000, "outcome": "ok", "service": "till"}
    (office.house.folder / "till.jsonl").write_text(json.dumps(line) + "\n")
    until(lambda: office.stored(ev.PaymentResult), "the restarted source goes on, in its own process")
    assert len(office.stored(ev.CommandResult)) == 4
    office.agent.process.send_signal(signal.SIGTERM)
    assert office.agent.exit_code(20) == 0
